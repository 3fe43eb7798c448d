import Control
import Foundation
import Model
import Statistics
import Testing

@testable import CommandKit

enum JSONReading {
    static func string(_ text: String, key: String) throws -> String? {
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return object?[key] as? String
    }
}

@Suite struct JSONTests {
    /// The order of keys is part of the contract: an object begins with schema and generated.
    @Test func reportsBeginWithTheirSchema() throws {
        let status = try JSONValue(encoding: Fixtures.report).text(pretty: false)
        #expect(
            status.hasPrefix("{\"schema\":\"taut/status/1\",\"generated\":\"2026-11-24T13:30:00.000Z\",\"verdict\":"))
        let flows = try JSONValue(encoding: FlowsFixture.report).text(pretty: false)
        #expect(flows.hasPrefix("{\"schema\":\"taut/flows/1\",\"generated\":"))
    }

    @Test func unknownIsNullAndNeverLeftOut() throws {
        let target = try JSONValue(encoding: Fixtures.targets[3])
        guard case .object(let members) = target else {
            Issue.record("not an object")
            return
        }
        let values = Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        for key in [
            "site", "since", "layer", "loss_percent", "rtt_p50_us", "rtt_p95_us", "rtt_p99_us", "jitter_us", "last",
            "source",
            "stale_address_age_s",
        ] {
            #expect(values[key] == .null, "\(key)")
        }
        #expect(values["sent"] == .integer(0))
    }

    /// What the control socket carries comes out the same at the other end, by Foundation's coders too.
    @Test func reportsRoundTrip() throws {
        let report = Fixtures.report
        #expect(try JSONDecoder().decode(StatusReport.self, from: JSONEncoder().encode(report)) == report)
        let ordered = try JSONValue(encoding: report).text(pretty: true)
        #expect(try JSONDecoder().decode(StatusReport.self, from: Data(ordered.utf8)) == report)
        let flows = FlowsFixture.report
        #expect(try JSONDecoder().decode(FlowsReport.self, from: JSONEncoder().encode(flows)) == flows)
    }

    @Test func anOlderReportWithoutNewKeysIsRead() throws {
        var text = try JSONValue(encoding: Fixtures.report).text(pretty: false)
        text = text.replacingOccurrences(of: "\"site\":\"lab\",", with: "")
        #expect(try JSONDecoder().decode(StatusReport.self, from: Data(text.utf8)).site == nil)
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1"), (-2.5, "-2.5"), (0.1, "0.1"), (40_123.456, "40123.456"), (1e300, "1e+300"),
        (.nan, "null"), (.infinity, "null"),
    ])
    func numbers(value: Double, text: String) {
        #expect(JSONValue.number(value).text(pretty: false) == text)
    }
}

@Suite struct StatusReportTests {
    @Test func figuresCountUnknownApart() {
        var results = Fixtures.results(milliseconds: [10, nil, 30, 20])
        results[1].outcome = .indeterminate(.linkDown)
        results.append(
            ProbeResult(sent: Fixtures.now, sequence: 9, outcome: .refused(rtt: .milliseconds(1)), source: .kernel))
        let target = StatusReport.Target(
            StatusReport.Subject(id: Fixtures.id("x"), title: "x", kind: .host, interval: .seconds(10)), verdict: nil,
            series: [StatusReport.ProbeSeries(probe: "tcp-443", kind: .tcp, address: nil, results: results)],
            now: Fixtures.now, isLive: true)
        #expect(target.sent == 4)
        #expect(target.lost == 1)
        #expect(target.unknown == 1)
        #expect(target.lossPercent == 25)
        #expect(target.rttP50 == 20_000)
        #expect(target.rttP95 == 30_000)
        #expect(target.rttP99 == 30_000)
        #expect(target.spark == [10_000, nil, 30_000, 20_000, nil])
        #expect(target.sparkOutcomes == ["ok", "indeterminate", "ok", "ok", "refused"])
    }

