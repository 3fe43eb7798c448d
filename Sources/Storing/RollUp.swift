// Completed hours as one row a series: counts, percentiles, a sketch.
//
// A roll-up is made from the hour's raw rows in one transaction with the removal of its mark in `pending_hours`, and
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

    mutating func add(_ outcome: Outcome) {
        counts.add(outcome)
        guard let rtt = outcome.rtt?.clampedNanoseconds else { return }
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
    /// Rows may come this long after the end of their hour: the longest rounds and the commit interval.
    static let grace = Duration.seconds(120)

    /// The hours of a level that are over and not rolled up, oldest first.
    static func due(_ db: Database, level: PendingHour.Level, now: WallTime, limit: Int) throws -> [Int64] {
        let latest = (now - grace).seconds.subtractingSaturated(Hour.seconds)
        return try pending(db, level: level, upTo: latest, limit: limit)
    }

    /// The hours of a level that have rows which no roll-up holds.
    static func pending(
        _ db: Database, level: PendingHour.Level, upTo latest: Int64 = .max, limit: Int = .max
    ) throws -> [Int64] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT hour_s FROM pending_hours WHERE level = ? AND hour_s <= ? ORDER BY hour_s LIMIT ?",
            arguments: [level.rawValue, latest, limit])
        return rows.compactMap { $0.integer(0) }
    }

    static func clear(_ db: Database, _ hour: PendingHour) throws {
        try db.execute(
            sql: "DELETE FROM pending_hours WHERE level = ? AND hour_s = ?",
            arguments: [hour.level.rawValue, hour.start])
    }

    /// Rolls one hour of results up; returns the number of series.
    static func results(_ db: Database, hour: Int64) throws -> Int {
        let slots = Hour.slots(of: hour)
        let figures = try rawFigures(db, slots: slots)
        let notes = try Row.fetchAll(
            db,
            sql: """
                SELECT series, sum(missed), sum(duplicates), sum(foreign_replies) FROM round_notes
                WHERE slot >= ? AND slot < ? GROUP BY series
                """, arguments: [slots.lowerBound, slots.upperBound])
        let noted = Dictionary(
            notes.map { ($0.integer(0) ?? 0, ($0.integer(1) ?? 0, $0.integer(2) ?? 0, $0.integer(3) ?? 0)) },
            uniquingKeysWith: { first, _ in first })
        for (series, figure) in figures {
            try insert(db, hour: hour, series: series, figure, noted: noted[series] ?? (0, 0, 0))
        }
        return figures.count
    }

    private static func rawFigures(_ db: Database, slots: Range<Int64>) throws -> [Int64: RawFigures] {
        var figures: [Int64: RawFigures] = [:]
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT series, outcome, rtt_ns FROM results WHERE slot >= ? AND slot < ? ORDER BY slot, series, at_us
                    """), arguments: [slots.lowerBound, slots.upperBound])
        while let row = try rows.next() {
            guard let series = row.integer(0), let code = row.integer(1) else { continue }
            figures[series, default: RawFigures()].add(OutcomeCode.outcome(code: code, rttNanoseconds: row.integer(2)))
        }
        return figures
    }

    private static func insert(
        _ db: Database, hour: Int64, series: Int64, _ figures: RawFigures, noted: (Int64, Int64, Int64)
    ) throws {
        let sorted = figures.rtts.sorted()
        let histogram = figures.histogram
        let counts = figures.counts
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO hour_rows (series, hour_s, ok, late, lost, refused, error, unresolved,
                    indeterminate, missed, duplicates, foreign_replies, min_ns, p50_ns, p90_ns, p95_ns, p99_ns, max_ns,
                    sum_ns, jitter_ns, sketch)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            series, hour, Int64(counts.ok), Int64(counts.late), Int64(counts.lost), Int64(counts.refused),
            Int64(counts.error), Int64(counts.unresolved), Int64(counts.indeterminate), noted.0, noted.1, noted.2,
            sorted.first, Quantiles.exact(sorted: sorted, 0.5), Quantiles.exact(sorted: sorted, 0.9),
            Quantiles.exact(sorted: sorted, 0.95), Quantiles.exact(sorted: sorted, 0.99), sorted.last,
            sorted.isEmpty ? nil : histogram.sum, figures.jitter.nanoseconds,
            sorted.isEmpty ? nil : Data(histogram.encoded()),
        ])
    }

    /// Rolls one hour of passive cells up; returns the number of keys.
    static func passive(_ db: Database, hour: Int64) throws -> Int {
        var cells: [Int64: PassiveCell] = [:]
        let start = hour.multipliedReportingOverflow(by: 1_000_000).partialValue
        let rows = try Row.fetchCursor(
            db,
            sql: "SELECT key, failures, retransmissions, sketch FROM passive_rows WHERE start_us >= ? AND start_us < ?",
            arguments: [start, start.addingSaturated(Hour.seconds * 1_000_000)])
        while let row = try rows.next() {
            guard let key = row.integer(0) else { continue }
            cells[key, default: PassiveCell()].merge(cell(row, from: 1))
        }
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO passive_hour_rows (hour_s, key, count, failures, retransmissions, min_ns, p50_ns,
                    p90_ns, p95_ns, p99_ns, max_ns, sum_ns, sketch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        let touch = try db.cachedStatement(
            sql: "UPDATE passive_keys SET last_hour_s = max(last_hour_s, ?) WHERE id = ?")
        for (key, cell) in cells {
            let histogram = cell.histogram
            try statement.execute(arguments: [
                hour, key, Int64(clamping: histogram.count), Int64(clamping: cell.failures),
                Int64(clamping: cell.retransmissions), histogram.minimum, histogram.quantile(0.5),
                histogram.quantile(0.9), histogram.quantile(0.95), histogram.quantile(0.99), histogram.maximum,
                histogram.isEmpty ? nil : histogram.sum, Data(histogram.encoded()),
            ])
            try touch.execute(arguments: [hour, key])
        }
        return cells.count
    }

    /// A cell in three columns: failures, retransmissions, sketch. An unreadable sketch holds nothing.
    static func cell(_ row: Row, from first: Int) -> PassiveCell {
        PassiveCell(
            histogram: row.blob(first + 2).flatMap { Histogram(encoded: $0) } ?? Histogram(),
            failures: row.count(first), retransmissions: row.count(first + 1))
    }
}

extension PassiveCell {
    mutating func merge(_ other: PassiveCell) {
        histogram.merge(other.histogram)
        failures = failures.addingSaturated(other.failures)
        retransmissions = retransmissions.addingSaturated(other.retransmissions)
    }
}
