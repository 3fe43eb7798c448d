// Incidents and silences, as tables and as JSON.

internal import Control
internal import Model

struct IncidentsRenderer {
    static let schema = "taut/incidents/1"
    var palette: Palette
    var width: Int?
    var clock: LocalClock

    func lines(_ incidents: [Incident]) -> [String] {
        guard !incidents.isEmpty else { return ["no incidents"] }
        var table = Table([
            TableColumn("id", .trailing), TableColumn("severity"), TableColumn("target", flexible: true),
            TableColumn("opened"), TableColumn("closed"), TableColumn("lasted", .trailing), TableColumn("rule"),
            TableColumn("reason", flexible: true),
        ])
        for incident in incidents {
            var reason = incident.reason
            if incident.suppressed > 0 { reason += " (\(incident.suppressed) more held back)" }
            if incident.acknowledged { reason += " [acknowledged]" }
            if incident.silenced { reason += " [silenced]" }
            let end = incident.closed ?? clock.now
            table.add([
                TableCell(String(incident.id)),
                TableCell(incident.severity.rawValue, IncidentsRenderer.colour(incident)),
                TableCell(incident.target?.rawValue ?? "(uplink)"), TableCell(clock.full(incident.opened)),
                TableCell(incident.closed.map { clock.full($0) } ?? "open", incident.closed == nil ? .red : nil),
                TableCell(Figures.span(seconds: (end - incident.opened).inSeconds)), TableCell(incident.rule),
                TableCell(reason),
            ])
        }
        return table.lines(width: width, palette: palette)
    }

    func json(_ incidents: [Incident], range: TimeRange?, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(IncidentsRenderer.schema), "generated": .time(generated), "since": .time(range?.since),
            "until": .time(range?.until), "incidents": .array(incidents.map { IncidentsRenderer.json($0) }),
        ])
    }

    static func json(_ incident: Incident) -> JSONValue {
        .object([
            "id": .integer(incident.id), "rule": .string(incident.rule),
            "target": .optional(incident.target?.rawValue), "severity": .string(incident.severity.rawValue),
            "opened": .time(incident.opened), "closed": .time(incident.closed), "reason": .string(incident.reason),
            "layer": .optional(incident.layer?.rawValue),
            "evidence": .array(incident.evidence.map { .string($0) }),
            "acknowledged": .bool(incident.acknowledged), "silenced": .bool(incident.silenced),
            "suppressed": .integer(Int64(incident.suppressed)),
        ])
    }

    private static func colour(_ incident: Incident) -> Palette.Colour? {
        guard incident.closed == nil else { return .dim }
        return switch incident.severity {
        case .critical: .red
        case .warning: .yellow
        case .info: nil
        }
    }
}

struct SilencesRenderer {
    static let schema = "taut/silences/1"
    var palette: Palette
    var width: Int?
    var clock: LocalClock

    func lines(_ silences: [Silence]) -> [String] {
        guard !silences.isEmpty else { return ["no silences"] }
        var table = Table([
            TableColumn("id", .trailing), TableColumn("match", flexible: true), TableColumn("from"),
            TableColumn("until"), TableColumn("state"), TableColumn("reason", flexible: true),
        ])
        for silence in silences {
            let state = silence.until <= clock.now ? "ended" : silence.from > clock.now ? "to come" : "active"
            table.add([
                TableCell(String(silence.id)), TableCell(silence.match), TableCell(clock.full(silence.from)),
                TableCell(clock.full(silence.until)), TableCell(state, state == "active" ? .yellow : .dim),
                TableCell(silence.reason),
            ])
        }
        return table.lines(width: width, palette: palette)
    }

    func json(_ silences: [Silence], generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(SilencesRenderer.schema), "generated": .time(generated),
            "silences": .array(
                silences.map { silence in
                    .object([
                        "id": .integer(silence.id), "match": .string(silence.match), "from": .time(silence.from),
                        "until": .time(silence.until), "reason": .string(silence.reason),
                        "active": .bool(silence.from <= generated && generated < silence.until),
                    ])
                }),
        ])
    }
}
