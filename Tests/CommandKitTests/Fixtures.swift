import Control
import Foundation
import Model
import Wire

@testable import CommandKit

/// A fixed world: 2026-11-24T13:30:00Z, read in a zone one hour east.
enum Fixtures {
    static let now = WallTime(seconds: 1_795_527_000)
    static let zone = TimeZone(secondsFromGMT: 3_600) ?? .gmt
    static let clock = LocalClock(now: now, timeZone: zone)

    static func id(_ text: String) -> TargetID { TargetID(sanitising: text) }

    /// A result every ten seconds, the newest at `now`; nil is a lost packet.
    static func results(milliseconds: [Double?], source: MeasurementSource = .kernel) -> [ProbeResult] {
        milliseconds.enumerated().map { index, rtt in
            ProbeResult(
                sent: now - .seconds(10 * (milliseconds.count - 1 - index)), sequence: UInt32(index),
                outcome: rtt.map { .ok(rtt: .microseconds(Int64($0 * 1_000))) } ?? .lost, source: source)
        }
    }

    static func target(
        _ name: String, kind: TargetKind = .vpn, title: String? = nil, verdict: Verdict?,
        milliseconds: [Double?], isLive: Bool = true, address: String = "192.0.2.1"
    ) -> StatusReport.Target {
        StatusReport.Target(
            StatusReport.Subject(
                id: id(name), title: title ?? name, kind: kind, address: address, interval: .seconds(10)),
            verdict: verdict,
            series: [
                StatusReport.ProbeSeries(
                    probe: "icmp", kind: .icmp, address: IPAddress(address),
                    results: results(milliseconds: milliseconds))
            ], now: now, isLive: isLive)
    }

    static func verdict(_ state: TargetState, minutesAgo: Int, _ reason: String = "", layer: FaultLayer? = nil)
        -> Verdict
    {
        Verdict(
            state: state, since: now - .seconds(60 * minutesAgo), reason: reason, layer: layer,
            evidence: reason.isEmpty ? [] : ["3 rounds of icmp in a row failed"])
    }

    static var targets: [StatusReport.Target] {
        [
            target(
                "vpn-west", title: "VPN west",
                verdict: verdict(.down, minutesAgo: 27, "no answer to icmp", layer: .target),
                milliseconds: [40.1, 40.2, 40.0, 40.4, nil, nil, nil, nil]),
            target(
                "vpn-east", title: "VPN east",
                verdict: verdict(.degraded, minutesAgo: 3 * 1_440, "20 % of 10 packets lost", layer: .path),
                milliseconds: [12.5, 13.0, nil, 12.9, 25.0, nil, 14.0, 12.4, 12.6, 13.1]),
            target(
                "gw", kind: .gateway, title: "gateway", verdict: verdict(.up, minutesAgo: 90),
                milliseconds: [0.31, 0.29, 0.33]),
            target("mail", kind: .saas, verdict: nil, milliseconds: []),
        ]
    }

    static var daemon: StatusReport.Daemon {
        var counters = CaptureCounters()
        counters.packets = 12_345
        counters.kernelDrops = 17
        counters.activeFlows = 42
        counters.drops = ["not-ip": 100]
        return StatusReport.Daemon(
            running: true, pid: 4_711, version: "0.1.0", started: now - .seconds(7_200), dataAge: .milliseconds(1_500),
            configRefused: ["/etc/tautline/tautline.yaml:3:5: interval: a number without a unit; did you mean 10s?"],
            storage: StatusReport.Storage(
                databaseBytes: 1 << 20, queued: 3, dropped: 0, committed: 1_000, lastCommit: now - .seconds(4),
                lastError: nil),
            capture: [StatusReport.Capture(source: "any", counters: counters)],
            hooks: StatusReport.Hooks(pending: 1, failed: 0))
    }

    static var incident: Incident {
        Incident(
            id: 12, rule: "down", target: id("vpn-west"), severity: .critical, opened: now - .seconds(27 * 60),
            reason: "no answer to icmp", layer: .target, evidence: ["3 rounds of icmp in a row failed"], suppressed: 2)
    }

    static var report: StatusReport {
        StatusReport(
            generated: now, site: "lab", daemon: daemon, targets: targets,
            incidentsOpen: [StatusReport.OpenIncident(incident)],
            notices: [
                StatusReport.Notice(
                    MonitorEvent(
                        kind: .gap, start: now - .seconds(10_000), end: now - .seconds(7_200),
                        text: "the monitor was not running"))
            ], timeZone: zone)
    }

    /// Twenty-four hours in buckets of an hour: a slow hour, a lossy hour, a gap.
    static var history: HistorySeries {
        let start = now - .seconds(86_400)
        let rows = (0..<24).map { hour -> HistoryRow in
            var row = HistoryRow(start: start + .seconds(3_600 * hour), sent: 360, lost: 0, unknown: 0)
            if (9...10).contains(hour) {
                row.sent = 0
                row.unknown = 3
                row.gap = .seconds(3_600)
                return row
            }
            let base: Int64 = hour == 15 ? 90_000_000 : 40_000_000 + Int64(hour) * 100_000
            row.minimum = base - 1_000_000
            row.p50 = base
            row.p95 = base + 8_000_000
            row.p99 = base + 12_000_000
            row.maximum = base + 15_000_000
            row.jitter = 700_000
            if hour == 18 { row.lost = 180 }
            return row
        }
        let range = TimeRange(unchecked: start, until: now)
        return HistorySeries(
            target: "vpn-west", probe: "icmp", range: range, step: .seconds(3_600), level: "hours", rows: rows,
            gaps: [
                MonitorEvent(
                    kind: .gap, start: start + .seconds(9 * 3_600), end: start + .seconds(11 * 3_600),
                    text: "the monitor was not running")
            ])
    }

    /// The same with values that no network has.
    static func outlandish(_ extreme: Int64) -> HistorySeries {
        var series = history
        series.rows[3].minimum = extreme
        series.rows[4].p50 = extreme
        series.rows[5].p95 = extreme
        series.rows[6].maximum = extreme
        series.rows[7].lost = .max
        series.rows[8].start = WallTime(nanoseconds: extreme)
        return series
    }
}
