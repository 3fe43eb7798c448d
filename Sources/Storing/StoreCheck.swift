// Looking at everything: `taut db check`.

internal import GRDB
internal import Model

/// What a check of a whole database found.
public struct StoreCheck: Hashable, Sendable {
    /// What SQLite says about the file's structure; empty where it is sound.
    public var structure: [String] = []
    /// Rows that were read, and rows that are not what was written, a table.
    public var tables: [Table] = []

    public struct Table: Hashable, Sendable {
        public var name: String
        public var rows: Int64 = 0
        public var damaged: Int64 = 0
        /// The first few damaged rows.
        public var examples: [String] = []
    }

    /// The name of the table that compares the levels; its rows are series.
    public static let levels = "levels"

    /// Every row is what was written, but rows are missing from one level that another level counts.
    public var lacksResultsOnly: Bool {
        !isSound && structure.isEmpty && tables.allSatisfy { $0.damaged == 0 || $0.name == StoreCheck.levels }
    }

    public var isSound: Bool { structure.isEmpty && tables.allSatisfy { $0.damaged == 0 } }
}

extension StoreReader {
    /// Checks SQLite's structure and every checksum, that each chunk can be read, and that no level has results that another
    /// has not (`levels`). Takes about a second a 100 MB.
    public func check() throws(StoreError) -> StoreCheck {
        try read { db in
            var check = StoreCheck()
            check.structure = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
            let series = try SeriesRow.of(nil, db)
            var chunks = StoreCheck.Table(name: "chunks")
            var hours = StoreCheck.Table(name: "hour_rows")
            var days = StoreCheck.Table(name: "day_rows")
            var levels = StoreCheck.Table(name: StoreCheck.levels)
            for one in series {
                var level = LevelCheck()
                try ChunkRows.each(db, series: one, from: .min, to: .max) { time, chunk in
                    level.add(chunk, filedAt: time)
                    chunks.note(chunk != nil) { "\(one.key.target) \(RawReading.wall(time).rfc3339)" }
                }
                try FigureRow.each(db, .hours, series: one, from: .min, to: .max) { start, found in
                    level.add(found, .hours, start: start)
                    hours.note(found.isSound) { "\(one.key.target) \(WallTime(seconds: start).rfc3339)" }
                }
                try FigureRow.each(db, .days, series: one, from: .min, to: .max) { start, found in
                    level.add(found, .days, start: start)
                    days.note(found.isSound) { "\(one.key.target) \(WallTime(seconds: start).rfc3339)" }
                }
                levels.rows += 1
                for time in level.differences() {
                    levels.note(false) { "\(one.key.target) \(time.rfc3339)" }
                }
            }
            check.tables = try StoreReader.hotRows(db, series) + [chunks, hours, days, levels]
            return check
        }
    }

    /// The rows, and the numbers of them that there should be.
    private static func hotRows(_ db: Database, _ all: [SeriesRow]) throws -> [StoreCheck.Table] {
        let series = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var table = StoreCheck.Table(name: "results")
        var count = RowCount()
        let statement = try db.cachedStatement(
            sql: "SELECT \(HotRow.columns), r.series FROM results AS r")
        try FastRows(statement, []).each { row in
            let one = row.integer(9).flatMap { series[$0] }
            let hot = one.flatMap { HotRow(row, seed: $0.seed) }
            if let one { count.add(hot, slot: row.integer(0) ?? 0, series: one.id) }
            table.note(hot != nil) {
                Slot.time(slot: row.integer(0) ?? 0, offset: row.integer(1) ?? 0).rfc3339
            }
        }
        var tallies = StoreCheck.Table(name: "result_tallies")
        let stored = try ResultTallies.stored(db, slots: .min ... .max)
        let hidden = count.hidden(from: stored)
        tallies.rows = Int64(stored?.count ?? 0) - Int64(hidden.count)
        for (key, _) in hidden.sorted(by: {
            ($0.key.block, $0.key.series) < ($1.key.block, $1.key.series)
        }) {
            tallies.note(false) {
                "\(series[key.series]?.key.target.rawValue ?? "?") \(ResultTally.span(of: key.block).start.rfc3339)"
            }
        }
        return [table, tallies]
    }
}

extension StoreCheck.Table {
    mutating func note(_ isSound: Bool, _ name: () -> String) {
        rows += 1
        guard !isSound else { return }
        damaged += 1
        if examples.count < 5 { examples.append(name()) }
    }
}

extension FigureRow.Found {
    var isSound: Bool { if case .row = self { true } else { false } }
}
