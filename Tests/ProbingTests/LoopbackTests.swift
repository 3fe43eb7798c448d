import LinuxSystem
import Model
import Synchronization
import Testing
import Wire

@testable import Probing

private let loopback4 = IPAddress(v4: 0x7F00_0001)
private let loopback6 = IPAddress(v6High: 0, low: 1)
/// Raw ICMP needs CAP_NET_RAW; without it these tests are skipped, and the run says so.
private let canPing = ProbeSockets.open().sockets.kind4 != .unavailable

/// Collects what an engine reports.
final class RoundCollector: Sendable {
    private let state = Mutex<[Round]>([])

    func take(_ round: Round) { state.withLock { $0.append(round) } }
    var rounds: [Round] { state.withLock { $0 } }

    /// Waits until `isEnough` is true of the rounds, at most `seconds`.
    func wait(seconds: Double = 5, _ isEnough: ([Round]) -> Bool) async -> Bool {
        let end = Clock.monotonic() + Int64(seconds * 1e9)
        while Clock.monotonic() < end {
            if isEnough(rounds) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return isEnough(rounds)
    }
}

func runOneShot(
    _ targets: [TargetAddress], _ options: ProbeOptions, count: Int = 2, interval: Duration = .milliseconds(100),
    timeout: Duration = .milliseconds(500), family: AddressFamily = .any,
    resolver: ResolverConfiguration = ResolverConfiguration()
) throws -> (results: [OneShotResult], counters: ProbeCounters) {
    var results: [OneShotResult] = []
    let request = OneShotRequest(
        targets: targets, family: family, options: options, count: count, interval: interval, timeout: timeout)
    let counters = try OneShot.run(request, sockets: ProbeSockets.open().sockets, resolver: resolver) {
        results.append($0)
    }
    return (results, counters)
}

@Suite(.serialized)
struct LoopbackTests {
    @Test(.enabled(if: canPing, "no ICMP socket is permitted"), arguments: [loopback4, loopback6])
    func echoOfTheHostItself(address: IPAddress) throws {
        let (results, counters) = try runOneShot(
            [.ip(address, zone: nil)], .icmp(ICMPOptions(count: 3, spacing: .milliseconds(10))))
        #expect(results.count == 6)
        for result in results {
            let rtt = try #require(result.result.outcome.rtt)
            #expect(rtt < .milliseconds(20) && rtt > .zero)
            #expect(result.result.source == .kernel)
            #expect(result.address == address)
        }
        #expect(results.map(\.result.sequence) == [0, 1, 2, 3, 4, 5])
        #expect(counters.sent == 6)
        #expect(counters.answered == 6)
        #expect(counters.rounds == 2)
        #expect(counters.foreign == 0 && counters.duplicates == 0)
    }

    @Test(.enabled(if: canPing, "no ICMP socket is permitted"), arguments: [16, 56, 1_472, 20_000])
    func echoOfAnySize(size: Int) throws {
        let (results, _) = try runOneShot(
            [.ip(loopback4, zone: nil), .ip(loopback6, zone: nil)], .icmp(ICMPOptions(size: size)), count: 1)
        #expect(results.count == 2)
        for result in results { #expect(result.result.outcome.standing == .answered) }
    }

    @Test(arguments: [loopback4, loopback6])
    func connectToAListener(address: IPAddress) throws {
        let listener = try InternetSocket.stream(isIPv6: address.isIPv6)
        try InternetSocket.bind(listener.rawValue, to: SocketAddress(address))
        try InternetSocket.listen(listener.rawValue)
        let port = try InternetSocket.localAddress(listener.rawValue).port
        let (results, counters) = try runOneShot([.ip(address, zone: nil)], .tcp(TCPOptions(port: port)))
        #expect(results.count == 2)
        for result in results {
            let rtt = try #require(result.result.outcome.rtt)
            #expect(rtt < .milliseconds(20))
            #expect(result.result.source == .tcpInfo)
            #expect(result.result.kernelRTT == rtt)
            #expect(result.result.note?.hasPrefix("connect=") == true)
        }
        #expect(counters.descriptorsInUse == 0 || counters.descriptorsInUse <= 2)
    }

    @Test
    func connectToAClosedPort() throws {
        let holder = try InternetSocket.stream(isIPv6: false)
        try InternetSocket.bind(holder.rawValue, to: SocketAddress(loopback4))
        let port = try InternetSocket.localAddress(holder.rawValue).port
        let (results, _) = try runOneShot([.ip(loopback4, zone: nil)], .tcp(TCPOptions(port: port)))
        #expect(results.count == 2)
        for result in results {
            guard case .refused(let rtt) = result.result.outcome else {
                Issue.record("\(result.result.outcome)")
                continue
            }
            #expect(rtt ?? .zero < .milliseconds(50))
        }
    }
}
