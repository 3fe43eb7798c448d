import LinuxSystem
import Model
import Testing
import Wire

@testable import Probing

@Suite(.serialized)
struct DNSProbeTests {
    private func probe(
        _ name: String, type: UInt16 = 1, rcode: UInt8 = 0, answer: String? = nil, count: Int = 1
    ) throws -> (result: ProbeResult, foreign: UInt32, counters: ProbeCounters) {
        let responder = try DNSResponder()
        defer { responder.stop() }
        let options = DNSOptions(
            name: name, type: type, port: responder.port, expectedRcode: rcode, expectedAnswer: answer)
        let (results, counters) = try runOneShot(
            [.ip(DNSResponder.loopback, zone: nil)], .dns(options), count: count, timeout: .milliseconds(300))
        let last = try #require(results.last)
        #expect(results.count == count)
        return (last.result, last.foreign, counters)
    }

    @Test
    func aGoodAnswerIsTimedByTheKernel() throws {
        let (result, foreign, counters) = try probe("good.test", answer: "127.0.0.1", count: 3)
        #expect(try #require(result.outcome.rtt) < .milliseconds(50))
        #expect(result.outcome.name == "ok")
        #expect(result.source == .kernel)
        #expect(foreign == 0)
        #expect(counters.answered == 3)
        #expect(counters.descriptorsInUse == 0)
    }

    @Test
    func aCutReplyIsFetchedOverTCP() throws {
        let (result, _, _) = try probe("cut.test", answer: "127.0.0.1")
        #expect(result.outcome.name == "ok")
        #expect(result.note == "reply cut over udp, fetched over tcp")
    }

    @Test
    func aWrongIdIsForeignAndTheRightOneCounts() throws {
        let (result, foreign, counters) = try probe("wrongid.test")
        #expect(result.outcome.name == "ok")
        #expect(foreign == 1)
        #expect(counters.foreign == 1)
    }

    @Test(arguments: [("wrongquestion.test", UInt32(1)), ("garbage.test", 2), ("silent.test", 0)])
    func whatIsNoAnswerIsLost(name: String, expectedForeign: UInt32) throws {
        let (result, foreign, _) = try probe(name)
        #expect(result.outcome == .lost)
        #expect(foreign == expectedForeign)
    }

    @Test
    func rcodesAreCompared() throws {
        let failure = try probe("servfail.test").result
        #expect(failure.outcome == .error(.unexpectedRcode))
        #expect(failure.note == "SERVFAIL")
        #expect(try probe("nx.test").result.outcome == .error(.unexpectedRcode))
        #expect(try probe("nx.test", rcode: 3).result.outcome.name == "ok")
        #expect(try probe("good.test", answer: "192.0.2.1").result.outcome == .error(.unexpectedAnswer))
        #expect(try probe("alias.test", answer: "real.example").result.outcome.name == "ok")
    }

    @Test
    func aCompressionLoopIsHarmless() throws {
        let (result, _, _) = try probe("loop.test", answer: "127.0.0.1")
        #expect(result.outcome == .error(.unexpectedAnswer))
    }

    @Test
    func fewerRecordsThanTheHeaderSaysAreNoGoodAnswer() throws {
        let (result, foreign, _) = try probe("short.test")
        #expect(result.outcome == .error(.malformed))
        #expect(foreign == 0)
    }

    @Test
    func aLateAnswerIsLateAndATooLateOneLost() throws {
        let responder = try DNSResponder()
        defer { responder.stop() }
        let options = DNSOptions(name: "slow.test", port: responder.port)
        // 150 ms: beyond the timeout, within the grace of half of it.
        let late = try runOneShot(
            [.ip(DNSResponder.loopback, zone: nil)], .dns(options), count: 1, interval: .seconds(1),
            timeout: .milliseconds(120))
        let outcome = try #require(late.results.first?.result.outcome)
        guard case .late(let rtt) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(rtt >= .milliseconds(150) && rtt < .milliseconds(180))
        let lost = try runOneShot(
            [.ip(DNSResponder.loopback, zone: nil)], .dns(options), count: 1, interval: .seconds(1),
            timeout: .milliseconds(60))
        #expect(lost.results.first?.result.outcome == .lost)
    }

