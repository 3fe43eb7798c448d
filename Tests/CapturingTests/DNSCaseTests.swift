// DNS that does not go by the book: queries asked anew after long, answers without a question, streams joined late.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct DNSCaseTests {
    private func query(_ id: UInt16, _ name: String = "a.example") throws -> [UInt8] {
        try #require(DNSQuery.write(id: id, name: name, type: DNSType.a))
    }

    private func reply(_ id: UInt16, _ name: String = "a.example") throws -> [UInt8] {
        DNSReply(id: id, question: DNSQuestion(name: try #require(DNSName(name)), type: DNSType.a)).write()
    }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt16(message.count))
        return bytes + message
    }

    private var stream: Endpoints {
        var parties = Endpoints.dns
        parties.serverPort = 53
        return parties
    }

    /// Case 43: in a quiet capture nobody has looked at the first before it is asked again.
    @Test func queryAskedAnewAfterTheLimitLeavesATimeout() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(40_000, fromClient: true, payload: try query(1))
        builder.udp(40_020, fromClient: false, payload: try reply(1))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["dns server transaction timeout", "dns server transaction 20.0 [NODATA]"])
        #expect(analysis.report.rejected == [:])
        #expect(analysis.report.kinds.first?.failures == 1)
    }

    /// A server that cannot read a query may send the header alone.
    @Test func answerWithoutAQuestionIsTheAnswerToTheOneQueryThatWaits() throws {
        var builder = PacketBuilder()
        let refusal = DNSReply(id: 1, question: nil, rcode: 1).write()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(5, fromClient: true, payload: try query(2))
        builder.udp(20, fromClient: false, payload: refusal)
        builder.udp(22, fromClient: false, payload: refusal)
        builder.udp(35, fromClient: false, payload: try reply(2))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["dns server transaction 20.0 [FORMERR]", "dns server transaction 30.0 [NODATA]"])
        #expect(analysis.report.duplicates == 1)
    }

    /// Case 41: of codes above 15, the header holds four bits only, which are those of another code.
    @Test func codesOfEDNSGoByTheirOwnNames() throws {
        var builder = PacketBuilder()
        for (step, code) in [UInt8(16), 23, 0].enumerated() {
            let at = Double(step) * 100
            let id = UInt16(step)
            let question = DNSQuestion(name: try #require(DNSName("a.example")), type: DNSType.a)
            var answer = DNSReply(id: id, question: question, rcode: code & 0xF).write()
            answer[11] = 1
            answer += [0, 0, 41, 4, 208, code >> 4, 0, 0, 0, 0, 0]
            builder.udp(at, fromClient: true, payload: try query(id))
            builder.udp(at + 20, fromClient: false, payload: answer)
        }
        #expect(
            try Analysis(builder).lines == [
                "dns server transaction 20.0 [BADVERS]", "dns server transaction 20.0 [BADCOOKIE]",
                "dns server transaction 20.0 [NODATA]",
            ])
    }

    /// Case 44: where two may be meant, neither is.
    @Test func answerWithoutAQuestionToOneOfTwoIsNobodys() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: try query(1))
        builder.udp(5, fromClient: true, payload: try query(1, "b.example"))
        builder.udp(20, fromClient: false, payload: DNSReply(id: 1, question: nil, rcode: 1).write())
        builder.udp(30, fromClient: false, payload: try reply(1, "b.example"))
        let lines = try Analysis(builder).lines
        #expect(
            lines == [
                "dns server transaction orphan [FORMERR]", "dns server transaction 25.0 [NODATA]",
                "dns server transaction timeout",
            ])
    }

    /// Case 45: the middle of a long answer may look like anything, a query too.
    @Test func middleOfAMessageIsNoMessage() throws {
        var builder = PacketBuilder()
        var zone: [UInt8] = [0, 60]
        zone += [0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
        zone += [UInt8](repeating: 0, count: 48)
        builder.tcp(0, fromClient: false, seq: 1, ack: 1, bytes: zone, endpoints: stream)
        let asked = framed(try query(7))
        let answer = framed(try reply(7))
        builder.tcp(100, fromClient: true, seq: 1, ack: 63, bytes: asked, endpoints: stream)
        builder.tcp(130, fromClient: false, seq: 63, ack: UInt32(1 + asked.count), bytes: answer, endpoints: stream)
        let lines = try Analysis(builder).lines.filter { $0.hasPrefix("dns") }
        #expect(lines == ["dns server transaction 30.0 [NODATA,tcp]"])
    }

    @Test func streamIsReadAgainWhereAMessageBegins() throws {
        var builder = PacketBuilder()
        builder.opening(endpoints: stream)
        // What lay before was missed, and the next segment begins inside a message.
        builder.tcp(60, fromClient: true, seq: 3001, ack: 5001, bytes: [1, 2, 3, 4, 5, 6, 7, 8], endpoints: stream)
        let asked = framed(try query(7)) + framed(try query(8))
        let answer = framed(try reply(7)) + framed(try reply(8))
        builder.tcp(100, fromClient: true, seq: 3009, ack: 5001, bytes: asked, endpoints: stream)
        builder.tcp(
            130, fromClient: false, seq: 5001, ack: UInt32(3009 + asked.count), bytes: answer, endpoints: stream)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.dns, .server) == [30, 30])
        #expect(analysis.report.rejected["unseen"] == 1)
    }

    @Test func portsUsedAnewBeginAnotherStream() throws {
        var builder = PacketBuilder()
        let asked = framed(try query(7))
        let answer = framed(try reply(7))
        for (round, isn) in [(UInt32(1000), UInt32(5000)), (700, 90_000)].enumerated() {
            let at = Double(round) * 1000
            let next = (client: isn.0 + 1, server: isn.1 + 1)
            builder.tcp(at, fromClient: true, .syn, seq: isn.0, endpoints: stream)
            builder.tcp(at + 30, fromClient: false, [.syn, .ack], seq: isn.1, ack: next.client, endpoints: stream)
            builder.tcp(at + 50, fromClient: true, .ack, seq: next.client, ack: next.server, endpoints: stream)
            builder.tcp(
                at + 60, fromClient: true, seq: next.client, ack: next.server, bytes: asked, endpoints: stream)
            let sent = next.client + UInt32(asked.count)
            builder.tcp(at + 95, fromClient: false, seq: next.server, ack: sent, bytes: answer, endpoints: stream)
            builder.tcp(
                at + 120, fromClient: true, [.rst, .ack], seq: sent, ack: next.server + UInt32(answer.count),
                endpoints: stream)
        }
        #expect(try Analysis(builder).rtts(.dns, .server) == [35, 35])
    }
}