    /// A name that never resolved has results and no change of state; since when it is unknown cannot be told by them.
    @Test func whatWasNeverJudgedSaysSoWithoutABeginning() {
        var results = Fixtures.results(milliseconds: [10, 20])
        for index in results.indices { results[index].outcome = .unresolved }
        let target = StatusReport.Target(
            StatusReport.Subject(id: Fixtures.id("x"), title: "x", kind: .host, interval: .seconds(10)), verdict: nil,
            series: [StatusReport.ProbeSeries(probe: "icmp", kind: .icmp, address: nil, results: results)],
            now: Fixtures.now, isLive: false)
        #expect(target.state == "unknown" && target.since == nil)
        #expect(target.reason == "never seen up or down; the newest result is unresolved")
    }

    @Test func icmpIsThePrimaryProbe() {
        let icmp = StatusReport.ProbeSeries(
            probe: "ping", kind: .icmp, address: nil, results: Fixtures.results(milliseconds: [1]))
        let tcp = StatusReport.ProbeSeries(
            probe: "a-tcp", kind: .tcp, address: nil, results: Fixtures.results(milliseconds: [9]))
        for series in [[icmp, tcp], [tcp, icmp]] {
            let target = StatusReport.Target(
                StatusReport.Subject(id: Fixtures.id("x"), title: "x", kind: .host), verdict: nil, series: series,
                now: Fixtures.now, isLive: true)
            #expect(target.probe == "ping")
            #expect(target.probes.map { $0.probe } == ["ping", "a-tcp"])
        }
    }

    /// The live report and the one out of the database are made by the same code from the same results.
    @Test func liveAndStoredAreAlikeWhileTheDataAreFresh() {
        let verdict = Fixtures.verdict(.up, minutesAgo: 3)
        let live = Fixtures.target("x", verdict: verdict, milliseconds: [1, 2, nil], isLive: true)
        let stored = Fixtures.target("x", verdict: verdict, milliseconds: [1, 2, nil], isLive: false)
        #expect(live == stored)
    }

    @Test func theVerdictNamesTheWorstFirst() {
        #expect(
            Fixtures.report.verdict
                == "1 of 4 targets down: VPN west since 14:03 (no answer to icmp) · 1 degraded: VPN east since Nov 21 14:30 "
                + "(20 % of 10 packets lost) · 1 unknown: mail (no result yet)")
        #expect(Fixtures.report.state == "down")
        let up = StatusReport(
            generated: Fixtures.now, daemon: Fixtures.daemon, targets: [Fixtures.targets[2]], timeZone: Fixtures.zone)
        #expect(up.verdict == "the one target is up")
        let none = StatusReport(generated: Fixtures.now, daemon: Fixtures.daemon, targets: [], timeZone: Fixtures.zone)
        #expect(none.state == "unknown")
    }

    @Test func flowsAreGroupedAndMerged() {
        let report = FlowsFixture.report
        #expect(report.rows.count == 2)
        #expect(report.rows[0].server?.count == 5)
        #expect(report.rows[0].client?.p50 == 20_000)
        #expect(report.rows[0].retransmissions == 2)
        #expect(report.rows[0].failures == 1)
        #expect(report.rows[1].name == nil)
        let byInterface = FlowsReport(
            generated: Fixtures.now, since: nil, until: nil, by: .interface, cells: FlowsFixture.cells, capture: [])
        #expect(Set(byInterface.rows.compactMap { $0.name }) == ["eth0", "wg0"])
    }

    @Test func flowsRowsAreBounded() {
        let cells = (0..<1_500).map { index in
            (FlowsFixture.key("s\(index)", .dns, .full), FlowsFixture.cell(milliseconds: [1]))
        }
        let report = FlowsReport(
            generated: Fixtures.now, since: nil, until: nil, by: .service, cells: cells, capture: [])
        #expect(report.rows.count == FlowsReport.maximumRows)
        #expect(report.rowsOmitted == 500)
    }
}
