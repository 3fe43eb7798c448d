// The SQL of schema version 1.

enum SchemaText {
    static let tables = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

        CREATE TABLE targets (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, site TEXT,
            labels TEXT NOT NULL, parents TEXT NOT NULL, address TEXT NOT NULL, discovered INTEGER NOT NULL,
            active INTEGER NOT NULL, position INTEGER NOT NULL, probes TEXT NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE outcomes (
            code INTEGER PRIMARY KEY, outcome TEXT NOT NULL, detail TEXT, standing TEXT NOT NULL
        );

        CREATE TABLE series_rows (
            id INTEGER PRIMARY KEY, target TEXT NOT NULL, probe TEXT NOT NULL, kind TEXT NOT NULL,
            address TEXT NOT NULL, UNIQUE (target, probe, address)
        );

        CREATE TABLE results (
            slot INTEGER NOT NULL, series INTEGER NOT NULL, at_us INTEGER NOT NULL, sequence INTEGER NOT NULL,
            outcome INTEGER NOT NULL, rtt_ns INTEGER, source INTEGER NOT NULL, kernel_rtt_ns INTEGER, note TEXT,
            crc INTEGER NOT NULL,
            PRIMARY KEY (slot, series, at_us, sequence)
        ) WITHOUT ROWID;

        CREATE TABLE chunks (
            series INTEGER NOT NULL, t0_ms INTEGER NOT NULL, results INTEGER NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (series, t0_ms)
        ) WITHOUT ROWID;

        CREATE TABLE round_notes (
            slot INTEGER NOT NULL, series INTEGER NOT NULL, at_us INTEGER NOT NULL,
            lateness_us INTEGER NOT NULL, missed INTEGER NOT NULL, duplicates INTEGER NOT NULL,
            foreign_replies INTEGER NOT NULL, stale_address_s INTEGER,
            PRIMARY KEY (slot, series, at_us)
        ) WITHOUT ROWID;

        CREATE TABLE hour_rows (
            series INTEGER NOT NULL, start_s INTEGER NOT NULL,
            ok INTEGER NOT NULL, late INTEGER NOT NULL, lost INTEGER NOT NULL, refused INTEGER NOT NULL,
            error INTEGER NOT NULL, unresolved INTEGER NOT NULL, indeterminate INTEGER NOT NULL,
            missed INTEGER NOT NULL, duplicates INTEGER NOT NULL, foreign_replies INTEGER NOT NULL,
            min_ns INTEGER, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, max_ns INTEGER, sum_ns INTEGER,
            jitter_ns INTEGER, sketch BLOB, crc INTEGER NOT NULL,
            PRIMARY KEY (series, start_s)
        ) WITHOUT ROWID;

        CREATE TABLE day_rows (
            series INTEGER NOT NULL, start_s INTEGER NOT NULL,
            ok INTEGER NOT NULL, late INTEGER NOT NULL, lost INTEGER NOT NULL, refused INTEGER NOT NULL,
            error INTEGER NOT NULL, unresolved INTEGER NOT NULL, indeterminate INTEGER NOT NULL,
            missed INTEGER NOT NULL, duplicates INTEGER NOT NULL, foreign_replies INTEGER NOT NULL,
            min_ns INTEGER, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, max_ns INTEGER, sum_ns INTEGER,
            jitter_ns INTEGER, sketch BLOB, crc INTEGER NOT NULL,
            PRIMARY KEY (series, start_s)
        ) WITHOUT ROWID;

        CREATE TABLE pending_hours (hour_s INTEGER PRIMARY KEY);

        CREATE TABLE passive_keys (
            id INTEGER PRIMARY KEY, interface TEXT NOT NULL, service TEXT, peer TEXT, kind TEXT NOT NULL,
            side TEXT NOT NULL, last_hour_s INTEGER NOT NULL
        );
        CREATE INDEX passive_keys_lookup ON passive_keys (service, peer, interface, kind, side);

        CREATE TABLE passive_rows (
            start_us INTEGER NOT NULL, key INTEGER NOT NULL, source TEXT NOT NULL, span_us INTEGER NOT NULL,
            failures INTEGER NOT NULL, retransmissions INTEGER NOT NULL, sketch BLOB NOT NULL, crc INTEGER NOT NULL,
            PRIMARY KEY (start_us, key, source)
        ) WITHOUT ROWID;

        CREATE TABLE passive_hour_rows (
            hour_s INTEGER NOT NULL, key INTEGER NOT NULL, count INTEGER NOT NULL,
            failures INTEGER NOT NULL, retransmissions INTEGER NOT NULL,
            min_ns INTEGER, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, max_ns INTEGER, sum_ns INTEGER,
            sketch BLOB NOT NULL, crc INTEGER NOT NULL,
            PRIMARY KEY (hour_s, key)
        ) WITHOUT ROWID;

        CREATE TABLE capture_sources (
            source TEXT PRIMARY KEY, end_ns INTEGER NOT NULL, counters TEXT NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE capture_slots (
            slot INTEGER NOT NULL, source TEXT NOT NULL, packets INTEGER NOT NULL, kernel_drops INTEGER NOT NULL,
            interface_drops INTEGER NOT NULL, acknowledgements INTEGER NOT NULL, gaps INTEGER NOT NULL,
            shed INTEGER NOT NULL,
            PRIMARY KEY (slot, source)
        ) WITHOUT ROWID;

        CREATE TABLE verdicts (
            target TEXT PRIMARY KEY, state TEXT NOT NULL, since_ns INTEGER NOT NULL, reason TEXT NOT NULL,
            layer TEXT, evidence TEXT NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE transitions (
            id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, target TEXT NOT NULL, from_state TEXT NOT NULL,
            to_state TEXT NOT NULL, reason TEXT NOT NULL, layer TEXT, evidence TEXT NOT NULL
        );
        CREATE INDEX transitions_by_target ON transitions (target, at_ns);
        CREATE INDEX transitions_by_time ON transitions (at_ns);

        CREATE TABLE incident_rows (
            id INTEGER PRIMARY KEY, rule TEXT NOT NULL, target TEXT, severity TEXT NOT NULL,
            opened_ns INTEGER NOT NULL, closed_ns INTEGER, reason TEXT NOT NULL, layer TEXT,
            evidence TEXT NOT NULL, acknowledged INTEGER NOT NULL, silenced INTEGER NOT NULL,
            suppressed INTEGER NOT NULL
        );
        CREATE INDEX incidents_open ON incident_rows (id) WHERE closed_ns IS NULL;
        CREATE INDEX incidents_by_time ON incident_rows (opened_ns);

        CREATE TABLE silences (
            id INTEGER PRIMARY KEY, match TEXT NOT NULL, from_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL,
            reason TEXT NOT NULL
        );

        CREATE TABLE events (
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER,
            text TEXT NOT NULL
        );
        CREATE INDEX events_by_time ON events (start_ns);
        """

    static let views = """
        CREATE VIEW recent AS
        SELECT strftime('%Y-%m-%dT%H:%M:%fZ', r.slot * 60 + r.at_us / 1e6, 'unixepoch') AS time,
            s.target, s.probe, s.address, r.sequence, o.outcome, o.detail, r.rtt_ns / 1e6 AS rtt_ms,
            CASE r.source WHEN 0 THEN 'kernel' WHEN 2 THEN 'tcp_info' ELSE 'user' END AS source,
            r.kernel_rtt_ns / 1e6 AS kernel_rtt_ms, r.note
        FROM results AS r JOIN series_rows AS s ON s.id = r.series LEFT JOIN outcomes AS o ON o.code = r.outcome
        ORDER BY r.slot DESC, r.at_us DESC;

        CREATE VIEW hours AS
        SELECT strftime('%Y-%m-%dT%H:%M:%SZ', h.start_s, 'unixepoch') AS hour, s.target, s.probe, s.address,
            h.ok, h.late, h.lost, h.refused, h.error, h.unresolved, h.indeterminate,
            h.missed, h.duplicates, h.foreign_replies,
            h.min_ns / 1e6 AS min_ms, h.p50_ns / 1e6 AS p50_ms, h.p90_ns / 1e6 AS p90_ms,
            h.p99_ns / 1e6 AS p99_ms, h.max_ns / 1e6 AS max_ms,
            h.sum_ns / 1e6 / nullif(h.ok + h.late, 0) AS mean_ms, h.jitter_ns / 1e6 AS jitter_ms
        FROM hour_rows AS h JOIN series_rows AS s ON s.id = h.series;

        CREATE VIEW days AS
        SELECT strftime('%Y-%m-%d', h.start_s, 'unixepoch') AS day, s.target, s.probe, s.address,
            h.ok, h.late, h.lost, h.refused, h.error, h.unresolved, h.indeterminate,
            h.missed, h.duplicates, h.foreign_replies,
            h.min_ns / 1e6 AS min_ms, h.p50_ns / 1e6 AS p50_ms, h.p90_ns / 1e6 AS p90_ms,
            h.p99_ns / 1e6 AS p99_ms, h.max_ns / 1e6 AS max_ms,
            h.sum_ns / 1e6 / nullif(h.ok + h.late, 0) AS mean_ms
        FROM day_rows AS h JOIN series_rows AS s ON s.id = h.series;

        CREATE VIEW passive_hours AS
        SELECT strftime('%Y-%m-%dT%H:%M:%SZ', h.hour_s, 'unixepoch') AS hour, k.interface, k.service, k.peer,
            k.kind, k.side, h.count, h.failures, h.retransmissions,
            h.min_ns / 1e6 AS min_ms, h.p50_ns / 1e6 AS p50_ms, h.p90_ns / 1e6 AS p90_ms,
            h.p99_ns / 1e6 AS p99_ms, h.max_ns / 1e6 AS max_ms, h.sum_ns / 1e6 / nullif(h.count, 0) AS mean_ms
        FROM passive_hour_rows AS h JOIN passive_keys AS k ON k.id = h.key;

        CREATE VIEW incidents AS
        SELECT id, rule, target, severity, strftime('%Y-%m-%dT%H:%M:%fZ', opened_ns / 1e9, 'unixepoch') AS opened,
            strftime('%Y-%m-%dT%H:%M:%fZ', closed_ns / 1e9, 'unixepoch') AS closed,
            (closed_ns - opened_ns) / 1e9 AS duration_s, reason, layer, evidence, acknowledged, silenced, suppressed
        FROM incident_rows ORDER BY opened_ns DESC;

        CREATE VIEW series AS
        SELECT s.id, s.target, t.title, t.site, s.probe, s.kind, s.address, coalesce(t.active, 0) AS active,
            strftime('%Y-%m-%dT%H:%M:%SZ', (SELECT min(start_s) FROM day_rows WHERE series = s.id), 'unixepoch')
                AS first_day,
            strftime('%Y-%m-%dT%H:%M:%SZ', (SELECT max(start_s) FROM hour_rows WHERE series = s.id), 'unixepoch')
                AS last_hour
        FROM series_rows AS s LEFT JOIN targets AS t ON t.id = s.target;

        CREATE VIEW gaps AS
        SELECT strftime('%Y-%m-%dT%H:%M:%fZ', start_ns / 1e9, 'unixepoch') AS start,
            strftime('%Y-%m-%dT%H:%M:%fZ', end_ns / 1e9, 'unixepoch') AS "end", kind, text
        FROM events WHERE end_ns IS NOT NULL;
        """
}
