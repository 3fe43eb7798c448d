// What `taut analyze` says of a capture beside its figures.

import Capturing
import Model
import Testing

@testable import CommandKit

@Suite struct AnalysisRendererTests {
    /// Case 60: connections that were given up or refused, and what the capture lacks, are never passed over.
    @Test func whatWasMissedIsShown() {
        var report = AnalysisReport(file: "a.pcap")
        let renderer = AnalysisRenderer(palette: .plain, width: nil)
        #expect(!renderer.lines(report, by: .kind).contains { $0.hasPrefix("missed") })
        report.counters.captureGaps = 2
        report.counters.acknowledgements = 10
        report.counters.evictedFlows = 4_464
        report.counters.refusedFlows = 3
        let lines = renderer.lines(report, by: .kind)
        #expect(
            lines.contains(
                "missed: 2 of 10 acknowledgements are of data that was not seen, 4,464 connections given up for others, "
                    + "3 connections refused for want of room"))
        let json = renderer.json(report, generated: WallTime(seconds: 0)).text(pretty: false)
        for member in [#""capture_gaps":2"#, #""evicted_flows":4464"#, #""refused_flows":3"#] {
            #expect(json.replacing(" ", with: "").contains(member))
        }
    }
}
