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
    /// Addresses of the probe are taken together. Single results serve where they are still there; else, and for
    /// windows of more than two days in steps of whole hours, hour rows do, with buckets on hours of UTC.
    public func history(
        of target: TargetID, probe: String? = nil, since: WallTime, until: WallTime, step: Duration
    ) throws(StoreError) -> History? {
        let request = HistoryRequest(since: since, until: until, step: step)
        return try read { db in
            let all = try SeriesRow.of(target, probe: probe, db)
            guard let name = try probe ?? HistoryReading.firstProbe(of: target, among: all, db) else { return nil }
            let series = all.filter { $0.key.probe == name }
            guard !series.isEmpty else { return nil }
            let reading = HistoryReading(series: series, request: request)
            let (level, step, buckets) = try reading.run(db)
            return History(target: target, probe: name, level: level, step: step, buckets: buckets)
        }
    }
}

/// The window and step asked for, made sound.
struct HistoryRequest: Sendable {
    var since: WallTime
    var until: WallTime
    /// In nanoseconds, at least one millisecond.
    var step: Int64

    init(since: WallTime, until: WallTime, step: Duration) {
        self.until = max(until, since)
        // 292 years at most, so that differences within the window are exact.
        self.since = max(since, WallTime(nanoseconds: self.until.nanoseconds.subtractingSaturated(.max)))
        let window = self.until.nanoseconds.subtractingSaturated(self.since.nanoseconds)
        let least = max(window / StoreReader.maximumBuckets + 1, 1_000_000)
        self.step = max(step.clampedNanoseconds, least)
    }

    /// The same on whole hours of UTC.
    var onHours: HistoryRequest {
        let hour = Hour.seconds * 1_000_000_000
        var copy = self
        copy.since = WallTime(seconds: Hour.start(of: since))
        copy.step = (step.addingSaturated(hour - 1) / hour) * hour
        return copy
    }

    var count: Int { Int(until.nanoseconds.subtractingSaturated(since.nanoseconds).addingSaturated(step - 1) / step) }

    func index(of time: WallTime) -> Int? {
        guard time >= since, time < until else { return nil }
        return min(Int(time.nanoseconds.subtractingSaturated(since.nanoseconds) / step), count - 1)
    }

    func span(_ index: Int) -> TimeSpan {
        let start = since.nanoseconds.addingSaturated(Int64(index).multipliedReportingOverflow(by: step).partialValue)
        let end = min(start.addingSaturated(step), until.nanoseconds)
        return TimeSpan(start: WallTime(nanoseconds: start), end: WallTime(nanoseconds: end))
    }
}

/// One reading of a history.
struct HistoryReading {
    var series: [SeriesRow]
    var request: HistoryRequest

    /// Hour rows serve steps of whole hours from this window on.
    static let rawWindow = Duration.seconds(2 * 86_400)

    static func firstProbe(of target: TargetID, among series: [SeriesRow], _ db: Database) throws -> String? {
        let row = try Row.fetchOne(db, sql: "SELECT probes FROM targets WHERE id = ?", arguments: [target.rawValue])
        let configured = StoredText.decoded([ProbeColumn].self, from: row?.text(0)) ?? []
        let names = Set(series.map(\.key.probe))
        return configured.map(\.id).first { names.contains($0) } ?? series.map(\.key.probe).min()
    }

    func run(_ db: Database) throws -> (StorageLevel, Duration, [HistoryBucket]) {
        let useHours = try prefersHours(db)
        let request = useHours ? self.request.onHours : self.request
        let spans = try UnknownTime.spans(db, since: request.since, until: request.until)
        var buckets =
            useHours ? try hourBuckets(db, request) : try rawBuckets(db, request)
        HistoryReading.addGaps(spans, to: &buckets, request)
        return (useHours ? .hours : .raw, .nanoseconds(request.step), buckets)
    }

    private func prefersHours(_ db: Database) throws -> Bool {
        let hour = Hour.seconds * 1_000_000_000
        if request.step % hour == 0, request.until - request.since > HistoryReading.rawWindow { return true }
        let oldest = try Row.fetchOne(db, sql: "SELECT min(slot) FROM results")?.integer(0) ?? .max
        guard Slot(request.since).number < oldest else { return false }
        let oldestHour = oldest == .max ? Int64.max : Hour.start(ofSlot: oldest)
        for one in series {
            let row = try Row.fetchOne(
                db, sql: "SELECT 1 FROM hour_rows WHERE series = ? AND hour_s >= ? AND hour_s < ? LIMIT 1",
                arguments: [one.id, Hour.start(of: request.since), min(oldestHour, request.until.seconds)])
            if row != nil { return true }
        }
        return false
    }

