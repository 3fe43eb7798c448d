// What a capture point sees of large traffic and from odd places: several holes at once, copies that were queued, packets
// that the capture missed, connections that outlive their entries.

import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

extension PacketBuilder {
    /// Segments of the client, 100 bytes each, by number from 0, a tenth of a millisecond apart.
    fileprivate mutating func send(_ numbers: [UInt32], at milliseconds: Double) {
        for (step, number) in numbers.enumerated() {
            tcp(
                milliseconds + Double(step) / 10, fromClient: true, .ack, seq: 1001 + 100 * number, ack: 5001,
                payload: 100)
        }
    }

    /// The server's acknowledgement of all before a number, with the edges of one selective block.
    fileprivate mutating func acknowledge(
        _ number: UInt32, at milliseconds: Double, block: (left: UInt32, right: UInt32)? = nil
    ) {
        let sack = block.map { [(left: 1001 + 100 * $0.left, right: 1001 + 100 * $0.right)] } ?? []
        tcp(milliseconds, fromClient: false, .ack, seq: 5001, ack: 1001 + 100 * number, sack: sack)
    }
}

@Suite struct HoleTests {
    @Test func severalHolesOfOneWindowAreAllUpstreamLosses() throws {
        for order: [UInt32] in [[1, 4, 7], [7, 4, 1], [4, 1, 7]] {
            var builder = PacketBuilder.opened()
            builder.send([0, 2, 3, 5, 6, 8], at: 60)
            builder.acknowledge(1, at: 90, block: (8, 9))
            builder.send(order, at: 120)
            builder.acknowledge(9, at: 160)
            let report = try Analysis(builder).report
            #expect(report.counters.outOfOrder == 3)
            #expect(report.upstreamLosses == 3)
            #expect(report.retransmissions == 0)
            #expect(report.counters.captureGaps == 0)
        }
    }

    /// A side that nobody answers could otherwise take the memory of the others.
    @Test func lateSegmentsThatNobodyCanAcknowledgeTakeNoMoreRoomThanOthers() {
        var builder = PacketBuilder()
        builder.send((0..<100).map { 2 * $0 }, at: 60)
        builder.send((0..<100).map { 2 * $0 + 1 }, at: 120)
        var engine = CaptureEngine(
            link: .ethernet, attribution: AttributionTable(), limits: EngineLimits(), keepsSamples: true)
        for record in builder.records {
            engine.process(
                time: record.time.nanoseconds, wireLength: record.wireLength, record: record.bytes.span.bytes)
        }
        engine.flush()
        let chunks = engine.pool.chunksInUse
        #expect(chunks <= 2)
    }

    @Test func segmentsThatChangedPlacesAreNeitherLostNorSentAgain() throws {
        var builder = PacketBuilder.opened()
        builder.send([0, 4, 2, 1, 3], at: 60)
        builder.acknowledge(5, at: 90.3)
        builder.send([5], at: 100)
        builder.acknowledge(6, at: 130)
        let analysis = try Analysis(builder)
        #expect(analysis.report.counters.outOfOrder == 3)
        #expect(analysis.report.upstreamLosses == 0)
        #expect(analysis.report.retransmissions == 0)
        #expect(analysis.report.counters.captureGaps == 0)
        #expect(analysis.rtts(.tcpData, .server) == [30])
    }

    @Test func whatWasSeenBetweenTwoHolesIsSentAgain() throws {
        var builder = PacketBuilder.opened()
        builder.send([0, 2, 4], at: 60)
        builder.send([2, 1, 3], at: 120)
        // A filled hole is one no more.
        builder.send([1], at: 180)
        let report = try Analysis(builder).report
        #expect(report.retransmissions == 2)
        #expect(report.counters.outOfOrder == 2)
    }

    @Test func eachHoleThatIsAcknowledgedIsAGapOfItsOwn() throws {
        var builder = PacketBuilder.opened()
        builder.send([0, 2, 4, 6], at: 60)
        builder.acknowledge(3, at: 90)
        builder.acknowledge(5, at: 91)
        builder.acknowledge(7, at: 92)
        #expect(try Analysis(builder).report.counters.captureGaps == 3)
    }

    @Test func aHoleFilledWhileAnotherIsOpenIsNoGap() throws {
        var builder = PacketBuilder.opened()
        builder.send([0, 2, 4], at: 60)
        builder.send([1], at: 120)
        builder.acknowledge(3, at: 150)
        builder.send([3], at: 180)
        builder.acknowledge(5, at: 210)
        let report = try Analysis(builder).report
        #expect(report.counters.captureGaps == 0)
        #expect(report.upstreamLosses == 2)
    }
}

@Suite struct CopyTests {
    @Test func repeatedAcknowledgementsAreNoCopies() throws {
        var builder = PacketBuilder.opened()
        builder.send([0, 2, 3, 4], at: 60)
        for step in 0..<3 { builder.acknowledge(1, at: 90 + Double(step) / 20) }
        let report = try Analysis(builder).report
        #expect(report.duplicates == 0)
        #expect(report.drops.isEmpty)
    }

    /// Both sides of a router whose queue is full.
    @Test func copiesFromBehindAQueueAreNoRetransmissions() throws {
        let builder = PacketBuilder.mirrored(timestamps: false, after: 4)
        let report = try Analysis(builder).report
        #expect(report.duplicates == UInt64(builder.records.count / 2))
        #expect(report.retransmissions == 0)
    }

