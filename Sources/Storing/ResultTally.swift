// How many rows of `results` there should be: a count and a sum a series and ten minutes.
//
// A row's checksum tells that it was changed. It cannot tell that a row is not found: a damaged key, cell pointer or page
// hides rows from the search, and the result would be a smaller number that looks right. So whoever reads rows counts
// them against these, block by block.

internal import GRDB
internal import Model

/// What the rows of one series in one block come to.
struct ResultTally: Hashable, Sendable {
    var rows: Int64 = 0
    /// Of the rows' checksums, without carry beyond 64 bits.
    var sum: Int64 = 0

    mutating func add(_ row: HotRow) {
        rows &+= 1
        sum &+= row.crc
    }

    /// Slots of a block; an hour has a whole number of blocks.
    static let slots: Int64 = 10

    static func block(ofSlot slot: Int64) -> Int64 { Slot.floored(slot, by: slots) }

    /// The slots of a block.
    static func slots(of block: Int64) -> ClosedRange<Int64> {
        let first = block.multipliedReportingOverflow(by: slots).partialValue
        return first...first.addingSaturated(slots - 1)
    }

    /// The slots of all blocks that a range of slots touches.
    static func whole(_ range: ClosedRange<Int64>) -> ClosedRange<Int64> {
        let last = slots(of: block(ofSlot: range.upperBound)).upperBound
        return min(slots(of: block(ofSlot: range.lowerBound)).lowerBound, last)...last
    }

    static func span(of block: Int64) -> TimeSpan {
        let slots = slots(of: block)
        return TimeSpan(
            start: Slot.time(slot: slots.lowerBound, offset: 0),
            end: Slot.time(slot: slots.upperBound.addingSaturated(1), offset: 0))
    }
}

/// The rows of one series and block.
struct ResultBlock: Hashable, Sendable {
    var block: Int64
    var series: Int64
}

enum ResultTallies {
    /// The schema that has them; an older file is read without.
    static let version = 2

    static let table = """
        CREATE TABLE result_tallies (
            block INTEGER NOT NULL, series INTEGER NOT NULL, rows INTEGER NOT NULL, sum INTEGER NOT NULL,
            PRIMARY KEY (block, series)
        ) WITHOUT ROWID;
        """

    /// Counts the rows that are there.
    static let fill = """
        INSERT OR REPLACE INTO result_tallies (block, series, rows, sum)
        SELECT (slot - ((slot % 10) + 10) % 10) / 10 AS block, series, count(*), sum(crc) FROM results
        GROUP BY block, series
        """

    /// The newest block up to a number.
    static func newest(_ db: Database, upTo block: Int64) throws -> Int64? {
        guard try exist(db) else { return nil }
        return try Row.fetchOne(
            db.cachedStatement(sql: "SELECT max(block) FROM result_tallies WHERE block <= ?"),
            arguments: [block]
        )?.integer(0)
    }

    private static func exist(_ db: Database) throws -> Bool {
        try Int.fetchOne(db.cachedStatement(sql: "PRAGMA user_version")) ?? 0 >= version
    }

