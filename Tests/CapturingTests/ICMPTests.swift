// ICMP echoes and the errors that end requests, case 55.

import Capturing
import Model
import TestSupport
import Testing
import Wire

extension PacketBuilder {
    /// An echo of either IP version.
    fileprivate mutating func echo(
        _ milliseconds: Double, isReply: Bool, identifier: UInt16 = 1, sequence: UInt16 = 1, parties: Endpoints = .ipv4,
        payload: [UInt8] = [1, 2, 3, 4]
    ) {
        let source = isReply ? parties.server : parties.client
        let destination = isReply ? parties.client : parties.server
        var message: [UInt8] = []
        let echo = ICMPEcho(isReply: isReply, identifier: identifier, sequence: sequence)
        if source.isIPv6 {
            echo.writeICMPv6(payload: payload, addresses: (source, destination), to: &message)
        } else {
            echo.writeICMPv4(payload: payload, to: &message)
        }
        add(
            at: milliseconds, from: source, to: destination, protocolNumber: source.isIPv6 ? .icmpv6 : .icmp,
            payload: message)
    }

    /// An error of a router on the way about a record (the last), an Ethernet frame, of which `quote` bytes are quoted; or
    /// about a frame that was not captured.
    fileprivate mutating func error(
        _ milliseconds: Double, type: UInt8, code: UInt8, quote: Int = 548, about record: Int? = nil,
        unseen: [UInt8]? = nil
    ) {
        guard let frame = unseen ?? (record.map { records[$0] } ?? records.last)?.bytes else { return }
        let packet = Array(frame.dropFirst(14))
        let quoted = Array(packet.prefix(quote))
        var message: [UInt8] = []
        if let view = IPv6Packet(packet.span.bytes) {
            let router = IPAddress(v6High: 0x2001_0DB8_00AA_0000, low: 1)
            let source = view.source
            ICMPv6Error(type: type, code: code, quoted: quoted).write(addresses: (router, source), to: &message)
            add(at: milliseconds, from: router, to: source, protocolNumber: .icmpv6, payload: message)
        } else if let view = IPv4Packet(packet.span.bytes) {
            let source = view.source
            ICMPv4Error(type: type, code: code, quoted: quoted).write(to: &message)
            add(
                at: milliseconds, from: IPAddress(v4: 0xC633_6409), to: source, protocolNumber: .icmp,
                payload: message)
        }
    }
}

