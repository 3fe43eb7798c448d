// When everything beyond the gateway falls silent at once, the uplink is at fault and not the targets.

public import Model
import Wire

/// The monitor's own way out is broken, as far as can be told from all targets together.
public struct UplinkFault: Hashable, Sendable {
    /// The first packet of the first row of failures that belongs to it.
    public var since: WallTime
    public var layer: FaultLayer
    public var reason: String
    public var evidence: [String]
    /// Targets whose own alert is held back.
    public var affected: Int
}

/// What can be said of all targets beyond the gateway at one moment.
struct UplinkView: Sendable {
    /// Targets that were not already down and can be seen as far as the gateway.
    var members = 0
    var failing = 0
    var decided = 0
    /// All targets beyond the gateway with a fresh round, and those of them that our own link or routes silence.
    var fresh = 0
    var linkSilenced = 0
    var linkDecided = 0
    /// Targets that answer, newest first; enough to find one that vouches.
    var witnesses: [Int] = []
    var patience = Duration.zero
}

extension Judge {
    /// Fewest targets that silence of all of them speaks of the uplink.
    static let uplinkQuorum = 3

    mutating func markOffHost() {
        func hasGateway(_ slot: Int, depth: Int) -> Bool {
            tracks[slot].parents.contains {
                tracks[$0].spec.kind == .gateway || (depth < 8 && hasGateway($0, depth: depth + 1))
            }
        }
        let gateways = Set(tracks.filter { $0.spec.kind == .gateway }.map(\.spec.address))
        let beyond = tracks.indices.map { hasGateway($0, depth: 0) }
        let gatewaysAreKnown = beyond.contains(true)
        for slot in tracks.indices {
            let spec = tracks[slot].spec
            let isLocal: Bool
            switch spec.address {
            case .ip(let address, _): isLocal = address.isLoopback || gateways.contains(spec.address)
            case .interface: isLocal = true
            case .name(let name): isLocal = name == "localhost"
            }
            let isFar = spec.kind != .interface && spec.kind != .gateway
            tracks[slot].isOffHost = isFar && !isLocal && (beyond[slot] || !gatewaysAreKnown)
        }
    }

    mutating func surveyUplink(at monotonic: MonotonicTime) {
        var view = UplinkView()
        for slot in tracks.indices where tracks[slot].isOffHost {
            let track = tracks[slot]
            guard track.probes.contains(where: { $0.newest != nil }), !track.isStale(at: monotonic) else { continue }
            // A name that does not resolve says nothing of the way out, neither for nor against it.
            if track.isUnresolved { continue }
            view.fresh += 1
            if track.ownLinkReason != nil {
                view.linkSilenced += 1
                if track.probes.contains(where: { $0.unknowns >= max(1, track.spec.judgement.downAfter) }) {
                    view.linkDecided += 1
                }
                continue
            }
            if track.isAnswering { view.witnesses.append(slot) }
            guard track.state != .down, !isBehindFault(track) else { continue }
            guard track.isAnswering || track.isFailing else { continue }
            view.members += 1
            view.patience = max(view.patience, track.confirmation)
            guard track.isFailing, !track.provesPath else { continue }
            if track.failures >= min(2, max(1, track.spec.judgement.downAfter)) { view.failing += 1 }
            if track.isDecided { view.decided += 1 }
        }
        if view.witnesses.count > 64 {
            let newest = view.witnesses.map { (slot: $0, at: lastAnswered($0)) }.sorted { $0.at > $1.at }
            view.witnesses = newest.prefix(64).map(\.slot)
        }
        uplinkView = view
    }

    private func lastAnswered(_ slot: Int) -> MonotonicTime {
        tracks[slot].probes.compactMap(\.lastAnswered).max() ?? MonotonicTime(nanoseconds: .min)
    }

    /// A parent that used to answer does not: its children say nothing of the uplink.
    private func isBehindFault(_ track: TargetTrack) -> Bool {
        track.parents.contains {
            let parent = tracks[$0]
            guard parent.hasAnswered else { return false }
            return parent.state == .down || parent.isHidden || parent.isFailing
        }
    }

