// Incidents: opening, closing, silence and the words to the hooks.

import Model

extension AlertEngine {
    mutating func openIncident(
        _ rule: AlertRule, slot: Int, verdict: Verdict, reason: String?, now: WallTime
    ) -> [AlertAction] {
        let spec = watches[slot].spec
        var opened = now
        if case .state = rule.condition { opened = min(verdict.since, now) }
        let incident = Incident(
            id: takeID(), rule: rule.name, target: spec.id, severity: rule.severity, opened: opened,
            reason: reason ?? verdict.reason, layer: verdict.layer, evidence: verdict.evidence,
            silenced: isSilenced(spec.id.rawValue, now: now))
        open[incident.id] = incident
        hooksOf[incident.id] = rule.hooks
        if !incident.silenced { announce(incident, .firing, state: verdict.state, now: now) }
        return [.save(incident)]
    }

    mutating func close(_ id: Int64, reason: String, state: TargetState?, now: WallTime) -> [AlertAction] {
        guard var incident = open.removeValue(forKey: id) else { return [] }
        incident.closed = max(now, incident.opened)
        // The stored incident keeps why it opened; the notice says why it closed.
        if reason == "rule removed" || reason == "target removed" { incident.reason += " (\(reason))" }
        var told = incident
        told.reason = reason
        if !incident.silenced { announce(told, .resolved, state: state, now: now) }
        hooksOf[id] = nil
        return [.save(incident)]
    }

    private mutating func takeID() -> Int64 {
        let id = nextID
        nextID = nextID.addingSaturated(1)
        return id
    }

    /// The built-in incident of the monitor's own way out.
    mutating func followUplink(_ judge: Judge, now: WallTime) -> [AlertAction] {
        if let fault = judge.uplinkFault {
            if let id = uplinkIncident {
                guard var incident = open[id], incident.suppressed < fault.affected || incident.layer != fault.layer
                else { return [] }
                incident.suppressed = max(incident.suppressed, fault.affected)
                incident.layer = fault.layer
                incident.reason = fault.reason
                open[id] = incident
                return [.save(incident)]
            }
            let incident = Incident(
                id: takeID(), rule: Self.uplinkRule, target: nil, severity: .critical, opened: min(fault.since, now),
                reason: fault.reason, layer: fault.layer, evidence: fault.evidence,
                silenced: isSilenced(Self.uplinkRule, now: now), suppressed: fault.affected)
            open[incident.id] = incident
            uplinkIncident = incident.id
            hooksOf[incident.id] = uplinkHooks
            if !incident.silenced { announce(incident, .firing, state: .unknown, now: now) }
            return [.save(incident)]
        }
        guard let id = uplinkIncident, judge.uplinkAnswers else { return [] }
        uplinkIncident = nil
        return close(id, reason: "targets beyond the gateway answer again", state: .up, now: now)
    }

    private var uplinkHooks: [String] { Set(rules.flatMap(\.hooks)).sorted() }

    /// Incidents say how many targets they hide, the most there ever were.
    mutating func countSuppressed(_ judge: Judge) -> [AlertAction] {
        var actions: [AlertAction] = []
        let counts = judge.suppressedCounts()
        guard !counts.isEmpty else { return [] }
        for incident in openIncidents {
            guard let target = incident.target, let count = counts[target], count > incident.suppressed else {
                continue
            }
            var changed = incident
            changed.suppressed = count
            open[incident.id] = changed
            actions.append(.save(changed))
        }
        return actions
    }

    /// An incident that outlives the silence it opened under is announced then.
    mutating func endSilences(now: WallTime) -> [AlertAction] {
        dropExpiredSilences(now: now)
        var actions: [AlertAction] = []
        for incident in open.values.filter(\.silenced).sorted(by: { $0.id < $1.id }) {
            guard !isSilenced(incident.target?.rawValue ?? Self.uplinkRule, now: now) else { continue }
            var changed = incident
            changed.silenced = false
            open[incident.id] = changed
            if !changed.acknowledged { announce(changed, .firing, state: firingState(changed), now: now) }
            actions.append(.save(changed))
        }
        return actions
    }

    private func isSilenced(_ name: String, now: WallTime) -> Bool {
        silences.contains { $0.from <= now && now < $0.until && Glob($0.match).matches(name) }
    }

    func firingState(_ incident: Incident) -> TargetState? {
        guard incident.target != nil else { return .unknown }
        guard let rule = rules.first(where: { $0.name == incident.rule }) else { return nil }
        if case .state(let state) = rule.condition { return state }
        return nil
    }

    func hooks(of incident: Incident) -> [String] {
        if let hooks = hooksOf[incident.id] { return hooks }
        if incident.target == nil { return uplinkHooks.isEmpty ? allHooks : uplinkHooks }
        return rules.first { $0.name == incident.rule }?.hooks ?? allHooks
    }

    mutating func announce(_ incident: Incident, _ event: HookNotice.Event, state: TargetState?, now: WallTime) {
        let title = incident.target.flatMap { id in index[id].map { watches[$0].spec.title } }
        for hook in hooks(of: incident) {
            batcher.add(
                HookNotice(
                    id: "\(incident.id)-\(event.rawValue)-\(hook)", hook: hook, event: event,
                    opened: event == .firing ? [incident.id] : [], closed: event == .resolved ? [incident.id] : [],
                    rule: incident.rule, target: incident.target,
                    title: title ?? incident.target?.rawValue ?? "uplink of this monitor", state: state,
                    severity: incident.severity, reason: incident.reason, site: site, since: incident.opened,
                    until: incident.closed, layer: incident.layer, evidence: incident.evidence,
                    suppressed: incident.suppressed, created: now))
        }
    }
}
