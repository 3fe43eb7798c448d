// Cases 41 and 55 beside their main answers: truncated answers asked again over TCP, and echoes that do not fit.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct TransactionCaseTests {
    private func echo(_ isReply: Bool, _ identifier: UInt16, _ sequence: UInt16) -> [UInt8] {
        var message: [UInt8] = []
        ICMPEcho(isReply: isReply, identifier: identifier, sequence: sequence).writeICMPv4(
            payload: [1, 2, 3, 4], to: &message)
        return message
    }

    private func add(
        _ builder: inout PacketBuilder, _ at: Double, fromClient: Bool, _ message: [UInt8], from other: IPAddress? = nil
    ) {
        let parties = Endpoints.ipv4
        builder.add(
            at: at, from: fromClient ? parties.client : other ?? parties.server,
            to: fromClient ? parties.server : parties.client, protocolNumber: .icmp, payload: message)
    }

    /// Case 41: TC=1 ends the first transaction; the same question over TCP is a second one.
    @Test func truncatedAnswerAndItsRepetitionOverTCPAreTwo() throws {
        let name = try #require(DNSName("a.example"))
        let question = DNSQuestion(name: name, type: DNSType.a)
        let query = try #require(DNSQuery.write(id: 7, name: "a.example", type: DNSType.a))
        let address = DNSResource(name: name, address: Endpoints.ipv4.server, ttl: 60)
        func framed(_ message: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(bigEndian: UInt16(message.count))
            return bytes + message
        }
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: query)
        builder.udp(20, fromClient: false, payload: DNSReply(id: 7, question: question, isTruncated: true).write())
        let parties = Endpoints.dns
        var seq: (client: UInt32, server: UInt32) = (1, 1)
        for (at, fromClient, bytes) in [
            (100.0, true, framed(query)),
            (135, false, framed(DNSReply(id: 7, question: question, answers: [address]).write())),
        ] {
            var segment: [UInt8] = []
            TCPHeader(
                sourcePort: fromClient ? parties.clientPort : 53, destinationPort: fromClient ? 53 : parties.clientPort,
                sequence: fromClient ? seq.client : seq.server, acknowledgement: fromClient ? seq.server : seq.client,
                flags: [.psh, .ack]
            ).write(payload: bytes, to: &segment)
            if fromClient { seq.client += UInt32(bytes.count) } else { seq.server += UInt32(bytes.count) }
            builder.add(
                at: at, from: fromClient ? parties.client : parties.server,
                to: fromClient ? parties.server : parties.client, protocolNumber: .tcp, payload: segment)
        }
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines.filter { $0.hasPrefix("dns") } == [
                "dns server transaction 20.0 [truncated]", "dns server transaction 35.0 [tcp]",
            ])
    }

    /// Over TCP, what lies in a segment that the capture missed is neither unanswered nor an answer to nothing.
    @Test(arguments: [true, false]) func aHoleInDNSOverTCPIsNoTimeoutAndNoOrphan(_ isQueryMissed: Bool) throws {
        let name = try #require(DNSName("a.example"))
        let question = DNSQuestion(name: name, type: DNSType.a)
        func framed(_ message: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(bigEndian: UInt16(message.count))
            return bytes + message
        }
        var parties = Endpoints.ipv4
        parties.serverPort = 53
        var builder = PacketBuilder()
        builder.opening(endpoints: parties)
        var next: (client: UInt32, server: UInt32) = (1001, 5001)
        for id in UInt16(1)...3 {
            let query = framed(try #require(DNSQuery.write(id: id, name: "a.example", type: DNSType.a)))
            let reply = framed(DNSReply(id: id, question: question).write())
            let at = Double(id) * 100
            if id != 2 || !isQueryMissed {
                builder.tcp(
                    at, fromClient: true, seq: next.client, ack: next.server, content: query, endpoints: parties)
            }
            next.client += UInt32(query.count)
            if id != 2 || isQueryMissed {
                builder.tcp(
                    at + 30, fromClient: false, seq: next.server, ack: next.client, content: reply, endpoints: parties)
            }
            next.server += UInt32(reply.count)
        }
        let lines = try Analysis(builder).lines.filter { $0.hasPrefix("dns") }
        // A reply that comes before its query is known to be missed is called what it looks like.
        let first = "dns server transaction 30.0 [NODATA,tcp]"
        #expect(lines.filter { !$0.contains("orphan") } == [first, first])
        #expect(!lines.contains { $0.contains("timeout") })
    }

    /// Case 55: Windows uses one identifier for everything; number and target keep requests apart.
    @Test func oneIdentifierForAllIsKeptApartByNumber() throws {
        var builder = PacketBuilder()
        for number in 0..<3 { add(&builder, Double(number) * 10, fromClient: true, echo(false, 1, UInt16(number))) }
        for number in 0..<3 { add(&builder, 40 + Double(number), fromClient: false, echo(true, 1, UInt16(number))) }
        #expect(try Analysis(builder).rtts(.icmpEcho, .server) == [40, 31, 22])
    }

    /// Case 55: the first reply wins, the second is a duplicate; used anew after that, the number is a new request.
    @Test func theFirstReplyWinsAndNumbersMayBeUsedAnew() throws {
        var builder = PacketBuilder()
        add(&builder, 0, fromClient: true, echo(false, 1, 5))
        add(&builder, 12, fromClient: false, echo(true, 1, 5))
        add(&builder, 13, fromClient: false, echo(true, 1, 5))
        add(&builder, 1_000, fromClient: true, echo(false, 1, 5))
        add(&builder, 1_014, fromClient: false, echo(true, 1, 5))
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.icmpEcho, .server) == [12, 14])
        #expect(analysis.report.duplicates == 1)
    }

    /// Case 55: the same number twice without a reply between; which one is answered cannot be told.
    @Test func repeatedRequestIsAmbiguous() throws {
        var builder = PacketBuilder()
        add(&builder, 0, fromClient: true, echo(false, 1, 5))
        add(&builder, 1_000, fromClient: true, echo(false, 1, 5))
        add(&builder, 1_012, fromClient: false, echo(true, 1, 5))
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.icmpEcho, .server) == [])
        #expect(analysis.report.rejected == ["ambiguous": 1])
    }

    /// Case 55: "time exceeded" comes from a router; it carries the request, but is no RTT to the target.
    @Test func errorMessagesCarryNoRTT() throws {
        var request: [UInt8] = []
        IPv4Header(
            source: Endpoints.ipv4.client, destination: Endpoints.ipv4.server, protocolNumber: .icmp
        ).write(payload: echo(false, 1, 5), to: &request)
        var message: [UInt8] = []
        ICMPv4Error(type: 11, code: 0, quoted: request).write(to: &message)
        var builder = PacketBuilder()
        add(&builder, 0, fromClient: true, echo(false, 1, 5))
        add(&builder, 7, fromClient: false, message, from: IPAddress(v4: 0x0A00_00FE))
        #expect(try Analysis(builder).samples.map(\.rtt) == [nil])
    }
}
