// Single facts about the database, by name.

internal import GRDB
internal import Model

/// Names and values of the `meta` table.
enum Meta {
    enum Key: String {
        /// When the database was made, ns since 1970.
        case created
        /// Wall time of the last commit, ns since 1970.
        case lastAlive = "last_alive"
        /// 1 after a clean stop, 0 while a daemon runs or after it died.
        case cleanStop = "clean_stop"
        /// The highest incident id ever given.
        case lastIncident = "last_incident"
        /// The settings that the last daemon ran with: bytes, and seconds that each level is kept.
        case maxSize = "max_size"
        case rawSeconds = "raw_s"
        case hourSeconds = "hours_s"
        case daySeconds = "days_s"
    }

    static func integer(_ db: Database, _ key: Key) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT value FROM meta WHERE key = ?"), arguments: [key.rawValue])?.integer(0)
    }

    static func set(_ db: Database, _ key: Key, _ value: Int64) throws {
        try db.cachedStatement(
            sql: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ).execute(arguments: [key.rawValue, value])
    }

    /// The bounds that the daemon keeps to, for those who read the file without its config.
    static func set(_ db: Database, _ settings: StorageSettings) throws {
        try set(db, .maxSize, settings.maxSize)
        try set(db, .rawSeconds, settings.rawRetention.components.seconds)
        try set(db, .hourSeconds, settings.hourRetention.components.seconds)
        try set(db, .daySeconds, settings.dayRetention.components.seconds)
    }
}
