// Cases 1-25 and 28-38 of TCP: what is timed, what is refused, what is only counted.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct TCPCaseTests {
    private let handshake = ["tcp_handshake server syn 30.0", "tcp_handshake client syn 20.0"]

    /// A connection that is open: SYN at 0, SYN-ACK at 30, ACK at 50 ms.
    private func opened(_ timestamps: Bool, framing: PacketFraming = .ethernet) -> PacketBuilder {
        var builder = PacketBuilder(framing: framing)
        builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: timestamps ? (100, 0) : nil)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: timestamps ? (9000, 100) : nil)
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: timestamps ? (150, 9000) : nil)
        return builder
    }

    @Test(arguments: [true, false])
    func cleanTrafficGivesBothHalvesAndBothDirections(timestamps: Bool) throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: timestamps)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake + ["tcp_data server seq 30.0", "tcp_data client seq 20.0"])
        #expect(analysis.report.flows == 1)
        #expect(analysis.report.used == 7)
        #expect(analysis.report.duration == .milliseconds(110))
        let first = try #require(analysis.samples.first)
        #expect(first.source == Endpoints.ipv4.client)
        #expect(first.sourcePort == 40_000)
        #expect(first.destination == Endpoints.ipv4.server)
        #expect(first.time == PacketBuilder.start + .milliseconds(30))
        #expect(analysis.samples[3].source == Endpoints.ipv4.server)
    }

    @Test func retransmissionWithoutTimestampsGivesNoSample() throws {
        var builder = opened(false)
        builder.tcp(51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100)
        builder.tcp(1051, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100)
        builder.tcp(1081, fromClient: false, .ack, seq: 5001, ack: 1101)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake)
        #expect(analysis.report.retransmissions == 1)
        #expect(analysis.report.rejected == ["ambiguous": 1])
    }

    @Test func retransmissionIsSettledByTheEcho() throws {
        var builder = opened(true)
        builder.tcp(51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(1051, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: (1151, 9000))
        builder.tcp(1081, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (10_081, 1151))
        #expect(try Analysis(builder).lines == handshake + ["tcp_data server timestamp 30.0"])
    }

    @Test func spuriousRetransmissionTimesBothCopies() throws {
        var builder = opened(true)
        builder.tcp(51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(251, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: (351, 9000))
        builder.tcp(271, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (9271, 151))
        builder.tcp(281, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (9281, 351))
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == handshake
                + ["tcp_data server timestamp 220.0 [spurious]", "tcp_data server timestamp 30.0"])
        #expect(analysis.report.spuriousRetransmissions == 1)
    }

    @Test func echoOfAPureAcknowledgementIsNoSample() throws {
        var builder = opened(true)
        builder.tcp(5050, fromClient: false, [.psh, .ack], seq: 5001, ack: 1001, payload: 200, ts: (14_050, 150))
        builder.tcp(5070, fromClient: true, .ack, seq: 1001, ack: 5201, ts: (5170, 14_050))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake + ["tcp_data client seq 20.0"])
        #expect(analysis.report.rejected == ["pure_ack_echo": 1])
    }

    @Test func repeatedSynIsSettledByTheEchoOrReportedWithBounds() throws {
        for timestamps in [true, false] {
            var builder = PacketBuilder()
            builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: timestamps ? (100, 0) : nil)
            builder.tcp(1000, fromClient: true, .syn, seq: 1000, ts: timestamps ? (1100, 0) : nil)
            builder.tcp(
                1030, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: timestamps ? (9000, 1100) : nil)
            builder.tcp(1050, fromClient: true, .ack, seq: 1001, ack: 5001, ts: timestamps ? (1150, 9000) : nil)
            let analysis = try Analysis(builder)
            let first =
                timestamps
                ? "tcp_handshake server timestamp 30.0"
                : "tcp_handshake server syn ambiguous [bounds_us=30000..1030000]"
            #expect(analysis.lines == [first, "tcp_handshake client syn 20.0"])
            #expect(analysis.report.retransmissions == 1)
        }
    }

    /// The first SYN-ACK was lost before it came by; the one for the second SYN echoes the first SYN as well, and the
    /// acknowledgement of the repeated SYN-ACK the first SYN-ACK.
    @Test func anEchoOfTheFirstSynMayBeThatOfALostAnswer() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: (100, 0))
        builder.tcp(1000, fromClient: true, .syn, seq: 1000, ts: (1100, 0))
        builder.tcp(1030, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: (9000, 100))
        builder.tcp(2060, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: (10_030, 100))
        builder.tcp(2080, fromClient: true, .ack, seq: 1001, ack: 5001, ts: (2180, 9000))
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "tcp_handshake server syn ambiguous [bounds_us=30000..1030000]",
                "tcp_handshake client syn ambiguous [bounds_us=20000..1050000]",
            ])
        #expect(analysis.report.rejected["ambiguous"] == 2)
    }

    @Test func repeatedSynAckLeavesTheServerHalfValid() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001)
        builder.tcp(1030, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001)
        builder.tcp(1050, fromClient: true, .ack, seq: 1001, ack: 5001)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpHandshake, .server) == [30])
        #expect(analysis.rtts(.tcpHandshake, .client) == [])
        #expect(analysis.report.retransmissions == 1)
    }

    @Test func sequenceAndTimestampNumbersWrap() throws {
        let isn: UInt32 = .max - 150
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: isn, ts: (.max - 47, 0))
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: isn &+ 1, ts: (.max - 15, .max - 47))
        builder.tcp(50, fromClient: true, .ack, seq: isn &+ 1, ack: 5001, ts: (2, .max - 15))
        for step in 0..<3 {
            let seq = isn &+ 1 &+ UInt32(step * 100)
            let at = 60 + Double(step) * 40
            builder.tcp(
                at, fromClient: true, [.psh, .ack], seq: seq, ack: 5001, payload: 100,
                ts: (UInt32(10 + step * 40), .max - 15))
            builder.tcp(
                at + 30, fromClient: false, .ack, seq: 5001, ack: seq &+ 100,
                ts: (UInt32(20 + step), UInt32(10 + step * 40)))
        }
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server) == [30, 30, 30])
        #expect(analysis.report.retransmissions == 0)
    }

    @Test(arguments: [true, false])
    func delayedAcknowledgementIsTimedFromTheNewestSegment(timestamps: Bool) throws {
        var builder = opened(timestamps)
        builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: timestamps ? (151, 9000) : nil)
        builder.tcp(91, fromClient: true, .ack, seq: 1101, ack: 5001, payload: 100, ts: timestamps ? (191, 9000) : nil)
        builder.tcp(121, fromClient: false, .ack, seq: 5001, ack: 1201, ts: timestamps ? (9121, 151) : nil)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake + ["tcp_data server seq 30.0"])
        #expect(analysis.report.rejected["cumulative"] == 1)
    }

    @Test(arguments: [0, 1])
    func keepaliveIsAKindOfItsOwn(bytes: Int) throws {
        var builder = opened(false)
        builder.tcp(51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100)
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 1101)
        builder.tcp(60_000, fromClient: true, .ack, seq: 1100, ack: 5001, payload: bytes)
        builder.tcp(60_030, fromClient: false, .ack, seq: 5001, ack: 1101)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake + ["tcp_data server seq 30.0", "tcp_keepalive server seq 30.0"])
        #expect(analysis.report.retransmissions == 0)
    }

    @Test func selectiveAcknowledgementIsTimedTheFillIsNot() throws {
        var builder = opened(false)
        builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
        builder.tcp(52, fromClient: true, .ack, seq: 1101, ack: 5001, payload: 100)
        builder.tcp(82, fromClient: false, .ack, seq: 5001, ack: 1001, sack: [(1101, 1201)])
        builder.tcp(90, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
        builder.tcp(120, fromClient: false, .ack, seq: 5001, ack: 1201)
        #expect(try Analysis(builder).lines == handshake + ["tcp_data server sack 30.0"])
    }

    @Test func holeBeforeTheCapturePointIsAnUpstreamLoss() throws {
        var builder = opened(false)
        builder.tcp(52, fromClient: true, .ack, seq: 1101, ack: 5001, payload: 100)
        builder.tcp(82, fromClient: false, .ack, seq: 5001, ack: 1001)
        builder.tcp(300, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
        builder.tcp(330, fromClient: false, .ack, seq: 5001, ack: 1201)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == handshake)
        #expect(analysis.report.outOfOrder == 1)
        #expect(analysis.report.upstreamLosses == 1)
        #expect(analysis.report.retransmissions == 0)
    }

    @Test func oneDirectionAloneTellsTheFullRTT() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: (100, 0))
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: (150, 9000))
        builder.tcp(51, fromClient: true, [.psh, .ack], seq: 1001, ack: 5001, payload: 100, ts: (151, 9000))
        builder.tcp(110, fromClient: true, .ack, seq: 1101, ack: 5201, ts: (210, 9090))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["tcp_handshake full syn 50.0 [one_sided]"])
        #expect(analysis.report.oneSidedFlows == 1)
    }

    @Test func timestampZeroIsNone() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000, ts: (0, 0))
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, ts: (0, 0))
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: (0, 0))
        builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: (0, 0))
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 1101, ts: (0, 0))
        #expect(try Analysis(builder).lines == handshake + ["tcp_data server seq 30.0"])
    }

    @Test func ecnHandshakeIsAHandshake() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, [.syn, .ece, .cwr], seq: 1000)
        builder.tcp(30, fromClient: false, [.syn, .ack, .ece], seq: 5000, ack: 1001)
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001)
        #expect(try Analysis(builder).lines == handshake)
    }

    @Test func acknowledgementInsideASuperSegmentIsTimedOnce() throws {
        var builder = opened(false)
        builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 7240)
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 3897)
        builder.tcp(82, fromClient: false, .ack, seq: 5001, ack: 6793)
        builder.tcp(85, fromClient: false, .ack, seq: 5001, ack: 8241)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server) == [30])
        #expect(analysis.report.rejected == ["already_sampled": 2])
    }

    @Test(arguments: [true, false])
    func connectionJoinedInItsMiddleIsTimed(timestamps: Bool) throws {
        var builder = PacketBuilder()
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001, ts: timestamps ? (150, 9000) : nil)
        builder.tcp(51, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, ts: timestamps ? (151, 9000) : nil)
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 1101, ts: timestamps ? (9081, 151) : nil)
        builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1101, payload: 200, ts: timestamps ? (9090, 151) : nil)
        builder.tcp(110, fromClient: true, .ack, seq: 1101, ack: 5201, ts: timestamps ? (210, 9090) : nil)
        #expect(try Analysis(builder).lines == ["tcp_data server seq 30.0", "tcp_data client seq 20.0"])
    }
}
