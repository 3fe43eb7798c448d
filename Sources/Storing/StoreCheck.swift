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

    public var isSound: Bool { structure.isEmpty && tables.allSatisfy { $0.damaged == 0 } }
}

extension StoreReader {
    /// Checks SQLite's structure and every checksum, and that each chunk can be read. Takes about a second a 100 MB.
    public func check() throws(StoreError) -> StoreCheck {
        try read { db in
            var check = StoreCheck()
            check.structure = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
            let series = try SeriesRow.of(nil, db)
            var chunks = StoreCheck.Table(name: "chunks")
            var hours = StoreCheck.Table(name: "hour_rows")
            var days = StoreCheck.Table(name: "day_rows")
            for one in series {
                try ChunkRows.each(db, series: one, from: .min, to: .max) { time, chunk in
                    chunks.note(chunk != nil) { "\(one.key.target) \(RawReading.wall(time).rfc3339)" }
                }
                try FigureRow.each(db, .hours, series: one, from: .min, to: .max) { start, found in
                    hours.note(found.isSound) { "\(one.key.target) \(WallTime(seconds: start).rfc3339)" }
                }
                try FigureRow.each(db, .days, series: one, from: .min, to: .max) { start, found in
                    days.note(found.isSound) { "\(one.key.target) \(WallTime(seconds: start).rfc3339)" }
                }
            }
            check.tables = [try StoreReader.hotRows(db, series), chunks, hours, days]
            return check
        }
    }

    private static func hotRows(_ db: Database, _ all: [SeriesRow]) throws -> StoreCheck.Table {
        let series = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var table = StoreCheck.Table(name: "results")
        let statement = try db.cachedStatement(sql: "SELECT \(HotRow.columns), r.series FROM results AS r")
        try FastRows(statement, []).each { row in
            let one = row.integer(9).flatMap { series[$0] }
            let isSound = one.map { HotRow(row, seed: $0.seed) != nil } ?? false
            table.note(isSound) { Slot.time(slot: row.integer(0) ?? 0, offset: row.integer(2) ?? 0).rfc3339 }
        }
        return table
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
