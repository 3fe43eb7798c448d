// Buckets of time as a table, as CSV and as JSON.

internal import Control
internal import Model

/// One bucket as commands show it; RTTs in nanoseconds, nil where there is none.
struct HistoryRow: Hashable, Sendable {
    var start: WallTime
    var sent: UInt64
    var lost: UInt64
    var unknown: UInt64
    var minimum: Int64?
    var p50: Int64?
    var p95: Int64?
    var p99: Int64?
    var maximum: Int64?
    var jitter: Int64?
    /// Time of the bucket in which the monitor did not measure.
    var gap: Duration = .zero

    /// Share lost of what was sent, 0...100; nil where nothing was.
    var lossPercent: Double? { sent > 0 ? Double(lost) * 100 / Double(sent) : nil }
}

/// The buckets of one probe of one target.
struct HistorySeries: Hashable, Sendable {
    var target: String
    var probe: String?
    var range: TimeRange
    /// Width of a bucket.
    var step: Duration
    /// Where the figures come from: `raw`, `hour`, `day`.
    var level: String
    var rows: [HistoryRow]
    /// Stretches in which the monitor did not measure.
    var gaps: [MonitorEvent]
}

struct HistoryRenderer {
    static let schema = "taut/history/1"
    var palette: Palette
    var width: Int?
    var clock: LocalClock

    func lines(_ series: HistorySeries) -> [String] {
        let probe = series.probe.map { " \($0)" } ?? ""
        let heading = HostileText.line(
            "\(series.target)\(probe), \(series.range.text(timeZone: clock.timeZone)), a row each "
                + "\(Figures.span(seconds: series.step.inSeconds)), from \(series.level) data")
        var lines = [cut(heading)]
        lines += gapLines(series.gaps)
        let titles = ["sent", "lost", "unknown", "loss", "min", "p50", "p95", "p99", "max", "jitter", "not measured"]
        let hasGaps = series.rows.contains { $0.gap > .zero }
        let shown = hasGaps ? titles : titles.dropLast()
        // Left out on a narrow terminal, in this order: losses, what is unknown and the median stay.
        let order = ["min", "p99", "jitter", "max", "sent", "lost", "p95"]
        var table = Table(
            [TableColumn("start")] + shown.map { TableColumn($0, .trailing, dispensable: order.firstIndex(of: $0)) })
        for row in series.rows {
            let gap = row.gap > .zero ? Figures.span(seconds: row.gap.inSeconds) : ""
            let cells = [
                TableCell(clock.full(row.start)), TableCell(Figures.count(row.sent)),
                TableCell(Figures.count(row.lost), row.lost > 0 ? .yellow : nil),
                TableCell(Figures.count(row.unknown), row.unknown > 0 ? .magenta : nil),
                TableCell(Figures.percent(row.lossPercent)), TableCell(Figures.time(nanoseconds: row.minimum)),
                TableCell(Figures.time(nanoseconds: row.p50)), TableCell(Figures.time(nanoseconds: row.p95)),
                TableCell(Figures.time(nanoseconds: row.p99)), TableCell(Figures.time(nanoseconds: row.maximum)),
                TableCell(Figures.time(nanoseconds: row.jitter)), TableCell(gap, .magenta),
            ]
            table.add(hasGaps ? cells : cells.dropLast())
        }
        return lines + table.lines(width: width, palette: palette)
    }

    /// RFC 4180 with a header; an unknown is an empty field.
    func csv(_ series: HistorySeries) -> [String] {
        func field(_ nanoseconds: Int64?) -> String { nanoseconds.map { Figures.fixed(Double($0) / 1_000, 3) } ?? "" }
        let header = "start,sent,lost,unknown,min_us,p50_us,p95_us,p99_us,max_us,jitter_us"
        return [header]
            + series.rows.map { row in
                let times = [row.minimum, row.p50, row.p95, row.p99, row.maximum, row.jitter].map(field)
                return "\(row.start.rfc3339(fractionDigits: 3)),\(row.sent),\(row.lost),\(row.unknown),"
                    + times.joined(separator: ",")
            }
    }

    func json(_ series: HistorySeries, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(HistoryRenderer.schema), "generated": .time(generated), "target": .string(series.target),
            "probe": .optional(series.probe), "since": .time(series.range.since), "until": .time(series.range.until),
            "step_s": .number(series.step.inSeconds), "level": .string(series.level),
            "buckets": .array(
                series.rows.map { row in
                    .object([
                        "start": .time(row.start), "sent": .unsigned(row.sent), "lost": .unsigned(row.lost),
                        "unknown": .unsigned(row.unknown),
                        "loss_percent": .optional(row.lossPercent.map { ($0 * 1_000).rounded() / 1_000 }),
                        "min_us": .microseconds(row.minimum), "p50_us": .microseconds(row.p50),
                        "p95_us": .microseconds(row.p95), "p99_us": .microseconds(row.p99),
                        "max_us": .microseconds(row.maximum), "jitter_us": .microseconds(row.jitter),
                        "gap_s": .number(row.gap.inSeconds),
                    ])
                }),
            "gaps": .array(
                series.gaps.map { gap in
                    .object([
                        "kind": .string(gap.kind.rawValue), "start": .time(gap.start), "end": .time(gap.end),
                        "text": .string(gap.text),
                    ])
                }),
        ])
    }

    private func cut(_ text: String) -> String { width.map { DisplayWidth.cut(text, to: $0) } ?? text }

    private func gapLines(_ gaps: [MonitorEvent]) -> [String] {
        var lines = gaps.prefix(5).map { gap in
            let end = gap.end.map { " to \(clock.full($0))" } ?? ""
            return palette.paint(
                cut(HostileText.line("unknown from \(clock.full(gap.start))\(end): \(gap.text)")), .magenta)
        }
        if gaps.count > 5 { lines.append("and \(gaps.count - 5) more gaps") }
        return lines
    }
}