    @Test
    func aClosedPortRefuses() throws {
        let holder = try InternetSocket.datagram(isIPv6: false)
        try InternetSocket.bind(holder.rawValue, to: SocketAddress(DNSResponder.loopback))
        let port = try InternetSocket.localAddress(holder.rawValue).port
        _ = consume holder
        let (results, _) = try runOneShot(
            [.ip(DNSResponder.loopback, zone: nil)], .dns(DNSOptions(name: "a.test", port: port)), count: 1)
        #expect(results.first?.result.outcome.name == "refused")
    }
}

@Suite(.serialized)
struct NameTests {
    private func configuration(_ responder: DNSResponder, search: [String] = []) -> ResolverConfiguration {
        ResolverConfiguration(
            servers: [SocketAddress(DNSResponder.loopback, port: responder.port)], search: search,
            hosts: HostsFile.parse("127.0.0.9 fixed.test"), timeout: .milliseconds(200), attempts: 2,
            minimumTTL: .milliseconds(100))
    }

    private func listener() throws -> OwnedDescriptor {
        let socket = try InternetSocket.stream(isIPv6: false)
        try InternetSocket.bind(socket.rawValue, to: SocketAddress(IPAddress(v4: 0)))
        try InternetSocket.listen(socket.rawValue)
        return socket
    }

    private func connect(
        _ name: String, family: AddressFamily = .any, search: [String] = []
    ) throws -> (results: [OneShotResult], asked: [String]) {
        let responder = try DNSResponder()
        defer { responder.stop() }
        let socket = try listener()
        let port = try InternetSocket.localAddress(socket.rawValue).port
        let (results, _) = try runOneShot(
            [.name(name)], .tcp(TCPOptions(port: port)), count: 2, family: family,
            resolver: configuration(responder, search: search))
        _ = consume socket
        return (results, responder.asked)
    }

    @Test
    func aNameIsResolvedAndProbed() throws {
        let (results, asked) = try connect("good.test")
        #expect(results.count == 2)
        for result in results {
            #expect(result.result.outcome.name == "ok")
            #expect(result.address == DNSResponder.loopback)
        }
        // One question a family, not one a probe.
        #expect(asked == ["good.test", "good.test"])
    }

    @Test
    func aliasesAndCutRepliesLeadToAddresses() throws {
        #expect(try connect("alias.test").results.map(\.address) == [DNSResponder.loopback, DNSResponder.loopback])
        #expect(try connect("cut.test", family: .ipv4).results.first?.address == DNSResponder.loopback)
    }

    @Test
    func theHostsFileIsAskedFirst() throws {
        let (results, asked) = try connect("fixed.test")
        #expect(results.first?.address == IPAddress(v4: 0x7F00_0009))
        #expect(asked.isEmpty)
    }

    @Test
    func shortNamesTakeTheSearchDomains() throws {
        let (results, asked) = try connect("vpn", family: .ipv4, search: ["corp.test"])
        #expect(results.first?.result.outcome.name == "ok")
        #expect(asked == ["vpn.corp.test"])
    }

    @Test(arguments: ["servfail.test", "nx.test", "silent.test", "garbage.test"])
    func withoutAnAddressTheRoundIsUnresolved(name: String) throws {
        let (results, _) = try connect(name, family: .ipv4)
        #expect(!results.isEmpty)
        for result in results {
            #expect(result.result.outcome == .unresolved)
            #expect(result.address == nil)
            #expect(result.result.note?.isEmpty == false)
        }
    }

    @Test
    func aFamilyThatDoesNotExistIsNoSeries() throws {
        let (results, _) = try connect("good.test", family: .both)
        #expect(results.count == 2)
        #expect(results.allSatisfy { $0.address == DNSResponder.loopback })
    }
}
