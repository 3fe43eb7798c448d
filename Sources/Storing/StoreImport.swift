// A new database from results that come in order of time: every level is built as the daemon would have built it.

internal import Foundation
internal import GRDB
public import Model
internal import Wire

/// Fills a database that must not exist yet. Not for concurrent use.
///
/// The results go the daemon's own way: into the hot table, and hour by hour into chunks, hours and days. A result that
/// comes after its hour was sealed is added to it.
public final class StoreImport {
    private let path: String
    private var writer: Writer
    private var known = Writer.Known()
    private var rounds: [Round] = []
    private var newest = WallTime.earliest
    private var first: WallTime?
    private var spans: [SeriesKey: (kind: ProbeKind, first: WallTime, last: WallTime, count: Int64)] = [:]

    /// Results that have been taken.
    public private(set) var count: Int64 = 0

    /// Results of one transaction.
    private static let batch = 20_000

    /// Makes the file. Throws where it exists already or cannot be made.
    public init(path: String, settings: StorageSettings = StorageSettings()) throws(StoreError) {
        self.path = path
        guard !StateFiles.exists(path) else {
            throw .cannotOpen(path: path, reason: "it exists; an import makes a new database")
        }
        do {
            let queue = try Connection.writer(path: path, maxSize: settings.maxSize) { _ in }
            try FileManager.default.setAttributes(
                [.posixPermissions: Int(StateFiles.fileMode)], ofItemAtPath: path)
            try Schema.current.migrator.migrate(queue)
            try queue.write { try Schema.fillOutcomes($0) }
            let files = StateFiles(directory: (path as NSString).deletingLastPathComponent)
            writer = Writer(files: files, opening: Opening(files: files, settings: settings), queue: queue)
        } catch {
            throw Connection.storeError(error, path: path)
        }
    }

    /// Takes one result.
    public func add(_ result: ProbeResult, of series: SeriesKey, kind: ProbeKind) throws(StoreError) {
        if Hour.start(of: result.sent) != Hour.start(of: newest), result.sent > newest {
            try flush()
            do {
                _ = try writer.rollUpAll(now: newest)
            } catch {
                throw Connection.storeError(error, path: path)
            }
        }
        newest = max(newest, result.sent)
        first = min(first ?? result.sent, result.sent)
        var span = spans[series] ?? (kind, result.sent, result.sent, 0)
        span.first = min(span.first, result.sent)
        span.last = max(span.last, result.sent)
        span.count += 1
        spans[series] = span
        rounds.append(
            Round(
                series: series, kind: kind, scheduled: result.sent, finished: MonotonicTime(nanoseconds: 0),
                results: [result]))
        count += 1
        if rounds.count >= StoreImport.batch { try flush() }
    }

    private func flush() throws(StoreError) {
        guard !rounds.isEmpty else { return }
        do {
            try writer.commit(rounds.map { .round($0) }, now: newest)
        } catch {
            throw Connection.storeError(error, path: path)
        }
        rounds.removeAll(keepingCapacity: true)
    }

    /// Removes what was made: half an import would look like a whole database.
    public func discard() {
        try? writer.queue.close()
        StateFiles.remove(databaseAt: path)
    }

    /// Stores what is left, names the targets and closes the file. Hours that are over by the last result's time are
    /// sealed.
    public func finish() throws(StoreError) {
        try flush()
        do {
            if count > 0 { _ = try writer.rollUpAll(now: newest) }
            let (spans, first, newest) = (self.spans, self.first ?? WallTime(seconds: 0), self.newest)
            let settings = writer.opening.settings
            try writer.queue.write { db in
                try StoreImport.insertTargets(spans, db)
                try Meta.set(db, .created, first.nanoseconds)
                try Meta.set(db, .lastAlive, newest.nanoseconds)
                try Meta.set(db, .cleanStop, 1)
                try Meta.set(db, settings)
            }
            try writer.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            try writer.queue.close()
        } catch {
            throw Connection.storeError(error, path: path)
        }
    }

    private static func insertTargets(
        _ spans: [SeriesKey: (kind: ProbeKind, first: WallTime, last: WallTime, count: Int64)], _ db: Database
    ) throws {
        let targets = Dictionary(grouping: spans.keys) { $0.target }
        for (position, target) in targets.keys.sorted(by: { $0.rawValue < $1.rawValue }).enumerated() {
            let keys = (targets[target] ?? []).sorted {
                ($0.probe, "\($0.address, default: "")") < ($1.probe, "\($1.address, default: "")")
            }
            var probes: [ProbeColumn] = []
            for key in keys where !probes.contains(where: { $0.id == key.probe }) {
                guard let span = spans[key] else { continue }
                // What the results say about the interval, in whole seconds; the config knows better.
                let width = (span.last - span.first).clampedNanoseconds / max(span.count - 1, 1)
                let seconds = max((width + 500_000_000) / 1_000_000_000, 1)
                probes.append(
                    ProbeColumn(
                        id: key.probe, kind: span.kind.rawValue, intervalMicroseconds: seconds * 1_000_000,
                        timeoutMicroseconds: 0))
            }
            try db.execute(
                sql: """
                    INSERT INTO targets (id, kind, title, site, labels, parents, address, discovered, active, position,
                        probes) VALUES (?1, ?2, ?1, NULL, '{}', '[]', ?3, 0, 1, ?4, ?5)
                    """,
                arguments: [
                    target.rawValue, TargetKind.host.rawValue, keys.first?.address?.description ?? "", position,
                    StoredText.json(probes),
                ])
        }
    }
}
