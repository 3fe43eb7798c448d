import LinuxSystem
import Model
import Synchronization
import Testing
import Wire

@testable import Probing

private let loopback4 = IPAddress(v4: 0x7F00_0001)
private let peer = IPAddress(v4: 0x7F00_0002)
private let far = IPAddress(v4: 0xC633_6401)

private let up = "ip link set lo up"
/// The kernel answers no echo here: whoever wants replies sends them.
private let mute = up + "; echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all"

/// An ICMP message to send, its source, and the microseconds to wait before it.
private struct Reply {
    let bytes: [UInt8]
    let source: IPAddress
    let delay: UInt32

    init(_ bytes: [UInt8], _ source: IPAddress, after delay: UInt32) {
        self.bytes = bytes
        self.source = source
        self.delay = delay
    }
}

private final class Recorder: Sendable {
    private let identifiers = Mutex<[UInt16]>([])

    func add(_ identifier: UInt16) { identifiers.withLock { $0.append(identifier) } }
    var all: [UInt16] { identifiers.withLock { $0 } }
}

private final class HeaderRecorder: Sendable {
    private let headers = Mutex<[[UInt8]]>([])

    @Sendable func add(_ header: [UInt8]) { headers.withLock { $0.append(header) } }
    var all: [[UInt8]] { headers.withLock { $0 } }
}

/// Answers echoes to 127.0.0.2 as a test wants them answered, from a raw socket.
private final class EchoResponder {
    private let thread: LinuxSystem.Thread
    private let isStopping: Flag

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    /// `answer` gets identifier, sequence and data of a request and returns ICMP messages. Runs on a thread that shares the caller's network namespace.
    init(
        inspect: @escaping @Sendable ([UInt8]) -> Void = { _ in },
        _ answer: @escaping @Sendable (ICMPEcho, [UInt8]) -> [Reply]
    ) throws {
        let socket = Transfer(Holder(try InternetSocket.rawICMP(isIPv6: false)))
        let isStopping = Flag()
        self.isStopping = isStopping
        thread = try LinuxSystem.Thread.start(name: "echo-responder") {
            let number = socket.value.descriptor.rawValue
            let inbox = ReceiveBatch(capacity: 1, size: 4_096)
            let outbox = SendBatch(capacity: 1, bytes: 4_096)
            while !isStopping.value.load(ordering: .relaxed) {
                guard case .value = inbox.receive(number) else {
                    pause(microseconds: 300)
                    continue
                }
                let datagram = inbox[0]
                guard let message = ICMPv4Message(datagram.bytes.suffix(from: 20)), message.isEchoRequest,
                    let echo = ICMPEcho(message)
                else { continue }
                inspect((0..<20).map { datagram.bytes.byte(at: $0) })
                let data = (0..<message.payload.byteCount).map { message.payload.byte(at: $0) }
                for reply in answer(echo, data) {
                    if reply.delay > 0 { pause(microseconds: reply.delay) }
                    _ = outbox.append(
                        reply.bytes, to: SocketAddress(loopback4), options: SendOptions(source: reply.source))
                    _ = outbox.send(number, from: 0)
                    outbox.removeAll()
                }
            }
        }
    }

    private final class Holder: Sendable {
        let descriptor: OwnedDescriptor
        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    }

    func stop() {
        isStopping.value.store(true, ordering: .relaxed)
        thread.join()
    }

    static func reply(_ echo: ICMPEcho, _ data: [UInt8], identifier: UInt16? = nil) -> [UInt8] {
        var packet: [UInt8] = []
        ICMPEcho(isReply: true, identifier: identifier ?? echo.identifier, sequence: echo.sequence)
            .writeICMPv4(payload: data, to: &packet)
        return packet
    }
}

