import LinuxSystem
import Model
import Synchronization
import Testing
import Wire

@testable import Probing

private let loopback = IPAddress(v4: 0x7F00_0001)

private func target(
    _ id: String, _ address: TargetAddress, _ options: ProbeOptions, probe: String = "probe",
    interval: Duration = .milliseconds(100), timeout: Duration = .milliseconds(100)
) -> TargetSpec {
    TargetSpec(
        id: TargetID(sanitising: id), kind: .host, address: address, family: .ipv4,
        probes: [ProbeSpec(id: probe, interval: interval, timeout: timeout, options: options)])
}

private func target(
    _ id: String, _ options: ProbeOptions, interval: Duration = .milliseconds(100),
    timeout: Duration = .milliseconds(100)
) -> TargetSpec {
    target(id, .ip(loopback, zone: nil), options, interval: interval, timeout: timeout)
}

/// A TCP port on which somebody listens.
private final class Listener {
    private let socket: OwnedDescriptor
    let port: UInt16

    init() throws {
        socket = try InternetSocket.stream(isIPv6: false)
        try InternetSocket.bind(socket.rawValue, to: SocketAddress(IPAddress(v4: 0)))
        try InternetSocket.listen(socket.rawValue, backlog: 1_000)
        port = try InternetSocket.localAddress(socket.rawValue).port
    }

    var options: ProbeOptions { .tcp(TCPOptions(port: port)) }
}

@Suite(.serialized)
struct ProbeEngineTests {
    @Test
    func roundsComeInOrderAndOnTheGrid() async throws {
        let listener = try Listener()
        let collector = RoundCollector()
        let engine = ProbeEngine(sockets: .none, resolver: ResolverConfiguration(), onRound: collector.take)
        engine.update(targets: [target("a", listener.options), target("b", listener.options)])
        try engine.start()
        #expect(await collector.wait { $0.count >= 12 })
        engine.stop()
        let after = collector.rounds.count
        try await Task.sleep(for: .milliseconds(250))
        #expect(collector.rounds.count == after, "nothing is reported after stop")
        for id in ["a", "b"] {
            let own = collector.rounds.filter { $0.series.target.rawValue == id }
            #expect(own.count >= 5)
            #expect(own.map { $0.results[0].sequence } == Array(0..<UInt32(own.count)))
            for (one, next) in zip(own, own.dropFirst()) {
                let gap = (next.scheduled - one.scheduled).clampedNanoseconds
                let ticks = Int64(next.missedTicks) + 1
                #expect(abs(gap - ticks * 100_000_000) < 2_000_000)
            }
            // On a busy machine a round of ours may come to nothing, and then says so; it is never the target's fault.
            // Only the first ones: nobody accepts, so the listener's queue fills when the engine runs on for long.
            let names = own.prefix(100).map { $0.results[0].outcome.name }
            #expect(names.contains("ok") && names.allSatisfy { ["ok", "indeterminate"].contains($0) }, "\(names)")
            #expect(own.allSatisfy { $0.lateness >= .zero && $0.lateness <= engine.counters.latenessMax })
        }
        #expect(engine.counters.rounds == UInt64(after))
        #expect(engine.counters.latenessMax > .zero)
    }

    @Test
    func aReloadKeepsSequenceAndPhase() async throws {
        let listener = try Listener()
        let collector = RoundCollector()
        let engine = ProbeEngine(sockets: .none, resolver: ResolverConfiguration(), onRound: collector.take)
        try engine.start()
        let kept = target("kept", listener.options)
        engine.update(targets: [kept, target("gone", listener.options)])
        #expect(await collector.wait { $0.filter { $0.series.target == kept.id }.count >= 3 })
        engine.update(targets: [kept, target("new", listener.options)])
        #expect(await collector.wait { $0.contains { $0.series.target.rawValue == "new" } })
        let mark = collector.rounds.count
        #expect(await collector.wait { $0.dropFirst(mark).filter { $0.series.target == kept.id }.count >= 2 })
        engine.stop()
        let own = collector.rounds.filter { $0.series.target == kept.id }
        #expect(own.map { $0.results[0].sequence } == Array(0..<UInt32(own.count)))
        let phases = Set(own.map { ($0.scheduled.nanoseconds / 1_000_000) % 100 })
        #expect((phases.max() ?? 0) - (phases.min() ?? 0) <= 2)
        #expect(!collector.rounds.dropFirst(mark).contains { $0.series.target.rawValue == "gone" })
        #expect(engine.counters.probes == 2)
    }

