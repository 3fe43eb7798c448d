import Alerting
import LinuxSystem
import Model
import Storing
import Testing
import Wire

@testable import DaemonKit

/// The monitor as a value: rounds in, effects out.
@Suite struct MonitorTests {
    private static let start = WallTime(seconds: 1_800_000_000)

    private func monitor(rules: [AlertRule] = []) throws -> Monitor {
        var configuration = Configuration()
        configuration.discovery = DiscoverySettings(gateways: false, resolvers: false, interfaces: false)
        configuration.rules = rules
        configuration.targets = [
            TargetSpec(
                id: try #require(TargetID(rawValue: "vpn")), kind: .vpn,
                address: .ip(try #require(IPAddress("198.51.100.7")), zone: nil),
                probes: [
                    ProbeSpec(
                        id: "icmp", interval: .seconds(1), timeout: .seconds(1), options: .icmp(ICMPOptions()))
                ])
        ]
        return Monitor(
            configuration: configuration, network: NetworkState(), resolvers: [], restored: RestoredState(),
            now: Self.start)
    }

    private func round(_ number: Int, _ outcome: Outcome) throws -> Round {
        let sent = Self.start + .seconds(number)
        return Round(
            series: SeriesKey(
                target: try #require(TargetID(rawValue: "vpn")), probe: "icmp", address: IPAddress("198.51.100.7")),
            kind: .icmp, scheduled: sent, finished: MonotonicTime(nanoseconds: Int64(number) * 1_000_000_000),
            results: [ProbeResult(sent: sent, sequence: UInt32(number), outcome: outcome, source: .kernel)])
    }

    private func transitions(_ effects: [Monitor.Effect]) -> [TargetState] {
        effects.compactMap { if case .storeTransition(let change) = $0 { change.verdict.state } else { nil } }
    }

    private func incidents(_ effects: [Monitor.Effect]) -> [Incident] {
        effects.compactMap { if case .saveIncident(let incident) = $0 { incident } else { nil } }
    }

    @Test func everyRoundIsStoredAndAnOutageBecomesOneIncident() throws {
        var monitor = try monitor(rules: [AlertRule(name: "down", condition: .state(.down))])
        var all: [Monitor.Effect] = []
        for number in 0..<20 {
            let outcome: Outcome = (5..<12).contains(number) ? .lost : .ok(rtt: .milliseconds(40))
            let now = Self.start + .seconds(number)
            all += monitor.observe(try round(number, outcome), now: now)
            all += monitor.tick(now: now, monotonic: MonotonicTime(nanoseconds: Int64(number) * 1_000_000_000))
        }
        #expect(all.count { if case .store = $0 { true } else { false } } == 20)
        #expect(transitions(all) == [.up, .down, .up])
        let opened = incidents(all)
        #expect(Set(opened.map(\.id)).count == 1)
        #expect(opened.last?.closed != nil)
    }

    @Test func aRefusedReloadStaysVisibleUntilOneIsAccepted() throws {
        var monitor = try monitor()
        let before = monitor.targets
        _ = monitor.refuse(["x.yaml:1:1: nonsense"], now: Self.start)
        #expect(monitor.refusedConfiguration == ["x.yaml:1:1: nonsense"])
        #expect(monitor.targets == before)
        #expect(monitor.notices.first?.kind == .reloadRefused)
        _ = monitor.take(monitor.configuration, notes: [], now: Self.start)
        #expect(monitor.refusedConfiguration == nil)
    }

    @Test func aReloadKeepsTheVerdictByTargetID() throws {
        var monitor = try monitor()
        for number in 0..<6 {
            _ = monitor.observe(try round(number, .lost), now: Self.start + .seconds(number))
        }
        let id = try #require(TargetID(rawValue: "vpn"))
        let verdict = try #require(monitor.judge.verdict(for: id))
        var configuration = monitor.configuration
        configuration.targets[0].title = "renamed"
        _ = monitor.take(configuration, notes: [], now: Self.start + .seconds(7))
        #expect(monitor.judge.verdict(for: id)?.state == verdict.state)
        #expect(monitor.judge.verdict(for: id)?.since == verdict.since)
        #expect(monitor.window.series.values.first?.results.count == 6)
    }

    @Test func aRoundOfATargetThatIsGoneIsDropped() throws {
        var monitor = try monitor()
        var configuration = monitor.configuration
        configuration.targets = []
        _ = monitor.take(configuration, notes: [], now: Self.start)
        #expect(monitor.observe(try round(1, .lost), now: Self.start).isEmpty)
    }

    /// A reload once asked the new resolver for names, and went on watching the old one.
    @Test func aReloadWatchesTheResolversOfNow() throws {
        var monitor = try monitor()
        var configuration = monitor.configuration
        configuration.discovery.resolvers = true
        let old = try #require(IPAddress("192.0.2.53"))
        let new = try #require(IPAddress("192.0.2.54"))
        _ = monitor.take(configuration, notes: [], resolvers: [old], now: Self.start)
        #expect(monitor.targets.map(\.id.rawValue) == ["vpn", "resolver:192.0.2.53"])
        _ = monitor.take(configuration, notes: [], resolvers: [new], now: Self.start)
        #expect(monitor.targets.map(\.id.rawValue) == ["vpn", "resolver:192.0.2.54"])
    }

    @Test func silencesCountUpAndEnd() throws {
        var monitor = try monitor()
        let (first, _) = monitor.silence(match: "v*", duration: .seconds(60), reason: "a\u{1b}b", now: Self.start)
        let (second, _) = monitor.silence(match: "v*", duration: .seconds(60), reason: "", now: Self.start)
        #expect(first.id < second.id)
        #expect(first.reason == "a\\x1Bb")
        #expect(monitor.unsilence(first.id) != nil)
        #expect(monitor.unsilence(first.id) == nil)
    }
}
