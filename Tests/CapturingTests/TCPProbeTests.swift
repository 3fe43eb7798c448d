// What TCP sends beside its data: SACK blocks told of twice, probes, keepalives.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct TCPProbeTests {
    private func send(_ builder: inout PacketBuilder, _ at: Double, seq: UInt32, payload: Int = 100) {
        builder.tcp(at, fromClient: true, .ack, seq: seq, ack: 5001, payload: payload)
    }

    /// Told of first by an acknowledgement of something new, a block must not be timed when it is told of once more.
    @Test func blockInAnAcknowledgementOfSomethingNewIsTimedThenAndOnce() throws {
        var builder = PacketBuilder.opened()
        for step in 0..<3 { send(&builder, 51 + Double(step), seq: 1001 + UInt32(step) * 100) }
        builder.tcp(83, fromClient: false, .ack, seq: 5001, ack: 1101, sack: [(1201, 1301)])
        builder.tcp(283, fromClient: false, .ack, seq: 5001, ack: 1101, sack: [(1201, 1301)], window: 50_000)
        let data = try Analysis(builder).lines.filter { $0.hasPrefix("tcp_data") }
        #expect(data == ["tcp_data server seq 32.0", "tcp_data server sack 30.0"])
    }

    /// After a loss, what such an acknowledgement tells of may be old: neither then nor later.
    @Test func blockToldOfAfterALossIsNeverTimed() throws {
        var builder = PacketBuilder.opened()
        for step in 0..<4 { send(&builder, 51 + Double(step), seq: 1001 + UInt32(step) * 100) }
        builder.tcp(82, fromClient: false, .ack, seq: 5001, ack: 1001, sack: [(1101, 1201)])
        // The report of 1301..<1401 was lost on its way.
        send(&builder, 90, seq: 1001)
        builder.tcp(120, fromClient: false, .ack, seq: 5001, ack: 1201, sack: [(1301, 1401)])
        builder.tcp(140, fromClient: false, .ack, seq: 5001, ack: 1201, sack: [(1301, 1401)], window: 50_000)
        let data = try Analysis(builder).lines.filter { $0.hasPrefix("tcp_data") }
        #expect(data == ["tcp_data server sack 30.0"])
    }

    @Test func blockHalfTheNumbersAfterTheLastIsTimed() throws {
        var builder = PacketBuilder.opened()
        // In steps that are no strays.
        for round in 0...40 {
            let at = 100 * Double(round + 1)
            let seq = 1001 + UInt32(round) * 60_000_000
            send(&builder, at, seq: seq)
            send(&builder, at + 1, seq: seq + 100)
            if round % 40 == 0 {
                builder.tcp(at + 31, fromClient: false, .ack, seq: 5001, ack: seq, sack: [(seq + 100, seq + 200)])
            }
            builder.tcp(at + 60, fromClient: false, .ack, seq: 5001, ack: seq + 200)
        }
        #expect(try Analysis(builder).lines.filter { $0.contains("sack") }.count == 2)
    }

    /// Case 33: nothing was lost when the same byte probes the closed window again.
    @Test func repeatedProbesOfAClosedWindowAreNoRetransmissions() throws {
        var builder = PacketBuilder.opened()
        send(&builder, 51, seq: 1001)
        builder.tcp(81, fromClient: false, .ack, seq: 5001, ack: 1101, window: 0)
        for at in [500.0, 1000, 2000] {
            send(&builder, at, seq: 1101, payload: 1)
            builder.tcp(at + 30, fromClient: false, .ack, seq: 5001, ack: 1101, window: 0)
        }
        send(&builder, 4000, seq: 1101, payload: 1)
        builder.tcp(4030, fromClient: false, .ack, seq: 5001, ack: 1102)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server) == [30])
        #expect(analysis.report.retransmissions == 0)
        #expect(analysis.samples.allSatisfy { $0.kind != .tcpKeepalive })
    }

    /// Case 12, of a connection that was idle when the capture began.
    @Test(arguments: [0, 1])
    func keepaliveOfAConnectionJoinedInItsMiddleIsNoData(bytes: Int) throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: false, .ack, seq: 5001, ack: 1101)
        for at in [1000.0, 8000, 15_000] {
            send(&builder, at, seq: 1100, payload: bytes)
            builder.tcp(at + 30, fromClient: false, .ack, seq: 5001, ack: 1101)
        }
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server) == [])
        #expect(analysis.rtts(.tcpKeepalive, .server).allSatisfy { $0 == 30 })
        #expect(analysis.report.retransmissions == 0)
        #expect(analysis.report.counters.captureGaps == 0)
    }

    @Test func keepaliveAsTheFirstPacketSeenIsNoGapOfTheCapture() throws {
        var builder = PacketBuilder()
        for at in [1000.0, 8000, 15_000] {
            send(&builder, at, seq: 1100, payload: 0)
            builder.tcp(at + 30, fromClient: false, .ack, seq: 5001, ack: 1101)
        }
        let analysis = try Analysis(builder)
        #expect(analysis.report.counters.captureGaps == 0)
        #expect(analysis.rtts(.tcpData, .server) == [])
        #expect(analysis.rtts(.tcpKeepalive, .server).contains(30))
    }
}
