// Holes in the capture, told apart from losses of the network: what was acknowledged has arrived.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct CaptureGapTests {
    private func counters(_ build: (inout PacketBuilder) -> Void) throws -> CaptureCounters {
        var builder = PacketBuilder()
        builder.opening()
        build(&builder)
        return try Analysis(builder).report.counters
    }

    @Test func aCleanConversationHasNone() throws {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true)
        let counters = try Analysis(builder).report.counters
        #expect(counters.captureGaps == 0)
        #expect(counters.acknowledgements == 2)
        #expect(counters.loss.gapShare == 0)
    }

    @Test func anAcknowledgementAboveWhatWasSeenIsAGap() throws {
        let counters = try counters { builder in
            builder.tcp(60, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
            // 1101..<1201 never came by.
            builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1201)
            builder.tcp(100, fromClient: true, .ack, seq: 1201, ack: 5001, payload: 100)
            builder.tcp(130, fromClient: false, .ack, seq: 5001, ack: 1301)
        }
        #expect(counters.captureGaps == 1)
        #expect(counters.acknowledgements == 2)
        #expect(counters.retransmissions == 0)
    }

    @Test func aHoleThatIsAcknowledgedUnfilledIsAGap() throws {
        let counters = try counters { builder in
            builder.tcp(60, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
            builder.tcp(61, fromClient: true, .ack, seq: 1201, ack: 5001, payload: 100)
            builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1201)
            builder.tcp(91, fromClient: false, .ack, seq: 5001, ack: 1301)
        }
        #expect(counters.captureGaps == 1)
        #expect(counters.outOfOrder == 0)
    }

    @Test func aHoleThatIsFilledBeforeItIsTheNetworks() throws {
        let counters = try counters { builder in
            builder.tcp(60, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
            builder.tcp(61, fromClient: true, .ack, seq: 1201, ack: 5001, payload: 100)
            builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1101)
            builder.tcp(91, fromClient: false, .ack, seq: 5001, ack: 1101)
            builder.tcp(300, fromClient: true, .ack, seq: 1101, ack: 5001, payload: 100)
            builder.tcp(330, fromClient: false, .ack, seq: 5001, ack: 1301)
        }
        #expect(counters.captureGaps == 0)
        #expect(counters.outOfOrder == 1)
    }

    /// Two processors took the two directions: the data stands half a millisecond behind its acknowledgement.
    @Test func dataJustBehindItsAcknowledgementIsNoGap() throws {
        let counters = try counters { builder in
            builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1201)
            builder.tcp(90.2, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
            builder.tcp(90.5, fromClient: true, .ack, seq: 1101, ack: 5001, payload: 100)
            builder.tcp(100, fromClient: true, .ack, seq: 1201, ack: 5001, payload: 100)
            builder.tcp(130, fromClient: false, .ack, seq: 5001, ack: 1301)
        }
        #expect(counters.captureGaps == 0)
        #expect(counters.outOfOrder == 2)
        #expect(counters.retransmissions == 0)
    }

    @Test func dataMuchLaterIsSentAgainAndTheGapStays() throws {
        let counters = try counters { builder in
            builder.tcp(90, fromClient: false, .ack, seq: 5001, ack: 1101)
            builder.tcp(290, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100)
        }
        #expect(counters.captureGaps == 1)
        #expect(counters.retransmissions == 1)
        #expect(counters.outOfOrder == 0)
    }

    /// Where one direction takes another way, its data was never to be seen.
    @Test func oneDirectionAloneAndWhatLayBeforeTheFirstPacketAreNone() throws {
        var oneSided = PacketBuilder()
        for step in 0..<20 {
            oneSided.tcp(
                Double(step) * 10, fromClient: false, .ack, seq: 5001, ack: UInt32(1001 + step * 1_000))
        }
        #expect(try Analysis(oneSided).report.counters.captureGaps == 0)
        #expect(try Analysis(oneSided).report.counters.acknowledgements == 0)
        var joined = PacketBuilder()
        joined.tcp(0, fromClient: true, .ack, seq: 9_001, ack: 5001, payload: 100)
        joined.tcp(1, fromClient: false, .ack, seq: 5001, ack: 8_001)
        joined.tcp(30, fromClient: false, .ack, seq: 5001, ack: 9_101)
        #expect(try Analysis(joined).report.counters.captureGaps == 0)
    }
}