@Suite struct ICMPTests {
    /// A flood goes through all sequence numbers in seconds.
    @Test func numbersThatHaveGoneRoundAreOtherRequests() throws {
        var builder = PacketBuilder()
        builder.echo(0, isReply: false)
        builder.echo(6_000, isReply: false)
        builder.echo(6_005, isReply: true)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == ["icmp_echo server transaction unanswered", "icmp_echo server transaction 5.0"])
        #expect(analysis.report.kinds.first?.failures == 1)
    }

    /// Both sides of a router: its copies come later than the answer, or later than a mirror's.
    @Test func copiesAreNoOtherRequests() throws {
        var builder = PacketBuilder()
        builder.echo(0, isReply: false)
        builder.echo(0.2, isReply: true)
        builder.echo(0.5, isReply: false)
        builder.echo(1_000, isReply: false, sequence: 2)
        builder.echo(1_005, isReply: false, sequence: 2)
        builder.echo(1_030, isReply: true, sequence: 2)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["icmp_echo server transaction 0.2", "icmp_echo server transaction 30.0"])
        #expect(analysis.report.duplicates == 2)
    }

    @Test func identifiersMayBeUsedAnew() throws {
        var builder = PacketBuilder()
        // Windows counts on under one identifier, and begins anew with the same numbers.
        for (step, delay) in [30.0, 31, 32].enumerated() {
            builder.echo(Double(step) * 1_000, isReply: false)
            builder.echo(Double(step) * 1_000 + delay, isReply: true)
        }
        // The first reply wins.
        builder.echo(2_040, isReply: true)
        // Another host's reply with the same identifier is not the target's.
        var other = Endpoints.ipv4
        other.server = IPAddress(v4: 0xC000_0210)
        builder.echo(3_000, isReply: false)
        builder.echo(3_010, isReply: true, parties: other)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "icmp_echo server transaction 30.0", "icmp_echo server transaction 31.0",
                "icmp_echo server transaction 32.0", "icmp_echo server transaction orphan",
                "icmp_echo server transaction unanswered",
            ])
        #expect(analysis.report.duplicates == 1)
    }

    @Test func sameNumberAgainWithoutAReplyIsAmbiguous() throws {
        var builder = PacketBuilder()
        builder.echo(0, isReply: false)
        builder.echo(1_000, isReply: false)
        builder.echo(1_030, isReply: true)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == ["icmp_echo server transaction ambiguous [retries=1,bounds_us=30000..1030000]"])
        #expect(analysis.report.rejected == ["ambiguous": 1])
    }

    static let errors: [(isIPv6: Bool, type: UInt8, code: UInt8, name: String)] = [
        (false, 3, 0, "network_unreachable"), (false, 3, 1, "host_unreachable"), (false, 3, 2, "protocol_unreachable"),
        (false, 3, 3, "port_unreachable"), (false, 3, 13, "prohibited"), (false, 3, 5, "unreachable"),
        (false, 11, 0, "time_exceeded"), (false, 12, 0, "parameter_problem"), (true, 1, 0, "network_unreachable"),
        (true, 1, 1, "prohibited"), (true, 1, 3, "host_unreachable"), (true, 1, 4, "port_unreachable"),
        (true, 1, 2, "unreachable"), (true, 3, 0, "time_exceeded"), (true, 4, 0, "parameter_problem"),
    ]

    /// Eight bytes of the quoted transport header are enough for an echo (RFC 792).
    @Test(arguments: errors)
    func errorsEndTheEchoTheyQuoteWithTheirName(_ error: (isIPv6: Bool, type: UInt8, code: UInt8, name: String)) throws
    {
        var builder = PacketBuilder()
        builder.echo(0, isReply: false, parties: error.isIPv6 ? .ipv6 : .ipv4)
        builder.error(15, type: error.type, code: error.code, quote: error.isIPv6 ? 48 : 28)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["icmp_echo server transaction unanswered [\(error.name)]"])
        #expect(analysis.report.kinds.map(\.failures) == [1])
        #expect(analysis.report.kinds.map(\.count) == [0])
        #expect(analysis.report.drops.isEmpty)
        #expect(analysis.samples.first?.destination == (error.isIPv6 ? Endpoints.ipv6 : .ipv4).server)
    }

    @Test func errorsEndQueriesAndHandshakesToo() throws {
        var initiation: [UInt8] = []
        WireGuardHeader(type: .initiation, sender: 7).write(to: &initiation)
        var exchange: [UInt8] = []
        IKEHeader(initiatorSPI: 5, exchange: IKEExchange.initialize).write(payloads: [], to: &exchange)
        var reset: [UInt8] = []
        OpenVPNResetHeader(isFromServer: false, session: 5).write(to: &reset)
        let query = try #require(DNSQuery.write(id: 1, name: "a.example", type: DNSType.a))
        var builder = PacketBuilder()
        for (step, (payload, port)) in [
            (query, UInt16(53)), (initiation, 51_820), (exchange, 500), (reset, 1_194),
        ].enumerated() {
            builder.udp(
                Double(step) * 100, fromClient: true, payload: payload, endpoints: .vpn(40_000, port))
            builder.error(Double(step) * 100 + 15, type: 3, code: 3)
        }
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "dns server transaction unanswered [port_unreachable]",
                "wireguard server transaction unanswered [port_unreachable]",
                "ikev2 server transaction unanswered [IKE_SA_INIT,port_unreachable]",
                "openvpn server transaction unanswered [port_unreachable]",
            ])
        #expect(analysis.report.kinds.map(\.failures) == [1, 1, 1, 1])
    }

    /// A request that was too big is sent again in another form; if not, it is known why it stayed unanswered.
    @Test(arguments: [Endpoints.ipv4, .ipv6])
    func tooBigLeavesTheRequestWaiting(parties: Endpoints) throws {
        let (type, code): (UInt8, UInt8) = parties.client.isIPv6 ? (2, 0) : (3, 4)
        var builder = PacketBuilder()
        builder.echo(0, isReply: false, sequence: 1, parties: parties)
        builder.error(5, type: type, code: code)
        builder.echo(30, isReply: true, sequence: 1, parties: parties)
        builder.echo(100, isReply: false, sequence: 2, parties: parties)
        builder.error(105, type: type, code: code)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "icmp_echo server transaction 30.0", "icmp_echo server transaction unanswered [too_big]",
            ])
    }

    @Test func anAnswerAfterAllIsStillTimed() throws {
        var builder = PacketBuilder()
        builder.echo(0, isReply: false)
        builder.error(15, type: 3, code: 1)
        builder.error(16, type: 3, code: 1, about: 0)
        builder.echo(30, isReply: true)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "icmp_echo server transaction unanswered [host_unreachable]", "icmp_echo server transaction 30.0",
            ])
        #expect(analysis.report.drops == ["icmp-unreachable": 1])
    }

    @Test func errorsAboutNothingThatWaitsAreCountedByReason() throws {
        var builder = PacketBuilder()
        var other = PacketBuilder()
        other.tcp(0, fromClient: true, .syn, seq: 1)
        let unseen = other.records.last?.bytes
        builder.error(1, type: 3, code: 1, unseen: unseen)
        builder.error(3, type: 11, code: 0, unseen: unseen)
        builder.error(5, type: 3, code: 4, unseen: unseen)
        // A reply that could not be delivered is no request.
        builder.echo(6, isReply: true, parties: .ipv6)
        builder.error(7, type: 1, code: 3)
        // Neither echo nor error: a router advertisement.
        builder.add(
            at: 8, from: Endpoints.ipv6.server, to: Endpoints.ipv6.client, protocolNumber: .icmpv6,
            payload: [134, 0, 0, 0, 0, 0, 0, 0])
        let analysis = try Analysis(builder)
        #expect(
            analysis.report.drops == [
                "icmp-unreachable": 2, "icmp-time-exceeded": 1, "icmp-too-big": 1, "icmp": 1,
            ])
        #expect(analysis.isBalanced)
    }

    /// A connection attempt that came back failed once, however often the SYN is sent, and for a reason.
    @Test(arguments: [Endpoints.ipv4, .ipv6])
    func anUndeliverableSynIsAFailureOfItsService(_ parties: Endpoints) throws {
        var builder = PacketBuilder()
        for attempt in 0..<3 {
            let at = Double(attempt) * 1_000
            builder.tcp(at, fromClient: true, .syn, seq: 1000, endpoints: parties)
            builder.error(
                at + 15, type: parties.client.isIPv6 ? 1 : 3, code: parties.client.isIPv6 ? 3 : 1,
                quote: parties.client.isIPv6 ? 48 : 28)
        }
        let service = ServiceSpec(
            name: "Mail", prefixes: [try #require(IPPrefix("192.0.2.0/24")), try #require(IPPrefix("2001:db8::/32"))])
        let analysis = try Analysis(bytes: builder.file(), attribution: AttributionTable(services: [service]))
        #expect(analysis.lines == ["tcp_handshake server syn unanswered [host_unreachable]"])
        #expect(analysis.samples.first?.service == "Mail")
        #expect(analysis.report.services.map(\.failures) == [1])
        #expect(analysis.report.drops.isEmpty)
        #expect(analysis.isBalanced)
    }

    /// One about data counts each time, if it quotes what is on its way; the MTU's discovery is no failure.
    @Test func undeliverableDataIsAFailureOfItsConnection() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(60, fromClient: true, seq: 1001, ack: 5001, content: [UInt8](repeating: 1, count: 100))
        let sent = builder.records.count - 1
        builder.error(75, type: 3, code: 4)
        builder.error(76, type: 3, code: 13, about: sent)
        // Quotes what this client has never sent.
        var forged = PacketBuilder()
        forged.tcp(0, fromClient: true, seq: 9_001_001, ack: 5001, content: [1])
        builder.error(77, type: 3, code: 1, unseen: forged.records.last?.bytes)
        builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1101)
        // Late: it has arrived after all.
        builder.error(95, type: 3, code: 1, about: sent)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines.filter { $0.hasPrefix("tcp_data") } == [
                "tcp_data server seq unanswered [prohibited]", "tcp_data server seq 30.0",
            ])
        #expect(analysis.report.drops == ["icmp-too-big": 1, "icmp-unreachable": 2])
        #expect(analysis.isBalanced)
    }

    @Test func anAttemptThatSucceedsAfterAllIsStillTimed() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.error(15, type: 3, code: 0)
        builder.opening(from: 1_000)
        let lines = try Analysis(builder).lines
        #expect(lines.first == "tcp_handshake server syn unanswered [network_unreachable]")
        #expect(lines.contains { $0.hasPrefix("tcp_handshake client syn 20.0") })
        #expect(lines.filter { $0.contains("unanswered") }.count == 1)
    }

    @Test func quotedBytesOfAnyKindAreTakenOrCounted() throws {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<200 {
            var builder = PacketBuilder()
            builder.echo(0, isReply: false, parties: round % 2 == 0 ? .ipv4 : .ipv6)
            builder.error(15, type: round % 2 == 0 ? 3 : 1, code: 1, quote: round)
            var records = builder.records
            for _ in 0..<4 {
                let place = Int.random(in: 14..<records[1].bytes.count, using: &generator)
                records[1].bytes[place] = .random(in: .min ... .max, using: &generator)
            }
            #expect(try Analysis(bytes: CaptureFileWriter.file(records)).isBalanced)
        }
    }
}
