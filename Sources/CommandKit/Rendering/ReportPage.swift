// A report as one page of HTML: to be mailed, kept and printed.

internal import Control
internal import Model
internal import Storing

/// One HTML document (WHATWG HTML) that holds all it needs: no script, nothing fetched. Every text passes `text(_:)`.
struct ReportPage {
    var clock: LocalClock

    func lines(_ report: Report, generated: WallTime) -> [String] {
        let title = self.title(report)
        let renderer = ReportRenderer(clock: clock)
        var lines = [
            "<!DOCTYPE html>", "<html lang=\"en\">", "<head>", "<meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            "<meta name=\"color-scheme\" content=\"light dark\">", "<title>\(text(title))</title>",
            "<style>", Self.style, "</style>", "</head>", "<body>", "<main>", "<h1>\(text(title))</h1>",
            "<p>\(text(renderer.heading(report)))</p>",
        ]
        for group in report.groups {
            let caption = renderer.title(of: group.name, report) ?? "All targets"
            lines += table(renderer.table(group.rows, of: report), caption: caption)
        }
        if let objective = report.objective { lines.append("<p>\(text(renderer.summary(objective, report.rows)))</p>") }
        lines += exclusions(renderer.exclusions(report, .plain))
        return lines + [
            "</main>", "<footer>",
            "<p>Availability is the share of answered among the results that say something; – is not known.</p>",
            "<p>Made by taut \(text(Version.current)) at \(text(clock.full(generated))) \(text(clock.zoneText)).</p>",
            "</footer>", "</body>", "</html>",
        ]
    }

    /// What the report is about: the one group or site that it holds, and its month.
    private func title(_ report: Report) -> String {
        let names = Set(report.rows.map(\.group))
        let only = report.by != nil && names.count == 1 ? names.first.flatMap { $0 } : nil
        let subject = (only ?? report.site).map { "\($0): " } ?? ""
        return subject + "availability and latency" + (report.month.map { ", \($0)" } ?? "")
    }

    private func table(_ table: Table, caption: String) -> [String] {
        var lines = ["<table>", "<caption>\(text(caption))</caption>", "<thead>", "<tr>"]
        lines += table.columns.map { "<th scope=\"col\"\(Self.style(of: $0))>\(text($0.title))</th>" }
        lines += ["</tr>", "</thead>", "<tbody>"]
        for cells in table.rows {
            let fields = zip(table.columns, cells).enumerated().map { index, field in
                let (column, cell) = field
                if index == 0 { return "<th scope=\"row\">\(text(cell.text))</th>" }
                return "<td\(Self.style(of: column, cell.colour))>\(text(cell.text))</td>"
            }
            lines.append("<tr>\(fields.joined())</tr>")
        }
        return lines + ["</tbody>", "</table>"]
    }

    /// The lines of the text report: what was left out, then each span, indented.
    private func exclusions(_ lines: [String]) -> [String] {
        let said = lines.filter { !$0.isEmpty }
        let spans = said.filter { $0.hasPrefix(" ") }
        let list = spans.map { "<li>\(text($0.drop { $0 == " " }))</li>" }
        return ["<h2>Left out</h2>"] + said.filter { !$0.hasPrefix(" ") }.map { "<p>\(text($0))</p>" }
            + (list.isEmpty ? [] : ["<ul>"] + list + ["</ul>"])
    }

    private static func style(of column: TableColumn, _ colour: Palette.Colour? = nil) -> String {
        let names: [Palette.Colour: String] = [.green: "met", .red: "missed", .magenta: "unknown"]
        let classes =
            (column.alignment == .trailing ? ["number"] : []) + [colour.flatMap { names[$0] }].compactMap { $0 }
        return classes.isEmpty ? "" : " class=\"\(classes.joined(separator: " "))\""
    }

    /// Harmless as text and as the value of a quoted attribute; what is never drawn is named, as on the terminal.
    func text(_ text: some StringProtocol) -> String {
        Markup.escaped(HostileText.line(text))
    }

    private static let style = """
        :root { color-scheme: light dark; --text: #1b1b1b; --page: #fff; --line: #bbb; --met: #0a6b2d; --missed: #b00020; \
        --unknown: #7a1fa2; }
        @media (prefers-color-scheme: dark) { :root { --text: #e6e6e6; --page: #161616; --line: #555; --met: #6fd08c; \
        --missed: #ff8a80; --unknown: #d9a2f0; } }
        body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; \
        color: var(--text); background: var(--page); }
        table { border-collapse: collapse; width: 100%; margin: 1.5rem 0; }
        caption { text-align: left; font-weight: bold; padding: .3rem 0; }
        th, td { text-align: left; padding: .2rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
        .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .met { color: var(--met); } .missed { color: var(--missed); font-weight: bold; }
        .unknown { color: var(--unknown); font-style: italic; }
        footer { font-size: .85rem; }
        @page { size: A4; margin: 15mm; }
        @media print { :root { --text: #000; --page: #fff; --line: #999; --met: #000; --missed: #000; --unknown: #000; } \
        body { margin: 0; max-width: none; padding: 0; font-size: 9pt; } tr { break-inside: avoid; } \
        thead { display: table-header-group; } }
        """
}
