// Roll-ups, retention and the size bound, in short transactions between commits.

internal import GRDB
internal import Model

/// When the last clock step was and when the slow parts last ran.
struct Housekeeping: Sendable {
    /// Wall clock minus CLOCK_MONOTONIC when last looked at.
    var clockOffset: Int64?
    /// Since when the two clocks agree, CLOCK_MONOTONIC.
    var steadySince: Int64 = 0
    /// When old hour rows were last looked for, CLOCK_MONOTONIC.
    var lastSweep: Int64?

    /// A step of the clock of more than this makes ages doubtful.
    static let tolerance: Int64 = 300_000_000_000
    /// Nothing is deleted for its age until the clock has been steady this long: a clock that is a year ahead for a
    /// minute must not cost a year of data.
    static let settling: Int64 = 3_600_000_000_000

    /// Whether ages by the wall clock can be trusted.
    mutating func isSteady(now: WallTime, monotonic: Int64) -> Bool {
        let offset = now.nanoseconds.subtractingSaturated(monotonic)
        if let before = clockOffset, abs(offset.subtractingSaturated(before) / 2) > Housekeeping.tolerance / 2 {
            steadySince = monotonic
        }
        if clockOffset == nil { steadySince = monotonic }
        clockOffset = offset
        return monotonic - steadySince >= Housekeeping.settling
    }
}

extension Writer {
    /// Passive rows of single intervals are kept this long; their hours as long as other hours.
    static let passiveRetention = Duration.seconds(86_400)
    /// Share of the size bound at which the oldest rows go.
    static let highWater = 0.9

    struct Chores: Sendable {
        var rolledUp = 0
        var purged = 0
    }

    /// One slice of the work that keeps the file small; short, to be called again.
    mutating func housekeep(now: WallTime, monotonic: Int64) throws -> Chores {
        var chores = Chores()
        let isSteady = housekeeping.isSteady(now: now, monotonic: monotonic)
        do {
            chores.rolledUp = try rollUp(now: now)
            chores.purged = try boundSize()
            if isSteady {
                chores.purged += try expire(now: now)
                if monotonic - (housekeeping.lastSweep ?? .min / 2) >= Housekeeping.settling {
                    chores.purged += try sweep(now: now)
                    housekeeping.lastSweep = monotonic
                }
            }
        } catch {
            known = Known()
            throw error
        }
        return chores
    }

    /// Rolls up the oldest hours that are due; one transaction an hour.
    mutating func rollUp(now: WallTime, limit: Int = 4) throws -> Int {
        var rows = 0
        for level in [PendingHour.Level.results, .passive] {
            for hour in try queue.read({ try RollUp.due($0, level: level, now: now, limit: limit) }) {
                let pending = PendingHour(level: level, start: hour)
                rows += try queue.write { db in
                    defer { known.pending.remove(pending) }
                    let count = try level == .results ? RollUp.results(db, hour: hour) : RollUp.passive(db, hour: hour)
                    try RollUp.clear(db, pending)
                    return count
                }
            }
        }
        return rows
    }

    /// Deletes raw rows beyond their age, except of hours that are not rolled up.
    private func expire(now: WallTime) throws -> Int {
        let settings = opening.settings
        let cutoff = Slot(now - settings.rawRetention).number
        let passiveCutoff = Slot.floored((now - Writer.passiveRetention).nanoseconds, by: 1000)
        return try queue.write { db in
            try Purge.results(db, before: cutoff) + Purge.passive(db, before: passiveCutoff)
        }
    }

    /// Deletes hours, notices, series and keys beyond their age.
    private mutating func sweep(now: WallTime) throws -> Int {
        let cutoff = now - opening.settings.hourRetention
        let purged = try queue.write { try Purge.old($0, before: cutoff) }
        if purged > 0 { known = Known() }
        return purged
    }

    /// Deletes the oldest rows while the file is nearly full; returns the number of rows.
    mutating func boundSize() throws -> Int {
        var purged = 0
        for _ in 0..<Purge.slices {
            guard try isNearBound() else { break }
            let slice = try purgeOldest()
            if slice == 0 { break }
            purged += slice
        }
        return purged
    }

    /// After SQLite said that the file is full: deletes rows if it is our own bound that was reached. A full disk is
    /// somebody else's doing and costs no history.
    mutating func makeRoom() throws {
        if try isNearBound() { _ = try purgeOldest() }
    }

    private func isNearBound() throws -> Bool {
        let limit = Double(opening.settings.maxSize) * Writer.highWater / Double(Connection.pageSize)
        let used = try queue.read { db in
            try (Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0)
                - (Int64.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0)
        }
        return Double(used) > limit
    }

    /// Deletes one slice of the rows that are soonest spared.
    private mutating func purgeOldest() throws -> Int {
        let purged = try queue.write { try Purge.oldest($0) }
        known = Known()
        return purged
    }
}
