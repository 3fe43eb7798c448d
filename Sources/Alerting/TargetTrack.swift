// One target's own view: what its probes say when nothing else is known.

import Model
import Wire

/// What a state rests on; the words are made from it on demand, with the numbers of that moment.
enum Basis: Hashable, Sendable {
    case unmeasured
    /// Carried over from before the restart.
    case restored(reason: String, layer: FaultLayer?)
    case answering
    case lossy(probe: Int)
    case slow(probe: Int)
    case partial
    case failing
    case unresolved
    case indeterminate(IndeterminateReason)
    case stale
    /// Hidden by a target on the way to it.
    case hidden(by: TargetID)
    case uplink
}

/// What the rounds of a target alone come to.
enum LocalView: Hashable, Sendable {
    /// Not enough to change anything.
    case undecided
    case answering
    case degraded(Basis)
    /// Some probes fail for certain while others answer for certain.
    case partial
    case failing
    case unknown(Basis)
}

/// The memory of one target.
struct TargetTrack: Sendable {
    var spec: TargetSpec
    var probes: [ProbeTrack]
    var state: TargetState
    var since: WallTime
    var basis: Basis
    /// The newest state that was not unknown.
    var lastDefinite: TargetState?
    /// When its failing was first certain but still hung on others.
    var pendingSince: MonotonicTime?
    /// Indices of the targets on the way to it and beyond it.
    var parents: [Int] = []
    var children: [Int] = []
    /// Beyond the gateway, so that its silence speaks of the uplink.
    var isOffHost = false
    var firstSeen: MonotonicTime?
    /// Its probes have changed, so that their next rounds are due at other moments than their last ones promised.
    private(set) var isRenewed = false
    private(set) var evidence = Recent<(probe: ProbeSpec, round: RoundDigest)>(capacity: 15)

    init(spec: TargetSpec, restored: Verdict?, started: WallTime) {
        self.spec = spec
        probes = Self.series(of: spec).map { ProbeTrack(spec: $0, isIPv6: $1, window: spec.judgement.window) }
        if let restored {
            state = restored.state
            since = restored.since
            basis = .restored(reason: restored.reason, layer: restored.layer)
            lastDefinite = restored.state == .unknown ? nil : restored.state
            if restored.state == .up || restored.state == .degraded {
                for index in probes.indices { probes[index].everAnswered = spec.probes.count == 1 }
            }
        } else {
            state = .unknown
            since = started
            basis = .unmeasured
        }
    }

    /// Takes the new spec; probes that stay the same keep their memory.
    mutating func update(spec new: TargetSpec) {
        let old = probes
        let windowStays = spec.judgement.window == new.judgement.window
        probes = Self.series(of: new).map { probe, isIPv6 in
            if windowStays,
                var kept = old.first(where: {
                    $0.spec.id == probe.id && $0.spec.kind == probe.kind && $0.isIPv6 == isIPv6
                })
            {
                if kept.spec != probe { isRenewed = true }
                kept.spec = probe
                return kept
            }
            isRenewed = true
            return ProbeTrack(spec: probe, isIPv6: isIPv6, window: new.judgement.window)
        }
        spec = new
    }

    /// What has a memory of its own: each probe, and where both families of a name are probed each of them, since one may
    /// fail while the other is well.
    private static func series(of spec: TargetSpec) -> [(ProbeSpec, isIPv6: Bool?)] {
        spec.probes.flatMap { probe -> [(ProbeSpec, isIPv6: Bool?)] in
            spec.isProbedInBothFamilies ? [(probe, true), (probe, false)] : [(probe, nil)]
        }
    }

    /// Whose memory a round belongs to. One without an address is of every family that never had one.
    private func places(of series: SeriesKey) -> [Int] {
        let all = probes.indices.filter { probes[$0].spec.id == series.probe }
        if let address = series.address {
            return all.filter { probes[$0].isIPv6 == nil || probes[$0].isIPv6 == address.isIPv6 }
        }
        let unresolved = all.filter { probes[$0].newest.map { $0.outcome == .unresolved } ?? true }
        return unresolved.isEmpty ? all : unresolved
    }

    /// What is waited for since a change of its probes is waited for from here on.
    mutating func beginWaiting(at monotonic: MonotonicTime) {
        isRenewed = false
        firstSeen = monotonic
        for index in probes.indices { probes[index].beginWaiting(at: monotonic) }
    }

    /// We were not there in between: whoever was heard of until then has time to be heard of again. Once, since what has
    /// come in since counts and not how often we were away.
    mutating func excuse(from last: MonotonicTime, to monotonic: MonotonicTime) {
        for index in probes.indices where probes[index].wasFresh(at: last) {
            probes[index].beginWaiting(at: monotonic)
        }
    }

    /// Records a round; false when it is of a probe that this target no longer has.
    mutating func observe(_ round: Round) -> Bool {
        let places = places(of: round.series)
        guard let first = places.first else { return false }
        let digest = RoundDigest(round, timeout: probes[first].spec.timeout)
        for index in places {
            probes[index].observe(digest, finished: round.finished, judgement: spec.judgement)
        }
        var probe = probes[first].spec
        if round.series.address != nil { probe.id = probes[first].label }
        evidence.append((probe, digest))
        if firstSeen == nil { firstSeen = round.finished }
        return true
    }