/// What one echo to 127.0.0.2 comes to when it is answered so.
private func echo(
    _ setup: String = mute, timeout: Duration = .milliseconds(200), count: Int = 1,
    interval: Duration = .milliseconds(300),
    answer: @escaping @Sendable (ICMPEcho, [UInt8]) -> [Reply]
) throws -> (results: [OneShotResult], counters: ProbeCounters) {
    try NetworkNamespace.run(setup) {
        let responder = try EchoResponder(answer)
        defer { responder.stop() }
        return try runOneShot(
            [.ip(peer, zone: nil)], .icmp(ICMPOptions(source: ProbeSource(address: loopback4))), count: count,
            interval: interval, timeout: timeout)
    }
}

@Suite(.serialized, .enabled(if: NetworkNamespace.isPermitted, "network namespaces need root"))
struct NamespaceTests {
    @Test
    func silenceIsLossAndNothingElse() throws {
        let (results, counters) = try echo(count: 7) { _, _ in [] }
        #expect(results.map(\.result.outcome) == Array(repeating: .lost, count: 7))
        #expect(counters.lost == 7 && counters.indeterminate.isEmpty)
        #expect(counters.foreign == 0)
    }

    @Test
    func theIdentifierRotatesAfterLosses() throws {
        let seen = Recorder()
        _ = try echo(timeout: .milliseconds(50), count: 12, interval: .milliseconds(120)) { echo, _ in
            seen.add(echo.identifier)
            return []
        }
        let identifiers = seen.all
        #expect(identifiers.count == 12)
        #expect(Set(identifiers.prefix(5)).count == 1)
        #expect(Set(identifiers).count == 3)
    }

    @Test
    func ttlDSCPAndSizeAreOnTheWire() throws {
        let seen = HeaderRecorder()
        _ = try NetworkNamespace.run(mute) {
            let responder = try EchoResponder(inspect: seen.add) { _, _ in [] }
            defer { responder.stop() }
            return try runOneShot(
                [.ip(peer, zone: nil)],
                .icmp(
                    ICMPOptions(size: 100, ttl: 7, dscp: 46, source: ProbeSource(address: IPAddress(v4: 0x7F00_0005)))),
                count: 1, timeout: .milliseconds(100))
        }
        let header = try #require(seen.all.first)
        #expect(header[1] == 46 << 2)
        #expect(Int(header[2]) << 8 | Int(header[3]) == 128)
        #expect(header[8] == 7)
        #expect(Array(header[12..<16]) == [127, 0, 0, 5])
    }

    @Test
    func duplicatesAndForgeriesAreCountedApart() throws {
        let (results, counters) = try echo(count: 3) { echo, data in
            var forged = data
            forged[8] ^= 0xFF
            return [
                Reply(EchoResponder.reply(echo, forged), peer, after: 0),
                Reply(EchoResponder.reply(echo, data), loopback4, after: 0),
                Reply(EchoResponder.reply(echo, data, identifier: echo.identifier ^ 1), peer, after: 0),
                Reply(EchoResponder.reply(echo, data), peer, after: 20_000),
                Reply(EchoResponder.reply(echo, data), peer, after: 20_000),
                Reply(EchoResponder.reply(echo, data), peer, after: 0),
            ]
        }
        #expect(results.count == 3)
        for result in results {
            let rtt = try #require(result.result.outcome.rtt)
            #expect(rtt >= .milliseconds(20) && rtt < .milliseconds(40), "the forged ones before it are no answers")
        }
        #expect(counters.foreign == 9)
        #expect(counters.duplicates == 4, "those of the last round come after the end")
        #expect(results[1].duplicates == 2, "those that came after the first round belong to the next")
    }

    @Test
    func whatWasSpoiltOnTheWayIsNoAnswer() throws {
        let (results, counters) = try echo(count: 2) { echo, data in
            var reply = EchoResponder.reply(echo, data)
            reply[40] ^= 0xFF
            let header: [UInt8] = [0x45, 0, 0, 84, 0, 0, 0, 0, 1, 1, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]
            var quoted: [UInt8] = []
            ICMPEcho(identifier: echo.identifier, sequence: echo.sequence).writeICMPv4(payload: data, to: &quoted)
            var error: [UInt8] = []
            ICMPv4Error(type: 3, code: 1, quoted: header + quoted).write(to: &error)
            error[2] ^= 0xFF
            return [Reply(reply, peer, after: 0), Reply(error, peer, after: 0)]
        }
        #expect(results.map(\.result.outcome) == [.lost, .lost])
        #expect(counters.foreign == 2 && counters.answered == 0 && counters.errors == 0)
    }

