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
            1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 300, 600, 900, 1_200, 1_800, 2_400, 3_600, 7_200, 10_800,
            14_400,
            21_600, 28_800, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000,
        ]
        return .seconds(steps.first { Double($0) >= wanted } ?? Int((wanted / 2_592_000).rounded(.up)) * 2_592_000)
    }

    func lines(_ series: HistorySeries) -> [String] {
        let columns = columns(of: series)
        let probe = series.probe.map { " \($0)" } ?? ""
        var lines = [HostileText.line("\(series.target)\(probe), \(series.range.text(timeZone: clock.timeZone))")]
        guard let scale = Scale(columns, rows: height) else {
            lines.append("no round-trip time in this range")
            lines += footer(columns, series: series)
            return lines
        }
        let labels = scale.labels
        for row in 0..<height {
            let label = labels[row] ?? ""
            let axis = label.isEmpty ? "│" : "┤"
            var cells = columns.map { cell($0, row: row, scale: scale) }.joined()
            while cells.last == " " { cells.removeLast() }
            lines.append(DisplayWidth.padded(label, to: Self.labelWidth, alignment: .trailing) + " " + axis + cells)
        }
        return lines + footer(columns, series: series, note: scale.beyond(columns, clock: clock))
    }

    /// A bucket a column, in order: histories have no holes. Those of whole days are 23 or 25 hours long now and then.
    private func columns(of series: HistorySeries) -> [HistoryRow] {
        Array(series.rows.prefix(Self.columns(width: width)))
    }

    private func cell(_ bucket: HistoryRow, row: Int, scale: Scale) -> String {
        guard let median = bucket.p50 else { return " " }
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

    private func footer(_ columns: [HistoryRow], series: HistorySeries, note: String? = nil) -> [String] {
        var axis = [Character](repeating: "─", count: columns.count)
        var labels = ""
        for tick in TimeTicks.ticks(series.range, most: max(2, columns.count / 12), clock: clock) {
            guard let next = columns.lastIndex(where: { $0.start <= tick.time }) else { continue }
            axis[next] = "┬"
            guard next >= labels.count + (labels.isEmpty ? 0 : 2), next + tick.label.count <= columns.count else {
                continue
            }
            labels += String(repeating: " ", count: next - labels.count) + tick.label
        }
        func line(_ name: String, _ mark: String, _ text: String) -> String {
            var line = DisplayWidth.padded(name, to: Self.labelWidth, alignment: .trailing) + " " + mark + text
            while line.last == " " { line.removeLast() }
            return line
        }
        let loss = columns.map { bucket in palette.paint(lossMark(bucket), .red) }.joined()
        let unknown = columns.map { bucket in palette.paint(unknownMark(bucket), .magenta) }.joined()
        var lines = [
            line("", "└", String(axis)),
            line(LocalClock(now: series.range.until, timeZone: clock.timeZone).zoneText, " ", labels),
        ]
        if columns.contains(where: { lossMark($0) != " " }) { lines.append(line("loss", " ", loss)) }
        if columns.contains(where: { unknownMark($0) != " " }) { lines.append(line("unknown", " ", unknown)) }
        let source = "a column is \(Figures.span(seconds: series.step.inSeconds)), from \(series.level) data"
        lines.append(HostileText.line(([source] + [note].compactMap { $0 }).joined(separator: "; ")))
        return lines + [palette.paint("median ⠒  min to p95 ▒  to max ░  loss ▁ to █  unknown ?, partly ·", .dim)]
    }

    private func lossMark(_ bucket: HistoryRow) -> String {
        guard bucket.lost > 0, let percent = bucket.lossPercent else { return " " }
        return String(Self.lossBlocks[min(max(Int(percent * 8 / 100), 0), 7)])
    }

    private func unknownMark(_ bucket: HistoryRow) -> String {
        if bucket.sent == 0 { return "?" }
        return bucket.unknown > 0 || bucket.gap > .zero ? "·" : " "
    }
}
