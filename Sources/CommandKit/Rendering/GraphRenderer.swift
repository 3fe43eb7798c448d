// A smoke plot in the terminal: the median as a line, the spread around it as smoke, loss and gaps below.

internal import Control
internal import Model

/// Draws one column a bucket.
///
/// The median is a braille line with four steps a row; `▒` reaches from the minimum to p95, `░` from there to the
/// maximum. Below the time axis, a block as high as the share lost, and `?` where nothing was measured.
struct GraphRenderer {
    var palette: Palette
    var clock: LocalClock
    /// Columns of the whole drawing, labels included.
    var width: Int
    /// Rows of the plot itself.
    var height: Int

    /// Columns of the labels left of the axis.
    static let labelWidth = 9
    static let leastWidth = 30
    private static let lossBlocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let braille: [Character] = ["⠉", "⠒", "⠤", "⣀"]

    /// Columns that are plotted: the buckets that fit.
    static func columns(width: Int) -> Int { max(leastWidth, width) - labelWidth - 2 }

    /// The step that makes `range` fit `columns`: a round number of seconds, minutes, hours or days.
    static func step(for range: TimeRange, columns: Int) -> Duration {
        let wanted = (range.until - range.since).inSeconds / Double(max(1, columns))
        let steps = [
            1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
            172_800, 604_800, 1_209_600, 2_592_000,
        ]
        return .seconds(steps.first { Double($0) >= wanted } ?? Int((wanted / 2_592_000).rounded(.up)) * 2_592_000)
    }

    func lines(_ series: HistorySeries) -> [String] {
        let columns = columns(of: series)
        let probe = series.probe.map { " \($0)" } ?? ""
        var lines = [
            HostileText.line(
                "\(series.target)\(probe), \(series.range.text(timeZone: clock.timeZone)), a column each "
                    + "\(Figures.span(seconds: series.step.inSeconds))")
        ]
        guard let scale = Scale(columns.compactMap { $0 }, rows: height) else {
            lines.append("no round-trip time in this range")
            lines += footer(columns, series: series)
            return lines
        }
        for row in 0..<height {
            let label = row % 4 == 0 || row == height - 1 ? scale.label(row: row) : ""
            let axis = label.isEmpty ? "│" : "┤"
            var cells = columns.map { cell($0, row: row, scale: scale) }.joined()
            while cells.last == " " { cells.removeLast() }
            lines.append(DisplayWidth.padded(label, to: Self.labelWidth, alignment: .trailing) + " " + axis + cells)
        }
        return lines + footer(columns, series: series)
    }

    /// The bucket of each column; nil where there is none.
    private func columns(of series: HistorySeries) -> [HistoryRow?] {
        let step = max(1, series.step.clampedNanoseconds)
        let count = Self.columns(width: width)
        let start = origin(of: series)
        var columns = [HistoryRow?](repeating: nil, count: count)
        let span = series.range.until.nanoseconds.subtractingSaturated(start.nanoseconds)
        let used = min(count, Int(min(Int64(count), (span - 1) / step + 1)))
        columns.removeLast(max(0, count - max(1, used)))
        for row in series.rows {
            let index = row.start.nanoseconds.subtractingSaturated(start.nanoseconds) / step
            guard row.start >= start, let column = Int(exactly: index), columns.indices.contains(column) else {
                continue
            }
            columns[column] = row
        }
        return columns
    }

    /// Buckets begin at multiples of the step; the first column is the one that holds the range's begin.
    private func origin(of series: HistorySeries) -> WallTime {
        guard let first = series.rows.first else { return series.range.since }
        let step = max(1, series.step.clampedNanoseconds)
        let ahead = first.start.nanoseconds.subtractingSaturated(series.range.since.nanoseconds)
        let columnsBefore = ahead > 0 ? (ahead + step - 1) / step : 0
        return first.start - .nanoseconds(columnsBefore.multipliedReportingOverflow(by: step).partialValue)
    }

    private func cell(_ bucket: HistoryRow?, row: Int, scale: Scale) -> String {
        guard let bucket, let median = bucket.p50 else { return " " }
        let position = scale.quarter(median)
        if position / 4 == row {
            let colour: Palette.Colour = bucket.lost == 0 ? .green : (bucket.lossPercent ?? 0) < 20 ? .yellow : .red
            return palette.paint(String(Self.braille[position % 4]), colour)
        }
        if scale.covers(from: bucket.minimum ?? median, to: bucket.p95 ?? median, row: row) {
            return palette.paint("▒", .dim)
        }
        if scale.covers(from: bucket.p95 ?? median, to: bucket.maximum ?? median, row: row) {
            return palette.paint("░", .dim)
        }
        return " "
    }

    private func footer(_ columns: [HistoryRow?], series: HistorySeries) -> [String] {
        let origin = origin(of: series)
        var axis: [Character] = []
        var labels = ""
        let label = { (column: Int) -> String in
            let time = origin + .nanoseconds(series.step.clampedNanoseconds &* Int64(column))
            return (series.range.until - series.range.since) > .seconds(86_400)
                ? String(clock.full(time).dropFirst(5).prefix(11)) : String(clock.seconds(time).prefix(5))
        }
        let spacing = (series.range.until - series.range.since) > .seconds(86_400) ? 15 : 10
        for column in columns.indices {
            let isTick = column % spacing == 0
            axis.append(isTick ? "┬" : "─")
            if isTick, column + label(column).count <= columns.count {
                labels += String(repeating: " ", count: max(0, column - labels.count)) + label(column)
            }
        }
        func line(_ name: String, _ mark: String, _ text: String) -> String {
            var line = DisplayWidth.padded(name, to: Self.labelWidth, alignment: .trailing) + " " + mark + text
            while line.last == " " { line.removeLast() }
            return line
        }
        let loss = columns.map { bucket in palette.paint(lossMark(bucket), .red) }.joined()
        let unknown = columns.map { bucket in palette.paint(unknownMark(bucket), .magenta) }.joined()
        var lines = [line("", "└", String(axis)), line("", " ", labels)]
        if columns.contains(where: { lossMark($0) != " " }) { lines.append(line("loss", " ", loss)) }
        if columns.contains(where: { unknownMark($0) != " " }) { lines.append(line("unknown", " ", unknown)) }
        return lines + [
            palette.paint("median ⠒  min to p95 ▒  to max ░  loss ▁ to █  nothing measured ?", .dim)
        ]
    }

    private func lossMark(_ bucket: HistoryRow?) -> String {
        guard let bucket, bucket.lost > 0, let percent = bucket.lossPercent else { return " " }
        return String(Self.lossBlocks[min(max(Int(percent * 8 / 100), 0), 7)])
    }

    private func unknownMark(_ bucket: HistoryRow?) -> String {
        guard let bucket else { return "?" }
        if bucket.sent == 0 { return "?" }
        return bucket.unknown > 0 || bucket.gap > .zero ? "·" : " "
    }

    /// Nanoseconds to rows, the top row first.
    struct Scale {
        let low: Double
        let high: Double
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
            let unit = Scale.niceStep((top - bottom) / Double(max(1, rows / 4)))
            low = (bottom / unit).rounded(.down) * unit
            high = max(low + unit, (top / unit).rounded(.up) * unit)
            self.rows = rows
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

        /// The value at the row's upper edge, at the lower one for the last row.
        func label(row: Int) -> String {
            let edge = row == rows - 1 ? Double(rows) : Double(row)
            let value = high - (high - low) * edge / Double(rows)
            return Figures.time(microseconds: (value / 1_000 * 10).rounded() / 10)
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
