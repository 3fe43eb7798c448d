// How the service of a passive key was learned: a column of `passive_keys`, and what the view says of it.

internal import GRDB
internal import Model

/// Version 3 of the schema: `passive_keys.sources`, bits as in `ServiceSources`. Of keys from before it, none is known.
enum ServiceColumn {
    static let version = 3
    static let name = "sources"

    static let migration = """
        ALTER TABLE passive_keys ADD COLUMN sources INTEGER NOT NULL DEFAULT 0;

        DROP VIEW passive_hours;

        CREATE VIEW passive_hours AS
        SELECT strftime('%Y-%m-%dT%H:%M:%SZ', h.hour_s, 'unixepoch') AS hour, k.interface, k.service, k.peer,
            k.kind, k.side, h.count, h.failures, h.retransmissions,
            h.min_ns / 1e6 AS min_ms, h.p50_ns / 1e6 AS p50_ms, h.p90_ns / 1e6 AS p90_ms,
            h.p99_ns / 1e6 AS p99_ms, h.max_ns / 1e6 AS max_ms, h.sum_ns / 1e6 / nullif(h.count, 0) AS mean_ms,
            nullif(rtrim(CASE WHEN k.sources & 1 THEN 'sni,' ELSE '' END || CASE WHEN k.sources & 2 THEN 'dns,' ELSE ''
                END || CASE WHEN k.sources & 4 THEN 'prefix' ELSE '' END, ','), '') AS service_sources
        FROM passive_hour_rows AS h JOIN passive_keys AS k ON k.id = h.key;
        """

    /// A reader may meet a file that the daemon has not brought up to this release yet.
    static func isThere(_ db: Database) throws -> Bool {
        try db.columns(in: "passive_keys").contains { $0.name == name }
    }

    /// From a column of the file; bits that this release does not know are left out of what is shown.
    static func sources(_ value: Int64?) -> ServiceSources {
        ServiceSources(rawValue: UInt8(truncatingIfNeeded: value ?? 0))
    }
}
