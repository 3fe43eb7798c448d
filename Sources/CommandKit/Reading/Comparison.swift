// Two windows of a target side by side, and what may be said of the difference.

internal import Model
internal import Statistics
internal import Storing

/// A probe in two windows; nil where a window has nothing of it.
///
/// Bounds take results as independent of each other. Losses in one burst are not: taut(1) says so.
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
        /// May be rounding or chance.
        case same = "no_clear_difference"
        case tooFew = "too_few"
        /// In one of the windows nothing is known.
        case unknown
    }

    var first: WindowFigures? { figures.first ?? nil }
    var second: WindowFigures? { figures.last ?? nil }

    /// A figure with the bounds between which it may lie by chance.
    struct Estimate: Hashable, Sendable {
        var low: Double
        var value: Double
        var high: Double
    }

    /// Loss, by Wilson intervals.
    var loss: Order {
        guard let a = first, let b = second, a.sent > 0, b.sent > 0 else { return .unknown }
        guard min(a.sent, b.sent) >= Self.leastResults else { return .tooFew }
        func estimate(_ figures: WindowFigures) -> Estimate {
            let interval = WilsonInterval(successes: figures.counts.failed, trials: figures.sent, z: Self.z)
            return Estimate(low: interval.low, value: figures.loss ?? 0, high: interval.high)
        }
        return Self.order(estimate(a), estimate(b), rounding: 0)
    }

    /// A percentile of the round-trip time, by the ranks that lie about it and the width of the histogram's buckets.
    func time(_ quantile: Double) -> Order {
        guard let a = first, let b = second, !a.times.isEmpty, !b.times.isEmpty else { return .unknown }
        guard min(a.times.count, b.times.count) >= Self.leastResults,
            let left = Self.estimate(a.times, quantile), let right = Self.estimate(b.times, quantile)
        else { return .tooFew }
        return Self.order(left, right, rounding: Histogram.relativeError * (left.value + right.value))
    }

    /// Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    /// (1998), method 10: the bounds of a difference from those of its parts. What both were rounded by comes on top.
    static func order(_ a: Estimate, _ b: Estimate, rounding: Double) -> Order {
        func reach(_ x: Double, _ y: Double) -> Double { (x * x + y * y).squareRoot() + rounding }
        let difference = a.value - b.value
        if difference > reach(a.value - a.low, b.high - b.value) { return .more }
        if -difference > reach(a.high - a.value, b.value - b.low) { return .less }
        return .same
    }

    /// A percentile in nanoseconds with its bounds: order statistics, by the binomial's normal approximation. Nil where
    /// fewer than five values lie beyond the percentile, or a bound beyond all values.
    static func estimate(_ times: Histogram, _ quantile: Double) -> Estimate? {
        let count = Double(times.count)
        let reach = z * (count * quantile * (1 - quantile)).squareRoot()
        guard min(quantile, 1 - quantile) * count >= 5 - 1e-9, quantile * count + reach + 1 <= count,
            let low = times.quantile(quantile - (reach + 1) / count), let value = times.quantile(quantile),
            let high = times.quantile(quantile + (reach + 1) / count)
        else { return nil }
        return Estimate(low: Double(low), value: Double(value), high: Double(high))
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
