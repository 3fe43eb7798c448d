// An hour or a day of one series: counts an outcome, percentiles, a mergeable sketch, a checksum.

internal import Foundation
internal import GRDB
internal import Model
internal import Statistics

/// A row of `hour_rows` or `day_rows`. Hours and days are those of UTC.
struct FigureRow: Hashable {
    enum Level: Int64 {
        case hours = 1
        case days = 2

        var table: String { self == .hours ? "hour_rows" : "day_rows" }
        var seconds: Int64 { self == .hours ? Hour.seconds : 86_400 }
        /// The second at which the hour or day of a second begins.
        func start(of second: Int64) -> Int64 {
            Slot.floored(second, by: seconds).multipliedReportingOverflow(by: seconds).partialValue
        }
    }

    var counts = OutcomeCounts()
    var missed: Int64 = 0
    var duplicates: Int64 = 0
    var foreign: Int64 = 0
    var p50: Int64?
    var p90: Int64?
    var p99: Int64?
    /// RFC 3550 jitter at the end of an hour; nil in days.
    var jitter: Int64?
    /// Of the times of `ok` and `late`.
    var histogram = Histogram()

    static let columns = """
        ok, late, lost, refused, error, unresolved, indeterminate, missed, duplicates, foreign_replies, min_ns, p50_ns,
        p90_ns, p99_ns, max_ns, sum_ns, jitter_ns, sketch, crc
        """

    /// Adds what another row holds; percentiles are then the histogram's.
    mutating func merge(_ other: FigureRow) {
        counts.add(other.counts)
        missed = missed.addingSaturated(other.missed)
        duplicates = duplicates.addingSaturated(other.duplicates)
        foreign = foreign.addingSaturated(other.foreign)
        histogram.merge(other.histogram)
        estimate()
    }

    /// Takes the percentiles from the histogram.
    mutating func estimate() {
        p50 = histogram.quantile(0.5)
        p90 = histogram.quantile(0.9)
        p99 = histogram.quantile(0.99)
    }

    private var numbers: [Int64?] {
        [
            Int64(clamping: counts.ok), Int64(clamping: counts.late), Int64(clamping: counts.lost),
            Int64(clamping: counts.refused), Int64(clamping: counts.error), Int64(clamping: counts.unresolved),
            Int64(clamping: counts.indeterminate), missed, duplicates, foreign, histogram.minimum, p50, p90, p99,
            histogram.maximum, histogram.isEmpty ? nil : histogram.sum, jitter,
        ]
    }

    private static func checksum(
        _ numbers: [Int64?], _ sketch: [UInt8], level: Level, seed: UInt32, start: Int64
    ) -> Int64 {
        var sum = CRC32C(seed: seed)
        sum.add(level.rawValue)
        sum.add(start)
        for number in numbers { sum.add(number) }
        sum.add(sketch, upTo: sketch.count)
        return Int64(sum.value)
    }

    func save(_ db: Database, _ level: Level, series: Int64, seed: UInt32, start: Int64) throws {
        let sketch = histogram.isEmpty ? [] : histogram.encoded()
        let sum = FigureRow.checksum(numbers, sketch, level: level, seed: seed, start: start)
        let marks = Array(repeating: "?", count: 21).joined(separator: ", ")
        let arguments: [(any DatabaseValueConvertible)?] =
            [series, start] + numbers.map { $0 } + [sketch.isEmpty ? nil : Data(sketch), sum]
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO \(level.table) (series, start_s, \(FigureRow.columns)) VALUES (\(marks))"
        ).execute(arguments: StatementArguments(arguments))
    }

    /// The columns from `first` on; nil where they are not what was written.
    init?(_ row: FastRows, from first: CInt, level: Level, seed: UInt32, start: Int64) {
        let numbers = (0..<17).map { row.integer(first + $0) }
        let sketch = row.bytes(first + 17) ?? []
        guard
            row.integer(first + 18)
                == FigureRow.checksum(numbers, sketch, level: level, seed: seed, start: start)
        else { return nil }
        if !sketch.isEmpty {
            guard let histogram = Histogram(encoded: sketch) else { return nil }
            self.histogram = histogram
        }
        func count(_ index: Int) -> UInt64 { UInt64(clamping: numbers[index] ?? 0) }
        (counts.ok, counts.late, counts.lost, counts.refused) = (count(0), count(1), count(2), count(3))
        (counts.error, counts.unresolved, counts.indeterminate) = (count(4), count(5), count(6))
        (missed, duplicates, foreign) = (numbers[7] ?? 0, numbers[8] ?? 0, numbers[9] ?? 0)
        (p50, p90, p99, jitter) = (numbers[11], numbers[12], numbers[13], numbers[16])
    }

    init() {}

    /// What a stored row came to.
    enum Found {
        case row(FigureRow)
        case damaged
    }

    static func each(
        _ db: Database, _ level: Level, series: SeriesRow, from: Int64, to: Int64,
        _ body: (Int64, Found) throws -> Void
    ) throws {
        guard from < to else { return }
        let statement = try db.cachedStatement(
            sql: """
                SELECT start_s, \(columns) FROM \(level.table) WHERE series = ? AND start_s >= ? AND start_s < ?
                """)
        try FastRows(statement, [series.id, from, to]).each { row in
            guard let start = row.integer(0) else { return }
            let read = FigureRow(row, from: 1, level: level, seed: series.seed, start: start)
            try body(start, read.map { .row($0) } ?? .damaged)
        }
    }

    /// The first hour or day from a second on.
    static func first(_ db: Database, _ level: Level, series: Int64, from: Int64) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT min(start_s) FROM \(level.table) WHERE series = ? AND start_s >= ?"),
            arguments: [series, from])?.integer(0)
    }

    /// Where the newest row of a series begins, in seconds.
    static func last(_ db: Database, _ level: Level, series: Int64) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT max(start_s) FROM \(level.table) WHERE series = ?"),
            arguments: [series])?.integer(0)
    }
}
