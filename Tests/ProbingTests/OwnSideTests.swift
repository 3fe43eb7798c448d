import Glibc
import LinuxSystem
import Model
import Synchronization
import Testing
import Wire

@testable import Probing

private let loopback4 = IPAddress(v4: 0x7F00_0001)
private let loopback6 = IPAddress(v6High: 0, low: 1)
private let neighbour4 = IPAddress(v4: 0xC000_0202)
private let neighbour6 = IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 2)

/// A link whose other end takes what comes and answers nothing.
private let silentLink =
    "ip link set lo up; ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up; "
    + "ip addr add 192.0.2.1/24 dev v0; ip addr add 2001:db8::1/64 dev v0 nodad; "
    + "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev v0; "
    + "ip -6 neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev v0; "

/// What goes wrong on our own side, or what strangers do to us, must not be told of the target.
@Suite(.serialized, .enabled(if: NetworkNamespace.isPermitted, "network namespaces need root"))
struct OwnSideTests {
    @Test(arguments: [neighbour4, neighbour6])
    func whatOurOwnQueueDropsIsNotLoss(address: IPAddress) throws {
        let setup = silentLink + "tc qdisc add dev v0 root tbf rate 8kbit burst 1600 limit 1600"
        let outcomes: [Outcome] = try NetworkNamespace.run(setup) {
            try runOneShot(
                [.ip(address, zone: nil)], .icmp(ICMPOptions(count: 8, spacing: .milliseconds(2), size: 1_000)),
                count: 1,
                timeout: .milliseconds(200)
            ).results.map(\.result.outcome)
        }
        #expect(outcomes.count == 8)
        #expect(outcomes.count { $0 == .indeterminate(.sendBufferFull) } >= 5, "\(outcomes)")
        #expect(outcomes.allSatisfy { $0 == .lost || $0 == .indeterminate(.sendBufferFull) })
    }

    @Test
    func silentNeighboursDoNotSilenceTheOthers() throws {
        let outcomes: [Outcome] = try NetworkNamespace.run(silentLink) {
            let silent = (10..<210).map { TargetAddress.ip(IPAddress(v4: 0xC000_0200 + $0), zone: nil) }
            return try runOneShot(
                silent + [.ip(neighbour4, zone: nil)], .icmp(ICMPOptions(count: 5, spacing: .milliseconds(2))),
                count: 2,
                interval: .milliseconds(500), timeout: .milliseconds(300)
            ).results.map(\.result.outcome)
        }
        #expect(outcomes.count { $0 == .indeterminate(.sendBufferFull) } == 0)
    }

    @Test(arguments: [10_000, 500])
    func wrongChecksumsFromStrangersHideNoOutage(microsecondsApart: UInt32) throws {
        let setup = "ip link set lo up; echo 1 > /proc/sys/net/ipv6/icmp/echo_ignore_all"
        let (outcomes, counters): ([Outcome], ProbeCounters) = try NetworkNamespace.run(setup) {
            let stranger = try Stranger(microsecondsApart: microsecondsApart)
            defer { stranger.stop() }
            let (results, counters) = try runOneShot(
                [.ip(loopback6, zone: nil)], .icmp(ICMPOptions()), count: 1, timeout: .milliseconds(1_500))
            return (results.map(\.result.outcome), counters)
        }
        #expect(outcomes == [.lost])
        #expect(counters.receiveDrops == 0)
    }

    @Test
    func ourOwnFirewallsRejectIsOurOwn() throws {
        let setup =
            silentLink + "nft add table inet t; nft add chain inet t o '{ type filter hook output priority 0; }'; "
            + "nft add rule inet t o tcp dport 81 reject; "
            + "nft add rule inet t o tcp dport 82 reject with icmpx type admin-prohibited"
        let outcomes: [Outcome] = try NetworkNamespace.run(setup) {
            try [neighbour4, neighbour6].flatMap { address -> [Outcome] in
                try [81, 82].flatMap { (port: UInt16) -> [Outcome] in
                    try runOneShot([.ip(address, zone: nil)], .tcp(TCPOptions(port: port)), count: 1)
                        .results.map(\.result.outcome)
                }
            }
        }
        #expect(outcomes == Array(repeating: .indeterminate(.sendRefused), count: 4))
    }

