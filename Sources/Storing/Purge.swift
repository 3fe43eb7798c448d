// Deleting rows in slices short enough to leave room for commits.

internal import GRDB
internal import Model

enum Purge {
    /// Slices of one call.
    static let slices = 24

    /// Deletes up to `slices` slots of results before the slot, except of hours that are not rolled up.
    static func results(_ db: Database, before cutoff: Int64) throws -> Int {
        var deleted = 0
        for _ in 0..<slices {
            guard let slot = try Row.fetchOne(db, sql: "SELECT min(slot) FROM results")?.integer(0), slot < cutoff,
                try !isPending(db, .results, hour: Hour.start(ofSlot: slot))
            else { break }
            deleted += try deleteSlot(db, slot)
        }
        return deleted
    }

    private static func deleteSlot(_ db: Database, _ slot: Int64) throws -> Int {
        try db.execute(sql: "DELETE FROM round_notes WHERE slot <= ?", arguments: [slot])
        try db.execute(sql: "DELETE FROM results WHERE slot = ?", arguments: [slot])
        return db.changesCount
    }

    /// Deletes passive rows that began before the time (µs), an hour at most, except of hours not rolled up.
    static func passive(_ db: Database, before cutoff: Int64) throws -> Int {
        guard let start = try Row.fetchOne(db, sql: "SELECT min(start_us) FROM passive_rows")?.integer(0),
            start < cutoff
        else { return 0 }
        let hour = Slot.floored(start, by: Hour.seconds * 1_000_000) * Hour.seconds
        guard try !isPending(db, .passive, hour: hour) else { return 0 }
        let end = min(cutoff, (hour + Hour.seconds) * 1_000_000)
        try db.execute(sql: "DELETE FROM passive_rows WHERE start_us < ?", arguments: [end])
        return db.changesCount
    }

    /// Deletes everything of hour rows and notices that is older than the time, and series and keys without rows.
    static func old(_ db: Database, before cutoff: WallTime) throws -> Int {
        let seconds = cutoff.seconds
        let nanoseconds = cutoff.nanoseconds
        let before = db.totalChangesCount
        for series in try Row.fetchAll(db, sql: "SELECT id FROM series").compactMap({ $0.integer(0) }) {
            try db.cachedStatement(sql: "DELETE FROM hour_rows WHERE series = ? AND hour_s < ?").execute(
                arguments: [series, seconds])
        }
        try db.execute(
            sql: """
                DELETE FROM series WHERE last_slot < ?1
                    AND NOT EXISTS (SELECT 1 FROM hour_rows WHERE series = series.id)
                    AND (SELECT min(slot) FROM results) > series.last_slot
                """, arguments: [Slot(cutoff).number])
        try db.execute(sql: "DELETE FROM passive_hour_rows WHERE hour_s < ?", arguments: [seconds])
        try db.execute(
            sql: """
                DELETE FROM passive_keys WHERE last_hour_s < ?1
                    AND NOT EXISTS (SELECT 1 FROM passive_rows WHERE key = passive_keys.id)
                """, arguments: [min(seconds, try oldestPassiveHour(db))])
        try db.execute(sql: "DELETE FROM capture_slots WHERE slot < ?", arguments: [Slot(cutoff).number])
        try db.execute(sql: "DELETE FROM transitions WHERE at_ns < ?", arguments: [nanoseconds])
        try db.execute(sql: "DELETE FROM events WHERE coalesce(end_ns, start_ns) < ?", arguments: [nanoseconds])
        try db.execute(sql: "DELETE FROM incidents WHERE closed_ns < ?", arguments: [nanoseconds])
        try db.execute(sql: "DELETE FROM silences WHERE until_ns < ?", arguments: [nanoseconds])
        return db.totalChangesCount - before
    }

    /// One slice of the oldest rows of the table that can best spare them; 0 where there is nothing left.
    static func oldest(_ db: Database) throws -> Int {
        let day: Int64 = 86_400
        let newest = try Row.fetchOne(db, sql: "SELECT max(slot) FROM results")?.integer(0) ?? .min
        let newestSecond =
            newest == .min ? Int64.min : newest.multipliedReportingOverflow(by: Slot.seconds).partialValue
        // Rows younger than these ages stay until nothing else can go.
        for (rawAge, passiveAge) in [(7 * day, 7 * day), (day, day), (0, 0)] {
            var deleted = try hourOfPassiveRows(db)
            if deleted == 0 { deleted = try oldestSlot(db, before: newestSecond.subtractingSaturated(rawAge)) }
            if deleted == 0 {
                deleted = try oldestPassiveHour(db, before: newestSecond.subtractingSaturated(passiveAge))
            }
            if deleted > 0 { return deleted }
        }
        let hour = try Row.fetchOne(db, sql: "SELECT min(hour_s) FROM hour_rows")?.integer(0)
        guard let hour else { return 0 }
        try db.execute(sql: "DELETE FROM hour_rows WHERE hour_s < ?", arguments: [hour.addingSaturated(7 * day)])
        return db.changesCount
    }

    private static func oldestSlot(_ db: Database, before second: Int64) throws -> Int {
        guard let slot = try Row.fetchOne(db, sql: "SELECT min(slot) FROM results")?.integer(0),
            slot.multipliedReportingOverflow(by: Slot.seconds).partialValue < second
        else { return 0 }
        return try deleteSlot(db, slot)
    }

    /// Passive rows but for the newest hour: their roll-up remains.
    private static func hourOfPassiveRows(_ db: Database) throws -> Int {
        guard let newest = try Row.fetchOne(db, sql: "SELECT max(start_us) FROM passive_rows")?.integer(0) else {
            return 0
        }
        return try passive(db, before: newest.subtractingSaturated(Hour.seconds * 1_000_000))
    }

    private static func oldestPassiveHour(_ db: Database, before second: Int64) throws -> Int {
        let hour = try oldestPassiveHour(db)
        guard hour < second, hour < .max else { return 0 }
        try db.execute(sql: "DELETE FROM passive_hour_rows WHERE hour_s = ?", arguments: [hour])
        return db.changesCount
    }

    /// `Int64.max` where there is none.
    private static func oldestPassiveHour(_ db: Database) throws -> Int64 {
        try Row.fetchOne(db, sql: "SELECT min(hour_s) FROM passive_hour_rows")?.integer(0) ?? .max
    }

    private static func isPending(_ db: Database, _ level: PendingHour.Level, hour: Int64) throws -> Bool {
        try Row.fetchOne(
            db, sql: "SELECT 1 FROM pending_hours WHERE level = ? AND hour_s = ?", arguments: [level.rawValue, hour])
            != nil
    }
}
