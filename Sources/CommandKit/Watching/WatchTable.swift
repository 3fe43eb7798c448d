// The list of targets: as many columns as the terminal has room for.

internal import Control
internal import Model

/// Draws the rows of `taut watch`, header first.
struct WatchTable {
    var palette: Palette
    var clock: LocalClock
    var columns: Int

    private enum Column: CaseIterable {
        case target, state, layer, since, loss, p50, p99, jitter, latest, reason

        /// Least important last; the first two are always there.
        static let byImportance: [Column] = [
            .target, .state, .loss, .p50, .latest, .p99, .since, .jitter, .layer, .reason,
        ]

        var title: String { "\(self)" }
        var sort: WatchSort? { WatchSort(rawValue: title) }
        var isNumber: Bool { [.loss, .p50, .p99, .jitter].contains(self) }
        /// Columns that give way have a least width; the others need that of their content.
        func least(isNarrow: Bool) -> Int? {
            switch self {
            case .target: isNarrow ? 12 : 18
            case .latest: 8
            case .reason: 30
            default: nil
            }
        }
    }

    private static let marks = (rising: "▲", falling: "▼")
    private static let widestTarget = 32

    /// The mark of a sorted column's direction; empty for the configured order.
    static func mark(_ sort: WatchSort, isReversed: Bool) -> String {
        switch sort {
        case .configured: isReversed ? marks.rising : ""
        case .target: isReversed ? marks.falling : marks.rising
        default: isReversed ? marks.rising : marks.falling
        }
    }

    /// - Parameter shown: the part of `rows` that is on the screen; widths are those of all, so that nothing moves
    ///   while scrolling.
    func lines(_ rows: [StatusReport.Target], shown: Range<Int>, state: WatchState) -> [String] {
        let widths = widths(rows, state: state)
        let chosen = Column.allCases.filter { widths[$0] != nil }
        func line(_ lead: String, last: Bool = false, _ cell: (Column, Int) -> String) -> String {
            lead + chosen.map { cell($0, widths[$0] ?? 0) }.joined(separator: gap)
        }
        let header = line("  ") { column, width in pad(title(column, state), to: width, isNumber: column.isNumber) }
        return [palette.paint(trimmed(header), .bold)]
            + rows[shown.clamped(to: rows.indices)].map { target in
                let isMarked = target.target == state.selection
                let paint = isMarked ? Palette.plain : palette
                let text = line(isMarked ? "> " : "  ") { column, width in
                    pad(cell(column, target, width: width, paint), to: width, isNumber: column.isNumber)
                }
                guard isMarked else { return trimmed(text) }
                return palette.paint(pad(text, to: columns, isNumber: false), .reverse)
            }
    }

    private var isNarrow: Bool { columns < 60 }
    private var gap: String { isNarrow ? " " : "  " }

    private func widths(_ rows: [StatusReport.Target], state: WatchState) -> [Column: Int] {
        var natural: [Column: Int] = [:]
        for column in Column.allCases { natural[column] = DisplayWidth.of(title(column, state)) }
        for target in rows {
            for column in Column.allCases {
                let width = column == .latest ? StatusReport.sparkLength : .max
                let text = cell(column, target, width: width, .plain)
                natural[column] = max(natural[column] ?? 0, DisplayWidth.of(text))
            }
        }
        natural[.target] = min(natural[.target] ?? 0, Self.widestTarget)
        var widths: [Column: Int] = [:]
        // Two columns for the mark of the row.
        var room = columns - 2
        for column in Column.byImportance {
            let width = min(natural[column] ?? 0, column.least(isNarrow: isNarrow) ?? .max)
            let needed = width + (widths.isEmpty ? 0 : gap.count)
            guard needed <= room || widths.count < 2 else { continue }
            widths[column] = width
            room -= needed
        }
        for column in [Column.target, .latest, .reason] {
            guard let width = widths[column], room > 0 else { continue }
            let more = min(room, max(0, (natural[column] ?? 0) - width))
            widths[column] = width + more
            room -= more
        }
        return widths
    }

    private func title(_ column: Column, _ state: WatchState) -> String {
        guard let sort = column.sort, sort == state.sort else { return column.title }
        return column.title + Self.mark(sort, isReversed: state.isReversed)
    }

    private func cell(_ column: Column, _ target: StatusReport.Target, width: Int, _ palette: Palette) -> String {
        switch column {
        case .target: return DisplayWidth.cut(Text.sanitised(target.title), to: width)
        case .state: return Self.state(target.state, palette)
        case .layer: return Text.sanitised(target.layer ?? "")
        case .since: return target.since.map { since($0.time) } ?? Figures.unknown
        case .loss:
            return palette.paint(Figures.percent(target.lossPercent), (target.lossPercent ?? 0) > 0 ? .bold : nil)
        case .p50: return Figures.time(microseconds: target.rttP50)
        case .p99: return Figures.time(microseconds: target.rttP99)
        case .jitter: return Figures.time(microseconds: target.jitter)
        case .latest:
            return Sparkline.painted(target.spark, outcomes: target.sparkOutcomes, columns: width, palette: palette)
        case .reason: return DisplayWidth.cut(Text.sanitised(StatusRenderer.reason(of: target)), to: width)
        }
    }

    /// The day alone where there is no room for the time of another day as well.
    private func since(_ time: WallTime) -> String {
        let text = clock.short(time)
        return columns < 100 && text.count > 6 ? String(text.dropLast(6)) : text
    }

    /// The sign carries the colour where all is well, the whole word where it is not.
    static func state(_ state: String, _ palette: Palette) -> String {
        let sign = StatusRenderer.sign(ofState: state)
        let word = Text.sanitised(state)
        if state == TargetState.up.rawValue { return "\(palette.paint(sign, .green)) \(word)" }
        return palette.paint("\(sign) \(word)", Palette.badge(ofState: state))
    }

    private func pad(_ text: String, to width: Int, isNumber: Bool) -> String {
        let cut = StyledText.cut(text, to: width)
        let space = String(repeating: " ", count: max(0, width - StyledText.width(cut)))
        return isNumber ? space + cut : cut + space
    }

    private func trimmed(_ text: String) -> String {
        var text = text
        while text.last == " " { text.removeLast() }
        return text
    }
}
