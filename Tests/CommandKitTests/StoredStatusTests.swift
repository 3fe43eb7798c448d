import Control
import Foundation
import Model
import Storing
import Testing
import Wire

@testable import CommandKit

/// With the daemon stopped, everything that is known is read from its database.
@Suite struct StoredStatusTests {
    /// A database as a daemon leaves it: one target up until `Fixtures.now`, one silent.
    ///
    /// - Parameter text: stands in every field of free text, where it is given.
    static func withDatabase(text: String? = nil, _ body: (_ path: String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("taut-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let begin = Fixtures.now - .seconds(300)
        let opened = try Store.open(directory: folder, settings: StorageSettings(), now: begin)
        let targets = ["gw", "vpn-west"].map { name in
            TargetSpec(
                id: Fixtures.id(name), kind: .gateway, title: text ?? (name == "gw" ? nil : "VPN west"),
                address: .ip(IPAddress(v4: 0xC000_0201), zone: nil),
                probes: [
                    ProbeSpec(
                        id: "icmp", interval: .seconds(10), timeout: .seconds(2), options: .icmp(ICMPOptions()))
                ])
        }
        try opened.store.start()
        opened.store.sync(targets: targets, site: text ?? "Branch West")
        for (offset, target) in targets.enumerated() {
            for index in 0..<30 {
                let sent = begin + .seconds(10 * index)
                let outcome: Outcome =
                    offset == 1 && index >= 20 ? .lost : .ok(rtt: .milliseconds(40 + Int64(index % 3)))
                opened.store.append(
                    Round(
                        series: SeriesKey(target: target.id, probe: "icmp", address: IPAddress(v4: 0xC000_0201)),
                        kind: .icmp, scheduled: sent, finished: MonotonicTime(nanoseconds: 1),
                        results: [
                            ProbeResult(
                                sent: sent, sequence: UInt32(index), outcome: outcome, source: .kernel, note: text)
                        ]))
            }
        }
        let reason = text ?? "no answer to icmp"
        let down = Verdict(state: .down, since: begin + .seconds(220), reason: reason, layer: .target)
        opened.store.record(
            Transition(target: targets[0].id, from: .unknown, verdict: Verdict(state: .up, since: begin, reason: "")))
        opened.store.record(Transition(target: targets[1].id, from: .up, verdict: down))
        opened.store.save(
            Incident(
                id: 1, rule: "down", target: targets[1].id, severity: .critical, opened: begin + .seconds(220),
                reason: reason))
        opened.store.close()
        try body(folder + "/tautline.db")
    }

    private func run(_ arguments: [String], _ path: String) -> CommandLineTests.Outcome {
        CommandLineTests.run(arguments + ["--db", path, "--socket", "/nonexistent/control.sock"])
    }

    @Test func everyReadingVerbAnswers() throws {
        try Self.withDatabase { path in
            let status = run(["status"], path)
            #expect(status.code == 0)
            let headline = "Branch West: 1 of 2 targets down: VPN west since 14:28 (no answer to icmp)"
            #expect(status.output.hasPrefix(headline))
            #expect(status.output.contains("! from the database: tautd was stopped; the newest data are 10 s old"))
            let report = try JSONDecoder().decode(
                StatusReport.self, from: Data(run(["status", "--json"], path).output.utf8))
            #expect(!report.daemon.running)
            #expect(report.targets.map { $0.state } == ["up", "down"])
            #expect(report.targets[0].rttP50 == 41_000)
            #expect(report.targets[1].lost == 10)
            #expect(report.targets[1].lossPercent == 33.333)
            #expect(report.incidentsOpen.map { $0.id } == [1])

            let check = run(["check", "vpn-west"], path)
            #expect(check.code == 2)
            #expect(check.output.hasPrefix("CRITICAL - VPN west down since 14:28: no answer to icmp"))
            #expect(run(["check", "gw"], path).code == 0)
            #expect(run(["check", "gw", "-w", "30ms", "-c", "100ms"], path).code == 1)
            #expect(run(["check", "no-such"], path).code == 3)

            #expect(run(["why", "vpn-west"], path).output.contains("up to down: no answer to icmp"))
            #expect(run(["incidents", "--open"], path).output.contains("no answer to icmp"))
            #expect(run(["silences"], path).output == "no silences\n")
            #expect(run(["flows"], path).code == 2)
        }
    }

    @Test func historyAndGraphShowTheLoss() throws {
        try Self.withDatabase { path in
            let history = run(["history", "vpn-west", "--since", "10m", "--step", "1m", "--format", "csv"], path)
            #expect(history.code == 0)
            let rows = history.output.split(separator: "\n").dropFirst().map {
                $0.split(separator: ",", omittingEmptySubsequences: false)
            }
            #expect(rows.compactMap { Int($0[1]) }.reduce(0, +) == 30)
            #expect(rows.compactMap { Int($0[2]) }.reduce(0, +) == 10)
            #expect(history.notes.contains("2026-11-24 14:20:00 to 2026-11-24 14:30:00"))
            let graph = run(["graph", "VPN West", "--since", "10m", "--width", "80"], path)
            #expect(graph.code == 0)
            #expect(graph.output.contains("\n     loss"))
            #expect(graph.output.contains("█"))
        }
    }

    @Test func wrongNamesSuggestTheNearest() throws {
        try Self.withDatabase { path in
            let status = run(["status", "vpn-wset"], path)
            #expect(status.code == 2)
            #expect(status.notes == "taut: no target \"vpn-wset\"; did you mean \"vpn-west\"?\n")
            let history = run(["history", "gw", "--probe", "icpm"], path)
            #expect(history.code == 2)
            #expect(history.notes.contains("did you mean \"icmp\"?"))
            // Each verb that takes a target, by id or by title.
            for verb in ["why", "history", "graph", "compare", "export"] {
                let outcome = run([verb, "vpn-wset"], path)
                #expect(outcome.code == 2 && outcome.notes.contains("did you mean \"vpn-west\"?"), "\(verb)")
                #expect(run([verb, "VPN Wets"], path).notes.contains("did you mean \"VPN west\"?"), "\(verb)")
            }
            let check = run(["check", "vpn-wset"], path)
            #expect(check.code == 3 && check.output.contains("did you mean \"vpn-west\"?"))
            #expect(run(["export", "gw", "--probe", "icpm"], path).notes.contains("did you mean \"icmp\"?"))
            let report = run(["report", "--by", "stie"], path)
            #expect(
                report.code == 2 && report.notes == "taut: no target has a label \"stie\"; did you mean \"site\"?\n")
            #expect(SilenceVerb.note("vpn-*", targets: ["gw", "vpn-west"]) == nil)
            let note = "no target matches \"gww\" now; did you mean \"gw\"?"
            #expect(SilenceVerb.note("gww", targets: ["gw", "vpn-west"]) == note)
            #expect(SilenceVerb.note("uplink", targets: ["gw"]) == nil, "the uplink is no target, and can be silenced")
        }
    }

    /// What is told of the database's first target with the daemon down.
    private func firstTarget(_ path: String, now: WallTime) throws -> StatusReport.Target {
        let reader = try StoreReader(path: path)
        let stored = try #require(try reader.targets().first)
        return StatusReport.Target(
            MonitorSource.subject(stored), verdict: try reader.verdicts()[stored.id],
            series: MonitorSource.series(try reader.results(of: stored.id, limit: 100)), now: now, isLive: false)
    }

    /// Hours later nothing of it is true any more, and nothing claims to be.
    @Test func oldDataAreUnknown() throws {
        try Self.withDatabase { path in
            let target = try firstTarget(path, now: Fixtures.now + .seconds(3_600))
            #expect(target.state == "unknown")
            #expect(target.lastKnownState == "up")
        }
    }

    /// With the daemon down and the clock set back, results of the future are not fresh.
    @Test(arguments: [(seconds: 5, state: "up"), (seconds: 3_600, state: "unknown")])
    func resultsOfTheFutureAreUnknown(clockSetBack: (seconds: Int, state: String)) throws {
        try Self.withDatabase { path in
            let target = try firstTarget(path, now: Fixtures.now - .seconds(10 + clockSetBack.seconds))
            #expect(target.state == clockSetBack.state)
            #expect(target.lastKnownState == (clockSetBack.state == "up" ? nil : "up"))
        }
    }
}
