// Completed hours leave the hot table: into chunks, hour rows and day rows, a slice of series at a time.
//
// A slice is one transaction: its rows are in the hot table before it and in the other three after it, whatever
// happens in between. Results that come late for a sealed hour are sealed likewise: as a further chunk, and added to
// the hour and the day.

internal import GRDB
internal import Model
internal import Statistics

enum Sealing {
    /// Rows may come this long after the end of their hour: the longest rounds and the commit interval.
    static let grace = Duration.seconds(120)
    /// Rows of one transaction, about: some 30 ms of work.
    static let sliceRows = 16_384

    /// What is left of an hour: its series in order, each with its rows.
    struct Plan: Sendable {
        var hour: Int64
        var series: ArraySlice<(id: Int64, rows: Int)>
    }

    /// The oldest hour that is over and has rows, with what it holds.
    static func plan(_ db: Database, now: WallTime) throws -> Plan? {
        guard let slot = try HotRow.oldestSlot(db) else { return nil }
        let hour = Hour.start(ofSlot: slot)
        guard hour <= (now - grace).seconds.subtractingSaturated(Hour.seconds) else { return nil }
        let slots = Hour.slots(of: hour)
        let statement = try db.cachedStatement(
            sql: "SELECT series FROM results WHERE slot >= ? AND slot < ?")
        var counts: [Int64: Int] = [:]
        try FastRows(statement, [slots.lowerBound, slots.upperBound]).each { row in
            if let id = row.integer(0) { counts[id, default: 0] += 1 }
        }
        // A series whose rows are all hidden has its turn too.
        let range = slots.lowerBound...(slots.upperBound - 1)
        for (key, _) in try ResultTallies.stored(db, slots: range) ?? [:] {
            counts[key.series, default: 0] += 0
        }
        let series = counts.sorted { $0.key < $1.key }.map { (id: $0.key, rows: $0.value) }
        return Plan(hour: hour, series: series[...])
    }

    /// Seals the plan's next series; returns how many. To be called in a transaction.
    static func seal(_ db: Database, _ plan: inout Plan) throws -> Int {
        var rows = 0
        let slice = plan.series.prefix { one in
            defer { rows += one.rows }
            return rows == 0 || rows + one.rows <= sliceRows
        }
        guard let first = slice.first?.id, let last = slice.last?.id else { return 0 }
        plan.series = plan.series.dropFirst(slice.count)
        let slots = Hour.slots(of: plan.hour)
        let all = Dictionary(
            try SeriesRow.of(nil, db).filter { ($0.id >= first) && ($0.id <= last) }.map { ($0.id, $0) },
            uniquingKeysWith: { first, _ in first })
        var open: [Int64: OpenHour] = [:]
        var count = RowCount()
        let statement = try db.cachedStatement(
            sql: """
                SELECT \(HotRow.columns), r.series FROM results AS r WHERE r.slot = ? AND r.series >= ? AND r.series <= ?
                """)
        for slot in slots {
            try FastRows(statement, [slot, first, last]).each { row in
                // A damaged row goes with the others: it says nothing that could be kept.
                guard let id = row.integer(9), let series = all[id] else { return }
                let hot = HotRow(row, seed: series.seed)
                count.add(hot, slot: slot, series: id)
                if let hot { open[id, default: OpenHour()].add(hot) }
            }
        }
        try ResultTallies.close(db, slots: slots, series: first...last, count)
        try addNotes(db, slots: slots, series: first...last, to: &open)
        for (id, hour) in open.sorted(by: { $0.key < $1.key }) {
            guard let series = all[id] else { continue }
            try save(db, hour, series: id, seed: series.seed, start: plan.hour)
        }
        let delete = try db.cachedStatement(sql: "DELETE FROM results WHERE slot = ? AND series >= ? AND series <= ?")
        for slot in slots { try delete.execute(arguments: [slot, first, last]) }
        return slice.count
    }

    /// Adds what was unusual about the rounds; each note is counted once, by the results that come with it.
    private static func addNotes(
        _ db: Database, slots: Range<Int64>, series: ClosedRange<Int64>, to open: inout [Int64: OpenHour]
    ) throws {
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT series, missed, duplicates, foreign_replies FROM round_notes
                    WHERE slot >= ? AND slot < ? AND series >= ? AND series <= ?
                    """),
            arguments: [slots.lowerBound, slots.upperBound, series.lowerBound, series.upperBound])
        while let row = try rows.next() {
            guard let id = row.integer(0), open[id] != nil else { continue }
            open[id]?.missed += min(max(row.integer(1) ?? 0, 0), 1 << 32)
            open[id]?.duplicates += min(max(row.integer(2) ?? 0, 0), 1 << 32)
            open[id]?.foreign += min(max(row.integer(3) ?? 0, 0), 1 << 32)
        }
        try db.cachedStatement(
            sql: "DELETE FROM round_notes WHERE slot >= ? AND slot < ? AND series >= ? AND series <= ?"
        ).execute(arguments: [slots.lowerBound, slots.upperBound, series.lowerBound, series.upperBound])
    }

    /// Adds an hour's results to the three levels.
    static func save(_ db: Database, _ hour: OpenHour, series: Int64, seed: UInt32, start: Int64) throws {
        try ChunkRows.insert(db, hour.chunk, series: series, seed: seed)
        var figures = hour.figures
        try add(&figures, db, .hours, series: series, seed: seed, start: start)
        figures = hour.figures
        figures.jitter = nil
        figures.estimate()
        try add(&figures, db, .days, series: series, seed: seed, start: FigureRow.Level.days.start(of: start))
    }

    /// Adds figures to an hour or day. A damaged row keeps its place until it is too old: what it held is lost, and
    /// new figures in its stead would pass for the whole.
    private static func add(
        _ figures: inout FigureRow, _ db: Database, _ level: FigureRow.Level, series: Int64, seed: UInt32, start: Int64
    ) throws {
        var stored: FigureRow.Found?
        let one = SeriesRow(
            id: series, key: SeriesKey(target: TargetID(sanitising: ""), probe: "", address: nil), kind: .icmp,
            seed: seed)
        try FigureRow.each(db, level, series: one, from: start, to: start.addingSaturated(1)) { stored = $1 }
        switch stored {
        case .damaged: return
        case .row(let row):
            var sum = row
            sum.merge(figures)
            figures = sum
        case nil: break
        }
        try figures.save(db, level, series: series, seed: seed, start: start)
    }
}

/// Results of one series and hour on their way into a chunk, with their exact figures.
struct OpenHour {
    var chunk = Chunk()
    private var exact = RawFigures()
    var missed: Int64 = 0
    var duplicates: Int64 = 0
    var foreign: Int64 = 0

    mutating func add(_ row: HotRow) {
        chunk.append(
            milliseconds: Slot.floored(row.time.nanoseconds, by: 1_000_000),
            sequence: UInt32(truncatingIfNeeded: row.sequence),
            code: row.code, rtt: row.rtt, source: row.source, kernelRTT: row.kernelRTT, note: row.note)
        exact.add(code: row.code, rtt: row.rtt)
    }

    var figures: FigureRow {
        var row = FigureRow()
        row.counts = exact.counts
        row.histogram = exact.histogram
        let sorted = exact.rtts.sorted()
        row.p50 = Quantiles.exact(sorted: sorted, 0.5)
        row.p90 = Quantiles.exact(sorted: sorted, 0.9)
        row.p99 = Quantiles.exact(sorted: sorted, 0.99)
        row.jitter = exact.jitter.nanoseconds
        (row.missed, row.duplicates, row.foreign) = (missed, duplicates, foreign)
        return row
    }
}
