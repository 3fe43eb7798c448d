// Rounds in, states out: the one place that says whether a target is up, degraded, down or unknown.

public import Model

/// The judgement of all targets together. A pure value: it reads no clock and does no I/O.
///
/// Decisions are made on `Round.finished` (monotonic); wall time is only a label, so a clock step neither delays a
/// decision nor makes a negative duration. docs/decisions/0002-judgement-and-alerts.md gives the rules and the reasons.
///
/// - Complexity: `observe` is constant in the number of targets above 32 (then what hangs on others is decided by
///   `tick`); `tick` is linear. Call `tick` at least once a second.
public struct Judge: Sendable {
    var tracks: [TargetTrack] = []
    var index: [TargetID: Int] = [:]
    var started: WallTime
    var fault: UplinkFault?
    var uplinkView = UplinkView()
    var lastTick: MonotonicTime?
    /// Targets whose fate hangs on the next word of others.
    var pending: Set<Int> = []
    /// Rounds of targets or probes that are not, or no longer, configured.
    public private(set) var strayRounds: UInt64 = 0

    /// Up to this many targets everything is weighed anew with each round; above, with each tick.
    static let eagerLimit = 32

    /// - Parameters:
    ///   - restored: the verdicts of the last run; they stand until rounds say otherwise or fail to come.
    ///   - started: wall time of the start, the `since` of targets without a past.
    public init(targets: [TargetSpec], restored: [TargetID: Verdict] = [:], started: WallTime) {
        self.started = started
        install(targets) { TargetTrack(spec: $0, restored: restored[$0.id], started: started) }
    }

    /// Takes a new set of targets. State, rows of rounds and evidence stay with the id; a target that is gone is
    /// forgotten, a new one begins unknown.
    public mutating func update(targets: [TargetSpec], now: WallTime) {
        let old = tracks
        let oldIndex = index
        install(targets) { spec in
            guard let slot = oldIndex[spec.id] else { return TargetTrack(spec: spec, restored: nil, started: now) }
            var track = old[slot]
            track.update(spec: spec)
            return track
        }
        // The survey names targets by their place, and the places have changed.
        uplinkView = UplinkView()
        if let lastTick { surveyUplink(at: lastTick) }
    }

    /// Takes a round in. Returns the changes of state that follow from it, in the order they were decided.
    public mutating func observe(_ round: Round, now: WallTime) -> [Transition] {
        guard let slot = index[round.series.target], tracks[slot].observe(round) else {
            strayRounds &+= 1
            return []
        }
        var transitions: [Transition] = []
        let monotonic = round.finished
        let eager = tracks.count <= Self.eagerLimit
        if eager { surveyUplink(at: monotonic) }
        settleUplink(after: slot, now: now, monotonic: monotonic)
        evaluate(slot, now: now, monotonic: monotonic, into: &transitions)
        if eager { evaluateWaiting(now: now, monotonic: monotonic, into: &transitions) }
        return transitions
    }

    /// Lets time pass: silence becomes unknown, and decisions that waited for others are made.
    public mutating func tick(now: WallTime, monotonic: MonotonicTime) -> [Transition] {
        var transitions: [Transition] = []
        if let lastTick, monotonic - lastTick > .seconds(5) {
            // We were stopped or starved: what was awaited could not arrive, so the wait begins again.
            for slot in pending { tracks[slot].pendingSince = monotonic }
            for slot in tracks.indices { tracks[slot].excuse(from: lastTick, to: monotonic) }
        }
        lastTick = monotonic
        for slot in tracks.indices where tracks[slot].isRenewed { tracks[slot].beginWaiting(at: monotonic) }
        for slot in tracks.indices where tracks[slot].firstSeen == nil { tracks[slot].firstSeen = monotonic }
        surveyUplink(at: monotonic)
        settleUplink(after: nil, now: now, monotonic: monotonic)
        for slot in tracks.indices where tracks[slot].isStale(at: monotonic) {
            evaluate(slot, now: now, monotonic: monotonic, into: &transitions)
        }
        evaluateWaiting(now: now, monotonic: monotonic, into: &transitions)
        return transitions
    }

    /// The judgement as it stands, in words with today's numbers; nil for a target that is not configured.
    public func verdict(for id: TargetID) -> Verdict? {
        guard let slot = index[id] else { return nil }
        return verdict(of: slot)
    }

    public func state(of id: TargetID) -> TargetState? { index[id].map { tracks[$0].state } }

    /// Set while everything beyond the gateway is silent at once, or our own link or routes are gone.
    public var uplinkFault: UplinkFault? { fault }

    /// A target beyond the gateway answers: an open uplink incident may close.
    public var uplinkAnswers: Bool {
        fault == nil && tracks.contains { $0.isOffHost && $0.answers >= $0.spec.judgement.upAfter }
    }

    /// Targets that are unknown only because `id` does not answer.
    public func suppressedCount(by id: TargetID) -> Int {
        tracks.count { $0.state == .unknown && $0.basis == .hidden(by: id) }
    }

    /// The same for all that hide others.
    public func suppressedCounts() -> [TargetID: Int] {
        var counts: [TargetID: Int] = [:]
        for track in tracks where track.state == .unknown {
            if case .hidden(let id) = track.basis { counts[id, default: 0] += 1 }
        }
        return counts
    }

    /// Unknown because of another's fault, which has an incident of its own.
    public func isHidden(_ id: TargetID) -> Bool {
        guard let slot = index[id] else { return false }
        return tracks[slot].isHidden
    }

    /// Unknown because nothing has been found out yet; that it cannot be is another matter.
    public func isUnmeasured(_ id: TargetID) -> Bool { index[id].map { tracks[$0].basis == .unmeasured } ?? false }

    public var targets: [TargetSpec] { tracks.map(\.spec) }

    // MARK: - Set-up

    private mutating func install(_ targets: [TargetSpec], make: (TargetSpec) -> TargetTrack) {
        tracks = []
        index = [:]
        pending = []
        for spec in targets where index[spec.id] == nil {
            index[spec.id] = tracks.count
            tracks.append(make(spec))
        }
        for slot in tracks.indices {
            let parents = tracks[slot].spec.parents.compactMap { index[$0] }.filter { $0 != slot }
            tracks[slot].parents = parents
            tracks[slot].children = []
        }
        for slot in tracks.indices {
            for parent in tracks[slot].parents { tracks[parent].children.append(slot) }
            if tracks[slot].pendingSince != nil { pending.insert(slot) }
        }
        markOffHost()
    }
}

extension TargetTrack {
    var isHidden: Bool {
        guard state == .unknown else { return false }
        switch basis {
        case .hidden, .uplink: return true
        default: return false
        }
    }
}
