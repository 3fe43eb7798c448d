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
        /// The highest silence id ever given.
        case lastSilence = "last_silence"
        /// The config's name of the place that is watched from, a text; not there where it has none.
        case site
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

    static func text(_ db: Database, _ key: Key) throws -> String? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT value FROM meta WHERE key = ?"), arguments: [key.rawValue])?.text(0)
    }

    static func remove(_ db: Database, _ key: Key) throws {
        try db.cachedStatement(sql: "DELETE FROM meta WHERE key = ?").execute(arguments: [key.rawValue])
    }

    /// Stores an id that was given, where it is the highest so far.
    static func raise(_ db: Database, _ key: Key, to id: Int64) throws {
        if id > (try integer(db, key) ?? 0) { try set(db, key, id) }
    }

    static func set(_ db: Database, _ key: Key, _ value: some DatabaseValueConvertible) throws {
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
