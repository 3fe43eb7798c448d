// Rows of what happens seldom: transitions, incidents, silences, events, targets.

internal import GRDB
internal import Model

/// Writes the small tables.
enum Notices {
    static func insert(_ db: Database, _ event: MonitorEvent) throws {
        try db.cachedStatement(sql: "INSERT INTO events (kind, start_ns, end_ns, text) VALUES (?, ?, ?, ?)").execute(
            arguments: [
                event.kind.rawValue, event.start.nanoseconds, event.end?.nanoseconds, StoredText.bound(event.text),
            ])
    }

    static func insert(_ db: Database, _ transition: Transition) throws {
        let verdict = transition.verdict
        try db.cachedStatement(
            sql: """
                INSERT INTO transitions (at_ns, target, from_state, to_state, reason, layer, evidence)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            verdict.since.nanoseconds, transition.target.rawValue, transition.from.rawValue, verdict.state.rawValue,
            StoredText.bound(verdict.reason), verdict.layer?.rawValue, StoredText.json(verdict.evidence),
        ])
        try save(db, verdict, for: transition.target)
    }

    static func save(_ db: Database, _ verdict: Verdict, for target: TargetID) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO verdicts (target, state, since_ns, reason, layer, evidence) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (target) DO UPDATE SET state = excluded.state, since_ns = excluded.since_ns,
                    reason = excluded.reason, layer = excluded.layer, evidence = excluded.evidence
                """
        ).execute(arguments: [
            target.rawValue, verdict.state.rawValue, verdict.since.nanoseconds, StoredText.bound(verdict.reason),
            verdict.layer?.rawValue, StoredText.json(verdict.evidence),
        ])
    }

    static func save(_ db: Database, _ incident: Incident) throws {
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO incident_rows (id, rule, target, severity, opened_ns, closed_ns, reason, layer,
                    evidence, acknowledged, silenced, suppressed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            incident.id, StoredText.bound(incident.rule), incident.target?.rawValue, incident.severity.rawValue,
            incident.opened.nanoseconds, incident.closed?.nanoseconds, StoredText.bound(incident.reason),
            incident.layer?.rawValue, StoredText.json(incident.evidence), incident.acknowledged, incident.silenced,
            incident.suppressed,
        ])
        try Meta.raise(db, .lastIncident, to: incident.id)
    }

    static func save(_ db: Database, _ silence: Silence) throws {
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO silences (id, match, from_ns, until_ns, reason) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [
            silence.id, StoredText.bound(silence.match), silence.from.nanoseconds, silence.until.nanoseconds,
            StoredText.bound(silence.reason),
        ])
        try Meta.raise(db, .lastSilence, to: silence.id)
    }

    static func removeSilence(_ db: Database, id: Int64) throws {
        try db.cachedStatement(sql: "DELETE FROM silences WHERE id = ?").execute(arguments: [id])
    }

    /// Makes the rows of `targets` what is watched now; targets that are gone stay, marked inactive.
    static func sync(_ db: Database, _ targets: [TargetSpec], site: String) throws {
        if site.isEmpty { try Meta.remove(db, .site) } else { try Meta.set(db, .site, StoredText.bound(site)) }
        try db.execute(sql: "UPDATE targets SET active = 0 WHERE active")
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO targets (id, kind, title, site, labels, parents, address, discovered, active,
                    position, probes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
                """)
        for (position, target) in targets.enumerated() {
            let probes = target.probes.map {
                ProbeColumn(
                    id: $0.id, kind: $0.kind.rawValue, intervalMicroseconds: $0.interval.clampedNanoseconds / 1000,
                    timeoutMicroseconds: $0.timeout.clampedNanoseconds / 1000)
            }
            try statement.execute(arguments: [
                target.id.rawValue, target.kind.rawValue, StoredText.bound(target.title),
                StoredText.bound(target.site), StoredText.json(target.labels),
                StoredText.json(target.parents.map(\.rawValue)), StoredText.bound(target.address.text),
                target.isDiscovered, position, StoredText.json(probes),
            ])
        }
    }
}
