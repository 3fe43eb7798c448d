// Two windows of a target side by side, and what may be said of the difference.

internal import Model
internal import Statistics
internal import Storing

/// A probe in two windows; nil where a window has nothing of it.
struct ProbeComparison: Hashable, Sendable {
    var probe: String
    var figures: [WindowFigures?]

    /// Fewer known results than this in either window say nothing about their difference.
    static let leastResults: UInt64 = 30
    /// Standard deviations of the bounds: 99 %.
    static let z = 2.5758

    /// How the first window stands to the second.
    enum Order: String, Hashable, Sendable {
        case more, less
        /// The bounds overlap: what lies between them may be rounding or chance.
        case same = "no_clear_difference"
        case tooFew = "too_few"
        /// In one of the windows nothing is known.
        case unknown
    }

    var first: WindowFigures? { figures.first ?? nil }
    var second: WindowFigures? { figures.last ?? nil }

    /// Loss, by Wilson intervals.
    var loss: Order {
        guard let a = first, let b = second, a.sent > 0, b.sent > 0 else { return .unknown }
        guard min(a.sent, b.sent) >= Self.leastResults else { return .tooFew }
        func bounds(_ figures: WindowFigures) -> ClosedRange<Double> {
            let interval = WilsonInterval(successes: figures.counts.failed, trials: figures.sent, z: Self.z)
            return interval.low...interval.high
        }
        return Self.order(bounds(a), bounds(b))
    }

    /// A percentile of the round-trip time, by the ranks that lie about it and the width of the histogram's buckets.
    func time(_ quantile: Double) -> Order {
        guard let a = first, let b = second, !a.times.isEmpty, !b.times.isEmpty else { return .unknown }
        guard min(a.times.count, b.times.count) >= Self.leastResults,
            let left = Self.bounds(a.times, quantile), let right = Self.bounds(b.times, quantile)
        else { return .tooFew }
        return Self.order(left, right)
    }

    private static func order(_ a: ClosedRange<Double>, _ b: ClosedRange<Double>) -> Order {
        if a.lowerBound > b.upperBound { return .more }
        if a.upperBound < b.lowerBound { return .less }
        return .same
    }

    /// Bounds of a percentile in nanoseconds: order statistics of the binomial's normal approximation, widened by what a
    /// bucket rounds. Nil where fewer than five values lie beyond the percentile, or a bound beyond all values.
    static func bounds(_ times: Histogram, _ quantile: Double) -> ClosedRange<Double>? {
        let count = Double(times.count)
        let reach = z * (count * quantile * (1 - quantile)).squareRoot()
        guard min(quantile, 1 - quantile) * count >= 5 - 1e-9, quantile * count + reach + 1 <= count,
            let low = times.quantile(quantile - (reach + 1) / count),
            let high = times.quantile(quantile + (reach + 1) / count)
        else { return nil }
        let error = Histogram.relativeError
        return Double(low) * (1 - error)...Double(high) * (1 + error)
    }

    /// Whether figures that were timed in different ways, or went to different addresses, are set side by side.
    var isTimedAlike: Bool {
        guard let a = first?.sources, let b = second?.sources, !a.isEmpty, !b.isEmpty else { return true }
        return Set(a.keys) == Set(b.keys)
    }

    var isSameAddress: Bool {
        guard let a = first?.addresses, let b = second?.addresses, !a.isEmpty, !b.isEmpty else { return true }
        return Set(a) == Set(b)
    }
}

/// What `taut compare` shows.
struct Comparison: Hashable, Sendable {
    var target: String
    var windows: [CompareWindow]
    var probes: [ProbeComparison]

    init(target: String, windows: [CompareWindow], figures: [[WindowFigures]]) {
        self.target = target
        self.windows = windows
        var names: [String] = []
        for name in figures.flatMap({ $0.map(\.probe) }) where !names.contains(name) { names.append(name) }
        probes = names.map { name in
            ProbeComparison(probe: name, figures: figures.map { $0.first { $0.probe == name } })
        }
    }

    /// How long the windows overlap: what lies in both cannot differ.
    var overlap: Duration {
        guard windows.count == 2 else { return .zero }
        let from = max(windows[0].range.since, windows[1].range.since)
        let to = min(windows[0].range.until, windows[1].range.until)
        return to > from ? to - from : .zero
    }

    /// Whether any probe has something known in both windows.
    var isComparable: Bool { probes.contains { $0.loss != .unknown } }
}
