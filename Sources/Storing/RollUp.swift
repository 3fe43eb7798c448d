// Completed hours of passive figures as one row a key, and exact figures of single results.
//
// A roll-up is made from the hour's rows in one transaction with the removal of its mark in `pending_hours`, and
// made anew when late rows mark the hour again. It is therefore exact after any crash.

internal import Foundation
internal import GRDB
internal import Model
internal import Statistics

/// The figures of one series in one span of raw rows.
struct RawFigures {
    var counts = OutcomeCounts()
    var rtts: [Int64] = []
    var jitter = Jitter()
    /// Of the series before the running one.
    private var earlierJitter: Int64?

    /// Takes a number of `OutcomeCode` and a time.
    mutating func add(code: Int64, rtt: Int64?) {
        counts.add(code: code)
        guard let rtt, code <= Int64(OutcomeCode.late) else { return }
        rtts.append(rtt)
        jitter.record(nanoseconds: rtt)
    }

    /// The rows that follow are of another series: times of two addresses are not compared with each other.
    mutating func beginSeries() {
        earlierJitter = largestJitter
        jitter = Jitter()
    }

    /// The greatest jitter of the series.
    var largestJitter: Int64? {
        guard let jitter = jitter.nanoseconds else { return earlierJitter }
        return max(jitter, earlierJitter ?? 0)
    }

    var histogram: Histogram {
        var histogram = Histogram()
        for rtt in rtts { histogram.record(nanoseconds: rtt) }
        return histogram
    }
}

enum RollUp {
    /// The hours that are over and have passive rows which no roll-up holds, oldest first.
    static func due(_ db: Database, now: WallTime, limit: Int) throws -> [Int64] {
        try pending(db, upTo: (now - Sealing.grace).seconds.subtractingSaturated(Hour.seconds), limit: limit)
    }

    /// The hours that have passive rows which no roll-up holds.
    static func pending(_ db: Database, upTo latest: Int64 = .max, limit: Int = .max) throws -> [Int64] {
        try Row.fetchAll(
            db, sql: "SELECT hour_s FROM pending_hours WHERE hour_s <= ? ORDER BY hour_s LIMIT ?",
            arguments: [latest, limit]
        ).compactMap { $0.integer(0) }
    }

    static func clear(_ db: Database, _ hour: Int64) throws {
        try db.execute(sql: "DELETE FROM pending_hours WHERE hour_s = ?", arguments: [hour])
    }

    /// Rolls one hour of passive cells up; returns the number of keys.
    static func passive(_ db: Database, hour: Int64) throws -> Int {
        var cells: [Int64: PassiveCell] = [:]
        let start = hour.multipliedReportingOverflow(by: 1_000_000).partialValue
        let rows = try Row.fetchCursor(
            db,
            sql: "SELECT \(cellColumns), start_us FROM passive_rows WHERE start_us >= ? AND start_us < ?",
            arguments: [start, start.addingSaturated(Hour.seconds * 1_000_000)])
        while let row = try rows.next() {
            guard let key = row.integer(0), let cell = cell(row, start: row.integer(5) ?? 0) else { continue }
            cells[key, default: PassiveCell()].merge(cell)
        }
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO passive_hour_rows (hour_s, key, count, failures, retransmissions, min_ns, p50_ns,
                    p90_ns, p99_ns, max_ns, sum_ns, sketch, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        let touch = try db.cachedStatement(
            sql: "UPDATE passive_keys SET last_hour_s = max(last_hour_s, ?) WHERE id = ?")
        for (key, cell) in cells {
            let histogram = cell.histogram
            try statement.execute(arguments: [
                hour, key, Int64(clamping: histogram.count), Int64(clamping: cell.failures),
                Int64(clamping: cell.retransmissions), histogram.minimum, histogram.quantile(0.5),
                histogram.quantile(0.9), histogram.quantile(0.99), histogram.maximum,
                histogram.isEmpty ? nil : histogram.sum, Data(histogram.encoded()),
                checksum(cell, key: key, start: hour),
            ])
            try touch.execute(arguments: [hour, key])
        }
        return cells.count
    }

    /// What `cell` reads.
    static let cellColumns = "key, failures, retransmissions, sketch, crc"

    /// A cell in five columns; nil for one that is not what was written.
    static func cell(_ row: Row, start: Int64) -> PassiveCell? {
        guard let key = row.integer(0), let histogram = row.blob(3).flatMap({ Histogram(encoded: $0) }) else {
            return nil
        }
        let cell = PassiveCell(histogram: histogram, failures: row.count(1), retransmissions: row.count(2))
        return row.integer(4) == checksum(cell, key: key, start: start) ? cell : nil
    }

    /// Covers the cell and its key; `start` is the hour (s) or the interval's begin (µs).
    static func checksum(_ cell: PassiveCell, key: Int64, start: Int64) -> Int64 {
        var sum = CRC32C()
        for number in [start, key, Int64(clamping: cell.failures), Int64(clamping: cell.retransmissions)] {
            sum.add(number)
        }
        sum.add(cell.histogram.encoded())
        return Int64(sum.value)
    }
}
