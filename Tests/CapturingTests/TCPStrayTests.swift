// Numbers far from where the connection is: one packet changes nothing, a second one near it is followed.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct TCPStrayTests {
    private static var far: UInt32 { 1 << 30 }

    /// Requests of 100 bytes that are acknowledged 30 ms later.
    private func exchange(_ builder: inout PacketBuilder, from time: Double, seq: UInt32, ack: UInt32, count: Int = 3) {
        for number in 0..<count {
            let time = time + Double(number) * 100
            let next = seq &+ UInt32(number) * 100
            builder.tcp(time, fromClient: true, .ack, seq: next, ack: ack, payload: 100)
            builder.tcp(time + 30, fromClient: false, .ack, seq: ack, ack: next &+ 100)
        }
    }

    /// A damaged or forged segment, with data or without, and an acknowledgement of data that nobody sent.
    @Test(arguments: [
        (fromClient: true, seq: 1001 &+ far, ack: UInt32(5001), payload: 100),
        (fromClient: true, seq: 1001 &- far, ack: UInt32(5001), payload: 100),
        (fromClient: true, seq: 1001 &+ far, ack: UInt32(5001), payload: 0),
        (fromClient: false, seq: 5001 &+ far, ack: UInt32(1001), payload: 100),
        (fromClient: false, seq: UInt32(5001), ack: 1001 &+ far, payload: 0),
    ])
    func oneFarOffPacketChangesNothing(_ stray: (fromClient: Bool, seq: UInt32, ack: UInt32, payload: Int)) throws {
        var builder = PacketBuilder.opened()
        builder.tcp(60, fromClient: stray.fromClient, .ack, seq: stray.seq, ack: stray.ack, payload: stray.payload)
        exchange(&builder, from: 100, seq: 1001, ack: 5001)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server) == [30, 30, 30])
        #expect(analysis.report.rejected == ["out_of_window": 1])
        #expect(analysis.report.retransmissions == 0)
        #expect(analysis.report.outOfOrder == 0)
        #expect(analysis.report.counters.captureGaps == 0)
        #expect(analysis.isBalanced)
    }

    /// The opening of a connection with the same ports was missed.
    @Test func portsUsedAnewWithoutAnOpeningAreFollowed() throws {
        var builder = PacketBuilder.opened()
        exchange(&builder, from: 100, seq: 1001, ack: 5001)
        exchange(&builder, from: 20_000, seq: 3_000_000_000, ack: 2_000_000_000, count: 5)
        let analysis = try Analysis(builder)
        // The first exchange shows where each side is now; the second one may still be in doubt.
        let rtts = analysis.rtts(.tcpData, .server)
        #expect(rtts.count >= 6)
        #expect(rtts.allSatisfy { $0 == 30 })
        #expect(analysis.report.retransmissions == 0)
    }

    /// Two forged packets lead away, and two of the connection's own lead back.
    @Test func whoFollowedAForgeryComesBack() throws {
        var builder = PacketBuilder.opened()
        builder.tcp(60, fromClient: true, .ack, seq: 1001 &+ Self.far, ack: 5001, payload: 100)
        builder.tcp(61, fromClient: true, .ack, seq: 1101 &+ Self.far, ack: 5001, payload: 100)
        exchange(&builder, from: 100, seq: 1001, ack: 5001, count: 5)
        let analysis = try Analysis(builder)
        let rtts = analysis.rtts(.tcpData, .server)
        #expect(rtts.count >= 3)
        #expect(rtts.allSatisfy { $0 == 30 })
        #expect(analysis.report.retransmissions == 0)
    }

    /// A hole of 100 MiB in the capture.
    @Test func aLongHoleIsFollowed() throws {
        var builder = PacketBuilder.opened()
        exchange(&builder, from: 100, seq: 1001, ack: 5001)
        exchange(&builder, from: 5_000, seq: 1301 + 100 * 1_048_576, ack: 5001, count: 4)
        let analysis = try Analysis(builder)
        let rtts = analysis.rtts(.tcpData, .server)
        #expect(rtts.count >= 5)
        #expect(rtts.allSatisfy { $0 == 30 })
        #expect(analysis.report.retransmissions == 0)
    }
}
