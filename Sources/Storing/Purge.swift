// Deleting rows in slices short enough to leave room for commits.

internal import GRDB
internal import Model

/// A level of stored figures, a row a series and time.
enum PurgeLevel: Int, CaseIterable {
    case chunks
    case hours
    case days

    var table: String {
        switch self {
        case .chunks: "chunks"
        case .hours: "hour_rows"
        case .days: "day_rows"
        }
    }

    private var column: String { self == .chunks ? "t0_ms" : "start_s" }
    private var unit: Int64 { self == .chunks ? 1000 : 1 }
    /// Seconds that are deleted at once, so that a series is touched seldom.
    var grain: Int64 {
        switch self {
        case .chunks: 86_400
        case .hours: 7 * 86_400
        case .days: 90 * 86_400
        }
    }

    /// Deletes the rows of a series from before a second, rounded down to the grain.
    func delete(_ db: Database, series: Int64, before second: Int64) throws -> Int {
        let cutoff = Slot.floored(second, by: grain).multipliedReportingOverflow(by: grain * unit).partialValue
        let oldest = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT min(\(column)) FROM \(table) WHERE series = ?"), arguments: [series]
        )?.integer(0)
        guard let oldest, oldest < cutoff else { return 0 }
        try db.cachedStatement(sql: "DELETE FROM \(table) WHERE series = ? AND \(column) < ?").execute(
            arguments: [series, cutoff])
        return db.changesCount
    }

    /// The second of the oldest row of any series.
    func oldest(_ db: Database) throws -> Int64? {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT min((SELECT min(\(column)) FROM \(table) WHERE series = s.id)) FROM series_rows AS s
                    """))
        return row?.integer(0).map { Slot.floored($0, by: unit) }
    }
}

enum Purge {
    /// Series of one slice.
    static let slice = 32

    /// Deletes what is too old of up to `slice` series behind `cursor`; returns the rows and the next cursor, nil at
    /// the end of the series.
    static func expired(
        _ db: Database, after cursor: Int64, cutoffs: [PurgeLevel: Int64]
    ) throws -> (rows: Int, next: Int64?) {
        let ids = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT id FROM series_rows WHERE id > ? ORDER BY id LIMIT \(slice)"),
            arguments: [cursor]
        ).compactMap { $0.integer(0) }
        var rows = 0
        for id in ids {
            for (level, cutoff) in cutoffs { rows += try level.delete(db, series: id, before: cutoff) }
        }
        return (rows, ids.count == slice ? ids.last : nil)
    }

    /// Deletes the passive rows of the oldest hour that ended before the time (µs), unless it is not rolled up. Whole hours
    /// only: of the rest of one, a reader would not know that it is the rest.
    static func passive(_ db: Database, before cutoff: Int64) throws -> Int {
        guard let start = try Row.fetchOne(db, sql: "SELECT min(start_us) FROM passive_rows")?.integer(0),
            start < cutoff
        else { return 0 }
        let hour = Slot.floored(start, by: Hour.seconds * 1_000_000) * Hour.seconds
        let end = (hour + Hour.seconds) * 1_000_000
        guard end <= cutoff else { return 0 }
        let isPending =
            try Row.fetchOne(db, sql: "SELECT 1 FROM pending_hours WHERE hour_s = ?", arguments: [hour]) != nil
        guard !isPending else { return 0 }
        try db.execute(sql: "DELETE FROM passive_rows WHERE start_us < ?", arguments: [end])
        return db.changesCount
    }

    /// Deletes passive hours, notices and marks that are older than the time, and series and keys without rows. Spans
    /// without measurements stay until `gaps`, as long as the figures that they explain.
    static func old(_ db: Database, before cutoff: WallTime, gaps: WallTime) throws -> Int {
        let seconds = cutoff.seconds
        let nanoseconds = cutoff.nanoseconds
        let before = db.totalChangesCount
        try db.execute(sql: "DELETE FROM round_notes WHERE slot < ?", arguments: [Slot(cutoff).number])
        try db.execute(
            sql: """
                DELETE FROM series_rows WHERE NOT EXISTS (SELECT 1 FROM day_rows WHERE series = series_rows.id)
                    AND NOT EXISTS (SELECT 1 FROM hour_rows WHERE series = series_rows.id)
                    AND NOT EXISTS (SELECT 1 FROM chunks WHERE series = series_rows.id)
                    AND NOT EXISTS (SELECT 1 FROM results WHERE series = series_rows.id)
                """)
        try db.execute(sql: "DELETE FROM passive_hour_rows WHERE hour_s < ?", arguments: [seconds])
        try db.execute(
            sql: """
                DELETE FROM passive_keys WHERE last_hour_s < ?1
                    AND NOT EXISTS (SELECT 1 FROM passive_rows WHERE key = passive_keys.id)
                """, arguments: [min(seconds, try oldestPassiveHour(db))])
        try db.execute(sql: "DELETE FROM capture_slots WHERE slot < ?", arguments: [CaptureSlot.number(cutoff)])
        try db.execute(sql: "DELETE FROM transitions WHERE at_ns < ?", arguments: [nanoseconds])
        let spans = MonitorEvent.Kind.allCases.filter(\.isUnknownTime).map { "'\($0.rawValue)'" }.joined(
            separator: ", ")
        try db.execute(
            sql: "DELETE FROM events WHERE coalesce(end_ns, start_ns) < iif(kind IN (\(spans)), ?, ?)",
            arguments: [min(cutoff, gaps).nanoseconds, nanoseconds])
        try db.execute(sql: "DELETE FROM incident_rows WHERE closed_ns < ?", arguments: [nanoseconds])
        try db.execute(sql: "DELETE FROM silences WHERE until_ns < ?", arguments: [nanoseconds])
        return db.totalChangesCount - before
    }

    /// What goes to make room, oldest first.
    struct Room: Sendable {
        var level: PurgeLevel
        var cutoff: Int64
        /// The series whose rows went last.
        var cursor: Int64 = .min
    }

    /// What can best be spared: single results older than a week, then than a day, then hours, then days. Nil where
    /// nothing is left, or where `keepingDay` and only the newest day of single results and the roll-ups are.
    static func spared(_ db: Database, keepingDay: Bool) throws -> Room? {
        let day: Int64 = 86_400
        guard
            let newest = try HotRow.newestSlot(db, upTo: .max).map({ $0 &* Slot.seconds })
                ?? Row.fetchOne(db, sql: "SELECT max(start_s) FROM day_rows")?.integer(0)
        else { return nil }
        if let oldest = try PurgeLevel.chunks.oldest(db) {
            let end = (Slot.floored(oldest, by: day) + 1) * day
            if end <= newest.subtractingSaturated(keepingDay ? day : 0) { return Room(level: .chunks, cutoff: end) }
        }
        guard !keepingDay else { return nil }
        for level in [PurgeLevel.hours, .days] {
            if let oldest = try level.oldest(db) {
                return Room(level: level, cutoff: (Slot.floored(oldest, by: level.grain) + 1) * level.grain)
            }
        }
        return nil
    }

    /// One slice of it: the rows of some series. The room is used up when its cursor is nil.
    static func make(_ db: Database, _ room: Room) throws -> (rows: Int, next: Int64?) {
        try expired(db, after: room.cursor, cutoffs: [room.level: room.cutoff])
    }

    /// Passive rows but for the newest hour, whose roll-ups remain, then the oldest passive hour beyond a week.
    static func sparePassive(_ db: Database) throws -> Int {
        guard let newest = try Row.fetchOne(db, sql: "SELECT max(start_us) FROM passive_rows")?.integer(0) else {
            return 0
        }
        let rows = try passive(db, before: newest.subtractingSaturated(Hour.seconds * 1_000_000))
        if rows > 0 { return rows }
        let hour = try oldestPassiveHour(db)
        guard hour < newest / 1_000_000 - 7 * 86_400 else { return 0 }
        try db.execute(sql: "DELETE FROM passive_hour_rows WHERE hour_s = ?", arguments: [hour])
        return db.changesCount
    }

    /// `Int64.max` where there is none.
    private static func oldestPassiveHour(_ db: Database) throws -> Int64 {
        try Row.fetchOne(db, sql: "SELECT min(hour_s) FROM passive_hour_rows")?.integer(0) ?? .max
    }
}
