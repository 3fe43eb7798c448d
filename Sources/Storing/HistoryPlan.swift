// Which stored figures make up the buckets of a history.

internal import GRDB
internal import Model

/// Spans of time and the level each is read from, in order and without overlap.
struct HistoryPlan {
    enum Source: Hashable {
        /// Single results.
        case raw
        case rows(FigureRow.Level)
    }

    struct Segment: Hashable {
        var source: Source
        /// Seconds since 1970; whole hours or days for rows.
        var start: Int64
        var end: Int64
    }

    /// Hour rows serve steps of whole hours from this window on.
    static let rawWindow = Duration.seconds(2 * 86_400)
    /// Day rows serve steps of whole days from this window on.
    static let hourWindow = Duration.seconds(62 * 86_400)

    var level: StorageLevel
    var request: HistoryRequest
    var segments: [Segment] = []

    init(_ db: Database, series: [SeriesRow], request: HistoryRequest) throws {
        level = try HistoryPlan.level(db, series, request)
        switch level {
        case .raw: self.request = request
        case .hours: self.request = request.aligned(to: .hours)
        case .days:
            let isDaily = request.step >= 86_400_000_000_000
            self.request = isDaily ? request.aligned(to: .hours) : request.aligned(to: .days)
        }
        // Where the clock was set back, results lie behind the last sign of life.
        let newest = try HotRow.newestSlot(db, upTo: .max).map { Slot.time(slot: $0, offset: 0) } ?? .earliest
        self.request.reachesEnd =
            try Meta.integer(db, .lastAlive).map { request.until.nanoseconds >= $0 && newest < request.until } ?? false
        // Bounded by what is stored: a window may reach over centuries.
        guard let stored = try HistoryPlan.stored(db, series) else { return }
        let from = max(self.request.since.seconds, stored.lowerBound)
        let to = min(self.request.until.seconds.addingSaturated(1), stored.upperBound)
        switch level {
        case .raw: break
        case .hours: addHours(from: from, to: to)
        case .days: addDays(from: from, to: to, hoursFrom: try HistoryPlan.oldestHour(db, series))
        }
    }

    private static func level(_ db: Database, _ series: [SeriesRow], _ request: HistoryRequest) throws -> StorageLevel {
        let hour = Hour.seconds * 1_000_000_000
        let window = request.until - request.since
        let isHourly = request.isUneven ? request.step >= hour : request.step % hour == 0
        let isDaily = request.isUneven ? request.step >= 23 * hour : request.step % (24 * hour) == 0
        var level: StorageLevel = isHourly && window > rawWindow ? .hours : .raw
        if isDaily && (window > hourWindow || request.step >= 7 * 24 * hour) { level = .days }
        // What is too old for a level is gone from it.
        let since = Hour.start(of: request.since)
        for one in series where level != .days {
            let day = try FigureRow.first(db, .days, series: one.id, from: FigureRow.Level.days.start(of: since))
            // Hours are deleted from the oldest on. That none follows says nothing: the series may have ended (a name
            // that resolves anew), or nobody measured.
            let oldest = try FigureRow.first(db, .hours, series: one.id, from: .min)
            if let day, day < request.until.seconds, day.addingSaturated(86_400) <= oldest ?? .max { level = .days }
            let first = try FigureRow.first(db, .hours, series: one.id, from: since)
            guard level == .raw, let first, first < request.until.seconds else { continue }
            let raw = try ChunkRows.first(
                db, series: one.id, from: since.multipliedReportingOverflow(by: 1000).partialValue)
            if first < raw.map({ Hour.start(of: RawReading.wall($0)) }) ?? .max { level = .hours }
        }
        return level
    }

    /// From the first day stored to the end of the last hour, in seconds.
    private static func stored(_ db: Database, _ series: [SeriesRow]) throws -> Range<Int64>? {
        var range: Range<Int64>?
        for one in series {
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT (SELECT min(start_s) FROM day_rows WHERE series = ?1),
                            (SELECT max(start_s) FROM day_rows WHERE series = ?1)
                        """), arguments: [one.id])
            guard let first = row?.integer(0), let last = row?.integer(1), first <= last else { continue }
            let end = last.addingSaturated(86_400)
            range = min(range?.lowerBound ?? first, first)..<max(range?.upperBound ?? end, end)
        }
        return range
    }

    private mutating func addHours(from: Int64, to: Int64) {
        var hour = FigureRow.Level.hours.start(of: from)
        while hour < to {
            let end = hour.addingSaturated(Hour.seconds)
            let isWhole = request.bucket(.hours, hour) != nil
            append(Segment(source: isWhole ? .rows(.hours) : .raw, start: hour, end: end))
            hour = end
        }
    }

    /// The first hour row of any of the series.
    private static func oldestHour(_ db: Database, _ series: [SeriesRow]) throws -> Int64 {
        try series.map { try FigureRow.first(db, .hours, series: $0.id, from: .min) ?? .max }.min() ?? .max
    }

    private mutating func addDays(from: Int64, to: Int64, hoursFrom: Int64) {
        var day = FigureRow.Level.days.start(of: from)
        while day < to {
            let end = day.addingSaturated(86_400)
            // A day that an edge divides is taken by its hours; where they are gone, by its middle.
            if request.bucket(.days, day) != nil || end <= hoursFrom {
                append(Segment(source: .rows(.days), start: day, end: end))
            } else {
                addHours(from: day, to: end)
            }
            day = end
        }
    }

    private mutating func append(_ segment: Segment) {
        if let last = segments.last, last.source == segment.source, last.end == segment.start {
            segments[segments.count - 1].end = segment.end
        } else {
            segments.append(segment)
        }
    }
}