    @Test
    func lateIsNeitherLostNorOk() throws {
        let late = try echo(timeout: .milliseconds(60), count: 2) { echo, data in
            [Reply(EchoResponder.reply(echo, data), peer, after: 75_000)]
        }
        for result in late.results {
            guard case .late(let rtt) = result.result.outcome else {
                Issue.record("\(result.result.outcome)")
                continue
            }
            #expect(rtt >= .milliseconds(75) && rtt < .milliseconds(90))
        }
        let tooLate = try echo(timeout: .milliseconds(60), count: 2) { echo, data in
            [Reply(EchoResponder.reply(echo, data), peer, after: 150_000)]
        }
        #expect(tooLate.results.allSatisfy { $0.result.outcome == .lost })
        #expect(tooLate.counters.tooLate == 1, "the second round ends the run before its answer")
    }

    @Test
    func errorsAreMatchedByTheQuotedHeader() throws {
        let router = IPAddress(v4: 0x7F00_0009)
        let (results, counters) = try echo(count: 1) { echo, data in
            var header: [UInt8] = [0x45, 0, 0, 84, 0, 0, 0, 0, 1, 1, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]
            var quoted: [UInt8] = []
            ICMPEcho(identifier: echo.identifier, sequence: echo.sequence).writeICMPv4(payload: data, to: &quoted)
            var wrong: [UInt8] = []
            header[19] = 3
            ICMPv4Error(type: 3, code: 1, quoted: header + quoted.prefix(8)).write(to: &wrong)
            var right: [UInt8] = []
            header[19] = 2
            ICMPv4Error(type: 11, code: 0, quoted: header + quoted.prefix(8)).write(to: &right)
            return [Reply(wrong, router, after: 0), Reply(right, router, after: 0)]
        }
        #expect(results.first?.result.outcome == .error(.timeExceeded))
        #expect(results.first?.result.note == "time-exceeded from 127.0.0.9")
        #expect(counters.unrelated >= 1)
    }

    @Test
    func withoutARouteNothingIsSaidAboutTheTarget() throws {
        let results = try NetworkNamespace.run(up) {
            try [
                ProbeOptions.icmp(ICMPOptions()), .tcp(TCPOptions(port: 80)), .dns(DNSOptions(name: "a.test")),
            ].map { try runOneShot([.ip(far, zone: nil)], $0, count: 1).results.map(\.result.outcome) }
        }
        // Loopback is the only link: it is our own link that is missing.
        #expect(results == Array(repeating: [.indeterminate(.linkDown)], count: 3))
        let routed = try NetworkNamespace.run(
            up + "; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up"
        ) {
            try runOneShot([.ip(far, zone: nil)], .icmp(ICMPOptions()), count: 1).results.map(\.result.outcome)
        }
        #expect(routed == [.indeterminate(.noRoute)])
    }

    @Test
    func aLinkWithoutCarrierIsOurOwnTrouble() throws {
        let setup =
            up + "; ip link add v0 type veth peer name v1; ip addr add 192.0.2.1/24 dev v0; ip link set v0 up; "
            + "ip route add default via 192.0.2.254"
        let results = try NetworkNamespace.run(setup) {
            try [
                ProbeOptions.icmp(ICMPOptions(count: 3)), .tcp(TCPOptions(port: 80)), .dns(DNSOptions(name: "a.test")),
            ].map { try runOneShot([.ip(far, zone: nil)], $0, count: 1).results.map(\.result.outcome) }
        }
        #expect(results == Array(repeating: [.indeterminate(.linkDown)], count: 3))
    }

