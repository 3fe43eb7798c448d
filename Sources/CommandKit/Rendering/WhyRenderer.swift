// The latest judgement of one target and what it rests on.

internal import Control
internal import Model

/// All that `taut why` tells.
struct Explanation {
    var target: StatusReport.Target
    /// Newest first.
    var transitions: [Transition]
    /// Open ones of the target and of the uplink, newest first.
    var incidents: [Incident]
    /// Newest first: gaps and other events of the monitor that overlap the transitions' range.
    var events: [MonitorEvent]
}

struct WhyRenderer {
    static let schema = "taut/why/1"
    var palette: Palette
    var width: Int?
    var clock: LocalClock

    func lines(_ explanation: Explanation) -> [String] {
        let target = explanation.target
        var head = "\(target.title) (\(target.kind), \(target.address ?? "no address")) is \(target.state)"
        if let since = target.since { head += " since \(clock.full(since.time))" }
        var lines = [palette.paint(HostileText.line(head), Palette.colour(ofState: target.state))]
        if !target.reason.isEmpty { lines.append(HostileText.line("  because: \(target.reason)")) }
        if let layer = target.layer { lines.append(HostileText.line("  layer:   \(layer)")) }
        if let last = target.lastKnownState { lines.append(HostileText.line("  last known state: \(last)")) }
        lines += section("evidence", target.evidence)
        lines += section("probes", target.probes.map { probe($0) })
        lines += section(
            "changes",
            explanation.transitions.map { change($0) })
        lines += section(
            "incidents",
            explanation.incidents.map { incident in
                "#\(incident.id) \(incident.severity.rawValue), rule \(incident.rule), since "
                    + "\(clock.full(incident.opened)): \(incident.reason)"
            })
        lines += section(
            "the monitor itself",
            explanation.events.map { event($0) })
        return lines
    }

    func json(_ explanation: Explanation, generated: WallTime) throws -> JSONValue {
        .object([
            "schema": .string(WhyRenderer.schema), "generated": .time(generated),
            "target": .string(explanation.target.target), "state": .string(explanation.target.state),
            "since": .time(explanation.target.since?.time), "reason": .string(explanation.target.reason),
            "layer": .optional(explanation.target.layer),
            "last_known_state": .optional(explanation.target.lastKnownState),
            "evidence": .array(explanation.target.evidence.map { .string($0) }),
            "probes": try JSONValue(encoding: explanation.target.probes),
            "transitions": .array(
                explanation.transitions.map { transition in
                    .object([
                        "t": .time(transition.verdict.since), "from": .string(transition.from.rawValue),
                        "to": .string(transition.verdict.state.rawValue), "reason": .string(transition.verdict.reason),
                        "layer": .optional(transition.verdict.layer?.rawValue),
                        "evidence": .array(transition.verdict.evidence.map { .string($0) }),
                    ])
                }),
            "incidents": .array(explanation.incidents.map { IncidentsRenderer.json($0) }),
            "events": .array(
                explanation.events.map { event in
                    .object([
                        "kind": .string(event.kind.rawValue), "start": .time(event.start), "end": .time(event.end),
                        "text": .string(event.text),
                    ])
                }),
        ])
    }

    func section(_ title: String, _ body: [String]) -> [String] {
        guard !body.isEmpty else { return [] }
        return [palette.paint("\(title):", .bold)] + body.map { HostileText.line("  \($0)") }
    }

    func change(_ transition: Transition) -> String {
        "\(clock.full(transition.verdict.since))  \(transition.from.rawValue) to "
            + "\(transition.verdict.state.rawValue): \(transition.verdict.reason)"
    }

    func event(_ event: MonitorEvent) -> String {
        "\(clock.full(event.start))\(event.end.map { " to \(clock.full($0))" } ?? "")  "
            + "\(event.kind.rawValue): \(event.text)"
    }

    func probe(_ row: StatusReport.ProbeRow) -> String {
        let address = row.address.map { " \($0)" } ?? ""
        var text =
            "\(row.probe)\(address): \(Figures.count(row.sent - row.lost)) of \(Figures.count(row.sent)) answered"
        if row.unknown > 0 { text += ", \(Figures.count(row.unknown)) unknown" }
        if row.rttP50 != nil {
            text +=
                ", p50 \(Figures.time(microseconds: row.rttP50)), p95 \(Figures.time(microseconds: row.rttP95)), "
                + "p99 \(Figures.time(microseconds: row.rttP99)), jitter \(Figures.time(microseconds: row.jitter))"
        }
        guard let last = row.last else { return text + ", no result yet" }
        text += "; last \(last.outcome)"
        if let detail = last.detail { text += " (\(detail))" }
        if let rtt = last.rtt { text += " \(Figures.time(microseconds: rtt)) by \(last.source)" }
        if let kernel = last.kernelRTT { text += ", kernel's own \(Figures.time(microseconds: kernel))" }
        if let note = last.note { text += ", \(note)" }
        return text + " at \(clock.seconds(last.t.time))"
    }
}