    @Test
    func aStallIsOursAndNotALoss() async throws {
        let responder = try DNSResponder()
        let listener = try Listener()
        let collector = RoundCollector()
        let recorder = EventRecorder()
        let blocker = Blocker(times: 1)
        let engine = ProbeEngine(
            sockets: ProbeSockets.open().sockets, resolver: ResolverConfiguration(), onEvent: recorder.take,
            onRound: { round in
                collector.take(round)
                if round.series.target.rawValue == "blocker", round.results[0].sequence == 3 { blocker.block() }
            })
        engine.update(targets: [
            target("blocker", listener.options),
            target(
                "silent", .ip(loopback, zone: nil), .dns(DNSOptions(name: "silent.test", port: responder.port)),
                timeout: .milliseconds(300)),
            target("good", .ip(loopback, zone: nil), .dns(DNSOptions(name: "good.test", port: responder.port))),
        ])
        try engine.start()
        #expect(await collector.wait { $0.filter { $0.series.target.rawValue == "blocker" }.count >= 20 })
        engine.stop()
        responder.stop()
        #expect(recorder.events.contains { $0.kind == .stall })
        let silent = collector.rounds.filter { $0.series.target.rawValue == "silent" }.map { $0.results[0].outcome }
        #expect(silent.contains(.indeterminate(.schedulerStall)))
        #expect(silent.contains(.lost), "without a stall silence is loss")
        // What was answered while we stood still has the kernel's stamps: true times, no matter when we read it.
        for round in collector.rounds where round.series.target.rawValue == "good" {
            #expect(round.results[0].outcome.name == "ok")
            #expect(round.results[0].outcome.rtt ?? .seconds(1) < .milliseconds(60))
        }
        #expect(engine.counters.missedTicks >= 3)
        #expect(engine.counters.stalls >= 1)
    }

    @Test
    func aFailingResolverKeepsTheAddress() async throws {
        let responder = try DNSResponder()
        let listener = try Listener()
        let collector = RoundCollector()
        let engine = ProbeEngine(
            sockets: .none,
            resolver: ResolverConfiguration(
                servers: [SocketAddress(loopback, port: responder.port)], timeout: .milliseconds(100), attempts: 1,
                minimumTTL: .milliseconds(200), maximumTTL: .milliseconds(300)),
            onRound: collector.take)
        engine.update(targets: [target("named", .name("good.test"), listener.options)])
        try engine.start()
        #expect(await collector.wait { $0.count >= 3 })
        #expect(collector.rounds.allSatisfy { $0.staleAddressAge == nil })
        responder.fallSilent()
        #expect(await collector.wait { $0.last?.staleAddressAge != nil })
        let stale = collector.rounds.filter { $0.staleAddressAge != nil }
        #expect(stale.allSatisfy { $0.series.address == loopback && $0.results[0].outcome.name == "ok" })
        responder.speak()
        #expect(await collector.wait { $0.last?.staleAddressAge == nil })
        engine.stop()
        responder.stop()
    }

    @Test
    func linkProbesFollowTheNetwork() async throws {
        let collector = RoundCollector()
        let engine = ProbeEngine(sockets: .none, resolver: ResolverConfiguration(), onRound: collector.take)
        engine.update(targets: [target("eth0", .interface("wan0"), .link)])
        engine.networkChanged(state(carrier: true))
        try engine.start()
        #expect(await collector.wait { $0.last?.results[0].outcome == .ok(rtt: nil) })
        engine.networkChanged(state(carrier: false))
        #expect(await collector.wait { $0.last?.results[0].outcome == .error(.linkDown) })
        #expect(collector.rounds.last?.series.address == nil)
        engine.stop()
    }