    /// The raw rows of the series in a range of slots, calling `body` with series, time and outcome, each series in
    /// order of time.
    private func eachRow(
        _ db: Database, slots: ClosedRange<Int64>, _ body: (Int64, WallTime, Outcome) -> Void
    ) throws {
        for one in series {
            let first = max(slots.lowerBound, one.slots.lowerBound)
            let last = min(slots.upperBound, one.slots.upperBound)
            guard first <= last else { continue }
            let statement = try db.cachedStatement(
                sql: """
                    WITH RECURSIVE span (slot) AS (
                        SELECT min(slot) FROM results WHERE slot >= ?1
                        UNION ALL
                        SELECT (SELECT min(slot) FROM results WHERE slot > span.slot) FROM span WHERE slot < ?2)
                    SELECT r.slot, r.at_us, r.outcome, r.rtt_ns FROM span CROSS JOIN results AS r
                    WHERE r.slot = span.slot AND r.slot <= ?2 AND r.series = ?3
                    """)
            let rows = try Row.fetchCursor(statement, arguments: [first, last, one.id])
            while let row = try rows.next() {
                guard let slot = row.integer(0), let offset = row.integer(1), let code = row.integer(2) else {
                    continue
                }
                body(
                    one.id, Slot.time(slot: slot, offset: offset),
                    OutcomeCode.outcome(code: code, rttNanoseconds: row.integer(3)))
            }
        }
    }

    private func rawBuckets(_ db: Database, _ request: HistoryRequest) throws -> [HistoryBucket] {
        var figures = [RawFigures](repeating: RawFigures(), count: request.count)
        guard request.count > 0 else { return [] }
        var lastSeries: Int64?
        var lastIndex: Int?
        let slots = Slot(request.since).number...Slot(request.until).number
        try eachRow(db, slots: slots) { series, time, outcome in
            guard let index = request.index(of: time) else { return }
            // Jitter is of one series within one bucket; of several addresses the greatest counts.
            if series != lastSeries || index != lastIndex {
                figures[index].beginSeries()
                (lastSeries, lastIndex) = (series, index)
            }
            figures[index].add(outcome)
        }
        return figures.enumerated().map { index, figures in
            let sorted = figures.rtts.sorted()
            return HistoryBucket(
                start: request.span(index).start, counts: figures.counts, gap: .zero, minimum: sorted.first,
                p50: Quantiles.exact(sorted: sorted, 0.5), p95: Quantiles.exact(sorted: sorted, 0.95),
                p99: Quantiles.exact(sorted: sorted, 0.99), maximum: sorted.last, jitter: figures.largestJitter)
        }
    }

    private func hourBuckets(_ db: Database, _ request: HistoryRequest) throws -> [HistoryBucket] {
        var figures = [HourFigures](repeating: HourFigures(), count: request.count)
        let pending = Set(try RollUp.pending(db, level: .results, upTo: request.until.seconds))
        for one in series {
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT hour_s, ok, late, lost, refused, error, unresolved, indeterminate, jitter_ns, sketch
                    FROM hour_rows WHERE series = ? AND hour_s >= ? AND hour_s < ?
                    """, arguments: [one.id, request.since.seconds, request.until.seconds])
            while let row = try rows.next() {
                guard let hour = row.integer(0), !pending.contains(hour),
                    let index = request.index(of: WallTime(seconds: hour))
                else { continue }
                figures[index].add(row)
            }
        }
        // Hours that are not rolled up yet, or have late rows, are read from their raw rows.
        for hour in pending {
            let slots = Hour.slots(of: hour)
            guard let index = request.index(of: WallTime(seconds: hour)) else { continue }
            try eachRow(db, slots: slots.lowerBound...(slots.upperBound - 1)) { _, time, outcome in
                if time < request.until { figures[index].add(outcome) }
            }
        }
        let isHourly = request.step == Hour.seconds * 1_000_000_000 && series.count == 1
        return figures.enumerated().map { index, figures in
            HistoryBucket(
                start: request.span(index).start, counts: figures.counts, gap: .zero,
                minimum: figures.histogram.minimum, p50: figures.histogram.quantile(0.5),
                p95: figures.histogram.quantile(0.95), p99: figures.histogram.quantile(0.99),
                maximum: figures.histogram.maximum,
                jitter: isHourly ? figures.storedJitter ?? figures.jitter.nanoseconds : nil)
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

/// What hour rows and the raw rows of pending hours add up to.
private struct HourFigures {
    var counts = OutcomeCounts()
    var histogram = Histogram()
    var jitter = Jitter()
    var storedJitter: Int64?

    mutating func add(_ outcome: Outcome) {
        counts.add(outcome)
        guard let rtt = outcome.rtt?.clampedNanoseconds else { return }
        histogram.record(nanoseconds: rtt)
        jitter.record(nanoseconds: rtt)
    }

    /// Ten columns: hour, seven counts, jitter, sketch.
    mutating func add(_ row: Row) {
        var hour = OutcomeCounts()
        hour.ok = row.count(1)
        hour.late = row.count(2)
        hour.lost = row.count(3)
        hour.refused = row.count(4)
        hour.error = row.count(5)
        hour.unresolved = row.count(6)
        hour.indeterminate = row.count(7)
        counts.add(hour)
        storedJitter = row.integer(8)
        if let sketch = row.blob(9).flatMap({ Histogram(encoded: $0) }) { histogram.merge(sketch) }
    }
}
