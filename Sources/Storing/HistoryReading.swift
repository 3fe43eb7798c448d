// Figures over any window at any step, from the level that serves.

internal import GRDB
public import Model
internal import Statistics

extension StoreReader {
    /// Most buckets of one history; a shorter step is lengthened.
    public static let maximumBuckets: Int64 = 100_000

    /// Figures of one probe of a target from `since` to before `until`, a bucket a step; nil where the target has no
    /// series. Without a probe named: the first that the target was configured with and has data for.
    ///
    /// Addresses of the probe are taken together. The finest level that serves is read and named in the answer: single
    /// results; for windows of more than two days in steps of whole hours, or where single results are gone, hour rows;
    /// for windows of more than two months in steps of whole days, or where hours are gone, day rows. The window then
    /// begins on an hour of UTC.
    public func history(
        of target: TargetID, probe: String? = nil, since: WallTime, until: WallTime, step: Duration
    ) throws(StoreError) -> History? {
        try history(of: target, probe: probe, HistoryRequest(since: since, until: until, step: step))
    }

    /// The same in buckets between neighbours of `edges`: days or months of a time zone, 23 or 25 hours long where its
    /// clock changes. Nil where there are not two different edges. `step` of the answer is the least width.
    public func history(
        of target: TargetID, probe: String? = nil, edges: [WallTime]
    ) throws(StoreError) -> History? {
        guard let request = HistoryRequest(edges: edges) else { return nil }
        return try history(of: target, probe: probe, request)
    }

    private func history(
        of target: TargetID, probe: String?, _ request: HistoryRequest
    ) throws(StoreError) -> History? {
        try read { db in
            let all = try SeriesRow.of(target, probe: probe, db)
            guard let name = try probe ?? HistoryReading.firstProbe(of: target, among: all, db) else { return nil }
            let series = all.filter { $0.key.probe == name }
            guard !series.isEmpty else { return nil }
            var reading = try HistoryReading(db, series: series, request: request)
            let buckets = try reading.buckets(db)
            return History(
                target: target, probe: name, level: reading.plan.level,
                step: .nanoseconds(reading.plan.request.step), buckets: buckets, unmeasured: reading.unmeasured,
                damaged: reading.raw.damaged)
        }
    }
}

/// One reading of a history.
struct HistoryReading {
    var series: [SeriesRow]
    var plan: HistoryPlan
    var raw = RawReading()
    /// When nothing was measured of the probe, once the buckets are read.
    private(set) var unmeasured: [TimeSpan] = []
    /// When nobody measured, where that is known already; else it is read.
    private let unknown: [TimeSpan]?
    /// What is not sealed yet, where it was read for all series at once, as one bucket.
    private let unsealed: UnsealedFigures?

    init(
        _ db: Database, series: [SeriesRow], request: HistoryRequest, unknown: [TimeSpan]? = nil,
        unsealed: UnsealedFigures? = nil
    ) throws {
        self.series = series
        self.unknown = unknown
        self.unsealed = unsealed
        plan = try HistoryPlan(db, series: series, request: request)
    }

    static func firstProbe(of target: TargetID, among series: [SeriesRow], _ db: Database) throws -> String? {
        let names = Set(series.map(\.key.probe))
        return try configuredProbes(of: target, db).first { names.contains($0) } ?? series.map(\.key.probe).min()
    }

    mutating func buckets(_ db: Database) throws -> [HistoryBucket] {
        guard plan.request.count > 0 else { return [] }
        var buckets = plan.level == .raw ? try rawBuckets(db) : try rowBuckets(db)
        let request = plan.request
        let unknown = try unknown ?? UnknownTime.spans(db, since: request.since, until: request.until)
        let window = TimeSpan(start: request.since, end: request.until)
        raw.damaged = UnknownTime.merged(raw.damaged, within: window)
        let isEmpty = raw.damaged.isEmpty && buckets.allSatisfy { $0.counts == OutcomeCounts() }
        let own = try ProbeTime(db, series).unmeasured(within: window, isEmpty: isEmpty)
        unmeasured = UnknownTime.merged(unknown + own, within: window)
        HistoryReading.addGaps(UnknownTime.merged(unmeasured + raw.damaged, within: window), to: &buckets, request)
        return buckets
    }

    private mutating func rawBuckets(_ db: Database) throws -> [HistoryBucket] {
        let request = plan.request
        var figures = [RawFigures](repeating: RawFigures(), count: request.count)
        for one in series {
            var lastIndex: Int?
            try raw.each(db, one, since: request.since, until: request.until) { time, code, rtt, _ in
                guard let index = request.index(of: time) else { return }
                // Jitter is of one series within one bucket; of several addresses the greatest counts.
                if index != lastIndex {
                    figures[index].beginSeries()
                    lastIndex = index
                }
                figures[index].add(code: code, rtt: rtt)
            }
        }
        return figures.enumerated().map { index, figures in
            let sorted = figures.rtts.sorted()
            return HistoryBucket(
                start: request.span(index).start, counts: figures.counts, gap: .zero, minimum: sorted.first,
                p50: Quantiles.exact(sorted: sorted, 0.5), p95: Quantiles.exact(sorted: sorted, 0.95),
                p99: Quantiles.exact(sorted: sorted, 0.99), maximum: sorted.last, jitter: figures.largestJitter)
        }
    }