    @Test
    func aNeighbourThatIsNotThereIsUnreachableAndADeadGatewayIsNot() throws {
        let setup =
            up + "; ip link add v0 type veth peer name v1; ip addr add 192.0.2.1/24 dev v0; ip link set v0 up; "
            + "ip link set v1 up; ip route add default via 192.0.2.254; "
            + "echo 100 > /proc/sys/net/ipv4/neigh/v0/retrans_time_ms"
        let neighbour = IPAddress(v4: 0xC000_024D)
        let results = try NetworkNamespace.run(setup) {
            try [neighbour, far].map {
                try runOneShot([.ip($0, zone: nil)], .icmp(ICMPOptions()), count: 1, timeout: .seconds(5))
                    .results.map(\.result.outcome)
            }
        }
        #expect(results == [[.error(.hostUnreachable)], [.indeterminate(.gatewayDown)]])
    }

    @Test
    func ourOwnFirewallIsNotLoss() throws {
        let setup =
            up + "; nft add table inet t; nft add chain inet t o '{ type filter hook output priority 0; }'; "
            + "nft add rule inet t o meta l4proto icmp drop; nft add rule inet t o udp dport 53 drop"
        let results = try NetworkNamespace.run(setup) {
            try [ProbeOptions.icmp(ICMPOptions(count: 2, spacing: .milliseconds(5))), .dns(DNSOptions(name: "a.test"))]
                .flatMap { try runOneShot([.ip(loopback4, zone: nil)], $0, count: 1).results.map(\.result.outcome) }
        }
        #expect(results == Array(repeating: .indeterminate(.sendRefused), count: 3))
    }

    @Test
    func aDroppedSYNIsLostAndARejectedOneNamed() throws {
        let setup =
            up + "; nft add table inet t; nft add chain inet t i '{ type filter hook input priority 0; }'; "
            + "nft add rule inet t i tcp dport 81 drop; "
            + "nft add rule inet t i tcp dport 82 reject with icmp type admin-prohibited; "
            + "nft add rule inet t i tcp dport 83 reject with icmp type host-unreachable"
        let outcomes = try NetworkNamespace.run(setup) {
            try [81, 82, 83, 84].map {
                try runOneShot(
                    [.ip(peer, zone: nil)], .tcp(TCPOptions(port: $0, source: ProbeSource(address: loopback4))),
                    count: 1
                ).results.map(\.result.outcome)
            }
        }
        #expect(outcomes[0] == [.lost])
        #expect(outcomes[1] == [.error(.prohibited)])
        #expect(outcomes[2] == [.error(.hostUnreachable)])
        #expect(outcomes[3].first?.name == "refused")
    }

    @Test
    func pingSocketsServeWhereRawOnesAreNotPermitted() throws {
        let permit = up + "; echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range"
        let results = try NetworkNamespace.run(permit) {
            var problems: [String] = []
            let sockets = ProbeSockets.ping(problems: &problems)
            #expect(sockets.kind4 == .ping && sockets.kind6 == .ping, "\(problems)")
            var results: [OneShotResult] = []
            let request = OneShotRequest(
                targets: [
                    .ip(loopback4, zone: nil), .ip(peer, zone: nil), .ip(IPAddress(v6High: 0, low: 1), zone: nil),
                ],
                options: .icmp(ICMPOptions(count: 2, spacing: .milliseconds(5))), count: 2,
                interval: .milliseconds(100), timeout: .milliseconds(300))
            _ = try OneShot.run(request, sockets: sockets, resolver: ResolverConfiguration()) { results.append($0) }
            return results
        }
        #expect(results.count == 12)
        for result in results {
            #expect(result.result.outcome.name == "ok")
            #expect(result.result.source == .kernel)
        }
    }

    @Test
    func aForeignSourceAddressIsOurOwnTrouble() throws {
        let outcomes = try NetworkNamespace.run(up) {
            let source = ProbeSource(address: IPAddress(v4: 0xC000_0201))
            return try [
                ProbeOptions.icmp(ICMPOptions(source: source)), .tcp(TCPOptions(port: 80, source: source)),
                .dns(DNSOptions(name: "a.test", source: source)),
            ].flatMap { try runOneShot([.ip(loopback4, zone: nil)], $0, count: 1).results.map(\.result.outcome) }
        }
        #expect(outcomes == Array(repeating: .indeterminate(.noSourceAddress), count: 3))
    }
}