    /// Begins or ends the uplink's fault by what the survey found.
    mutating func settleUplink(after slot: Int?, now: WallTime, monotonic: MonotonicTime) {
        if fault != nil {
            let back: Bool
            if let slot, tracks.count > Self.eagerLimit {
                back = tracks[slot].isOffHost && tracks[slot].answers >= max(1, tracks[slot].spec.judgement.upAfter)
            } else {
                back = tracks.contains { $0.isOffHost && $0.answers >= max(1, $0.spec.judgement.upAfter) }
            }
            if back {
                endUplinkFault()
                return
            }
        }
        let view = uplinkView
        if view.fresh > 0, view.linkSilenced == view.fresh, view.linkDecided > 0 {
            beginUplinkFault(layer: .link, now: now)
        } else if view.members >= Self.uplinkQuorum, view.failing == view.members, view.decided > 0 {
            beginUplinkFault(layer: .uplink, now: now)
        }
    }

    /// Whether the uplink may be to blame for one target's silence.
    func uplinkClearance(
        _ slot: Int, decided: MonotonicTime, newestFailure: MonotonicTime, monotonic: MonotonicTime
    ) -> Clearance {
        let track = tracks[slot]
        guard track.isOffHost else { return .clear }
        if fault != nil { return .hidden(.uplink) }
        guard uplinkView.members >= Self.uplinkQuorum else { return .clear }
        for witness in uplinkView.witnesses where witness != slot {
            if tracks[witness].vouches(since: decided, newestFailure: newestFailure) { return .clear }
        }
        let waited = monotonic - (track.pendingSince ?? monotonic)
        return waited > min(uplinkView.patience, .seconds(120)) ? .clear : .wait
    }

    private mutating func beginUplinkFault(layer: FaultLayer, now: WallTime) {
        var since = fault?.since ?? now
        var affected = 0
        var evidence: [String] = []
        var reason: IndeterminateReason?
        // What could not be reached while others answered was not the uplink's: a target without a route may have been
        // silent for weeks.
        let heard = tracks.indices.filter { tracks[$0].isOffHost }.map { lastAnswered($0) }.max()
        for slot in tracks.indices where tracks[slot].isOffHost {
            let track = tracks[slot]
            let isHit = layer == .link ? track.ownLinkReason != nil : track.isFailing
            guard isHit else { continue }
            // What answered before our link went does not say that it is back.
            if fault == nil, layer == .link { tracks[slot].restartAnswers() }
            affected += 1
            reason = reason ?? track.ownLinkReason
            for probe in track.probes {
                let began = layer == .link ? probe.unknownBegan : probe.isFailing ? probe.runBegan : nil
                let left = layer == .link ? probe.unknownsLeft : probe.failuresLeft
                if fault == nil, let began, let left, left > heard ?? left, track.state != .down {
                    since = min(since, began)
                }
            }
            if evidence.count < 12, let probe = track.probes.first(where: { $0.newest != nil }),
                let round = probe.newest
            {
                evidence.append("\(track.spec.id) " + Phrases.evidence(round, probe: probe.spec))
            }
            // Waiting targets are weighed again by the caller and find the fault.
            if layer == .uplink, track.isDecided { pending.insert(slot) }
        }
        for track in tracks where track.spec.kind == .gateway && evidence.count < 16 {
            if let probe = track.probes.first(where: { $0.newest != nil }), let round = probe.newest {
                evidence.append("\(track.spec.id) " + Phrases.evidence(round, probe: probe.spec))
            }
        }
        fault = UplinkFault(
            since: since, layer: layer, reason: uplinkReason(layer, affected: affected, reason: reason),
            evidence: evidence, affected: affected)
    }

    private func uplinkReason(_ layer: FaultLayer, affected: Int, reason: IndeterminateReason?) -> String {
        if layer == .link {
            return "\(Phrases.unknown(reason ?? .linkDown)): none of \(affected) targets beyond it can be probed"
        }
        let gateway = tracks.first { $0.spec.kind == .gateway && $0.isAnswering }
        let near =
            gateway.map { "while \(Phrases.named($0.spec)) answers" }
            ?? "and no gateway is known to answer"
        return "none of \(affected) targets beyond the gateway answers, \(near)"
    }

    private mutating func endUplinkFault() {
        fault = nil
        uplinkView = UplinkView()
        for slot in tracks.indices where tracks[slot].isOffHost && !tracks[slot].isAnswering {
            guard tracks[slot].state != .down else { continue }
            tracks[slot].forgetFailures()
            pending.remove(slot)
        }
    }
}
