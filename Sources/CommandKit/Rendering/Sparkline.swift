// The newest results as a line of blocks.

internal import Control

/// One character a result: a block as high as the RTT, `×` for no answer, `?` for what says nothing.
enum Sparkline {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// - Parameter columns: the newest `columns` points are shown.
    static func text(_ spark: [Double?], outcomes: [String], columns: Int) -> String {
        let points = Array(zip(spark, outcomes)).suffix(max(0, columns))
        let known = points.compactMap { $0.0 }.filter { $0.isFinite }
        let low = known.min() ?? 0
        let high = known.max() ?? 0
        // A small spread fills a part of the height only: noise must not look like weather.
        let range = max(high - low, high * 0.25)
        var text = ""
        for (rtt, outcome) in points {
            if let rtt, rtt.isFinite {
                let share = range > 0 ? (rtt - low) / range : 0
                text.append(blocks[min(max(Int(share * 8), 0), 7)])
            } else {
                switch outcome {
                case "ok", "late": text.append("▪")
                case "unresolved", "indeterminate": text.append("?")
                default: text.append("×")
                }
            }
        }
        return text
    }

    /// The same with what was not answered in red and what is not known in magenta.
    static func painted(
        _ spark: [Double?], outcomes: [String], columns: Int, palette: Palette
    ) -> String {
        text(spark, outcomes: outcomes, columns: columns).map { character in
            palette.paint(String(character), character == "×" ? .red : character == "?" ? .magenta : nil)
        }.joined()
    }
}
