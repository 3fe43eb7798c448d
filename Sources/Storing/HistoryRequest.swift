// The window and the steps of a history, made sound.

internal import Model

/// Buckets of time: as wide as each other, or with edges of their own (calendar days, months).
struct HistoryRequest: Sendable {
    var since: WallTime
    var until: WallTime
    /// In nanoseconds, at least one millisecond; of uneven buckets the least width.
    var step: Int64
    /// Whether nothing is stored from `until` on, so that a row that reaches beyond it holds nothing beyond it.
    var reachesEnd = false
    /// The edges of uneven buckets, rising, the last one being `until`.
    private var edges: [WallTime]?

    init(since: WallTime, until: WallTime, step: Duration) {
        self.until = max(until, since)
        // 292 years at most, so that differences within the window are exact.
        self.since = max(since, WallTime(nanoseconds: self.until.nanoseconds.subtractingSaturated(.max)))
        let window = self.until.nanoseconds.subtractingSaturated(self.since.nanoseconds)
        let least = max(window / StoreReader.maximumBuckets + 1, 1_000_000)
        self.step = max(step.clampedNanoseconds, least)
    }

    /// Buckets between neighbours of the times, which are put in order.
    init?(edges: [WallTime]) {
        let edges = Array(Set(edges)).sorted()
        guard let first = edges.first, let last = edges.last, first < last, edges.count <= StoreReader.maximumBuckets,
            first.nanoseconds >= last.nanoseconds.subtractingSaturated(.max)
        else { return nil }
        since = first
        until = last
        step = zip(edges.dropFirst(), edges).map { $0.nanoseconds.subtractingSaturated($1.nanoseconds) }.min() ?? 1
        self.edges = edges
    }

    var isUneven: Bool { edges != nil }

    /// The same on whole hours or days of UTC; uneven buckets stay as they are.
    func aligned(to level: FigureRow.Level) -> HistoryRequest {
        guard edges == nil else { return self }
        let width = level.seconds * 1_000_000_000
        var copy = self
        copy.since = WallTime(seconds: level.start(of: since.seconds))
        copy.step = (step.addingSaturated(width - 1) / width) * width
        return copy
    }

    var count: Int {
        if let edges { return edges.count - 1 }
        return Int(until.nanoseconds.subtractingSaturated(since.nanoseconds).addingSaturated(step - 1) / step)
    }

    func index(of time: WallTime) -> Int? {
        guard time >= since, time < until else { return nil }
        guard let edges else {
            return min(Int(time.nanoseconds.subtractingSaturated(since.nanoseconds) / step), count - 1)
        }
        var low = 0
        var high = edges.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if edges[middle] <= time { low = middle } else { high = middle }
        }
        return low
    }

    func span(_ index: Int) -> TimeSpan {
        if let edges { return TimeSpan(start: edges[index], end: edges[index + 1]) }
        let start = since.nanoseconds.addingSaturated(Int64(index).multipliedReportingOverflow(by: step).partialValue)
        let end = min(start.addingSaturated(step), until.nanoseconds)
        return TimeSpan(start: WallTime(nanoseconds: start), end: WallTime(nanoseconds: end))
    }

    /// Where a row counts that is all that is left of its time: in the bucket it lies in, else in that of its middle. So
    /// neighbouring windows share no row, and a day of UTC is the day of the zone that has most of it. Where the middle of
    /// no row lies in the window, it is the row that the window's own middle lies in: a short window is not empty.
    func place(of level: FigureRow.Level, _ start: Int64) -> Int? {
        if let index = bucket(level, start) { return index }
        let half = level.seconds / 2
        if let index = index(of: WallTime(seconds: start.addingSaturated(half))) { return index }
        let center = WallTime(
            nanoseconds: since.nanoseconds.addingSaturated(
                until.nanoseconds.subtractingSaturated(since.nanoseconds) / 2))
        let row = level.start(of: center.seconds)
        let hasMiddle = [row, row.addingSaturated(-level.seconds), row.addingSaturated(level.seconds)]
            .contains { index(of: WallTime(seconds: $0.addingSaturated(half))) != nil }
        return row == start && !hasMiddle ? index(of: center) : nil
    }

    /// The one bucket that the whole hour or day lies in.
    func bucket(_ level: FigureRow.Level, _ start: Int64) -> Int? {
        let first = WallTime(seconds: start)
        let last = WallTime(seconds: start.addingSaturated(level.seconds)).nanoseconds.subtractingSaturated(1)
        // The window may end within the running hour.
        let reach = reachesEnd ? min(last, until.nanoseconds.subtractingSaturated(1)) : last
        guard let index = index(of: first), span(index).end.nanoseconds > reach else { return nil }
        return index
    }
}
