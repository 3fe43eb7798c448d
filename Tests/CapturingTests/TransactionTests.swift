// DNS and ICMP echo: cases 41-45 and 55, and names learnt from answers.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct TransactionTests {
    private func query(_ id: UInt16, _ name: String = "a.example", type: UInt16 = DNSType.a) throws -> [UInt8] {
        try #require(DNSQuery.write(id: id, name: name, type: type))
    }

    private func reply(
        _ id: UInt16, _ name: String = "a.example", type: UInt16 = DNSType.a, rcode: UInt8 = 0, truncated: Bool = false,
        answers: [DNSResource] = []
    ) throws -> [UInt8] {
        let question = DNSQuestion(name: try #require(DNSName(name)), type: type)
        return DNSReply(id: id, question: question, rcode: rcode, isTruncated: truncated, answers: answers).write()
    }

    private func address(_ name: String, _ text: String = "192.0.2.7", ttl: UInt32 = 60) throws -> DNSResource {
        DNSResource(name: try #require(DNSName(name)), address: try #require(IPAddress(text)), ttl: ttl)
    }

    @Test func answersAreTimedWithTheirCodes() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(0.1, fromClient: true, payload: try query(2, type: DNSType.aaaa))
        builder.udp(25, fromClient: false, payload: try reply(2, type: DNSType.aaaa))
        builder.udp(30, fromClient: false, payload: try reply(1, answers: [try address("a.example")]))
        builder.udp(100, fromClient: true, payload: try query(3, "b.example"))
        builder.udp(130, fromClient: false, payload: try reply(3, "b.example", rcode: 3))
        builder.udp(200, fromClient: true, payload: try query(4, "c.example"))
        builder.udp(220, fromClient: false, payload: try reply(4, "c.example", truncated: true))
        builder.udp(300, fromClient: true, payload: try query(5, "d.example"))
        builder.udp(310, fromClient: false, payload: try reply(5, "d.example", rcode: 2))
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "dns server transaction 24.9 [NODATA]", "dns server transaction 30.0",
                "dns server transaction 30.0 [NXDOMAIN]", "dns server transaction 20.0 [truncated]",
                "dns server transaction 10.0 [SERVFAIL]",
            ])
        #expect(analysis.report.kinds.first?.failures == 1)
        #expect(analysis.report.kinds.first?.count == 5)
    }

    @Test func repeatedQueryIsTimedFromTheFirst() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(2000, fromClient: true, payload: try query(1))
        builder.udp(2020, fromClient: false, payload: try reply(1, answers: [try address("a.example")]))
        builder.udp(2021, fromClient: false, payload: try reply(1, answers: [try address("a.example")]))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["dns server transaction 2020.0 [retries=1,last_us=20000]"])
        #expect(analysis.report.duplicates == 1)
    }

    @Test func silenceOrphansAndLateAnswers() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(1, fromClient: true, payload: try query(2, "b.example"))
        builder.udp(12_001, fromClient: false, payload: try reply(2, "b.example"))
        builder.udp(12_500, fromClient: false, payload: try reply(9, "x.example"))
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "dns server transaction 12000.0 [NODATA]", "dns server transaction orphan [NODATA]",
                "dns server transaction timeout",
            ])
        #expect(analysis.report.kinds.first?.failures == 1)
    }

    @Test func idAndQuestionAndServerAreAllMatched() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1, "a.example"))
        builder.udp(1, fromClient: true, payload: try query(1, "b.example"))
        var other = Endpoints.dns
        other.server = try #require(IPAddress("10.0.0.54"))
        builder.udp(10, fromClient: false, payload: try reply(1, "a.example"), endpoints: other)
        builder.udp(20, fromClient: false, payload: try reply(1, "B.eXample"))
        builder.udp(40, fromClient: false, payload: try reply(1, "a.example"))
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.dns, .server) == [19, 40])
        #expect(analysis.samples.map(\.outcome) == [.orphan, nil, nil])
    }

    @Test func messagesOverTCPAreTimedOneByOne() throws {
        var parties = Endpoints.dns
        parties.serverPort = 53
        var stream: [UInt8] = []
        for id in 1...3 {
            let message = try query(UInt16(id), "n\(id).example")
            stream.append(bigEndian: UInt16(message.count))
            stream += message
        }
        var answers: [UInt8] = []
        for id in 1...3 {
            let message = try reply(UInt16(id), "n\(id).example")
            answers.append(bigEndian: UInt16(message.count))
            answers += message
        }
        var builder = PacketBuilder()
        func send(_ at: Double, fromClient: Bool, seq: UInt32, ack: UInt32, _ bytes: some Collection<UInt8>) {
            var segment: [UInt8] = []
            TCPHeader(
                sourcePort: fromClient ? parties.clientPort : 53, destinationPort: fromClient ? 53 : parties.clientPort,
                sequence: seq, acknowledgement: ack, flags: [.psh, .ack]
            ).write(payload: Array(bytes), to: &segment)
            builder.add(
                at: at, from: fromClient ? parties.client : parties.server,
                to: fromClient ? parties.server : parties.client, protocolNumber: .tcp, payload: segment)
        }
        // Three queries in one segment but for the last byte; replies split inside a length field.
        send(0, fromClient: true, seq: 1, ack: 1, stream.dropLast())
        send(5, fromClient: true, seq: UInt32(stream.count), ack: 1, stream.suffix(1))
        let cut = answers.count * 2 / 3 + 1
        send(20, fromClient: false, seq: 1, ack: UInt32(stream.count + 1), answers.prefix(cut))
        send(30, fromClient: false, seq: UInt32(1 + cut), ack: UInt32(stream.count + 1), answers.dropFirst(cut))
        #expect(try Analysis(builder).rtts(.dns, .server) == [20, 20, 25])
    }

    /// Answers that come over TCP are long as a rule: the address stands behind what UDP has room for.
    @Test func answersOverTCPTeachNamesToo() throws {
        let others = try (1...30).map { try address("mail.example", "198.51.100.\($0)") }
        let asked = try query(1, "mail.example")
        let answer = try reply(1, "mail.example", answers: others + [try address("mail.example", "192.0.2.9")])
        #expect(answer.count > 512)
        var parties = Endpoints.dns
        parties.serverPort = 53
        func framed(_ message: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(bigEndian: UInt16(message.count))
            return bytes + message
        }
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, seq: 1, ack: 1, content: framed(asked), endpoints: parties)
        let all = framed(answer)
        let next = UInt32(1 + framed(asked).count)
        builder.tcp(20, fromClient: false, seq: 1, ack: next, content: all.prefix(400), endpoints: parties)
        builder.tcp(22, fromClient: false, seq: 401, ack: next, content: all.dropFirst(400), endpoints: parties)
        builder.cleanConversation(timestamps: true, from: 100)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.dns, .server) == [22])
        #expect(analysis.samples.last?.service == "mail.example")
        #expect(analysis.samples.last?.serviceSource == .dns)
    }

    @Test func echoesOfBothFamilies() throws {
        var builder = PacketBuilder()
        for (step, parties) in [Endpoints.ipv4, .ipv6].enumerated() {
            let at = Double(step) * 100
            for (delay, isReply) in [(0.0, false), (12.5, true), (13.0, true)] {
                let echo = ICMPEcho(isReply: isReply, identifier: 7, sequence: UInt16(step))
                var message: [UInt8] = []
                if parties.client.isIPv6 {
                    message = [isReply ? 129 : 128, 0, 0, 0, 0, 7, 0, UInt8(step), 1, 2, 3, 4]
                } else {
                    echo.writeICMPv4(payload: [1, 2, 3, 4], to: &message)
                }
                builder.add(
                    at: at + delay, from: isReply ? parties.server : parties.client,
                    to: isReply ? parties.client : parties.server,
                    protocolNumber: parties.client.isIPv6 ? .icmpv6 : .icmp, payload: message)
            }
        }
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.icmpEcho, .server) == [12.5, 12.5])
        #expect(analysis.report.duplicates == 2)
    }

    @Test func addressesGoByTheNameAskedFor() throws {
        var builder = PacketBuilder()
        let alias = DNSResource(
            name: try #require(DNSName("mail.example")), alias: try #require(DNSName("cdn.example.net")), ttl: 300)
        builder.udp(0, fromClient: true, payload: try query(1, "Mail.Example"))
        builder.udp(
            20, fromClient: false,
            payload: try reply(1, "Mail.Example", answers: [alias, try address("cdn.example.net", "192.0.2.9")]))
        builder.cleanConversation(timestamps: true, from: 100)
        let named = try Analysis(bytes: builder.file())
        #expect(named.samples.last?.service == "mail.example")
        #expect(named.samples.last?.serviceSource == .dns)

        let services = [
            ServiceSpec(name: "Mail", prefixes: [], names: ["*.example"], ports: [443]),
            ServiceSpec(name: "By prefix", prefixes: [try #require(IPPrefix("192.0.2.0/24"))]),
        ]
        let configured = try Analysis(bytes: builder.file(), attribution: AttributionTable(services: services))
        #expect(configured.samples.last?.service == "Mail")
        #expect(
            configured.report.services.contains { $0.service == "Mail" && $0.kind == .tcpHandshake && $0.count == 1 })

        // Without names, the prefix is what is left.
        var quiet = PacketBuilder()
        quiet.cleanConversation(timestamps: true)
        let prefix = try Analysis(
            bytes: quiet.file(), attribution: AttributionTable(services: services, keepsNames: false))
        #expect(prefix.samples.last?.service == "By prefix")
        #expect(prefix.samples.last?.serviceSource == .prefix)
    }

    /// The service that a later connection to `server` goes by.
    private func serviceAfter(
        _ answers: [DNSResource], asked: String = "mail.example", type: UInt16 = DNSType.a,
        server: IPAddress = Endpoints.ipv4.server, wait: Double = 100
    ) throws -> String? {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1, asked, type: type))
        builder.udp(20, fromClient: false, payload: try reply(1, asked, type: type, answers: answers))
        var parties = server.isIPv6 ? Endpoints.ipv6 : Endpoints.ipv4
        parties.server = server
        builder.cleanConversation(timestamps: true, endpoints: parties, from: wait)
        return try Analysis(builder).samples.last?.service
    }

    @Test func aliasesAreFollowedInAnyOrderAndLastAsLongAsTheShortest() throws {
        func alias(_ from: String, _ to: String, ttl: UInt32) throws -> DNSResource {
            DNSResource(name: try #require(DNSName(from)), alias: try #require(DNSName(to)), ttl: ttl)
        }
        let chain = [
            try alias("mail.example", "a.example.net", ttl: 600), try alias("a.example.net", "b.example.net", ttl: 90),
            try address("b.example.net", "192.0.2.9", ttl: 3_600),
        ]
        #expect(try serviceAfter(chain) == "mail.example")
        #expect(try serviceAfter(chain.reversed()) == "mail.example")
        #expect(try serviceAfter(chain, wait: 120_000) == nil)
        // An address of a name that the chain does not lead to.
        #expect(try serviceAfter([try address("evil.example", "192.0.2.9")]) == nil)
    }

    @Test func hintsOfServiceBindingsAndAddressesOfBothFamiliesCount() throws {
        let six = Endpoints.ipv6.server
        let target = try #require(DNSName("svc.example.net"))
        let name = try #require(DNSName("mail.example"))
        let data = DNSServiceBindingFields(target: target, hints: [Endpoints.ipv4.server, six]).write()
        let binding = DNSResource(name: name, type: DNSType.https, ttl: 300, data: data)
        #expect(try serviceAfter([binding], type: DNSType.https) == "mail.example")
        #expect(try serviceAfter([binding], type: DNSType.https, server: six) == "mail.example")
        let alias = DNSServiceBindingFields(priority: 0, target: target, hints: [Endpoints.ipv4.server]).write()
        let silent = DNSResource(name: name, type: DNSType.https, ttl: 300, data: alias)
        #expect(try serviceAfter([silent], type: DNSType.https) == nil)
        let direct = DNSResource(name: name, address: six, ttl: 300)
        #expect(try serviceAfter([direct], type: DNSType.aaaa, server: six) == "mail.example")
    }

    @Test func namesThatNobodyAskedForAreNotBelieved() throws {
        var builder = PacketBuilder()
        builder.udp(
            20, fromClient: false,
            payload: try reply(1, "evil.example", answers: [try address("evil.example", "192.0.2.9")]))
        builder.cleanConversation(timestamps: true, from: 100)
        #expect(try Analysis(builder).samples.last?.service == nil)
    }

    @Test func aNameIsForgottenAfterItsLife() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(
            20, fromClient: false, payload: try reply(1, answers: [try address("a.example", "192.0.2.9", ttl: 90)]))
        builder.cleanConversation(timestamps: true, from: 60_000)
        var later = Endpoints.ipv4
        later.clientPort = 40_001
        builder.cleanConversation(timestamps: true, endpoints: later, from: 120_000)
        let services = try Analysis(builder).samples.dropFirst().map(\.service)
        #expect(services == [String?](repeating: "a.example", count: 4) + [String?](repeating: nil, count: 4))
    }
}