    private mutating func rowBuckets(_ db: Database) throws -> [HistoryBucket] {
        let request = plan.request
        var figures = [RowFigures](repeating: RowFigures(), count: request.count)
        for one in series { try add(db, one, to: &figures) }
        let isHourly = !request.isUneven && request.step == Hour.seconds * 1_000_000_000 && series.count == 1
        return figures.enumerated().map { index, figures in
            HistoryBucket(
                start: request.span(index).start, counts: figures.counts, gap: .zero,
                minimum: figures.histogram.minimum, p50: figures.histogram.quantile(0.5),
                p95: figures.histogram.quantile(0.95), p99: figures.histogram.quantile(0.99),
                maximum: figures.histogram.maximum,
                jitter: isHourly ? figures.storedJitter ?? figures.jitter.nanoseconds : nil)
        }
    }

    /// Adds one series: rows of its segments, single results at the edges, and what is not sealed yet.
    mutating func add(_ db: Database, _ one: SeriesRow, to figures: inout [RowFigures]) throws {
        let request = plan.request
        for segment in plan.segments {
            guard case .rows(let level) = segment.source else {
                try addRaw(db, one, segment, to: &figures)
                continue
            }
            try addRows(db, level, one, segment.start, segment.end, to: &figures)
        }
        if let unsealed, figures.count == 1 {
            if let found = unsealed.figures[one.id] { figures[0].add(found) }
            raw.damaged += unsealed.damaged[one.id] ?? []
            return
        }
        try raw.hot(db, one, since: request.since, until: request.until) { time, code, rtt, _ in
            if let index = request.index(of: time) { figures[index].add(code: code, rtt: rtt) }
        }
    }

    private mutating func addRows(
        _ db: Database, _ level: FigureRow.Level, _ one: SeriesRow, _ from: Int64, _ to: Int64,
        to figures: inout [RowFigures]
    ) throws {
        let request = plan.request
        var broken: [TimeSpan] = []
        try FigureRow.each(db, level, series: one, from: from, to: to) { start, found in
            switch found {
            case .row(let row): if let index = request.place(of: level, start) { figures[index].add(row) }
            case .damaged:
                broken.append(
                    TimeSpan(
                        start: WallTime(seconds: start), end: WallTime(seconds: start.addingSaturated(level.seconds))))
            }
        }
        raw.damaged += broken
    }

    /// Hours that an edge of a bucket divides: their single results, or the coarser rows where those are gone.
    private mutating func addRaw(
        _ db: Database, _ one: SeriesRow, _ segment: HistoryPlan.Segment, to figures: inout [RowFigures]
    ) throws {
        let request = plan.request
        let oldest = try ChunkRows.first(db, series: one.id)
        var hour = segment.start
        while hour < segment.end {
            let end = hour.addingSaturated(Hour.seconds)
            if let oldest, hour >= Hour.start(of: RawReading.wall(oldest)) {
                let since = max(WallTime(seconds: hour), request.since)
                try raw.sealed(db, one, since: since, until: min(WallTime(seconds: end), request.until)) {
                    time, code, rtt, _ in
                    if let index = request.index(of: time) { figures[index].add(code: code, rtt: rtt) }
                }
            } else {
                try addRows(db, .hours, one, hour, end, to: &figures)
            }
            hour = end
        }
    }

    private static func addGaps(_ spans: [TimeSpan], to buckets: inout [HistoryBucket], _ request: HistoryRequest) {
        for span in spans {
            guard var index = request.index(of: span.start) else { continue }
            while index < buckets.count {
                let bucket = request.span(index)
                guard bucket.start < span.end else { break }
                buckets[index].gap += bucket.overlap(with: span)
                index += 1
            }
        }
    }
}

/// What rows and single results add up to.
struct RowFigures {
    var counts = OutcomeCounts()
    var histogram = Histogram()
    var jitter = Jitter()
    var storedJitter: Int64?

    mutating func add(code: Int64, rtt: Int64?) {
        counts.add(code: code)
        guard let rtt, code <= Int64(OutcomeCode.late) else { return }
        histogram.record(nanoseconds: rtt)
        jitter.record(nanoseconds: rtt)
    }

    mutating func add(_ other: RowFigures) {
        counts.add(other.counts)
        histogram.merge(other.histogram)
    }

    mutating func add(_ row: FigureRow) {
        counts.add(row.counts)
        storedJitter = row.jitter
        histogram.merge(row.histogram)
    }
}
