// Roll-ups, retention and the size bound, in short transactions between commits.

internal import GRDB
internal import Model

/// When the last clock step was and when the slow parts last ran.
struct Housekeeping: Sendable {
    /// Wall clock minus CLOCK_MONOTONIC when last looked at.
    var clockOffset: Int64?
    /// Since when the two clocks agree, CLOCK_MONOTONIC.
    var steadySince: Int64 = 0
    /// What is left to seal of the hour that is being sealed.
    var plan: Sealing.Plan?
    /// The series up to which old rows have been looked for in this round; nil between rounds.
    var cursor: Int64?
    /// What is being deleted to make room.
    var room: Purge.Room?
    /// When old rows were last looked for, CLOCK_MONOTONIC.
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

    /// Pages given back to the disk at a time.
    static let vacuumPages = 256

    struct Chores: Sendable {
        var rolledUp = 0
        var purged = 0
        /// Whether the next slice should not wait.
        var hasMore = false
    }

    /// One slice of the work that keeps the file small; short, to be called again.
    mutating func housekeep(now: WallTime, monotonic: Int64) throws -> Chores {
        var chores = Chores()
        let isSteady = housekeeping.isSteady(now: now, monotonic: monotonic)
        do {
            chores.rolledUp = try rollUp(now: now)
            chores.purged = try boundSize()
            if isSteady { chores.purged += try expire(now: now, monotonic: monotonic) }
            try shrink()
            Ballast(files: files).restore()
            chores.hasMore = housekeeping.plan != nil || housekeeping.cursor != nil || housekeeping.room != nil
        } catch {
            known = Known()
            throw error
        }
        return chores
    }

    /// Seals a slice of the oldest hour that is over, and rolls up passive hours that are; returns the number of series
    /// and keys. One transaction each, short.
    mutating func rollUp(now: WallTime, limit: Int = 4) throws -> Int {
        var rows = try seal(now: now)
        for hour in try queue.read({ try RollUp.due($0, now: now, limit: limit) }) {
            rows += try queue.write { db in
                defer { known.pending.remove(hour) }
                let count = try RollUp.passive(db, hour: hour)
                try RollUp.clear(db, hour)
                return count
            }
        }
        return rows
    }

    private mutating func seal(now: WallTime) throws -> Int {
        if housekeeping.plan?.series.isEmpty ?? true {
            housekeeping.plan = try queue.read { try Sealing.plan($0, now: now) }
        }
        guard var plan = housekeeping.plan else { return 0 }
        // Whatever goes wrong, the next call looks anew at what is there.
        housekeeping.plan = nil
        let sealed = try queue.write { try Sealing.seal($0, &plan) }
        housekeeping.plan = plan.series.isEmpty ? nil : plan
        return sealed
    }

    /// Seals all that is over; for tests and imports.
    mutating func rollUpAll(now: WallTime) throws -> Int {
        var rows = 0
        while true {
            let count = try rollUp(now: now)
            if count == 0 { return rows }
            rows += count
        }
    }

    /// Deletes what is beyond its age of some series at a time, each series once an hour, and passive rows.
    private mutating func expire(now: WallTime, monotonic: Int64) throws -> Int {
        let settings = opening.settings
        let passiveCutoff = Slot.floored((now - Writer.passiveRetention).nanoseconds, by: 1000)
        var purged = try queue.write { try Purge.passive($0, before: passiveCutoff) }
        if housekeeping.cursor == nil {
            guard monotonic - (housekeeping.lastSweep ?? .min / 2) >= Housekeeping.settling else { return purged }
            housekeeping.lastSweep = monotonic
            housekeeping.cursor = .min
            purged += try sweep(now: now)
        }
        let cutoffs: [PurgeLevel: Int64] = [
            .chunks: (now - settings.rawRetention).seconds, .hours: (now - settings.hourRetention).seconds,
            .days: (now - settings.dayRetention).seconds,
        ]
        let cursor = housekeeping.cursor ?? .min
        let (rows, next) = try queue.write { try Purge.expired($0, after: cursor, cutoffs: cutoffs) }
        housekeeping.cursor = next
        return purged + rows
    }

    /// Deletes passive hours, notices, series and keys beyond their age.
    private mutating func sweep(now: WallTime) throws -> Int {
        let cutoff = now - opening.settings.hourRetention
        let gaps = now - opening.settings.dayRetention
        let purged = try queue.write { try Purge.old($0, before: cutoff, gaps: gaps) }
        if purged > 0 { known = Known() }
        return purged
    }

    /// Deletes the oldest rows while the file is nearly full; returns the number of rows.
    mutating func boundSize() throws -> Int {
        guard try isNearBound() else {
            housekeeping.room = nil
            return 0
        }
        return try makeRoom(keepingDay: false)
    }

    /// One slice of what can best be spared.
    mutating func makeRoom(keepingDay: Bool) throws -> Int {
        let passive = try queue.write { try Purge.sparePassive($0) }
        if passive > 0 { return passive }
        for _ in 0..<64 {
            if housekeeping.room == nil {
                housekeeping.room = try queue.read { try Purge.spared($0, keepingDay: keepingDay) }
            }
            guard var room = housekeeping.room else { return 0 }
            let (rows, next) = try queue.write { try Purge.make($0, room) }
            if let next { room.cursor = next }
            housekeeping.room = next == nil ? nil : room
            if rows > 0 { return rows }
        }
        return 0
    }

    /// After SQLite said that there is no room: deletes the oldest rows. Where it is the disk that is full, and not our
    /// own bound that is reached, the ballast goes first, and only single results older than a day go after it.
    mutating func relieve() throws {
        let isOurs = try isNearBound()
        if !isOurs { Ballast(files: files).release() }
        _ = try makeRoom(keepingDay: !isOurs)
    }

    func isNearBound() throws -> Bool {
        let limit = Double(opening.settings.maxSize) * Writer.highWater / Double(Connection.pageSize)
        let pages = try queue.read { try Pages($0) }
        return Double(pages.total - pages.free) > limit
    }

    /// Gives freed pages back to the disk, some at a time, where there are many more than are about to be used again.
    mutating func shrink() throws {
        let pages = try queue.read { try Pages($0) }
        let bound = opening.settings.maxSize / Connection.pageSize
        guard pages.free > 4096 && pages.free > pages.total / 4 || pages.total > bound && pages.free > 0 else { return }
        try queue.writeWithoutTransaction { db in
            // Takes a step a page, so all steps have to be made.
            _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(Writer.vacuumPages))")
        }
    }
}

/// How many pages the file has.
struct Pages {
    var total: Int64
    /// On the list of free pages.
    var free: Int64

    init(_ db: Database) throws {
        total = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        free = try Int64.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
    }
}
