// The value axis of a smoke plot.

internal import Control
internal import Model

extension GraphRenderer {
    /// Nanoseconds to rows, the top row first.
    struct Scale {
        let low: Double
        let high: Double
        /// Between two labelled values: 1, 2 or 5 × 10^n.
        let unit: Double
        let rows: Int

        /// nil where there is nothing to scale.
        init?(_ buckets: [HistoryRow], rows: Int) {
            let lows = buckets.compactMap { $0.minimum ?? $0.p50 }
            // One outlier must not flatten the rest: the scale ends at twice the highest p95 at most.
            let highs = buckets.compactMap { $0.maximum ?? $0.p50 }
            let crowd = buckets.compactMap { $0.p95 ?? $0.p50 }
            guard let least = lows.min(), let most = highs.max(), let usual = crowd.max(), rows > 0 else { return nil }
            let top = max(1, min(Double(most), 2 * Double(usual)))
            let bottom = Double(least) > top * 0.6 ? Double(least) * 0.95 : 0
            unit = Scale.niceStep((top - bottom) / Double(max(1, rows / 4)))
            low = (bottom / unit).rounded(.down) * unit
            high = max(low + unit, (top / unit).rounded(.up) * unit)
            self.rows = rows
        }

        /// Values a `unit` apart from `low` to `high`, in nanoseconds.
        var marks: [Int64] {
            let count = min(200, max(1, Int(((high - low) / unit).rounded())))
            return (0...count).map { Int64(exactly: (low + unit * Double($0)).rounded()) ?? .max }
        }

        /// Names the highest value where it lies above the scale.
        func beyond(_ rows: [HistoryRow], clock: LocalClock) -> String? {
            let highest = rows.filter { Double($0.maximum ?? 0) > high }.max { $0.maximum ?? 0 < $1.maximum ?? 0 }
            guard let highest, let value = highest.maximum else { return nil }
            return "up to \(Figures.time(nanoseconds: value)) (\(clock.short(highest.start))), beyond the scale"
        }

        /// The quarter of a row that a value falls into, from the top; clamped to the plot.
        func quarter(_ value: Int64) -> Int {
            let share = (high - Double(value)) / (high - low)
            return min(max(Int((share * Double(rows * 4)).rounded(.down)), 0), rows * 4 - 1)
        }

        /// Whether any of `from`...`to` lies in the row.
        func covers(from: Int64, to: Int64, row: Int) -> Bool {
            quarter(to) / 4 <= row && row <= quarter(from) / 4
        }

        /// The marks by the row that holds each.
        var labels: [Int: String] {
            var labels: [Int: String] = [:]
            for mark in marks { labels[quarter(mark) / 4] = Figures.time(nanoseconds: mark) }
            return labels
        }

        /// The next of 1, 2, 5 × 10^n.
        private static func niceStep(_ raw: Double) -> Double {
            var unit = 1.0
            while unit * 10 <= raw { unit *= 10 }
            for factor in [1.0, 2, 5, 10] where unit * factor >= raw { return unit * factor }
            return unit * 10
        }
    }
}