    var hasAnswered: Bool { probes.contains(where: \.everAnswered) }
    var isAnswering: Bool { probes.contains(where: \.isAnswering) }
    /// No probe answers and one fails.
    var isFailing: Bool { !isAnswering && probes.contains(where: \.isFailing) }
    var isDecided: Bool { probes.contains { $0.decided != nil } }
    var answers: Int { probes.reduce(0) { max($0, $1.answers) } }
    var failures: Int { probes.reduce(0) { max($0, $1.failures) } }
    var decided: MonotonicTime? { probes.compactMap(\.decided).max() }
    var lastFailed: MonotonicTime? { probes.filter(\.isFailing).compactMap(\.lastFailed).max() }
    var confirmation: Duration { probes.reduce(.zero) { max($0, $1.confirmation) } }

    /// The target itself refused or answered wrongly of late, so that nothing on the way is to blame.
    var provesPath: Bool { probes.contains { $0.isFailing && $0.newest?.provesPath == true } }

    func vouches(since decided: MonotonicTime, newestFailure: MonotonicTime) -> Bool {
        probes.contains { $0.vouches(since: decided, newestFailure: newestFailure) }
    }

    mutating func forgetFailures() {
        for index in probes.indices { probes[index].forgetFailures() }
        pendingSince = nil
    }

    mutating func restartAnswers() {
        for index in probes.indices { probes[index].restartAnswers() }
    }

    /// Rounds of an outage that was judged say nothing of the loss that follows it.
    mutating func forgetWindows() {
        for index in probes.indices { probes[index].forgetWindow() }
    }

    func isStale(at monotonic: MonotonicTime) -> Bool {
        if isRenewed { return false }
        // Runs for every target at every tick: no arrays here.
        var wasSeen = false
        var patience = Duration.zero
        for probe in probes {
            if probe.lastFinished != nil {
                guard probe.isStale(at: monotonic) else { return false }
                wasSeen = true
            }
            patience = max(patience, probe.patience)
        }
        if wasSeen { return true }
        guard let firstSeen, !probes.isEmpty else { return false }
        return monotonic - firstSeen > patience
    }

    /// The reason that its newest rounds say nothing because of our own link or routes.
    var ownLinkReason: IndeterminateReason? {
        for probe in probes where probe.unknowns > 0 {
            if case .indeterminate(let reason)? = probe.newest?.outcome, Phrases.layer(reason) == .link {
                return reason
            }
        }
        return nil
    }

    /// Its name has had no address for so long that its rounds say nothing.
    var isUnresolved: Bool {
        probes.allSatisfy { $0.newest == nil || $0.unknowns >= max(1, spec.judgement.downAfter) }
            && probes.contains { $0.newest?.outcome == .unresolved }
    }

    /// What its own rounds come to at this moment.
    func view(at monotonic: MonotonicTime) -> LocalView {
        if isStale(at: monotonic) { return .unknown(.stale) }
        let live = probes.filter { $0.newest != nil && !$0.isStale(at: monotonic) }
        let proven = live.filter(\.everAnswered)
        let relevant = proven.isEmpty ? live : proven
        guard !relevant.isEmpty else { return .undecided }
        let speaking = relevant.filter { $0.unknowns < max(1, spec.judgement.downAfter) }
        guard !speaking.isEmpty else { return .unknown(silenceBasis(relevant)) }
        let failing = speaking.filter { $0.decided != nil }
        if let decided = failing.compactMap(\.decided).min() {
            let answering = speaking.filter(\.isAnswering)
            if answering.contains(where: { ($0.lastAnswered ?? decided) >= decided && $0.lastAnswered != nil }) {
                return .partial
            }
            // What answered beside the failing ones must itself fail for certain: a single loss of it is no outage.
            if basis == .partial, speaking.contains(where: { $0.isFailing && $0.decided == nil }) { return .undecided }
            // An answer older than the failing says nothing against it; its next round is awaited for a while.
            let awaited = answering.contains { monotonic - decided < $0.confirmation }
            return awaited ? .undecided : .failing
        }
        guard speaking.contains(where: \.isAnswering) else { return .undecided }
        return degradation().map { .degraded($0) } ?? .answering
    }

    private func silenceBasis(_ relevant: [ProbeTrack]) -> Basis {
        let newest = relevant.max { ($0.lastFinished?.nanoseconds ?? 0) < ($1.lastFinished?.nanoseconds ?? 0) }
        if case .indeterminate(let reason)? = newest?.newest?.outcome { return .indeterminate(reason) }
        return .unresolved
    }

    /// Loss or RTT beyond the limits, with a lower limit to leave again so that the state does not flutter.
    private func degradation() -> Basis? {
        let window = max(1, spec.judgement.window)
        for (index, probe) in probes.enumerated() where probe.isAnswering && probe.window.count >= window {
            if let limit = spec.judgement.degradedLoss {
                let already = basis == .lossy(probe: index)
                let (failed, total) = probe.loss(rounds: already ? window * 2 : window)
                let share = total == 0 ? 0 : Double(failed) / Double(total)
                if already ? share >= limit / 2 && failed > 0 : share > limit { return .lossy(probe: index) }
            }
            if let limit = spec.judgement.degradedRTT?.clampedNanoseconds, let median = probe.medianRTT(rounds: window)
            {
                let already = basis == .slow(probe: index)
                if median > (already ? limit - limit / 10 : limit) { return .slow(probe: index) }
            }
        }
        return nil
    }
}

extension TargetSpec {
    /// Each of its probes makes a round a family.
    var isProbedInBothFamilies: Bool {
        if case .name = address { return family == .both }
        return false
    }
}
