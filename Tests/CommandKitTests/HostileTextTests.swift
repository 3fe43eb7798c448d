import Control
import Model
import Storing
import Testing
import Wire

@testable import Capturing
@testable import CommandKit

/// Whatever a name on the network holds, nothing that a renderer prints can act on a terminal or reorder a line.
@Suite struct HostileTextTests {
    /// Control characters of both sets, escape sequences, bidirectional controls, separators, and what looks wide.
    private static let pieces = [
        "\u{1B}[2J", "\u{1B}]0;owned\u{07}", "\u{9B}31m", "\u{85}", "\u{0}", "\r", "\n", "\t", "\u{7F}", "\u{202E}",
        "\u{2066}",
        "\u{200F}", "\u{200B}", "\u{AD}", "\u{180E}", "\u{FFF9}", "\u{1D173}", "\u{90}", "\u{9D}", "\u{2028}",
        "\u{FEFF}", "\u{E0041}", "a", "–", "漢", "🎉", "e\u{301}", "%s", "|", "\"", "\\",
        "'; drop",
    ]

    private static func hostile(_ generator: inout some RandomNumberGenerator) -> String {
        (0..<Int.random(in: 1...12, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }
            .joined()
    }

    private static func isHarmless(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { TerminalModel.isShown($0) }
    }

    @Test func everyRendererPrintsHarmlessLines() throws {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<200 {
            let world = HostileWorld { Self.hostile(&generator) }
            let width = [nil, 20, 80, 200][round % 4]
            for line in try world.lines(width: width) {
                #expect(Self.isHarmless(line), "\(line.debugDescription)")
            }
        }
    }

    @Test func jsonIsOneHarmlessLineAndReadsBack() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let text = Self.hostile(&generator)
            let written = JSONValue.object(["k": .string(text)]).text(pretty: false)
            #expect(Self.isHarmless(written))
            #expect(try JSONReading.string(written, key: "k") == text)
        }
    }
}

/// One of everything that is shown, with the same kind of text in each field that comes from outside.
private struct HostileWorld {
    var target: StatusReport.Target
    var report: StatusReport
    var flows: FlowsReport
    var incident: Incident
    var silence: Silence
    var event: MonitorEvent
    var analysis: AnalysisReport
    var history: HistorySeries
    var comparison: Comparison

    init(_ text: () -> String) {
        target = Fixtures.target(
            "x", title: text(), verdict: Fixtures.verdict(.down, minutesAgo: 5, text()), milliseconds: [1, nil])
        target.address = text()
        target.evidence = [text(), text()]
        target.state = text()
        target.layer = text()
        target.probes[0].probe = text()
        target.probes[0].last?.note = text()
        target.probes[0].last?.detail = text()
        target.sparkOutcomes = [text(), text()]
        var daemon = Fixtures.daemon
        daemon.configRefused = [text(), text()]
        daemon.capture[0].source = text()
        daemon.capture[0].running = false
        daemon.capture[0].problem = text()
        daemon.storage?.lastError = text()
        incident = Fixtures.incident
        incident.rule = text()
        incident.reason = text()
        incident.evidence = [text()]
        event = MonitorEvent(kind: .gap, start: Fixtures.now, text: text())
        report = StatusReport(
            generated: Fixtures.now, site: text(), daemon: daemon, targets: [target],
            incidentsOpen: [StatusReport.OpenIncident(incident)], notices: [StatusReport.Notice(event)],
            timeZone: Fixtures.zone)
        flows = FlowsFixture.report
        flows.rows[0].name = text()
        flows.rows[1].kind = text()
        flows.capture = daemon.capture
        silence = Silence(id: 1, match: text(), from: Fixtures.now, until: Fixtures.now + .seconds(5), reason: text())
        analysis = AnalysisReport(file: text())
        analysis.warning = text()
        analysis.counters.drops = [text(): 3]
        analysis.counters.rejected = [text(): 3]
        analysis.services = [
            Capturing.PassiveFigures(
                service: text(), kind: .dns, side: .full, count: 1, failures: 1, minimum: 1, p50: 1, p95: 1, p99: 1,
                maximum: 1)
        ]
        history = Fixtures.history
        history.target = text()
        history.probe = text()
        history.level = text()
        history.gaps[0].text = text()
        var figures = CompareTests.figures(CompareTests.hour(40), probe: text())
        figures.addresses = [text()]
        comparison = CompareTests.comparison(
            [figures], [CompareTests.figures(CompareTests.hour(40), probe: text())], target: text())
        comparison.windows[0].name = text()
    }

    func lines(width: Int?) throws -> [String] {
        let clock = Fixtures.clock
        let explanation = Explanation(
            target: target,
            transitions: [
                Transition(
                    target: Fixtures.id("x"), from: .up,
                    verdict: Verdict(state: .down, since: Fixtures.now, reason: incident.reason))
            ], incidents: [incident], events: [event])
        let analysisRenderer = AnalysisRenderer(palette: .plain, width: width)
        let historyRenderer = HistoryRenderer(palette: .plain, width: width, clock: clock)
        var lines = StatusRenderer(palette: .plain, width: width, clock: clock, sourceNote: event.text).lines(report)
        let compareRenderer = CompareRenderer(palette: .plain, width: width, clock: clock)
        lines += compareRenderer.lines(comparison)
        lines.append(compareRenderer.json(comparison, generated: Fixtures.now).text(pretty: false))
        lines += FlowsRenderer(palette: .plain, width: width, clock: clock).lines(flows)
        lines += IncidentsRenderer(palette: .plain, width: width, clock: clock).lines([incident])
        lines += SilencesRenderer(palette: .plain, width: width, clock: clock).lines([silence])
        lines += WhyRenderer(palette: .plain, width: width, clock: clock).lines(explanation)
        lines += historyRenderer.lines(history) + historyRenderer.csv(history)
        lines += GraphRenderer(palette: .plain, clock: clock, width: width ?? 60, height: 8).lines(history)
        lines += analysisRenderer.lines(analysis, by: .service)
        lines += ProbeRenderer(palette: .plain).summary([ProbeTally(target: event.text, probe: event.text)])
        lines.append(ExportLines.quoted(event.text))
        lines += try watchLines(width: width ?? 120)
        lines.append(
            CheckResult(
                target, generated: Fixtures.now, warning: CheckThreshold(), critical: CheckThreshold(), clock: clock
            ).line)
        lines.append(try JSONValue(encoding: report).text(pretty: false))
        lines.append(analysisRenderer.json(analysis, generated: Fixtures.now).text(pretty: false))
        return lines
    }

    /// Every screen of `taut watch`.
    private func watchLines(width: Int) throws -> [String] {
        var state = Fixtures.watch(width, 30, report: report, note: event.text)
        var lines = Fixtures.picture(&state)
        Fixtures.press("/" + event.text, &state)
        lines += Fixtures.picture(&state)
        _ = state.handle(.escape)
        _ = state.handle(.enter)
        var detail = WatchDetail(target: target.target, history: history)
        detail.problem = event.text
        detail.passive = flows.rows
        detail.events = [event]
        detail.failures = [
            WatchDetail.Failure(
                time: Fixtures.now, probe: event.text, outcome: event.text, detail: event.text, note: event.text)
        ]
        state.take(.detail(detail))
        state.size.rows = 200
        lines += Fixtures.picture(&state)
        state.take(.failure(event.text))
        return lines + Fixtures.picture(&state)
    }
}
