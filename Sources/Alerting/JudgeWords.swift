// Verdicts in words.

import Model

extension Judge {
    func verdict(of slot: Int) -> Verdict {
        let track = tracks[slot]
        let (reason, layer) = words(track)
        var evidence: [String] = []
        if let age = hiddenLine(track) { evidence.append(age) }
        for (probe, round) in track.evidence.newest(16 - evidence.count) {
            evidence.append(Phrases.evidence(round, probe: probe))
        }
        return Verdict(state: track.state, since: track.since, reason: reason, layer: layer, evidence: evidence)
    }

    /// What the one at fault last said, first among the evidence of those it hides.
    private func hiddenLine(_ track: TargetTrack) -> String? {
        guard track.state == .unknown, case .hidden(let id) = track.basis, let slot = index[id] else { return nil }
        guard let probe = tracks[slot].probes.first(where: { $0.newest != nil }), let round = probe.newest else {
            return nil
        }
        return "\(id) " + Phrases.evidence(round, probe: probe.spec)
    }

    private func words(_ track: TargetTrack) -> (String, FaultLayer?) {
        let judgement = track.spec.judgement
        switch track.basis {
        case .unmeasured: return ("not measured yet", .monitor)
        case .restored(let reason, let layer): return (reason, layer)
        case .answering:
            let healthy = track.probes.filter(\.isAnswering)
            let silent = track.probes.filter { !$0.everAnswered && $0.isFailing }
            var text = healthy.map { Phrases.health($0, window: judgement.window) }.joined(separator: "; ")
            if !silent.isEmpty { text += "; \(silent.map(\.label).joined(separator: ", ")) never answered" }
            return (text.isEmpty ? "answers" : text, nil)
        case .lossy(let probe): return (lossWords(track, probe), .path)
        case .slow(let probe): return (slowWords(track, probe), .path)
        case .partial: return partialWords(track)
        case .failing: return failingWords(track)
        case .unresolved: return ("the name \(Text.sanitised(track.spec.address.text)) does not resolve", .resolver)
        case .indeterminate(let reason):
            return ("cannot be measured: \(Phrases.unknown(reason))", Phrases.layer(reason))
        case .stale: return ("no measurement came in since \(lastSeen(track))", .monitor)
        case .hidden(let id): return hiddenWords(id)
        case .uplink: return (fault?.reason ?? "the uplink is down", fault?.layer ?? .uplink)
        }
    }

    /// The loss that holds the state: below the limit that is the loss over the two windows that the way back takes.
    private func lossWords(_ track: TargetTrack, _ probe: Int) -> String {
        guard track.probes.indices.contains(probe) else { return "packets are lost" }
        let judgement = track.spec.judgement
        var (failed, total) = track.probes[probe].loss(rounds: judgement.window)
        var limits = ""
        if let limit = judgement.degradedLoss {
            limits = ", limit \(Phrases.percent(limit))"
            if Double(failed) <= limit * Double(total) {
                (failed, total) = track.probes[probe].loss(rounds: judgement.window * 2)
                limits += ", well below \(Phrases.percent(limit / 2))"
            }
        }
        return
            "loses \(Phrases.percent(failed, of: total)) (\(failed) of \(total) of \(track.probes[probe].label)\(limits))"
    }

    private func slowWords(_ track: TargetTrack, _ probe: Int) -> String {
        let judgement = track.spec.judgement
        guard track.probes.indices.contains(probe),
            let median = track.probes[probe].medianRTT(rounds: judgement.window)
        else { return "answers slowly" }
        let source = Phrases.source(track.probes[probe].newest?.source ?? .user)
        var limits = ""
        if let limit = judgement.degradedRTT {
            limits = ", limit \(Phrases.duration(limit))"
            if median <= limit.clampedNanoseconds { limits += ", well below \(Phrases.duration(limit / 10 * 9))" }
        }
        return "median \(Phrases.duration(median)) by \(track.probes[probe].label) (\(source)\(limits))"
    }

    private func lastSeen(_ track: TargetTrack) -> String {
        track.evidence.newest(1).first?.round.sent.label ?? "the start"
    }

    private func partialWords(_ track: TargetTrack) -> (String, FaultLayer) {
        let failing = track.probes.filter { $0.decided != nil && $0.everAnswered }
        let healthy = track.probes.filter(\.isAnswering)
        let text = failing.map(Phrases.failure).joined(separator: "; ")
        let rest = healthy.map { Phrases.health($0, window: track.spec.judgement.window) }.joined(separator: "; ")
        // The same probe answers over the other family: it is the way and not the service.
        let isFamily = failing.allSatisfy { probe in
            probe.isIPv6 != nil && healthy.contains { $0.spec.id == probe.spec.id }
        }
        if isFamily, !failing.isEmpty { return ("\(text), while \(rest)", .path) }
        let isService = failing.contains { $0.spec.kind != .icmp }
        return ("\(text), while \(rest)", isService ? .service : .target)
    }

    private func failingWords(_ track: TargetTrack) -> (String, FaultLayer) {
        let failing = track.probes.filter(\.isFailing)
        let text = failing.map(Phrases.failure).joined(separator: "; ")
        return (text.isEmpty ? "does not answer" : text, failureLayer(track, failing))
    }

    private func failureLayer(_ track: TargetTrack, _ failing: [ProbeTrack]) -> FaultLayer {
        switch track.spec.kind {
        case .interface: return .link
        case .gateway: return .gateway
        case .resolver: return .resolver
        case .vpn, .saas, .host: break
        }
        if track.provesPath { return .service }
        for probe in failing {
            guard case .error(let error)? = probe.newest?.outcome else { continue }
            if [.networkUnreachable, .hostUnreachable, .portUnreachable, .timeExceeded, .prohibited].contains(error) {
                return .path
            }
        }
        return .target
    }

    private func hiddenWords(_ id: TargetID) -> (String, FaultLayer) {
        guard let slot = index[id] else { return ("\(id) does not answer; cannot see beyond it", .path) }
        let parent = tracks[slot].spec
        let title = Text.sanitised(parent.title)
        switch parent.kind {
        case .interface: return ("\(Phrases.named(parent)) is down; cannot see beyond it", .link)
        case .gateway: return ("\(Phrases.named(parent)) does not answer; cannot see beyond it", .gateway)
        case .resolver, .vpn, .saas, .host: return ("\(title) does not answer; cannot see beyond it", .path)
        }
    }
}
