// What a restarted daemon goes on from.

internal import GRDB
internal import Model

/// Reads the state that outlives a restart; also serves readers, who ask for the same things.
enum Restoring {
    static func state(_ db: Database, now: WallTime) throws -> RestoredState {
        var state = RestoredState()
        state.verdicts = try verdicts(db, activeOnly: true)
        state.openIncidents = try incidents(db, where: "closed_ns IS NULL", [])
        state.silences = try silences(db, endingAfter: now)
        state.nextIncidentID = try nextID(db, table: "incident_rows", last: .lastIncident)
        state.nextSilenceID = try nextID(db, table: "silences", last: .lastSilence)
        return state
    }

    /// Above every id that was ever given, those of rows that are gone included.
    private static func nextID(_ db: Database, table: String, last: Meta.Key) throws -> Int64 {
        let highest = try Row.fetchOne(db, sql: "SELECT max(id) FROM \(table)")?.integer(0) ?? 0
        return max(highest, try Meta.integer(db, last) ?? 0, 0).addingSaturated(1)
    }

    static func verdicts(_ db: Database, activeOnly: Bool) throws -> [TargetID: Verdict] {
        let sql = """
            SELECT v.target, v.state, v.since_ns, v.reason, v.layer, v.evidence FROM verdicts AS v
            \(activeOnly ? "JOIN targets AS t ON t.id = v.target AND t.active" : "")
            """
        var verdicts: [TargetID: Verdict] = [:]
        let rows = try Row.fetchCursor(db, sql: sql)
        while let row = try rows.next() {
            guard let target = row.text(0).flatMap({ TargetID(rawValue: $0) }) else { continue }
            verdicts[target] = verdict(row, from: 1)
        }
        return verdicts
    }

    /// The verdict in five columns: state, since, reason, layer, evidence. An unreadable state is unknown.
    static func verdict(_ row: Row, from first: Int) -> Verdict {
        Verdict(
            state: row.text(first).flatMap { TargetState(rawValue: $0) } ?? .unknown,
            since: row.time(first + 1) ?? WallTime(nanoseconds: 0), reason: row.text(first + 2) ?? "",
            layer: row.text(first + 3).flatMap { FaultLayer(rawValue: $0) },
            evidence: StoredText.decoded([String].self, from: row.text(first + 4)) ?? [])
    }

    static func incidents(_ db: Database, where condition: String, _ arguments: StatementArguments) throws -> [Incident]
    {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, rule, target, severity, opened_ns, closed_ns, reason, layer, evidence, acknowledged, silenced,
                    suppressed
                FROM incident_rows WHERE \(condition) ORDER BY opened_ns, id
                """, arguments: arguments)
        var incidents: [Incident] = []
        while let row = try rows.next() {
            guard let id = row.integer(0) else { continue }
            incidents.append(
                Incident(
                    id: id, rule: row.text(1) ?? "", target: row.text(2).flatMap { TargetID(rawValue: $0) },
                    severity: row.text(3).flatMap { Severity(rawValue: $0) } ?? .critical,
                    opened: row.time(4) ?? WallTime(nanoseconds: 0), closed: row.time(5), reason: row.text(6) ?? "",
                    layer: row.text(7).flatMap { FaultLayer(rawValue: $0) },
                    evidence: StoredText.decoded([String].self, from: row.text(8)) ?? [],
                    acknowledged: row.integer(9) == 1, silenced: row.integer(10) == 1,
                    suppressed: Int(clamping: row.integer(11) ?? 0)))
        }
        return incidents
    }

    static func silences(_ db: Database, endingAfter time: WallTime) throws -> [Silence] {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, match, from_ns, until_ns, reason FROM silences WHERE until_ns > ? ORDER BY id",
            arguments: [time.nanoseconds])
        var silences: [Silence] = []
        while let row = try rows.next() {
            guard let id = row.integer(0), let from = row.time(2), let until = row.time(3) else { continue }
            silences.append(
                Silence(id: id, match: row.text(1) ?? "", from: from, until: until, reason: row.text(4) ?? ""))
        }
        return silences
    }
}
