import Control
import Foundation
import Model
import Testing

@testable import CommandKit

/// What people see, letter by letter.
@Suite struct RendererTests {
    @Test func statusTable() throws {
        let renderer = StatusRenderer(palette: .plain, width: 120, clock: Fixtures.clock)
        try expectSnapshot("status", renderer.lines(Fixtures.report))
    }

    @Test func statusInColourSaysTheSameWords() {
        let plain = StatusRenderer(palette: .plain, width: 120, clock: Fixtures.clock).lines(Fixtures.report)
        let coloured = StatusRenderer(palette: Palette(isColoured: true), width: 120, clock: Fixtures.clock)
            .lines(Fixtures.report)
        #expect(coloured != plain)
        #expect(coloured.map { Self.withoutColour($0) } == plain)
    }

    @Test func statusOfAStoppedDaemonSaysSo() throws {
        let target = Fixtures.target(
            "gw", kind: .gateway, verdict: Fixtures.verdict(.up, minutesAgo: 600), milliseconds: [0.3, 0.3])
        let later = Fixtures.now + .seconds(300)
        let stale = StatusReport.Target(
            StatusReport.Subject(id: Fixtures.id("gw"), title: "gw", kind: .gateway, interval: .seconds(10)),
            verdict: Fixtures.verdict(.up, minutesAgo: 600),
            series: [
                StatusReport.ProbeSeries(
                    probe: "icmp", kind: .icmp, address: nil, results: Fixtures.results(milliseconds: [0.3, 0.3]))
            ], now: later, isLive: false)
        #expect(target.state == "up")
        #expect(stale.state == "unknown")
        #expect(stale.lastKnownState == "up")
        let report = StatusReport(
            generated: later, daemon: StatusReport.Daemon(running: false, dataAge: .seconds(300)), targets: [stale],
            timeZone: Fixtures.zone)
        let renderer = StatusRenderer(
            palette: .plain, width: 100, clock: LocalClock(now: later, timeZone: Fixtures.zone),
            sourceNote: "tautd is not running; the newest data are 5 min old")
        try expectSnapshot("status-stopped", renderer.lines(report))
    }

    @Test func narrowStatusStaysInItsWidth() {
        for width in [40, 60, 80, 100, 200] {
            let lines = StatusRenderer(palette: .plain, width: width, clock: Fixtures.clock).lines(Fixtures.report)
            for line in lines { #expect(DisplayWidth.of(line) <= width, "\(width): \(line)") }
            #expect(lines.contains { $0.contains("✖ down") })
            #expect(lines.contains { $0.contains("reason") } == (width >= 60))
        }
    }

    /// The daemon's zone is that of its host; whoever asks may have another.
    @Test func theVerdictNamesTimesInTheReadersZone() throws {
        var clock = Fixtures.clock
        clock.timeZone = try #require(TimeZone(secondsFromGMT: 9 * 3_600))
        let lines = StatusRenderer(palette: .plain, width: nil, clock: clock).lines(Fixtures.report)
        let since = try #require(Fixtures.report.targets.first { $0.state == "down" }?.since)
        #expect(lines[0].contains("since \(clock.short(since.time))"))
    }

    @Test func history() throws {
        let renderer = HistoryRenderer(palette: .plain, width: nil, clock: Fixtures.clock)
        try expectSnapshot("history", renderer.lines(Fixtures.history))
        try expectSnapshot("history-csv", renderer.csv(Fixtures.history))
        try expectSnapshot(
            "history-json", [renderer.json(Fixtures.history, generated: Fixtures.now).text(pretty: true)])
    }

    @Test func why() throws {
        let explanation = Explanation(
            target: Fixtures.targets[0],
            transitions: [
                Transition(
                    target: Fixtures.id("vpn-west"), from: .up,
                    verdict: Fixtures.verdict(.down, minutesAgo: 27, "no answer to icmp", layer: .target))
            ], incidents: [Fixtures.incident], events: [])
        let renderer = WhyRenderer(palette: .plain, width: 100, clock: Fixtures.clock)
        try expectSnapshot("why", renderer.lines(explanation))
        try expectSnapshot("why-json", [renderer.json(explanation, generated: Fixtures.now).text(pretty: true)])
    }

    @Test func incidentsAndSilences() throws {
        var closed = Fixtures.incident
        closed.id = 11
        closed.target = nil
        closed.severity = .warning
        closed.closed = Fixtures.now - .seconds(60)
        closed.acknowledged = true
        let incidents = IncidentsRenderer(palette: .plain, width: 140, clock: Fixtures.clock)
        try expectSnapshot("incidents", incidents.lines([Fixtures.incident, closed]))
        try expectSnapshot(
            "incidents-json",
            [incidents.json([Fixtures.incident], range: nil, generated: Fixtures.now).text(pretty: true)])
        let silences = SilencesRenderer(palette: .plain, width: 120, clock: Fixtures.clock)
        try expectSnapshot(
            "silences",
            silences.lines([
                Silence(
                    id: 1, match: "vpn-*", from: Fixtures.now - .seconds(60), until: Fixtures.now + .seconds(3_600),
                    reason: "maintenance"),
                Silence(
                    id: 2, match: "gw", from: Fixtures.now - .seconds(600), until: Fixtures.now - .seconds(60),
                    reason: "cable swap"),
            ]))
    }

    @Test func storedFlowsSayNothingOfNow() {
        let renderer = FlowsRenderer(palette: .plain, width: nil, clock: Fixtures.clock, isLive: false)
        let lines = renderer.lines(FlowsFixture.report)
        #expect(lines.contains { $0.hasPrefix("capture any: 12,345 packets, 100 not used") })
        #expect(!lines.contains { $0.contains("flows now") })
    }

    /// Tables give up columns on a narrow terminal; the lines above them are cut.
    @Test(arguments: [40, 60]) func headingsKeepToTheWidth(width: Int) throws {
        var history = Fixtures.history
        history.gaps = [
            MonitorEvent(kind: .gap, start: Fixtures.now - .seconds(60), end: Fixtures.now, text: "not measured")
        ]
        let lines = HistoryRenderer(palette: .plain, width: width, clock: Fixtures.clock).lines(history).prefix(2)
        let flows = FlowsRenderer(palette: .plain, width: width, clock: Fixtures.clock).lines(FlowsFixture.report)
        for line in lines + flows.prefix(1) { #expect(DisplayWidth.of(line) <= width, "\(line)") }
    }

    @Test func flows() throws {
        let report = FlowsFixture.report
        let renderer = FlowsRenderer(palette: .plain, width: nil, clock: Fixtures.clock)
        try expectSnapshot("flows", renderer.lines(report))
        try expectSnapshot("flows-json", [JSONValue(encoding: report).text(pretty: true)])
    }

    static func withoutColour(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let escape = rest.firstIndex(of: "\u{1B}") {
            result += rest[..<escape]
            guard let end = rest[escape...].firstIndex(of: "m") else { break }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
