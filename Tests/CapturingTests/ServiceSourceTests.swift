// How a service was learned, in the figures that the daemon stores.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct ServiceSourceTests {
    /// An answer that names the server, a connection that goes by it, and one that brings the name itself.
    private func traffic() throws -> PacketBuilder {
        let name = try #require(DNSName("mail.example"))
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try #require(DNSQuery.write(id: 1, name: "mail.example", type: 1)))
        builder.udp(
            20, fromClient: false,
            payload: DNSReply(
                id: 1, question: DNSQuestion(name: name, type: DNSType.a),
                answers: [DNSResource(name: name, address: Endpoints.ipv4.server, ttl: 300)]
            ).write())
        builder.cleanConversation(timestamps: true, from: 100)
        var other = Endpoints.ipv4
        other.clientPort = 40_001
        builder.opening(endpoints: other, from: 1_000)
        var hello: [UInt8] = []
        var answer: [UInt8] = []
        TLSRecordHeader(contentType: TLSContentType.handshake)
            .write(fragment: TLSClientHelloFields(serverName: "mail.example").write(), to: &hello)
        TLSRecordHeader(contentType: TLSContentType.handshake)
            .write(fragment: TLSServerHelloFields().write(), to: &answer)
        builder.tcp(1_051, fromClient: true, seq: 1001, ack: 5001, content: hello, endpoints: other)
        builder.tcp(
            1_081, fromClient: false, seq: 5001, ack: 1001 + UInt32(hello.count), content: answer, endpoints: other)
        return builder
    }

    private func cells(_ builder: PacketBuilder, _ attribution: AttributionTable) -> [PassiveKey: PassiveCell] {
        var engine = CaptureEngine(
            link: .ethernet, attribution: attribution, limits: EngineLimits(), keepsSamples: false)
        for record in builder.records {
            engine.process(
                time: record.time.nanoseconds, wireLength: record.wireLength, record: record.bytes.span.bytes)
        }
        engine.finish()
        return engine.drainSummary { "if\($0)" }
    }

    private func sources(
        _ cells: [PassiveKey: PassiveCell], _ service: String?, _ kind: PassiveKind, _ side: PassiveSide = .server
    ) -> [ServiceSource]? {
        cells.first { $0.key.service == service && $0.key.kind == kind && $0.key.side == side }?.value.serviceSources
            .list
    }

    @Test func summariesSayHowAServiceWasLearned() throws {
        let seen = cells(try traffic(), AttributionTable())
        #expect(sources(seen, "mail.example", .tcpHandshake) == [.dns])
        #expect(sources(seen, "mail.example", .tls) == [.sni])
        // Data of both connections: one by DNS, one by the name that it brought.
        #expect(sources(seen, "mail.example", .tcpData) == [.sni, .dns])
        #expect(sources(seen, nil, .dns) == [])
    }

    @Test func configuredServicesSayItToo() throws {
        let mail = ServiceSpec(name: "Mail", prefixes: [try #require(IPPrefix("192.0.2.0/24"))])
        let byPrefix = cells(try traffic(), AttributionTable(services: [mail], keepsNames: false))
        #expect(sources(byPrefix, "Mail", .tcpHandshake) == [.prefix])
        #expect(sources(byPrefix, "Mail", .tcpData, .client) == [.prefix])
    }
}
