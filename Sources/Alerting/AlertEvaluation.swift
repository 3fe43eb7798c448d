// The turning of the alert engine: each round, each transition, each second.

public import Model
internal import Wire

extension AlertEngine {
    /// Takes in a round together with the transitions that the judge made of it.
    public mutating func observe(
        _ round: Round, transitions: [Transition], judge: Judge, now: WallTime
    ) -> [AlertAction] {
        var actions = take(transitions, judge: judge, now: now, monotonic: round.finished)
        guard let slot = index[round.series.target],
            watches[slot].spec.probes.contains(where: { $0.id == round.series.probe })
        else { return actions }
        let state = judge.state(of: round.series.target) ?? .unknown
        if round.standing == .answered { watches[slot].mayClose = true }
        if state == .up || state == .degraded {
            let isApart = watches[slot].spec.isProbedInBothFamilies
            let series = Phrases.label(
                round.series.probe, isIPv6: isApart ? round.series.address?.isIPv6 : nil)
            for track in watches[slot].tracks.indices {
                let rule = rules[watches[slot].tracks[track].rule]
                watches[slot].tracks[track].push(round, of: series, rule: rule)
            }
        }
        actions += evaluate(
            slot, judge: judge, mayOpenMetric: round.standing == .answered, now: now, monotonic: round.finished)
        return actions
    }

    /// Takes in the transitions of `Judge.tick`, lets holds and silences run out, and lets notices go.
    public mutating func tick(
        transitions: [Transition], judge: Judge, now: WallTime, monotonic: MonotonicTime
    ) -> [AlertAction] {
        var actions = take(transitions, judge: judge, now: now, monotonic: monotonic)
        for slot in holding.sorted() {
            actions += evaluate(slot, judge: judge, mayOpenMetric: false, now: now, monotonic: monotonic)
        }
        actions += followUplink(judge, now: now)
        actions += countSuppressed(judge)
        actions += endSilences(now: now)
        actions += batcher.flush(site: site, now: now, monotonic: monotonic).map { .notify($0) }
        return actions
    }

    /// Lets all waiting notices go at once, for a clean stop.
    public mutating func drain(now: WallTime, monotonic: MonotonicTime) -> [AlertAction] {
        batcher.flush(site: site, now: now, monotonic: monotonic, all: true).map { .notify($0) }
    }

    private mutating func take(
        _ transitions: [Transition], judge: Judge, now: WallTime, monotonic: MonotonicTime
    ) -> [AlertAction] {
        var actions: [AlertAction] = []
        if !transitions.isEmpty { actions += followUplink(judge, now: now) }
        for transition in transitions {
            guard let slot = index[transition.target] else { continue }
            let crosses = [transition.from, transition.verdict.state].contains { $0 == .unknown || $0 == .down }
            for track in watches[slot].tracks.indices where crosses {
                // Rounds of an outage are not loss on a path that works.
                if case .state = rules[watches[slot].tracks[track].rule].condition { continue }
                watches[slot].tracks[track].forgetRounds()
            }
            watches[slot].mayClose = true
            actions += evaluate(slot, judge: judge, mayOpenMetric: false, now: now, monotonic: monotonic)
        }
        return actions
    }

    private enum Reading { case breach, clear, neither }

    private mutating func evaluate(
        _ slot: Int, judge: Judge, mayOpenMetric: Bool, now: WallTime, monotonic: MonotonicTime
    ) -> [AlertAction] {
        let id = watches[slot].spec.id
        guard let state = judge.state(of: id) else { return [] }
        var actions: [AlertAction] = []
        var holds = false
        for number in watches[slot].tracks.indices {
            let rule = rules[watches[slot].tracks[number].rule]
            var reason: String?
            var reading = Reading.neither
            switch rule.condition {
            case .state(let wanted):
                reading = read(wanted, state: state, isExcused: judge.isHidden(id) || judge.isUnmeasured(id))
            case .loss, .rtt:
                let isOpen = watches[slot].tracks[number].incident != nil
                guard state == .up || state == .degraded else { break }
                let finding = watches[slot].tracks[number].finding(rule)
                let isHeld = watches[slot].tracks[number].breachedSince != nil
                if finding.breaches, mayOpenMetric || isOpen || isHeld { reading = .breach }
                if finding.isClear { reading = .clear }
                reason = finding.reason
            }
            actions += advance(
                slot, number, rule, reading, reason: reason, judge: judge, now: now, monotonic: monotonic)
            let track = watches[slot].tracks[number]
            holds = holds || track.breachedSince != nil || track.clearSince != nil
        }
        if holds { holding.insert(slot) } else { holding.remove(slot) }
        return actions
    }

    private func read(_ wanted: TargetState, state: TargetState, isExcused: Bool) -> Reading {
        if wanted == .unknown {
            // What another's fault hides has no alert of its own; nor has what is being measured for the first time.
            return state == .unknown ? (isExcused ? .neither : .breach) : .clear
        }
        if state == wanted { return .breach }
        switch state {
        case .unknown: return .neither
        case .up: return .clear
        // Degraded is no longer down; down is still not well for a rule on degraded.
        case .degraded: return wanted == .down ? .clear : .neither
        case .down: return .neither
        }
    }

    private mutating func advance(
        _ slot: Int, _ number: Int, _ rule: AlertRule, _ reading: Reading, reason: String?, judge: Judge,
        now: WallTime, monotonic: MonotonicTime
    ) -> [AlertAction] {
        var track = watches[slot].tracks[number]
        defer { watches[slot].tracks[number] = track }
        if let incident = track.incident {
            track.breachedSince = nil
            guard reading == .clear, watches[slot].mayClose else {
                track.clearSince = nil
                return []
            }
            let since = track.clearSince ?? monotonic
            track.clearSince = since
            guard monotonic - since >= rule.hold else { return [] }
            track.clearSince = nil
            track.incident = nil
            let verdict = judge.verdict(for: watches[slot].spec.id)
            return close(incident, reason: verdict?.reason ?? "cleared", state: verdict?.state, now: now)
        }
        track.clearSince = nil
        guard reading == .breach else {
            track.breachedSince = nil
            return []
        }
        let since = track.breachedSince ?? monotonic
        track.breachedSince = since
        guard monotonic - since >= rule.hold, let verdict = judge.verdict(for: watches[slot].spec.id) else { return [] }
        track.breachedSince = nil
        track.incident = nextID
        return openIncident(rule, slot: slot, verdict: verdict, reason: reason, now: now)
    }
}
