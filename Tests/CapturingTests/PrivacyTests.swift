// What is kept of peers and names where the configuration says less: in samples and in the summaries that are stored.

import Model
import Statistics
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct PrivacyTests {
    private static let services = [ServiceSpec(name: "Mail", names: ["*.mail.example"])]
    /// Names that are in no service, each seen in one protocol only.
    private static let secrets = ["dns.secret.example", "tls.secret.example", "quic.secret.example"]

    /// The same traffic from an address, with the names given.
    private func traffic(_ names: [String], endpoints: Endpoints) throws -> PacketBuilder {
        var builder = PacketBuilder()
        var resolver = endpoints
        resolver.serverPort = 53
        let asked = try #require(DNSName(names[0]))
        let question = DNSQuestion(name: asked, type: DNSType.a)
        // The answer leads to the web server, whichever family it is of.
        var web = endpoints
        if !endpoints.client.isIPv6 { web.server = try #require(IPAddress("203.0.113.7")) }
        let address = web.server
        let reply = DNSReply(
            id: 7, question: question, answers: [DNSResource(name: asked, address: address, ttl: 300)])
        builder.udp(0, fromClient: true, payload: DNSQuery.write(id: 7, question: question), endpoints: resolver)
        builder.udp(20, fromClient: false, payload: reply.write(), endpoints: resolver)
        builder.cleanConversation(timestamps: true, endpoints: web, from: 100)
        var tls = endpoints
        tls.clientPort = 40_001
        builder.opening(endpoints: tls, from: 300)
        var hello: [UInt8] = []
        TLSRecordHeader(contentType: TLSContentType.handshake).write(
            fragment: TLSClientHelloFields(serverName: names[1]).write(), to: &hello)
        var answer: [UInt8] = []
        TLSRecordHeader(contentType: TLSContentType.handshake).write(
            fragment: TLSServerHelloFields().write(), to: &answer)
        builder.tcp(351, fromClient: true, seq: 1001, ack: 5001, content: hello, endpoints: tls)
        builder.tcp(
            381, fromClient: false, seq: 5001, ack: 1001 + UInt32(hello.count), content: answer, endpoints: tls)
        let quic = QUICBuilder()
        var udp = endpoints
        udp.clientPort = 40_002
        builder.udp(
            500, fromClient: true,
            payload: quic.clientInitial(
                number: 0, frames: QUICBuilder.crypto(TLSClientHelloFields(serverName: names[2]).write())),
            endpoints: udp)
        builder.udp(530, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: udp)
        builder.udp(550, fromClient: true, payload: quic.handshake(fromServer: false), endpoints: udp)
        return builder
    }

    private func run(_ builder: PacketBuilder, keepsNames: Bool, prefix4: Int = 24, prefix6: Int = 56) -> (
        samples: [AnalyzedSample], keys: [PassiveKey]
    ) {
        let attribution = AttributionTable(
            services: PrivacyTests.services, peerPrefix4: prefix4, peerPrefix6: prefix6, keepsNames: keepsNames)
        var samples: [AnalyzedSample] = []
        var keys: [PassiveKey] = []
        // Who keeps samples has no summary, so the traffic is taken twice.
        for keepsSamples in [true, false] {
            var engine = CaptureEngine(
                link: .ethernet, attribution: attribution, limits: EngineLimits(), keepsSamples: keepsSamples)
            for record in builder.records {
                engine.process(
                    time: record.time.nanoseconds, wireLength: record.wireLength, record: record.bytes.span.bytes)
            }
            engine.flush()
            engine.finish()
            samples += engine.samples.map { AnalyzedSample($0, service: engine.serviceText($0.service)) }
            keys += engine.drainSummary { "if\($0)" }.keys
        }
        return (samples, keys)
    }

    @Test func namesAreKeptOnlyWhereTheyMayBe() throws {
        let builder = try traffic(PrivacyTests.secrets, endpoints: .ipv4)
        let open = run(builder, keepsNames: true)
        for name in PrivacyTests.secrets {
            #expect(open.samples.contains { $0.service == name })
            #expect(open.keys.contains { $0.service == name })
        }
        let closed = run(builder, keepsNames: false)
        #expect(closed.samples.count == open.samples.count)
        #expect(!closed.keys.isEmpty)
        #expect(closed.samples.allSatisfy { $0.service == nil && $0.serviceSource == nil })
        #expect(closed.keys.allSatisfy { $0.service == nil })
        #expect(!"\(closed.keys)".contains("secret"))
        #expect(!"\(closed.samples)".contains("secret"))
    }

    @Test func namesOfServicesStayServices() throws {
        let builder = try traffic(["dns.mail.example", "tls.mail.example", "quic.mail.example"], endpoints: .ipv4)
        let closed = run(builder, keepsNames: false)
        for kind in [PassiveKind.tcpHandshake, .tls, .quicHandshake] {
            #expect(closed.keys.contains { $0.kind == kind && $0.service == "Mail" }, "\(kind)")
        }
        #expect(closed.keys.allSatisfy { $0.service == nil || $0.service == "Mail" })
    }

    @Test(arguments: [0, 8, 24, 31, 32])
    func peersAreMasked(_ length: Int) throws {
        var parties = Endpoints.ipv4
        parties.client = try #require(IPAddress("198.51.100.77"))
        let keys = run(try traffic(PrivacyTests.secrets, endpoints: parties), keepsNames: true, prefix4: length).keys
        let expected = "\(parties.client.masked(to: length))/\(length)"
        #expect(!keys.isEmpty)
        #expect(keys.allSatisfy { $0.peer == expected })
        #expect(length == 32 || !"\(keys)".contains("198.51.100.77"))
    }

    @Test(arguments: [0, 48, 56, 64, 127, 128])
    func peersAreMaskedOverIPv6(_ length: Int) throws {
        var parties = Endpoints.ipv6
        parties.client = try #require(IPAddress("2001:db8:a:b:c:d:e:f"))
        let keys = run(try traffic(PrivacyTests.secrets, endpoints: parties), keepsNames: true, prefix6: length).keys
        let expected = "\(parties.client.masked(to: length))/\(length)"
        #expect(!keys.isEmpty)
        #expect(keys.allSatisfy { $0.peer == expected })
        #expect(length == 128 || !"\(keys)".contains("c:d:e:f"))
    }
}
