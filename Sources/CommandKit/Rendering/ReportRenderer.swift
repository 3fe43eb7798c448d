// A report as text, CSV and JSON.

internal import Control
internal import Model
internal import Storing

struct ReportRenderer {
    static let schema = "taut/report/1"
    var clock: LocalClock

    func lines(_ report: Report, width: Int?, palette: Palette) -> [String] {
        var lines = [heading(report)]
        for group in report.groups {
            if let title = title(of: group.name, report) { lines += ["", HostileText.line(title)] }
            lines += table(group.rows, of: report).lines(width: width, palette: palette)
        }
        if let objective = report.objective { lines += ["", summary(objective, report.rows)] }
        return lines + exclusions(report, palette)
    }

    /// The range, and what the figures are from.
    func heading(_ report: Report) -> String {
        let levels = Set(report.rows.filter { !$0.isEmpty }.map(\.level)).sorted().joined(separator: " and ")
        return report.range.text(timeZone: clock.timeZone)
            + (levels.isEmpty ? ": no result is stored" : ", from \(levels) data")
    }

    /// What a group's rows have in common; nil where nothing is grouped by.
    func title(of group: String?, _ report: Report) -> String? {
        report.by.map { by in group.map { "\(by) \($0)" } ?? "without \(by)" }
    }

    func table(_ rows: [Report.Row], of report: Report) -> Table {
        let objective = report.objective
        let hasGaps = report.hasOwnGaps
        let titles = ["available", "sent", "lost", "unknown", "p50", "p95", "p99", "max"]
        let verdict = objective == nil ? [] : [TableColumn("objective")]
        var table = Table(
            [TableColumn("target"), TableColumn("probe")]
                + (titles + (hasGaps ? ["not measured"] : [])).map { TableColumn($0, .trailing) } + verdict)
        for row in rows {
            let figures = row.figures
            var cells = [
                TableCell(row.target), TableCell(row.probe), TableCell(Figures.availability(row.availability)),
                TableCell(Figures.count(figures.sent)), TableCell(Figures.count(figures.lost)),
                TableCell(Figures.count(figures.unknown), figures.unknown > 0 ? .magenta : nil),
                TableCell(Figures.time(nanoseconds: figures.p50)), TableCell(Figures.time(nanoseconds: figures.p95)),
                TableCell(Figures.time(nanoseconds: figures.p99)),
                TableCell(Figures.time(nanoseconds: figures.maximum)),
            ]
            if hasGaps {
                let gap = figures.gap > .zero ? Figures.span(seconds: figures.gap.inSeconds) : ""
                cells.append(TableCell(gap, .magenta))
            }
            if let objective {
                let standing = objective.standing(of: row)
                let colours: [ReportObjective.Standing: Palette.Colour] = [
                    .met: .green, .missed: .red, .unknown: .magenta,
                ]
                cells.append(TableCell(standing.rawValue, colours[standing]))
            }
            table.add(cells)
        }
        return table
    }

    func summary(_ objective: ReportObjective, _ rows: [Report.Row]) -> String {
        let counts = Dictionary(grouping: rows) { objective.standing(of: $0) }.mapValues(\.count)
        return "Objective, \(objective.text): \(counts[.met] ?? 0) met, \(counts[.missed] ?? 0) missed, "
            + "\(counts[.unknown] ?? 0) unknown"
    }

    func exclusions(_ report: Report, _ palette: Palette) -> [String] {
        let results = report.rows.reduce(UInt64(0)) { $0 &+ $1.figures.unknown }
        let time = report.unknown.reduce(Duration.zero) { $0 + ($1.end - $1.start) }
        var lines = [""]
        lines.append(
            "Left out: \(Figures.count(results)) unknown results, \(Figures.span(seconds: time.inSeconds)) without measurement"
        )
        for span in report.unknown.prefix(20) { lines.append("  not measured \(text(span))") }
        if report.unknown.count > 20 { lines.append("  and \(report.unknown.count - 20) more spans") }
        for span in report.damaged.prefix(20) {
            lines.append(palette.paint("  damaged \(text(span))", .magenta))
        }
        if report.damaged.count > 20 { lines.append("  and \(report.damaged.count - 20) more damaged spans") }
        return lines
    }

    private func text(_ span: TimeSpan) -> String {
        "\(clock.full(span.start)) to \(clock.full(span.end)) (\(Figures.span(seconds: (span.end - span.start).inSeconds)))"
    }

    /// RFC 4180 with a header; an unknown is an empty field.
    func csv(_ report: Report) -> [String] {
        func field(_ nanoseconds: Int64?) -> String { nanoseconds.map { Figures.fixed(Double($0) / 1_000, 3) } ?? "" }
        let header =
            "group,target,title,probe,availability_percent,sent,lost,unknown,min_us,p50_us,p95_us,p99_us,max_us,unmeasured_s,objective"
        return [header]
            + report.rows.map { row in
                let figures = row.figures
                let times = [figures.minimum, figures.p50, figures.p95, figures.p99, figures.maximum].map(field)
                let names = [row.group ?? "", row.target, row.title, row.probe].map { ExportLines.quoted($0) }
                return names.joined(separator: ",") + ","
                    + "\(row.availability.map { Figures.fixed($0, 5) } ?? ""),\(figures.sent),\(figures.lost),"
                    + "\(figures.unknown),\(times.joined(separator: ",")),\(Figures.fixed(figures.gap.inSeconds, 3)),"
                    + (report.objective?.standing(of: row).rawValue ?? "")
            }
    }

    func json(_ report: Report, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(ReportRenderer.schema), "generated": .time(generated), "since": .time(report.range.since),
            "until": .time(report.range.until), "by": .optional(report.by),
            "objective": .object([
                "availability_percent": .optional(report.objective?.availabilityPercent),
                "p95_us": .microseconds(report.objective?.p95?.clampedNanoseconds),
            ]),
            "targets": .array(
                report.rows.map { row in
                    let figures = row.figures
                    return .object([
                        "group": .optional(row.group), "target": .string(row.target), "title": .string(row.title),
                        "probe": .string(row.probe), "level": .string(row.level),
                        "availability_percent": .optional(row.availability), "sent": .unsigned(figures.sent),
                        "lost": .unsigned(figures.lost), "unknown": .unsigned(figures.unknown),
                        "min_us": .microseconds(figures.minimum), "p50_us": .microseconds(figures.p50),
                        "p95_us": .microseconds(figures.p95), "p99_us": .microseconds(figures.p99),
                        "max_us": .microseconds(figures.maximum), "unmeasured_s": .number(figures.gap.inSeconds),
                        "objective": .optional(report.objective?.standing(of: row).rawValue),
                    ])
                }),
            "not_measured": spans(report.unknown), "damaged": spans(report.damaged),
        ])
    }

    private func spans(_ spans: [TimeSpan]) -> JSONValue {
        .array(spans.map { .object(["start": .time($0.start), "end": .time($0.end)]) })
    }
}