    /// IPv6 has no identification: only the time that a retransmission needs tells.
    @Test func copiesBesideANearServerAreNoRetransmissions() throws {
        var builder = PacketBuilder()
        let parties = Endpoints.ipv6
        builder.tcp(0, fromClient: true, .syn, seq: 1000, endpoints: parties)
        builder.tcp(0.3, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, endpoints: parties)
        builder.tcp(20.3, fromClient: true, .ack, seq: 1001, ack: 5001, endpoints: parties)
        builder.tcp(21, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 100, endpoints: parties)
        builder.repeatLast(after: 0.25)
        builder.tcp(21.3, fromClient: false, .ack, seq: 5001, ack: 1101, endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(analysis.report.duplicates == 1)
        #expect(analysis.report.retransmissions == 0)
        #expect(analysis.rtts(.tcpData, .server) == [0.3])
    }
}

@Suite struct MissedPacketTests {
    /// The request that follows repeats the acknowledgement of the SYN whenever the client has something to say.
    @Test func aRequestDoesNotEndTheHandshake() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001)
        builder.send([0], at: 3_000)
        let answered = try Analysis(builder)
        #expect(answered.lines == ["tcp_handshake server syn 30.0"])
        #expect(answered.report.counters.rejected == ["unseen": 1])

        var oneSided = PacketBuilder()
        oneSided.tcp(0, fromClient: true, .syn, seq: 1000)
        oneSided.send([0], at: 3_000)
        #expect(try Analysis(oneSided).lines.isEmpty)
    }

    @Test func aMissedAnswerMakesNoConnectionOneSided() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001)
        #expect(try Analysis(builder).report.oneSidedFlows == 1)
        builder.send([0], at: 60)
        builder.acknowledge(1, at: 90)
        #expect(try Analysis(builder).report.oneSidedFlows == 0)
    }

    /// The clock was set, or the acknowledgement was missed: no sender waits so long without sending again.
    @Test func anHourIsNoRoundTrip() throws {
        var builder = PacketBuilder.opened()
        builder.send([0], at: 60)
        builder.acknowledge(1, at: 3_600_090)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tcpData, .server).isEmpty)
        #expect(analysis.report.counters.rejected == ["unseen": 1])
    }
}

@Suite struct LongLifeTests {
    @Test func aSilentConnectionStaysTheSame() throws {
        var builder = PacketBuilder.opened()
        builder.tcp(1_200_000, fromClient: false, .ack, seq: 5001, ack: 1001, payload: 10)
        builder.tcp(1_200_020, fromClient: true, .ack, seq: 1001, ack: 5011)
        #expect(try Analysis(builder).report.flows == 1)
    }

    @Test func silenceIsShorterWhereRoomIsScarce() {
        var pool = SegmentPool(chunks: 64)
        var table = FlowTable(maxFlows: 64)
        func expired(after seconds: UInt32) -> Bool {
            var slice = 1_000
            var cursor = 0
            return table.nextExpired(now: 1 + seconds, slice: &slice, cursor: &cursor) >= 0
        }
        for number in 0..<32 {
            var key = FlowKey()
            key.low0 = UInt64(number)
            table.establish(table.insert(key, now: 1, pool: &pool), pool: &pool)
            #expect(expired(after: 901) == (number == 31))
            #expect(expired(after: 7_441))
        }
    }

    @Test func forgottenConnectionsAreNotCountedAgain() throws {
        var builder = PacketBuilder()
        for round in 0..<4 {
            for number in 0..<200 {
                var parties = Endpoints.ipv4
                parties.clientPort = UInt16(30_000 + number)
                let time = Double(round * 10_000 + number)
                switch round {
                case 0: builder.tcp(time, fromClient: true, .syn, seq: 1000, endpoints: parties)
                // By now the SYN of most is forgotten.
                case 1: builder.tcp(time, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001, endpoints: parties)
                default:
                    let sequence = UInt32(1001 + 10 * (round - 2))
                    builder.tcp(
                        time, fromClient: true, .ack, seq: sequence, ack: 5001, payload: 10, endpoints: parties)
                    builder.tcp(time + 0.3, fromClient: false, .ack, seq: 5001, ack: sequence + 10, endpoints: parties)
                }
            }
        }
        let report = try analyze(builder, maxFlows: 64, times: 1)[0]
        #expect(report.counters.evictedFlows > 100)
        #expect(report.flows == 200)
    }

    /// Which connections have no room is the same each time: two readings of a file may not give two answers.
    @Test func aFileGivesOneAnswerWhereATableOverflows() throws {
        var builder = PacketBuilder()
        for step in 0..<20_000 {
            var parties = Endpoints.ipv4
            parties.clientPort = UInt16(30_000 + step * step % 509)
            let sequence = UInt32(1_001 + 10 * (step / 200))
            if step * 31 % 127 < 63 {
                builder.tcp(
                    Double(step), fromClient: true, .ack, seq: sequence, ack: 5001, payload: 10, endpoints: parties)
            } else {
                builder.tcp(
                    Double(step), fromClient: false, .ack, seq: 5001, ack: sequence + 10, endpoints: parties)
            }
        }
        let reports = try analyze(builder, maxFlows: 64, times: 4)
        #expect(reports[0].counters.evictedFlows > 100)
        #expect((reports[0].kinds.first?.count ?? 0) > 100)
        #expect(Set(reports).count == 1)
    }

    private func analyze(_ builder: PacketBuilder, maxFlows: Int, times: Int) throws -> [AnalysisReport] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pcap")
        try Data(builder.file()).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        var limits = EngineLimits()
        limits.maxFlows = maxFlows
        return try (0..<times).map { _ in
            try Analyzer.run(file: file.path, attribution: AttributionTable(), limits: limits)
        }
    }
}
