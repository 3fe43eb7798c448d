// The finer points of docs/passive-cases.md: what a case demands beside its main answer.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct RuleCaseTests {
    private let handshake = ["tcp_handshake server syn 30.0", "tcp_handshake client syn 20.0"]

    private func opened(_ timestamps: Bool) -> PacketBuilder {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: timestamps ? (100, 0) : nil)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: timestamps ? (9000, 100) : nil)
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: timestamps ? (150, 9000) : nil)
        return builder
    }

    /// Case 8: the SYN-ACK was lost, if at all, between the capture point and the client.
    @Test func repeatedSynAckIsALossOnTheClientsSide() {
        var engine = CaptureEngine(
            link: .ethernet, attribution: AttributionTable(), limits: EngineLimits(), keepsSamples: false)
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001)
        builder.tcp(1030, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001)
        for record in builder.records {
            engine.process(
                time: record.time.nanoseconds, wireLength: record.wireLength, record: record.bytes.span.bytes)
        }
        let lost = engine.drainSummary { _ in "eth0" }.filter { $0.value.retransmissions > 0 }
        #expect(lost.map(\.key.side) == [.client])
        #expect(lost.map(\.value.retransmissions) == [1])
    }

    /// Case 12, with timestamps: a keepalive has a TSval of its own and is echoed.
    @Test(arguments: [0, 1])
    func keepaliveWithTimestampsIsAKindOfItsOwn(bytes: Int) throws {
        var builder = opened(true)
        builder.tcp(51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (9081, 151))
        builder.tcp(60_000, fromClient: true, .ack, seq: 1100, ack: 5001, payload: bytes, ts: (60_100, 9081))
        builder.tcp(60_030, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (69_030, 60_100))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake + ["tcp_data server seq 30.0", "tcp_keepalive server seq 30.0"])
        #expect(analysis.report.retransmissions == 0)
    }

    /// Case 15, the other way round: the server's packets alone hold no interval that is an RTT.
    @Test func serversDirectionAloneTellsNothing() throws {
        var builder = PacketBuilder()
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: (9000, 100))
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (9081, 151))
        builder.tcp(90, fromClient: false, [.psh, .ack], seq: 5001, ack: 1101, payload: 200, ts: (9090, 151))
        builder.tcp(140, fromClient: false, .ack, seq: 5201, ack: 1201, ts: (9140, 200))
        #expect(try Analysis(builder).lines == [])
    }

    /// Case 18: one TSval for many segments says nothing that SEQ/ACK does not say better.
    @Test func coarseTimestampClockLeavesSequenceNumbers() throws {
        var builder = opened(true)
        for step in 0..<10 {
            let seq = 1001 + UInt32(step) * 100
            let at = 60 + Double(step) * 5
            builder.tcp(at, fromClient: true, .ack, seq: seq, ack: 5001, payload: 100, ts: (151, 9000))
        }
        for step in 0..<10 {
            builder.tcp(
                90 + Double(step) * 5, fromClient: false, .ack, seq: 5001, ack: 1101 + UInt32(step) * 100,
                ts: (9001, 151))
        }
        let expected = [String](repeating: "tcp_data server seq 30.0", count: 10)
        #expect(try Analysis(builder.sorted).lines == handshake + expected)
    }

    /// Case 18 with case 2: two copies with one TSval cannot be told apart.
    @Test func copiesWithOneTimestampStayAmbiguous() throws {
        var builder = opened(true)
        builder.tcp(60, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(300, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(330, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (9330, 151))
        let analysis = try Analysis(builder)
        // The echo is that of the first copy's first use: 270 at least is what the first copy took.
        #expect(!analysis.lines.contains("tcp_data server seq 30.0"))
        #expect(analysis.rtts(.tcpData, .server).allSatisfy { $0 != 30 })
    }

    /// Case 20: nothing closed the old connection, but the new SYN is far from its numbers.
    @Test func synFarFromTheOldNumbersIsANewConnection() throws {
        var builder = opened(false)
        builder.tcp(60, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
        builder.tcp(90_000, fromClient: true, .syn, seq: 3_000_000_000)
        builder.tcp(90_030, fromClient: false, [.syn, .ack], seq: 700_000, ack: 3_000_000_001)
        builder.tcp(90_050, fromClient: true, .ack, seq: 3_000_000_001, ack: 700_001)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake + handshake)
        #expect(analysis.report.flows == 2)
        #expect(analysis.report.retransmissions == 0)
    }

    /// Case 22: the first TSval of a connection joined in its middle may be an old one.
    @Test func firstTimestampOfAJoinedConnectionIsNotStamped() throws {
        var builder = PacketBuilder()
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (150, 9000))
        builder.tcp(1050, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (1150, 9000))
        builder.tcp(1060, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (10_060, 150))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == [])
        #expect(analysis.report.rejected["ambiguous"] == 1)
    }

    /// Case 29: a RST without ACK answers nothing, not even a SYN.
    @Test func resetWithoutAcknowledgementIsNoAnswer() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(30, fromClient: false, .rst, seq: 0)
        #expect(try Analysis(builder).lines == [])
    }

    /// Case 30: TSecr holds only where ACK is set (RFC 7323, 3.2), and a SYN's is ignored.
    @Test func echoWithoutAcknowledgementIsIgnored() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: (100, 77))
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: (9000, 100))
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: (150, 9000))
        builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(251, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (351, 9000))
        builder.tcp(255, fromClient: false, .psh, seq: 5001, ack: 1101, payload: 10, ts: (9255, 351))
        builder.tcp(281, fromClient: false, .ack, seq: 5011, ack: 1101, ts: (9281, 351))
        #expect(try Analysis(builder).lines == handshake + ["tcp_data server timestamp 30.0"])
    }

    /// Case 33: a probe leaves the flow's RTT alone, and the data behind it is timed again.
    @Test func dataAfterAClosedWindowIsTimed() throws {
        var builder = opened(false)
        builder.tcp(60, fromClient: false, .ack, seq: 5001, ack: 1001, window: 0)
        builder.tcp(300, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 1)
        builder.tcp(330, fromClient: false, .ack, seq: 5001, ack: 1001, window: 0)
        builder.tcp(900, fromClient: false, .ack, seq: 5001, ack: 1002, window: 64_000)
        builder.tcp(910, fromClient: true, .ack, seq: 1002, ack: 5001, payload: 100)
        builder.tcp(940, fromClient: false, .ack, seq: 5001, ack: 1102)
        #expect(try Analysis(builder).rtts(.tcpData, .server) == [30])
    }

    /// Case 34: where only some packets lack the option, each is judged for itself.
    @Test func timestampsMayComeAndGo() throws {
        var builder = opened(true)
        for step in 0..<4 {
            let seq = 1001 + UInt32(step) * 100
            let at = 60 + Double(step) * 50
            let has = step % 2 == 0
            builder.tcp(
                at, fromClient: true, .ack, seq: seq, ack: 5001, payload: 100,
                ts: has ? (160 + UInt32(step) * 50, 9000) : nil)
            builder.tcp(at + 30, fromClient: false, .ack, seq: 5001, ack: seq + 100, ts: has ? nil : (9100, 150))
        }
        #expect(try Analysis(builder).rtts(.tcpData, .server) == [30, 30, 30, 30])
    }

    /// Case 40: behind and before a NAT are two connections, each on its own interface.
    @Test func bothSidesOfANATAreTimedApart() throws {
        var inner = PacketBuilder(framing: .cooked2(interface: 3))
        inner.cleanConversation(timestamps: true)
        var outside = Endpoints.ipv4
        outside.client = try #require(IPAddress("198.51.100.1"))
        outside.clientPort = 61_000
        var outer = PacketBuilder(framing: .cooked2(interface: 4))
        outer.cleanConversation(timestamps: true, endpoints: outside, from: 0.05)
        let records = (inner.records + outer.records).sorted { $0.time < $1.time }
        let analysis = try Analysis(bytes: CaptureFileWriter.file(records, link: CaptureFileWriter.LinkType.cooked2))
        #expect(analysis.report.flows == 2)
        #expect(analysis.report.duplicates == 0)
        for (interface, client) in [("if3", Endpoints.ipv4.client), ("if4", outside.client)] {
            let own = analysis.samples.filter { $0.interface == interface }
            #expect(own.map { Double($0.rtt ?? 0) / 1e6 } == [30, 20, 30, 20])
            #expect(own.first?.source == client)
        }
    }
}

extension PacketBuilder {
    /// The same records in order of time.
    fileprivate var sorted: PacketBuilder {
        var result = PacketBuilder(framing: framing)
        for record in records.sorted(by: { $0.time < $1.time }) {
            result.add(
                at: Double((record.time - PacketBuilder.start).clampedNanoseconds) / 1e6, frame: record.bytes,
                wireLength: record.wireLength)
        }
        return result
    }
}
