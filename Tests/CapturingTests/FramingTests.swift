// The same conversation in every framing, and packets that are cut, padded, fragmented or odd.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct FramingTests {
    private static let clean = [
        "tcp_handshake server syn 30.0", "tcp_handshake client syn 20.0", "tcp_data server seq 30.0",
        "tcp_data client seq 20.0",
    ]
    private static let framings: [PacketFraming] = [
        .ethernet, .vlan([5]), .qinq(outer: 5, inner: 6), .vlan([1, 2, 3]), .pppoe, .mpls([16]), .mpls([16, 17, 18]),
        .qinq(outer: 5, inner: 6, type: .vlan), .qinq(outer: 5, inner: 6, type: .legacyServiceVLAN),
        .gre, .greOptions(hasChecksum: true, key: nil, sequence: nil, isBridged: false),
        .greOptions(hasChecksum: false, key: 7, sequence: 8, isBridged: false),
        .greOptions(hasChecksum: true, key: 7, sequence: 8, isBridged: true),
        .ipInIP, .ipInIPv6, .authenticated, .vxlan, .overlay(.vxlanGroup), .overlay(.vxlanLegacy, isOuterIPv6: true),
        .overlay(.vxlanGPE(isBridged: true)), .overlay(.vxlanGPE(isBridged: false)),
        .overlay(.vxlanGPE(isBridged: true, isOldPort: true)),
        .overlay(.geneve(options: [], isBridged: true)),
        .overlay(.geneve(options: [1, 2, 0x80, 1, 0, 0, 0, 12], isBridged: false), isOuterIPv6: true),
        .overlay(.gtpUser(sequence: nil, isExtended: false)), .overlay(.gtpUser(sequence: 5, isExtended: false)),
        .overlay(.gtpUser(sequence: nil, isExtended: true), isOuterIPv6: true),
        .overlay(.gtpUser(sequence: 6, isExtended: true)), .nested,
        .cooked, .cooked2(interface: 7), .raw, .null, .loop, .ppp, .barePPP, .linkPPPoE,
    ]

    @Test(arguments: framings, [Endpoints.ipv4, Endpoints.ipv6])
    func everyFramingReadsAlike(framing: PacketFraming, endpoints: Endpoints) throws {
        var builder = PacketBuilder(framing: framing)
        builder.cleanConversation(timestamps: true, endpoints: endpoints)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == Self.clean)
        #expect(analysis.report.drops.isEmpty)
        #expect(analysis.samples.first?.source == endpoints.client)
    }

    @Test(arguments: [false, true])
    func linkTypesOfOneVersionReadAlike(isIPv6: Bool) throws {
        var builder = PacketBuilder(framing: .rawVersion(isIPv6: isIPv6))
        builder.cleanConversation(timestamps: true, endpoints: isIPv6 ? .ipv6 : .ipv4)
        #expect(try Analysis(builder).lines == Self.clean)
    }

    /// The ports of overlays may be drawn by anyone: what their headers do not prove is ordinary UDP.
    @Test(arguments: [UInt16(4_789), 8_472, 4_790, 6_081, 2_152])
    func ordinaryDatagramsOnOverlayPortsAreNotTakenApart(port: UInt16) throws {
        var resolver = Endpoints.dns
        resolver.clientPort = port
        var builder = PacketBuilder()
        // An answer whose identifier and flags look like the header of any of the overlays.
        for (step, id) in [UInt16(0x0800), 0x0C00, 0x0240, 0x30FF].enumerated() {
            let at = Double(step) * 100
            let query = try #require(DNSQuery.write(id: id, name: "a.example", type: DNSType.a))
            let question = DNSQuestion(name: try #require(DNSName("a.example")), type: DNSType.a)
            builder.udp(at, fromClient: true, payload: query, endpoints: resolver)
            builder.udp(
                at + 20, fromClient: false, payload: DNSReply(id: id, question: question, answers: []).write(),
                endpoints: resolver)
        }
        let payloads: [[UInt8]] = [
            [], [0x08], [0x18, 0, 0, 0, 0, 0, 7, 0], [0x08, 0, 0, 0, 0, 0, 7, 1], [0x0D, 0, 0, 3, 0, 0, 7, 0],
            [0x3F, 0, 0x65, 0x58, 0, 0, 7, 0], [0, 0x80, 0x65, 0x58, 0, 0, 7, 0], [0x30, 0xFF, 0, 9, 0, 0, 0, 1],
            [0x30, 1, 0, 0, 0, 0, 0, 1], [0x34, 0xFF, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0x85, 0],
        ]
        var sender = Endpoints.ipv4
        sender.serverPort = port
        for (step, payload) in payloads.enumerated() {
            builder.udp(1_000 + Double(step), fromClient: true, payload: payload, endpoints: sender)
        }
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.dns, .server) == [20, 20, 20, 20])
        #expect(analysis.report.drops == ["udp": UInt64(payloads.count)])
    }

    @Test func headersInsideOneAnotherAreFollowedToABound() throws {
        var builder = PacketBuilder(framing: .vlan([UInt16](repeating: 5, count: 40)))
        builder.cleanConversation(timestamps: true)
        #expect(try Analysis(builder).report.drops == ["too-deep": 7])
    }

    @Test(arguments: CaptureFileWriter.Format.allCases)
    func everyFileFormatReadsAlike(format: CaptureFileWriter.Format) throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: false)
        #expect(try Analysis(builder, format: format).lines == Self.clean)
    }

    @Test(arguments: [CaptureFileWriter.Format.nanoseconds, .pcapng])
    func nanosecondsAreKept(format: CaptureFileWriter.Format) throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1)
        builder.tcp(30.000_001, fromClient: false, [.syn, .ack], seq: 9, ack: 2)
        #expect(try Analysis(builder, format: format).samples.first?.rtt == 30_000_001)
    }

    @Test func extensionHeadersAreWalked() throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true, endpoints: .ipv6, extensions: [0, 60])
        #expect(try Analysis(builder).lines == Self.clean)
    }

    @Test func tooManyExtensionHeadersAreCounted() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1, endpoints: .ipv6, extensions: [UInt8](repeating: 60, count: 12))
        let analysis = try Analysis(builder)
        #expect(analysis.report.drops == ["truncated": 1])
        #expect(analysis.isBalanced)
    }

    @Test func laterFragmentsAreCountedNeverParsed() throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true)
        var packet: [UInt8] = []
        // What lies behind the header looks like a RST of the connection.
        var segment: [UInt8] = []
        TCPHeader(sourcePort: 40_000, destinationPort: 443, sequence: 1, flags: .rst).write(payload: [], to: &segment)
        IPv4Header(
            source: Endpoints.ipv4.client, destination: Endpoints.ipv4.server, protocolNumber: .tcp,
            fragmentOffset: 1_480
        ).write(payload: segment, to: &packet)
        builder.add(at: 120, frame: PacketFraming.ethernet.frame(packet, isIPv6: false))
        var six: [UInt8] = []
        IPv6Header(
            source: Endpoints.ipv6.client, destination: Endpoints.ipv6.server, nextHeader: .fragment
        ).write(payload: [6, 0, 0x05, 0xC8, 0, 0, 0, 1] + segment, to: &six)
        builder.add(at: 121, frame: PacketFraming.ethernet.frame(six, isIPv6: true))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == Self.clean)
        #expect(analysis.report.drops == ["fragment": 2])
        #expect(analysis.report.flows == 1)
    }

    /// What is carried on has the flags of the first: a SYN with another number would be a connection of its own.
    @Test func aFragmentedSynOpensOneConnection() throws {
        var builder = PacketBuilder()
        var segment: [UInt8] = []
        TCPHeader(sourcePort: 40_000, destinationPort: 443, sequence: 1_000, flags: .syn)
            .write(payload: [UInt8](repeating: 0x61, count: 1_500), to: &segment)
        for offset in [0, 1_000] {
            var packet: [UInt8] = []
            IPv4Header(
                source: Endpoints.ipv4.client, destination: Endpoints.ipv4.server, protocolNumber: .tcp,
                identification: 777, moreFragments: offset == 0, fragmentOffset: offset
            ).write(payload: Array(segment.dropFirst(offset).prefix(1_000)), to: &packet)
            builder.add(at: Double(offset) / 1_000, frame: PacketFraming.ethernet.frame(packet, isIPv6: false))
        }
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5_000, ack: 1_001)
        builder.tcp(50, fromClient: true, .ack, seq: 1_001, ack: 5_001)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["tcp_handshake server syn 30.0", "tcp_handshake client syn 20.0"])
        #expect(analysis.report.drops == ["fragment": 1])
        #expect(analysis.report.flows == 1)
    }

    /// The data of a segment that IP took apart is all there: no hole in the capture, no second sample, and a copy of each
    /// fragment is one. Its FIN stands behind the last byte.
    @Test(arguments: [Endpoints.ipv4, .ipv6], [false, true])
    func fragmentsOfASegmentCarryItOn(parties: Endpoints, isMirrored: Bool) throws {
        var builder = PacketBuilder()
        builder.opening(endpoints: parties)
        var segment: [UInt8] = []
        TCPHeader(
            sourcePort: 40_000, destinationPort: 443, sequence: 1_001, acknowledgement: 5_001,
            flags: [.psh, .ack, .fin]
        ).write(payload: [UInt8](repeating: 0x61, count: 2_500), to: &segment)
        for (step, offset) in [0, 1_000, 2_000].enumerated() {
            let part = Array(segment.dropFirst(offset).prefix(1_000))
            let hasMore = offset < 2_000
            var packet: [UInt8] = []
            if parties.client.isIPv6 {
                let field = UInt16(offset) | (hasMore ? 1 : 0)
                IPv6Header(source: parties.client, destination: parties.server, nextHeader: .fragment).write(
                    payload: [6, 0, UInt8(field >> 8), UInt8(field & 0xFF), 0, 0, 7, 7] + part, to: &packet)
            } else {
                IPv4Header(
                    source: parties.client, destination: parties.server, protocolNumber: .tcp, identification: 777,
                    moreFragments: hasMore, fragmentOffset: offset
                ).write(payload: part, to: &packet)
            }
            builder.add(
                at: 60 + Double(step) / 10,
                frame: PacketFraming.ethernet.frame(packet, isIPv6: parties.client.isIPv6))
            if isMirrored { builder.repeatLast(after: 0.03) }
        }
        builder.tcp(90.2, fromClient: false, .ack, seq: 5_001, ack: 3_502, endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server) == [30])
        #expect(analysis.report.counters.captureGaps == 0)
        #expect(analysis.report.retransmissions == 0)
        #expect(analysis.report.drops == (isMirrored ? ["duplicate": 3] : [:]))
        #expect(analysis.isBalanced)
    }

    @Test func paddingIsNoPayload() throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: false)
        builder.pad()
        let analysis = try Analysis(builder)
        #expect(analysis.lines == Self.clean)
        #expect(analysis.report.retransmissions == 0)
    }

    @Test func snapLengthMayCutThePayload() throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true)
        builder.cut(to: 66)
        #expect(try Analysis(builder).lines == Self.clean)
    }

    @Test func snapLengthInsideAHeaderIsCounted() throws {
        for length in 0..<66 {
            var builder = PacketBuilder()
            builder.cleanConversation(timestamps: true)
            builder.cut(to: length)
            let analysis = try Analysis(builder)
            #expect(analysis.isBalanced)
            #expect(analysis.report.packets == 7)
            #expect(length > 53 || analysis.report.used == 0)
        }
    }

    @Test func totalLengthZeroIsTakenFromTheRecord() throws {
        for endpoints in [Endpoints.ipv4, .ipv6] {
            var builder = PacketBuilder()
            builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 66_000, endpoints: endpoints)
            builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 67_001, endpoints: endpoints)
            #expect(try Analysis(builder).rtts(.tcpData, .server) == [30])
        }
    }

    @Test func whatIsNotReadIsCountedByReason() throws {
        var builder = PacketBuilder()
        var arp: [UInt8] = []
        EthernetHeader(type: .arp).write(payload: [UInt8](repeating: 0, count: 28), to: &arp)
        builder.add(at: 0, frame: arp)
        builder.add(
            at: 1, from: Endpoints.ipv4.client, to: Endpoints.ipv4.server, protocolNumber: IPProtocol(rawValue: 89),
            payload: [1])
        builder.udp(2, fromClient: true, payload: [1, 2, 3], endpoints: .ipv4)
        builder.tcp(3, fromClient: true, .rst, seq: 1)
        builder.add(
            at: 4, from: Endpoints.ipv4.client, to: Endpoints.ipv4.server, protocolNumber: .icmp,
            payload: [3, 1, 0, 0, 0, 0, 0, 0])
        let analysis = try Analysis(builder)
        #expect(analysis.report.drops == ["not-ip": 1, "protocol": 1, "udp": 1, "no-flow": 1, "icmp-unreachable": 1])
        #expect(analysis.report.used == 0)
    }

    @Test func unreadableLinkTypeIsADropAndAWarning() throws {
        let record = CaptureRecord(time: PacketBuilder.start, bytes: [1, 2, 3])
        let analysis = try Analysis(bytes: CaptureFileWriter.file([record, record], link: 195))
        #expect(analysis.report.drops == ["link-type": 2])
        #expect(analysis.report.warning?.isEmpty == false)
    }

    @Test func damagedFilesAreOneLineErrorsOrWarnings() throws {
        #expect(throws: CaptureError.self) { try Analysis(bytes: [1, 2, 3]) }
        #expect(throws: CaptureError.self) { try Analysis(bytes: []) }
        let missing = #expect(throws: CaptureError.self) { try Analysis(file: "/nonexistent/file.pcap") }
        #expect(missing?.kind == .cannotOpen)
        #expect(missing.map { "\($0)" } == "/nonexistent/file.pcap: No such file or directory")
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true)
        let cut = try Analysis(bytes: Array(builder.file().dropLast(10)))
        #expect(cut.report.packets == 6)
        #expect(cut.report.warning?.contains("\n") == false)
    }

    /// Any byte from outside: every byte of a capture changed in turn, and cut at every length.
    @Test func noByteCausesATrap() throws {
        var builder = PacketBuilder(framing: .vlan([5]))
        builder.cleanConversation(timestamps: true)
        builder.cleanConversation(timestamps: true, endpoints: .ipv6, extensions: [0, 60])
        builder.tcp(300, fromClient: false, .ack, seq: 5001, ack: 1001, sack: [(1101, 1201), (1301, 1401)])
        var generator = SystemRandomNumberGenerator()
        for round in 0..<300 {
            var changed = builder.records
            for _ in 0...(round % 8) {
                let record = Int.random(in: changed.indices, using: &generator)
                let byte = Int.random(in: changed[record].bytes.indices, using: &generator)
                changed[record].bytes[byte] = .random(in: .min ... .max, using: &generator)
            }
            changed.shuffle(using: &generator)
            let analysis = try Analysis(bytes: CaptureFileWriter.file(changed))
            #expect(analysis.isBalanced)
        }
    }
}
