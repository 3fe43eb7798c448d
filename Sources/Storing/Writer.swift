// Owner of the one writing connection: group commits, and what must be remembered between them.

internal import Foundation
internal import GRDB
internal import Model

/// Writes batches in one transaction each; not for concurrent use.
struct Writer: Sendable {
    let files: StateFiles
    let opening: Opening
    var queue: DatabaseQueue
    /// What is known to be in the file; forgotten whenever a transaction fails.
    var known = Known()
    /// The targets last synchronised and their site, for a database begun anew.
    var targets: (specs: [TargetSpec], site: String) = ([], "")
    var housekeeping = Housekeeping()
    /// Bytes of the write-ahead log beyond which nothing is committed.
    var logBound: Int64 = 256 << 20
    /// When a damaged file was last set aside while running, CLOCK_MONOTONIC.
    var lastSetAside: Int64?

    struct Known: Sendable {
        var series: [SeriesKey: SeriesEntry] = [:]
        var passiveKeys: [PassiveKey: PassiveEntry] = [:]
        /// Hours that are marked as having passive rows.
        var pending: Set<Int64> = []
        /// What the running transaction adds to `result_tallies`.
        var tallies: [ResultBlock: ResultTally] = [:]
    }

    struct PassiveEntry: Sendable {
        var id: Int64
        /// What the file says of the service.
        var sources: ServiceSources
    }

    struct SeriesEntry: Sendable {
        var id: Int64
        var seed: UInt32
        var kind: ProbeKind
    }

    /// Names of series and keys kept in memory; beyond that they are looked up again.
    static let knownLimit = 20_000

    init(files: StateFiles, opening: Opening, queue: DatabaseQueue) {
        self.files = files
        self.opening = opening
        self.queue = queue
    }

    /// Commits the items and a sign of life, all or none.
    mutating func commit(_ items: [StoreItem], now: WallTime) throws {
        try boundLog()
        var known = self.known
        var targets: (specs: [TargetSpec], site: String)?
        do {
            try queue.write { db in
                for item in items { try Writer.apply(item, to: db, known: &known) }
                try ResultTallies.add(known.tallies, db)
                try Meta.set(db, .lastAlive, now.nanoseconds)
            }
        } catch {
            self.known = Known()
            throw error
        }
        known.tallies.removeAll(keepingCapacity: true)
        for case .targets(let specs, let site) in items { targets = (specs, site) }
        if let targets { self.targets = targets }
        self.known = known
    }

    /// A reader that never ends keeps the log from being begun anew. It must not fill the disk: nothing more is committed
    /// then, and what does not fit the queue is dropped and counted.
    private func boundLog() throws {
        let log = files.database + "-wal"
        guard StateFiles.size(log) > logBound else { return }
        try queue.writeWithoutTransaction { _ = try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        guard StateFiles.size(log) > logBound else { return }
        throw StoreError.failed(
            "a reader keeps the write-ahead log from being emptied, and it has reached \(logBound >> 20) MiB")
    }

    /// Commits the items one by one as far as they can be; returns what could not be stored at all.
    mutating func commitSeparately(_ items: [StoreItem], now: WallTime) throws -> StoreLoad {
        var refused = StoreLoad()
        for item in items {
            do {
                try commit([item], now: now)
            } catch let error where Writer.isLasting(error) {
                refused += item.load
            }
        }
        return refused
    }

    /// Whether an error is about the item rather than about the disk: it would fail again and again.
    static func isLasting(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        switch error.resultCode {
        case .SQLITE_CONSTRAINT, .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_RANGE, .SQLITE_ERROR: return true
        default: return false
        }
    }

    static func isDamage(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        return error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    }

    static func isFull(_ error: any Error) -> Bool { (error as? DatabaseError)?.resultCode == .SQLITE_FULL }

    /// Sets a file aside that turned out to be damaged, and goes on in a new one; at most once an hour. Returns what it
    /// stored about that.
    mutating func startAnew(reason: String, now: WallTime, monotonic: Int64) throws -> [MonitorEvent] {
        if let last = lastSetAside, monotonic - last < 3_600_000_000_000 {
            throw StoreError.corrupt(path: files.database, reason: reason)
        }
        lastSetAside = monotonic
        known = Known()
        try? queue.close()
        housekeeping = Housekeeping()
        let opened = try opening.startAnew(reason: reason, now: now)
        queue = opened.queue
        let targets = self.targets
        try queue.write { try Notices.sync($0, targets.specs, site: targets.site) }
        return opened.events.filter { $0.kind == .databaseSetAside }
    }

    /// Says that the stop was in order and closes the file.
    mutating func close(_ items: [StoreItem], now: WallTime) throws {
        let stopped = MonitorEvent(kind: .stopped, start: now, text: "the monitor stopped")
        try commit(items + [.event(stopped)], now: now)
        try queue.write { try Meta.set($0, .cleanStop, 1) }
        try queue.close()
    }
}

extension Writer {
    private static func apply(_ item: StoreItem, to db: Database, known: inout Known) throws {
        switch item {
        case .round(let round): try insert(round, into: db, known: &known)
        case .passive(let summary): try insert(summary, into: db, known: &known)
        case .transition(let transition): try Notices.insert(db, transition)
        case .verdict(let target, let verdict): try Notices.save(db, verdict, for: target)
        case .event(let event): try Notices.insert(db, event)
        case .incident(let incident): try Notices.save(db, incident)
        case .silence(let silence): try Notices.save(db, silence)
        case .silenceRemoval(let id): try Notices.removeSilence(db, id: id)
        case .targets(let targets, let site): try Notices.sync(db, targets, site: site)
        }
    }
}
