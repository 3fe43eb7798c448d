// What the database takes: `taut db stat`.

internal import GRDB
public import Model

/// Sizes and rates of a database.
public struct StoreFigures: Hashable, Sendable {
    /// One level of stored results.
    public struct Level: Hashable, Sendable {
        /// `hot`, `sealed`, `hours`, `days`, `passive`, `other`.
        public var name: String
        public var rows: Int64
        /// Results that the rows stand for; nil where the rows are not results.
        public var results: Int64?
        public var bytes: Int64
        /// From the first row on; nil where there is none.
        public var since: WallTime?
    }

    public var levels: [Level]
    /// Of the file, and of its pages that are free.
    public var databaseBytes: Int64
    public var freeBytes: Int64
    public var logBytes: Int64
    public var series: Int64
    /// The bound the last daemon ran with; nil in a database that no daemon has written.
    public var maxSize: Int64?
    /// Results of the last 24 hours that are sealed, or as many as they come to where there are fewer hours; nil where
    /// there is none yet.
    public var resultsADay: Int64?
    /// Bytes a day that those take, with their hour and day rows, as long as nothing is deleted; nil like those.
    public var growthADay: Int64?
    /// Until the bound is reached, or the oldest results become as old as the config keeps them, when growth ends;
    /// nil where nothing grows or nothing is known.
    public var daysLeft: Double?
}

extension StoreReader {
    /// Counts rows and pages; reads the whole file's page headers, about 0.1 s a 100 MB.
    public func figures() throws(StoreError) -> StoreFigures {
        let files = (StateFiles.size(path), StateFiles.size(path + "-wal"))
        return try read { try FigureReading.figures($0, database: files.0, log: files.1) }
    }
}

enum FigureReading {
    private static let levels: [(name: String, tables: [String])] = [
        ("hot", ["results", "round_notes"]), ("sealed", ["chunks"]), ("hours", ["hour_rows"]), ("days", ["day_rows"]),
        ("passive", ["passive_rows", "passive_hour_rows", "passive_keys", "passive_keys_lookup", "capture_slots"]),
    ]

    static func figures(_ db: Database, database: Int64, log: Int64) throws -> StoreFigures {
        let pages = try Pages(db)
        let sizes = try sizes(db)
        var found: [StoreFigures.Level] = []
        for (name, tables) in levels {
            found.append(
                StoreFigures.Level(
                    name: name, rows: try rows(db, name), results: try results(db, name),
                    bytes: tables.reduce(0) { $0 + (sizes[$1] ?? 0) }, since: try since(db, name)))
        }
        let named = Set(levels.flatMap(\.tables))
        let other = sizes.filter { !named.contains($0.key) }.reduce(0) { $0 + $1.value }
        found.append(StoreFigures.Level(name: "other", rows: 0, results: nil, bytes: other, since: nil))
        let perDay = try resultsADay(db)
        var growth = 0.0
        for level in found where ["sealed", "hours", "days"].contains(level.name) {
            guard let results = level.results, results > 0 else { continue }
            growth += Double(level.bytes) / Double(results) * Double(perDay ?? 0)
        }
        var figures = StoreFigures(
            levels: found, databaseBytes: database, freeBytes: pages.free * Connection.pageSize, logBytes: log,
            series: try Int64.fetchOne(db, sql: "SELECT count(*) FROM series_rows") ?? 0,
            maxSize: try Meta.integer(db, .maxSize), resultsADay: perDay, growthADay: perDay.map { _ in whole(growth) },
            daysLeft: nil)
        if let bound = figures.maxSize, growth > 0 {
            let room = Double(bound) * Writer.highWater - Double((pages.total - pages.free) * Connection.pageSize)
            figures.daysLeft = max(room, 0) / growth
        }
        return figures
    }

    /// Bytes of each table and index.
    private static func sizes(_ db: Database) throws -> [String: Int64] {
        // One row a table: SQLite adds the pages up itself.
        let rows = try Row.fetchAll(db, sql: "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE")
        return Dictionary(
            rows.compactMap { row in row.text(0).map { ($0, row.integer(1) ?? 0) } }, uniquingKeysWith: { $0 + $1 })
    }

    private static func rows(_ db: Database, _ name: String) throws -> Int64 {
        let table =
            switch name {
            case "hot": "results"
            case "sealed": "chunks"
            case "hours": "hour_rows"
            case "days": "day_rows"
            default: "passive_hour_rows"
            }
        return try Int64.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0
    }

    private static let sum = "ok + late + lost + refused + error + unresolved + indeterminate"

    private static func results(_ db: Database, _ name: String) throws -> Int64? {
        switch name {
        case "hot": try Int64.fetchOne(db, sql: "SELECT count(*) FROM results")
        case "sealed": try Int64.fetchOne(db, sql: "SELECT coalesce(sum(results), 0) FROM chunks")
        case "hours": try Int64.fetchOne(db, sql: "SELECT coalesce(sum(\(sum)), 0) FROM hour_rows")
        case "days": try Int64.fetchOne(db, sql: "SELECT coalesce(sum(\(sum)), 0) FROM day_rows")
        default: nil
        }
    }

    private static func since(_ db: Database, _ name: String) throws -> WallTime? {
        switch name {
        case "hot": try HotRow.oldestSlot(db).map { Slot.time(slot: $0, offset: 0) }
        case "sealed": try PurgeLevel.chunks.oldest(db).map { WallTime(seconds: $0) }
        case "hours": try PurgeLevel.hours.oldest(db).map { WallTime(seconds: $0) }
        case "days": try PurgeLevel.days.oldest(db).map { WallTime(seconds: $0) }
        default:
            try Row.fetchOne(db, sql: "SELECT min(hour_s) FROM passive_hour_rows")?.integer(0).map {
                WallTime(seconds: $0)
            }
        }
    }

    /// Rounded down; numbers of a damaged file may come to more than there is.
    private static func whole(_ value: Double) -> Int64 { Int64(exactly: value.rounded(.down)) ?? .max }

    private static func resultsADay(_ db: Database) throws -> Int64? {
        guard
            let last = try Row.fetchOne(
                db,
                sql:
                    "SELECT max(last) FROM (SELECT (SELECT max(start_s) FROM hour_rows WHERE series = s.id) AS last FROM series_rows AS s)"
            )?.integer(0)
        else { return nil }
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT sum((SELECT sum(\(sum)) FROM hour_rows WHERE series = s.id AND start_s > ?1)),
                    min((SELECT min(start_s) FROM hour_rows WHERE series = s.id AND start_s > ?1))
                FROM series_rows AS s
                """, arguments: [last.addingSaturated(-86_400)])
        guard let results = row?.integer(0), let first = row?.integer(1) else { return nil }
        // The first hour may have begun before the monitor did.
        let begin = max(first, try PurgeLevel.chunks.oldest(db) ?? first)
        let span = max(60, Double(last) - Double(begin) + Double(Hour.seconds))
        return whole(Double(results) * 86_400 / span)
    }
}
