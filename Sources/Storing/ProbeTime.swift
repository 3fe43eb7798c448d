// From when to when a probe was measured at all: before its first result, before it was configured, nobody measured, nor
// after its last.

internal import GRDB
internal import Model

/// What the database knows about when results of one probe of one target could be expected.
struct ProbeTime {
    /// The first result of the probe that anything is left of, at its earliest.
    private var first: WallTime?
    /// The last result, at its latest.
    private var last: WallTime?
    /// Time without a result that says nothing: the next one need not be due, or stored, yet.
    private var tolerance = UnknownTime.alive

    init(_ db: Database, _ series: [SeriesRow]) throws {
        guard let key = series.first?.key else { return }
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT probes FROM targets WHERE id = ?"), arguments: [key.target.rawValue])
        let probes = StoredText.decoded([ProbeColumn].self, from: row?.text(0)) ?? []
        if let own = probes.first(where: { $0.id == key.probe }) {
            tolerance = max(tolerance, .microseconds(own.intervalMicroseconds) * 2)
        }
        let recent = tolerance
        first = try series.compactMap { try ProbeTime.first(db, $0) }.min()
        last = try series.compactMap { try ProbeTime.last(db, $0, recent: recent) }.max()
    }

    /// The time of a window in which the probe was not there.
    /// - Parameter isEmpty: whether nothing at all is stored of the window.
    func unmeasured(within window: TimeSpan, isEmpty: Bool) -> [TimeSpan] {
        guard let first else { return [window] }
        if isEmpty && window.end - window.start > tolerance { return [window] }
        var spans: [TimeSpan] = []
        if first - window.start > tolerance { spans.append(TimeSpan(start: .earliest, end: first)) }
        if let last, window.end - last > tolerance { spans.append(TimeSpan(start: last, end: .latest)) }
        return UnknownTime.merged(spans, within: window)
    }

    /// Hours reach further back than single results, and days than hours: the finest of the oldest day tells.
    private static func first(_ db: Database, _ one: SeriesRow) throws -> WallTime? {
        var first = try FigureRow.first(db, .days, series: one.id, from: .min).map { WallTime(seconds: $0) }
        if let hour = try FigureRow.first(db, .hours, series: one.id, from: .min).map({ WallTime(seconds: $0) }) {
            if first.map({ hour - $0 < .seconds(FigureRow.Level.days.seconds) }) ?? true { first = hour }
        }
        if let chunk = try ChunkRows.first(db, series: one.id).map({ RawReading.wall($0) }) {
            if first.map({ chunk - $0 < .seconds(Hour.seconds) }) ?? true { first = chunk }
        }
        guard let oldest = try HotRow.oldestSlot(db) else { return first }
        let end = first.map { Slot($0).number } ?? .max
        guard oldest <= end else { return first }
        try HotRow.each(db, series: one, slots: oldest...end) { row, slot in
            let time = row?.time ?? Slot.time(slot: slot, offset: 0)
            first = min(first ?? time, time)
        }
        return first
    }

    private static func last(_ db: Database, _ one: SeriesRow, recent: Duration) throws -> WallTime? {
        var last: WallTime?
        func readHot(_ slots: ClosedRange<Int64>) throws {
            try HotRow.each(db, series: one, slots: slots) { row, slot in
                let time = row?.time ?? Slot.time(slot: slot, offset: 0)
                last = max(last ?? time, time)
            }
        }
        let newest = try HotRow.newestSlot(db, upTo: .max)
        // A probe that is measured has results in the newest slots; no need to look at all of them.
        let start = newest.map { $0.subtractingSaturated(recent.clampedNanoseconds / 1_000 / Slot.microseconds) }
        if let newest, let start {
            try readHot(start...newest)
            if last != nil { return last }
        }
        if let newest = try ChunkRows.newest(db, series: one.id, before: .max) {
            let hour = Hour.start(of: RawReading.wall(newest)).multipliedReportingOverflow(by: 1000).partialValue
            try ChunkRows.each(db, series: one, from: hour, to: newest) { start, chunk in
                let time = RawReading.wall(chunk?.times.last ?? start)
                last = max(last ?? time, time)
            }
        } else {
            for level in [FigureRow.Level.hours, .days] where last == nil {
                last = try FigureRow.last(db, level, series: one.id).map {
                    WallTime(seconds: $0.addingSaturated(level.seconds))
                }
            }
        }
        if let oldest = try HotRow.oldestSlot(db), let start, oldest < start { try readHot(oldest...start) }
        return last
    }
}