    static func add(_ tallies: [ResultBlock: ResultTally], _ db: Database) throws {
        guard !tallies.isEmpty else { return }
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO result_tallies (block, series, rows, sum) VALUES (?, ?, ?, ?)
                ON CONFLICT (block, series) DO UPDATE SET rows = rows + excluded.rows, sum = sum + excluded.sum
                """)
        for (key, tally) in tallies {
            try statement.execute(arguments: [key.block, key.series, tally.rows, tally.sum])
        }
    }

    /// Removes the tallies of rows that are about to be sealed. Rows that were hidden or damaged are lost now: their time
    /// becomes an event, so that it stays unknown.
    static func close(
        _ db: Database, slots: Range<Int64>, series: ClosedRange<Int64>, _ count: RowCount
    ) throws {
        let stored = try stored(db, slots: slots.lowerBound...(slots.upperBound - 1))?
            .filter { series.contains($0.key.series) }
        var lost: [Int64: Int] = [:]
        for key in count.incomplete(against: stored) { lost[key.block, default: 0] += 1 }
        for (block, series) in lost.sorted(by: { $0.key < $1.key }) {
            let span = ResultTally.span(of: block)
            let text = "stored results of \(series) series were damaged and are lost"
            try Notices.insert(
                db, MonitorEvent(kind: .storageDropped, start: span.start, end: span.end, text: text))
        }
        try db.cachedStatement(
            sql:
                "DELETE FROM result_tallies WHERE block >= ? AND block <= ? AND series >= ? AND series <= ?"
        ).execute(arguments: [
            ResultTally.block(ofSlot: slots.lowerBound), ResultTally.block(ofSlot: slots.upperBound - 1),
            series.lowerBound, series.upperBound,
        ])
    }

    /// After a salvage: makes what is missing of the rows an event, and takes away the tallies.
    static func settle(_ db: Database, _ series: [Int64: SeriesRow]) throws {
        var count = RowCount()
        let statement = try db.cachedStatement(
            sql: "SELECT \(HotRow.columns), r.series FROM results AS r")
        try FastRows(statement, []).each { row in
            guard let slot = row.integer(0), let one = row.integer(9).flatMap({ series[$0] }) else {
                return
            }
            count.add(HotRow(row, seed: one.seed), slot: slot, series: one.id)
        }
        let ids = series.keys
        guard let first = ids.min(), let end = ids.max() else { return }
        try close(db, slots: .min ..< .max, series: first...end, count)
    }

    /// The tallies of one series, or of all, for a range of slots that begins and ends with a block; nil in a file of a
    /// schema that has none.
    static func stored(
        _ db: Database, series: Int64? = nil, slots: ClosedRange<Int64>
    ) throws -> [ResultBlock: ResultTally]? {
        guard try exist(db) else { return nil }
        let statement = try db.cachedStatement(
            sql: """
                WITH RECURSIVE span (block) AS (
                    SELECT min(block) FROM result_tallies WHERE block >= ?1
                    UNION ALL
                    SELECT (SELECT min(block) FROM result_tallies WHERE block > span.block) FROM span WHERE block < ?2)
                SELECT t.block, t.series, t.rows, t.sum FROM span CROSS JOIN result_tallies AS t
                WHERE t.block = span.block AND t.block <= ?2 AND t.series \(series == nil ? "IS NOT ?3" : "= ?3")
                """)
        var tallies: [ResultBlock: ResultTally] = [:]
        let (first, last) = (
            ResultTally.block(ofSlot: slots.lowerBound), ResultTally.block(ofSlot: slots.upperBound)
        )
        try FastRows(statement, [first, last, series]).each { row in
            guard let block = row.integer(0), let id = row.integer(1) else { return }
            tallies[ResultBlock(block: block, series: id)] = ResultTally(
                rows: row.integer(2) ?? -1, sum: row.integer(3) ?? 0)
        }
        return tallies
    }
}

/// Counts rows while they are read, and says afterwards where some were hidden.
struct RowCount {
    /// Sound rows.
    private var found: [ResultBlock: ResultTally] = [:]
    /// Rows that are there but damaged.
    private var damaged: [ResultBlock: Int64] = [:]

    mutating func add(_ row: HotRow?, slot: Int64, series: Int64) {
        let key = ResultBlock(block: ResultTally.block(ofSlot: slot), series: series)
        if let row {
            found[key, default: ResultTally()].add(row)
        } else {
            damaged[key, default: 0] += 1
        }
    }

    /// The blocks of which rows are hidden or damaged.
    func incomplete(against stored: [ResultBlock: ResultTally]?) -> Set<ResultBlock> {
        Set(damaged.keys).union(hidden(from: stored).keys)
    }

    /// How many rows of each block are hidden, at least 1, given what the blocks should hold; nil counts nothing.
    func hidden(from stored: [ResultBlock: ResultTally]?) -> [ResultBlock: Int64] {
        guard let stored else { return [:] }
        var hidden: [ResultBlock: Int64] = [:]
        for key in Set(stored.keys).union(found.keys).union(damaged.keys) {
            let (tally, sound) = (stored[key] ?? ResultTally(), found[key] ?? ResultTally())
            let broken = damaged[key] ?? 0
            // Where damaged rows make the number up, their minutes are known already.
            if sound.rows &+ broken == tally.rows && (broken > 0 || sound.sum == tally.sum) { continue }
            hidden[key] = max(tally.rows.subtractingSaturated(sound.rows &+ broken), 1)
        }
        return hidden
    }
}