    @Test
    func noFreePortIsNoMissingAddress() throws {
        let setup = "ip link set lo up; echo 40000 40000 > /proc/sys/net/ipv4/ip_local_port_range"
        let results: [ProbeResult] = try NetworkNamespace.run(setup) {
            let listener = try InternetSocket.stream(isIPv6: false)
            try InternetSocket.bind(listener.rawValue, to: SocketAddress(loopback4, port: 7_000))
            try InternetSocket.listen(listener.rawValue)
            let holder = try InternetSocket.stream(isIPv6: false)
            _ = try InternetSocket.connect(holder.rawValue, to: SocketAddress(loopback4, port: 7_000))
            let results = try runOneShot([.ip(loopback4, zone: nil)], .tcp(TCPOptions(port: 7_000)), count: 1).results
            // Held until here.
            InternetSocket.shutdown(holder.rawValue)
            InternetSocket.shutdown(listener.rawValue)
            return results.map(\.result)
        }
        #expect(results.map(\.outcome) == [.indeterminate(.internalError)])
        #expect(results.first?.note == "no free local port")
    }

    @Test
    func aListenerThatResetsIsAListenerHoweverQuickItIs() throws {
        let results: [ProbeResult] = try NetworkNamespace.run("ip link set lo up") {
            let listener = try Resetter()
            defer { listener.stop() }
            return try runOneShot(
                [.ip(loopback4, zone: nil)], .tcp(TCPOptions(port: listener.port)), count: 300,
                interval: .milliseconds(3)
            ).results.map(\.result)
        }
        #expect(results.count == 300)
        for result in results {
            #expect(result.outcome.name == "ok" && result.source == .tcpInfo, "\(result)")
        }
    }
}

/// A thread that does the same thing again and again in its creator's network namespace until it is stopped.
private final class Repeater: Sendable {
    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    private let isStopping = Flag()
    private let thread: LinuxSystem.Thread

    init(_ body: @escaping @Sendable () -> Void) throws {
        let isStopping = isStopping
        thread = try LinuxSystem.Thread.start(name: "repeater") {
            while !isStopping.value.load(ordering: .relaxed) { body() }
        }
    }

    func stop() {
        isStopping.value.store(true, ordering: .relaxed)
        thread.join()
    }
}

/// Sends ICMPv6 echo replies with a wrong checksum to ::1.
private struct Stranger {
    private let repeater: Repeater

    init(microsecondsApart: UInt32) throws {
        // IPPROTO_RAW: the bytes begin with the IPv6 header, and the kernel mends nothing in them.
        let socket = try Syscall.descriptor("socket") {
            Glibc.socket(AF_INET6, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 255)
        }
        let number = socket.release()
        let addresses: [UInt8] = (0..<32).map { $0 == 15 || $0 == 31 ? 1 : 0 }
        let packet: [UInt8] =
            [0x60, 0, 0, 0, 0, 16, 58, 64] + addresses + [129, 0, 0x12, 0x34, 0, 1, 0, 1]
            + Array(repeating: 0, count: 8)
        repeater = try Repeater {
            let batch = SendBatch(capacity: 1, bytes: 128)
            _ = batch.append(packet, to: SocketAddress(IPAddress(v6High: 0, low: 1)), options: SendOptions())
            _ = batch.send(number, from: 0)
            pause(microseconds: microsecondsApart)
        }
    }

    func stop() { repeater.stop() }
}

/// Accepts connections on loopback and resets them at once.
private struct Resetter {
    let port: UInt16
    private let repeater: Repeater

    init() throws {
        let listener = try InternetSocket.stream(isIPv6: false)
        try InternetSocket.bind(listener.rawValue, to: SocketAddress(IPAddress(v4: 0x7F00_0001)))
        try InternetSocket.listen(listener.rawValue, backlog: 128)
        port = try InternetSocket.localAddress(listener.rawValue).port
        let number = listener.release()
        repeater = try Repeater {
            guard let accepted = try? InternetSocket.accept(number) else { return }
            var lingering = linger(l_onoff: 1, l_linger: 0)
            setsockopt(accepted.rawValue, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        }
    }

    func stop() { repeater.stop() }
}
