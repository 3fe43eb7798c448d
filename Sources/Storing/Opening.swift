// From a directory to a database that can be written: lock, checks, migration, what the last run left.

internal import Foundation
internal import GRDB
internal import LinuxSystem
internal import Model

/// The steps of opening a database for writing.
struct Opening {
    var files: StateFiles
    var settings: StorageSettings
    var schema = Schema.current
    /// A file up to this size is checked on every start; a larger one after an unclean stop only, beside the writer.
    var alwaysCheckedBytes: Int64 = 64 << 20

    struct Opened {
        var queue: DatabaseQueue
        var events: [MonitorEvent]
        var restored: RestoredState
        /// Whether the file is still to be checked, which takes too long for a start.
        var needsCheck = false
    }

    /// Opens the database; a damaged one is set aside and a new one begun.
    func open(now: WallTime) throws(StoreError) -> Opened {
        try files.makeDirectory()
        do {
            return try openFile(now: now, earlier: [])
        } catch .corrupt(_, let reason) {
            return try startAnew(reason: reason, now: now)
        }
    }

    /// Sets the files aside and opens a new database that says so.
    func startAnew(reason: String, now: WallTime) throws(StoreError) -> Opened {
        let name = try files.setAside(at: now)
        let event = MonitorEvent(
            kind: .databaseSetAside, start: now,
            text: "the database was damaged (\(reason)) and is kept as \(name); a new one was begun")
        return try openFile(now: now, earlier: [event])
    }

    private func openFile(now: WallTime, earlier: [MonitorEvent]) throws(StoreError) -> Opened {
        let path = files.database
        try files.prepare()
        do {
            let queue = try Connection.writer(path: path, maxSize: settings.maxSize, check: refusal)
            do {
                let needsCheck = try check(queue)
                try migrate(queue, now: now)
                var opened = try resume(queue, now: now, earlier: earlier)
                opened.needsCheck = needsCheck
                return opened
            } catch {
                try? queue.close()
                throw error
            }
        } catch {
            throw Connection.storeError(error, path: path)
        }
    }

    /// Refuses what is not ours or is newer.
    private var refusal: @Sendable (Database) throws -> Void {
        let path = files.database
        let supported = schema.version
        return { db in
            let application = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
            let objects = try Int64.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
            guard application == Schema.applicationID || (application == 0 && objects == 0) else {
                throw StoreError.foreign(path: path)
            }
            let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard found <= supported else {
                throw StoreError.newerSchema(path: path, found: found, supported: supported)
            }
        }
    }

    /// Looks for damage where it costs next to nothing; true where there is reason to and it would cost more.
    private func check(_ queue: DatabaseQueue) throws -> Bool {
        let path = files.database
        return try queue.read { db in
            guard let found = try Int.fetchOne(db, sql: "PRAGMA user_version"), found > 0 else {
                return false
            }
            let wasClean = try Meta.integer(db, .cleanStop) == 1
            guard StateFiles.size(path) <= alwaysCheckedBytes else { return !wasClean }
            let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no answer"
            guard verdict == "ok" else { throw StoreError.corrupt(path: path, reason: verdict) }
            return false
        }
    }

    /// Brings an older schema up to this release's, after a copy.
    private func migrate(_ queue: DatabaseQueue, now: WallTime) throws {
        let found = try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
        if found > 0 && found < schema.version {
            let copy = files.database + ".v\(found)-" + StateFiles.stamp(now)
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "VACUUM INTO ?", arguments: [copy])
            }
            try FileManager.default.setAttributes(
                [.posixPermissions: Int(StateFiles.fileMode)], ofItemAtPath: copy)
        }
        try schema.migrator.migrate(queue)
        try queue.write { try Schema.fillOutcomes($0) }
    }

    /// Reads what the last run left, records the time since as unknown and marks the file as in use.
    private func resume(_ queue: DatabaseQueue, now: WallTime, earlier: [MonitorEvent]) throws -> Opened {
        try queue.write { db in
            var events = earlier
            var restored = try Restoring.state(db, now: now)
            restored.lastAlive = try Meta.integer(db, .lastAlive).map { WallTime(nanoseconds: $0) }
            if let last = restored.lastAlive {
                let wasClean = try Meta.integer(db, .cleanStop) == 1
                events.append(Opening.gap(from: last, to: now, wasClean: wasClean))
            } else {
                try Meta.set(db, .created, now.nanoseconds)
            }
            events.append(MonitorEvent(kind: .started, start: now, text: "the monitor started"))
            for event in events { try Notices.insert(db, event) }
            try Meta.set(db, .lastAlive, now.nanoseconds)
            try Meta.set(db, .cleanStop, 0)
            try Meta.set(db, settings)
            return Opened(queue: queue, events: events, restored: restored)
        }
    }

    /// The event for the time in which nobody measured. A clock that went back leaves a span of no length.
    static func gap(from last: WallTime, to now: WallTime, wasClean: Bool) -> MonitorEvent {
        let kind: MonitorEvent.Kind = wasClean ? .gap : .uncleanStop
        let end = max(last, now)
        let why = wasClean ? "the monitor was stopped" : "the monitor ended without a clean stop"
        let note = now < last ? "; the clock now shows an earlier time than then" : ""
        return MonitorEvent(kind: kind, start: last, end: end, text: why + note)
    }
}
