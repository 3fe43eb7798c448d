// The reading side: read-only, for commands, with the daemon running or not.

internal import GRDB
internal import Glibc
internal import LinuxSystem
public import Model
internal import Wire

/// Reads a database that a daemon writes or has written. Never writes, so a user of the group who may only read can
/// use it. Every call is one short read of one consistent state; open one reader a command, not one a process life.
public final class StoreReader: Sendable {
    let queue: DatabaseQueue
    let path: String

    /// Opens the database file. Throws `notFound` where there is none, `newerSchema` and `foreign` where it is not
    /// readable by this release, `cannotOpen` where it may not be read.
    public init(path: String) throws(StoreError) {
        self.path = path
        queue = try StoreReader.open(path)
        let path = path
        let supported = Schema.current.version
        try read { db in
            guard try Int64.fetchOne(db, sql: "PRAGMA application_id") == Schema.applicationID else {
                throw StoreError.foreign(path: path)
            }
            let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard found <= supported else {
                throw StoreError.newerSchema(path: path, found: found, supported: supported)
            }
        }
    }

    private static func open(_ path: String) throws(StoreError) -> DatabaseQueue {
        switch Syscall.attempt({ unsafe access(path, R_OK) }) {
        case .value, .wouldBlock: break
        case .failed(ENOENT), .failed(ENOTDIR): throw .notFound(path: path)
        case .failed(EACCES):
            throw .cannotOpen(path: path, reason: "permission denied; members of its group may read it")
        case .failed(let code): throw .cannotOpen(path: path, reason: SystemError.message(of: code))
        }
        // SQLite calls a directory an I/O error, and takes an empty file for a database without tables.
        var facts = stat()
        if unsafe stat(path, &facts) == 0 {
            guard facts.st_mode & S_IFMT != S_IFDIR else {
                throw .cannotOpen(path: path, reason: "it is a directory; the database in it is tautline.db")
            }
            guard facts.st_mode & S_IFMT != S_IFREG || facts.st_size > 0 else {
                throw .cannotOpen(path: path, reason: "the file is empty, so no daemon has written a database there")
            }
        }
        do {
            return try Connection.reader(path: path)
        } catch {
            throw Connection.storeError(error, path: path)
        }
    }

    /// Runs a read of one consistent state.
    func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do {
            return try queue.read(body)
        } catch {
            throw Connection.storeError(error, path: path)
        }
    }

    /// When the monitor last committed: how old what is read here is.
    public func lastWrite() throws(StoreError) -> WallTime? {
        try read { try Meta.integer($0, .lastAlive).map { WallTime(nanoseconds: $0) } }
    }

    /// Whether the last daemon said goodbye; false while one runs or after it died.
    public func wasStoppedCleanly() throws(StoreError) -> Bool {
        try read { try Meta.integer($0, .cleanStop) == 1 }
    }

    /// The name of the place that the last daemon watched from; nil where its config gave none.
    public func site() throws(StoreError) -> String? {
        try read { try Meta.text($0, .site) }
    }

    /// The targets in the order of the config.
    public func targets(includingInactive: Bool = false) throws(StoreError) -> [StoredTarget] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT id, kind, title, site, labels, parents, address, discovered, active, probes FROM targets
                    WHERE active OR ? ORDER BY active DESC, position, id
                    """, arguments: [includingInactive])
            return rows.compactMap { StoreReader.target($0) }
        }
    }

    /// The probes of a target that anything is stored of, whether or not it still has them.
    public func measuredProbes(of target: TargetID) throws(StoreError) -> Set<String> {
        try read { Set(try SeriesRow.of(target, $0).map(\.key.probe)) }
    }

    private static func target(_ row: Row) -> StoredTarget? {
        guard let id = row.text(0).flatMap({ TargetID(rawValue: $0) }) else { return nil }
        let parents = StoredText.decoded([String].self, from: row.text(5)) ?? []
        let probes = StoredText.decoded([ProbeColumn].self, from: row.text(9)) ?? []
        return StoredTarget(
            id: id, kind: row.text(1).flatMap { TargetKind(rawValue: $0) } ?? .host, title: row.text(2) ?? id.rawValue,
            site: row.text(3), labels: StoredText.decoded([String: String].self, from: row.text(4)) ?? [:],
            parents: parents.compactMap { TargetID(rawValue: $0) }, address: row.text(6) ?? "",
            isDiscovered: row.integer(7) == 1, isActive: row.integer(8) == 1,
            probes: probes.compactMap { probe in
                ProbeKind(rawValue: probe.kind).map {
                    StoredProbe(
                        id: probe.id, kind: $0, interval: .microseconds(probe.intervalMicroseconds),
                        timeout: .microseconds(probe.timeoutMicroseconds))
                }
            })
    }

    /// The latest verdict of each active target, or of each there ever was.
    public func verdicts(includingInactive: Bool = false) throws(StoreError) -> [TargetID: Verdict] {
        try read { try Restoring.verdicts($0, activeOnly: !includingInactive) }
    }

    /// Incidents by time of opening: all that are open, and the closed ones that were open within the window.
    public func incidents(
        openOnly: Bool = false, since: WallTime? = nil, until: WallTime? = nil
    ) throws(StoreError) -> [Incident] {
        let condition =
            openOnly
            ? "closed_ns IS NULL AND ?1 <= ?2"
            : "opened_ns < ?2 AND (closed_ns IS NULL OR closed_ns >= ?1)"
        return try read {
            try Restoring.incidents($0, where: condition, [since?.nanoseconds ?? .min, until?.nanoseconds ?? .max])
        }
    }

    /// Changes of state, oldest first; the newest `limit` where there are more.
    public func transitions(
        of target: TargetID? = nil, since: WallTime? = nil, until: WallTime? = nil, limit: Int = 1000
    ) throws(StoreError) -> [Transition] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT target, from_state, to_state, at_ns, reason, layer, evidence FROM transitions
                    WHERE at_ns >= ? AND at_ns < ? \(target == nil ? "AND ? IS NULL" : "AND target = ?")
                    ORDER BY at_ns DESC, id DESC LIMIT ?
                    """,
                arguments: [since?.nanoseconds ?? .min, until?.nanoseconds ?? .max, target?.rawValue, max(limit, 0)])
            return rows.reversed().compactMap { row in
                guard let target = row.text(0).flatMap({ TargetID(rawValue: $0) }) else { return nil }
                return Transition(
                    target: target, from: row.text(1).flatMap { TargetState(rawValue: $0) } ?? .unknown,
                    verdict: Restoring.verdict(row, from: 2))
            }
        }
    }

    /// Events that touch the window, oldest first; the newest `limit` where there are more.
    public func events(
        since: WallTime? = nil, until: WallTime? = nil, limit: Int = 10_000
    ) throws(StoreError) -> [MonitorEvent] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT kind, start_ns, end_ns, text FROM events
                    WHERE start_ns < ? AND coalesce(end_ns, start_ns) >= ? ORDER BY start_ns DESC, id DESC LIMIT ?
                    """, arguments: [until?.nanoseconds ?? .max, since?.nanoseconds ?? .min, max(limit, 0)])
            return rows.reversed().compactMap { row in
                guard let kind = row.text(0).flatMap({ MonitorEvent.Kind(rawValue: $0) }), let start = row.time(1)
                else {
                    return nil
                }
                return MonitorEvent(kind: kind, start: start, end: row.time(2), text: row.text(3) ?? "")
            }
        }
    }

    /// Silences that have not ended at the time.
    public func silences(at now: WallTime) throws(StoreError) -> [Silence] {
        try read { try Restoring.silences($0, endingAfter: now) }
    }
}
