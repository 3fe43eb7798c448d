// TLS hellos of which the capture missed a part, or that came in an order that tells nothing. 30 ms to the server, 20 ms
// to the client.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct TLSGapTests {
    private var hello: [UInt8] {
        TLSRecordHeader.record(TLSClientHelloFields(serverName: "mail.example", applicationProtocols: ["h2"]).write())
    }
    private var answer: [UInt8] { TLSRecordHeader.record(TLSServerHelloFields().write()) }
    private let data: UInt8 = 23

    private func tls(_ builder: PacketBuilder) throws -> (lines: [String], rejected: [String: UInt64]) {
        let analysis = try Analysis(builder)
        #expect(analysis.isBalanced)
        return (analysis.lines.filter { $0.hasPrefix("tls") }, analysis.report.rejected)
    }

    /// The hello's second segment was missed. The server answers all the same; what the client and the server say later
    /// is not the handshake.
    @Test func applicationDataIsNotTheAnswerToHalfAHello() throws {
        var builder = PacketBuilder()
        builder.opening()
        let end = 1001 + UInt32(hello.count)
        let answered = 5001 + UInt32(answer.count)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello.prefix(60))
        builder.tcp(82, fromClient: false, seq: 5001, ack: end, content: answer)
        let query = TLSRecordHeader.record([UInt8](repeating: 1, count: 40), type: data)
        builder.tcp(102, fromClient: true, seq: end, ack: answered, content: query)
        builder.tcp(133, fromClient: false, seq: answered, ack: end + UInt32(query.count), content: query)
        let found = try tls(builder)
        #expect(found.lines.isEmpty, "\(found.lines)")
        // The hello, and the acknowledgement of the data that was missed.
        #expect(found.rejected["unseen"] == 2)
    }

    /// The same before a HelloRetryRequest: the second hello is timed.
    @Test func theSecondHelloIsTimedWhereTheFirstWasMissedInPart() throws {
        var builder = PacketBuilder()
        builder.opening()
        let retry = TLSRecordHeader.record(TLSServerHelloFields(isRetryRequest: true).write())
        let end = 1001 + UInt32(hello.count)
        let retried = 5001 + UInt32(retry.count)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello.prefix(60))
        builder.tcp(82, fromClient: false, seq: 5001, ack: end, content: retry)
        builder.tcp(102, fromClient: true, seq: end, ack: retried, content: hello)
        builder.tcp(132, fromClient: false, seq: retried, ack: end + UInt32(hello.count), content: answer)
        #expect(try tls(builder).lines == ["tls server transaction 30.0 [after_retry]"])
    }

    /// The hello came backwards, its first few bytes last, so that its length was not known; a copy then tells it.
    @Test func aHelloIsNotWholeWhenASegmentOfItComesAgain() throws {
        var builder = PacketBuilder()
        builder.opening()
        let end = 1001 + UInt32(hello.count)
        builder.tcp(51, fromClient: true, seq: 1005, ack: 5001, content: hello.dropFirst(4))
        builder.tcp(51.1, fromClient: true, seq: 1001, ack: 5001, content: hello.prefix(4))
        builder.tcp(301, fromClient: true, seq: 1001, ack: 5001, content: hello)
        builder.tcp(331, fromClient: false, seq: 5001, ack: end, content: answer)
        let found = try tls(builder)
        #expect(found.lines.isEmpty, "\(found.lines)")
        #expect(found.rejected["ambiguous"] != nil)
    }

    /// Nothing of the server was seen, but the client has said where its data begins: what comes next is not its first.
    @Test func theAnswerBeginsWhereTheClientSaysItDoes() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001)
        let end = 1001 + UInt32(hello.count)
        let more = TLSRecordHeader.record([UInt8](repeating: 2, count: 400), type: data)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello)
        builder.tcp(82, fromClient: false, seq: 5001 + UInt32(answer.count), ack: end, content: more)
        let found = try tls(builder)
        #expect(found.lines.isEmpty, "\(found.lines)")
        #expect(found.rejected["unseen"] == 1)
    }
}