    @Test
    func descriptorsAreRationedAndWaitersServed() async throws {
        let listener = try Listener()
        let loop = try EventLoop()
        var tuning = ProbeTuning()
        tuning.descriptorLimit = 2
        var outcomes: [Outcome] = []
        let probes = ProbeLoop(
            loop: loop, sockets: .none, shared: SharedState(resolver: ResolverConfiguration()), heartbeat: Heartbeat(),
            tuning: tuning, onEvent: { _ in }, onRound: { outcomes.append($0.results[0].outcome) })
        let silent = try InternetSocket.datagram(isIPv6: false)
        try InternetSocket.bind(silent.rawValue, to: SocketAddress(loopback))
        let silentPort = try InternetSocket.localAddress(silent.rawValue).port
        // Two that hold their sockets for 450 ms, and twenty that have to wait for one, 300 ms at most.
        let holders = (0..<2).map {
            target(
                "h\($0)", .dns(DNSOptions(name: "a.test", port: silentPort)), interval: .milliseconds(400),
                timeout: .milliseconds(300))
        }
        let waiters = (0..<20).map {
            target("w\($0)", listener.options, interval: .milliseconds(400), timeout: .milliseconds(300))
        }
        probes.schedule(holders + waiters)
        probes.run { loop in
            loop.limit(rounds: 1)
            return loop.hasBegun(rounds: 1) && !loop.hasOpenWork
        }
        #expect(outcomes.count == 22)
        #expect(outcomes.filter { $0 == .indeterminate(.descriptorsExhausted) }.count == 20)
        #expect(outcomes.filter { $0 == .lost }.count == 2)
    }

    @Test(.enabled(if: ProbeSockets.open().sockets.kind4 == .raw, "raw ICMP needs CAP_NET_RAW"))
    func fiveThousandTargetsASecond() async throws {
        let sockets = ProbeSockets.open().sockets
        let tally = Tally()
        let engine = ProbeEngine(sockets: sockets, resolver: ResolverConfiguration()) { tally.take($0) }
        engine.update(
            targets: (0..<5_000).map { index in
                target(
                    "t\(index)", .ip(IPAddress(v4: 0x7F01_0000 + UInt32(index)), zone: nil), .icmp(ICMPOptions()),
                    interval: .seconds(1), timeout: .seconds(1))
            })
        try engine.start()
        try await Task.sleep(for: .seconds(3))
        engine.stop()
        let counters = engine.counters
        #expect(counters.sent + counters.missedTicks > 10_000, "\(counters)")
        #expect(counters.lost == 0)
        #expect(tally.rounds >= 9_000 || counters.missedTicks > 0)
        #expect(tally.kernel == tally.rounds)
    }

    private func state(carrier: Bool) -> NetworkState {
        NetworkState(links: [NetworkState.Link(index: 2, name: "wan0", isUp: true, hasCarrier: carrier)])
    }
}

private final class EventRecorder: Sendable {
    private let state = Mutex<[MonitorEvent]>([])
    func take(_ event: MonitorEvent) { state.withLock { $0.append(event) } }
    var events: [MonitorEvent] { state.withLock { $0 } }
}

/// Blocks the probe thread for longer than the stall bound, so many times.
private final class Blocker: Sendable {
    private let left: Atomic<Int>
    init(times: Int) { left = Atomic(times) }
    func block() {
        guard left.subtract(1, ordering: .relaxed).oldValue > 0 else { return }
        pause(microseconds: 700_000)
    }
}

private final class Tally: Sendable {
    private let state = Mutex((rounds: 0, kernel: 0))
    func take(_ round: Round) {
        state.withLock {
            $0.rounds += 1
            if round.results[0].outcome.name == "ok", round.results[0].source == .kernel { $0.kernel += 1 }
        }
    }
    var rounds: Int { state.withLock { $0.rounds } }
    var kernel: Int { state.withLock { $0.kernel } }
}
