import Foundation
import Model
import Testing

@testable import CommandKit
@testable import Storing

/// `taut report --format html`: the same rows as the other formats, and nothing in it that a browser would obey.
@Suite struct ReportPageTests {
    @Test func thePageHasTheRowsOfTheReport() throws {
        try StoredStatusTests.withDatabase { path in
            let month = ["report", "--month", "2026-11", "--objective", "99.9%"]
            let answer = CommandLineTests.run(month + ["--format", "html"], path)
            let page = answer.output
            #expect(answer.code == 0)
            #expect(page.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">") && page.hasSuffix("</html>\n"))
            #expect(page.contains("availability and latency, 2026-11</title>"))
            let json = CommandLineTests.run(month + ["--format", "json"], path).output
            let rows = page.components(separatedBy: "<th scope=\"row\">").count - 1
            #expect(rows > 0 && rows == json.components(separatedBy: "\"target\":").count - 1)
            #expect(page.contains("<th scope=\"row\">vpn-west</th><td>icmp</td><td class=\"number\">66.667 %</td>"))
            // The words are there, whatever the colours.
            #expect(page.contains("<td class=\"met\">met</td>") && page.contains("<td class=\"missed\">missed</td>"))
            #expect(page.contains("Objective, availability of at least 99.9 %: "))
            #expect(page.contains("without measurement"))
            #expect(page.components(separatedBy: "<caption>").count == page.components(separatedBy: "<table>").count)
            for tag in ["table", "thead", "tbody", "main", "style", "footer", "h1", "h2"] {
                let opened = page.components(separatedBy: "<\(tag)>").count
                #expect(opened == page.components(separatedBy: "</\(tag)>").count && opened > 1, "\(tag)")
            }
            for fetched in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "http"] {
                #expect(!page.contains(fetched), "\(fetched)")
            }
            #expect(CommandLineTests.run(["report", "--month", "2026-10", "--format", "html"], path).code == 2)
        }
    }

    @Test func whatATextHoldsIsNeverMarkup() throws {
        let hostile = "<script>alert(\"1\")</script>&'\u{202E}\u{1B}[31m"
        let harmless = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"
        let page = ReportPage(clock: Fixtures.clock)
        #expect(page.text(hostile).hasPrefix(harmless))
        let range = TimeRange(unchecked: Fixtures.now - .seconds(3_600), until: Fixtures.now)
        var report = Report(WindowTotals(), targets: [], range: range, by: hostile)
        report.site = hostile
        report.rows = [nil, hostile].map { group in
            Report.Row(
                group: group, target: hostile, title: hostile, probe: hostile, level: "raw",
                figures: HistoryBucket(start: Fixtures.now, counts: OutcomeCounts(), gap: .zero))
        }
        let text = page.lines(report, generated: Fixtures.now).joined(separator: "\n")
        #expect(text.contains("<th scope=\"row\">\(harmless)") && text.contains("<h1>\(harmless)"))
        #expect(text.contains("<caption>\(harmless)") && text.contains("<caption>without \(harmless)"))
        #expect(!text.contains("<script") && !text.contains("&'"))
        #expect(!text.unicodeScalars.contains("\u{202E}") && !text.unicodeScalars.contains("\u{1B}"))
    }
}
