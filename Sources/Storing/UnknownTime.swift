// Spans in which nobody measured: neither up nor down.

internal import GRDB
public import Model

/// A span of time, its end not included.
public struct TimeSpan: Hashable, Sendable {
    public var start: WallTime
    public var end: WallTime

    public init(start: WallTime, end: WallTime) {
        self.start = start
        self.end = end
    }

    /// How much of the other span lies in this one.
    func overlap(with other: TimeSpan) -> Duration {
        let from = max(start, other.start)
        let to = min(end, other.end)
        return to > from ? to - from : .zero
    }
}

extension MonitorEvent.Kind {
    /// Whether the event's span is time without measurements.
    public var isUnknownTime: Bool {
        switch self {
        case .gap, .uncleanStop, .suspended, .stall, .storageDropped: true
        case .started, .stopped, .clockStep, .reloaded, .reloadRefused, .databaseSetAside,
            .databaseChecked, .captureLost,
            .captureResumed, .captureShedding, .linkDown, .linkUp, .hookFailed:
            false
        }
    }
}

enum UnknownTime {
    /// A running monitor's last sign of life is this old at most.
    static let alive = Duration.seconds(60)

    /// The spans within the window in which nothing was measured, merged and in order: before the database was begun,
    /// in gaps, and after the monitor's last sign of life.
    static func spans(_ db: Database, since: WallTime, until: WallTime) throws -> [TimeSpan] {
        var spans: [TimeSpan] = []
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT kind, start_ns, end_ns FROM events WHERE start_ns < ? AND end_ns > ? ORDER BY start_ns
                """, arguments: [until.nanoseconds, since.nanoseconds])
        while let row = try rows.next() {
            guard let kind = row.text(0).flatMap({ MonitorEvent.Kind(rawValue: $0) }), kind.isUnknownTime,
                let start = row.time(1), let end = row.time(2)
            else { continue }
            spans.append(TimeSpan(start: start, end: end))
        }
        if let created = try Meta.integer(db, .created).map({ WallTime(nanoseconds: $0) }), since < created {
            spans.append(TimeSpan(start: .earliest, end: try begin(db, created: created)))
        }
        if let alive = try measuredUntil(db), until - alive > UnknownTime.alive {
            spans.append(TimeSpan(start: alive, end: .latest))
        }
        return merged(spans, within: TimeSpan(start: since, end: until))
    }

    /// When the database was begun, or its oldest figures where they are wholly from before: the clock was ahead then.
    private static func begin(_ db: Database, created: WallTime) throws -> WallTime {
        var begin = created
        func take(_ start: Int64?, lasting seconds: Int64) {
            guard let start, WallTime(seconds: start.addingSaturated(seconds)) <= created else { return }
            begin = min(begin, WallTime(seconds: start))
        }
        take(
            try HotRow.oldestSlot(db).map { $0.multipliedReportingOverflow(by: Slot.seconds).partialValue },
            lasting: Slot.seconds)
        take(try PurgeLevel.chunks.oldest(db), lasting: 1)
        take(try PurgeLevel.hours.oldest(db), lasting: FigureRow.Level.hours.seconds)
        take(try PurgeLevel.days.oldest(db), lasting: FigureRow.Level.days.seconds)
        return begin
    }

    /// The monitor's last sign of life, or its newest result where that is later: the clock was set back since.
    private static func measuredUntil(_ db: Database) throws -> WallTime? {
        guard let alive = try Meta.integer(db, .lastAlive).map({ WallTime(nanoseconds: $0) }) else { return nil }
        guard let slot = try HotRow.newestSlot(db, upTo: .max), Slot.time(slot: slot, offset: 0) > alive else {
            return alive
        }
        // A damaged row may claim any time.
        let seeds = Dictionary(
            try SeriesRow.of(nil, db).map { ($0.id, $0.seed) }, uniquingKeysWith: { first, _ in first })
        var newest = alive
        let statement = try db.cachedStatement(
            sql: "SELECT \(HotRow.columns), r.series FROM results AS r WHERE r.slot = ?")
        try FastRows(statement, [slot]).each { row in
            guard let seed = row.integer(9).flatMap({ seeds[$0] }), let hot = HotRow(row, seed: seed) else { return }
            newest = max(newest, hot.time + .nanoseconds(1))
        }
        return newest
    }

    static func merged(_ spans: [TimeSpan], within window: TimeSpan) -> [TimeSpan] {
        var merged: [TimeSpan] = []
        for span in spans.sorted(by: { $0.start < $1.start }) {
            let cut = TimeSpan(start: max(span.start, window.start), end: min(span.end, window.end))
            guard cut.end > cut.start else { continue }
            if let last = merged.last, cut.start <= last.end {
                merged[merged.count - 1].end = max(last.end, cut.end)
            } else {
                merged.append(cut)
            }
        }
        return merged
    }
}

extension StoreReader {
    /// The spans within the window in which nothing was measured, merged and in order.
    public func unknownTime(since: WallTime, until: WallTime) throws(StoreError) -> [TimeSpan] {
        try read { try UnknownTime.spans($0, since: since, until: until) }
    }
}
