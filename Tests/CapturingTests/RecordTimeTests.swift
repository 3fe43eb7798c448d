// Times: a sample's time and RTT are those of the records, to the last digit that the file carries.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct RecordTimeTests {
    /// A handshake and two exchanges, seven packets.
    private var conversation: PacketBuilder {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(0, fromClient: false, [.syn, .ack], seq: 5000, ack: 1001)
        builder.tcp(0, fromClient: true, .ack, seq: 1001, ack: 5001)
        for seq: UInt32 in [1001, 1101] {
            builder.tcp(0, fromClient: true, .ack, seq: seq, ack: 5001, payload: 100)
            builder.tcp(0, fromClient: false, .ack, seq: 5001, ack: seq + 100)
        }
        return builder
    }

    /// The conversation at these nanoseconds after the start.
    private func records(_ times: [Int64]) -> [CaptureRecord] {
        zip(conversation.records, times).map { record, time in
            CaptureRecord(time: WallTime(nanoseconds: PacketBuilder.start.nanoseconds + time), bytes: record.bytes)
        }
    }

    /// Simple packet blocks of pcapng, and some files made by programs, have no times: 0 is none, not an RTT.
    @Test func recordsWithoutTimesTellNothing() throws {
        let records = conversation.records.map { CaptureRecord(time: WallTime(nanoseconds: 0), bytes: $0.bytes) }
        let analysis = try Analysis(bytes: CaptureFileWriter.file(records))
        #expect(analysis.samples.isEmpty)
        #expect(analysis.report.kinds.isEmpty)
        #expect(analysis.report.packets == 7)
        #expect(analysis.report.warning == "the records carry no times, so nothing can be timed")
    }

    private static let odd: [Int64] = [
        123_456_789, 153_456_790, 173_456_792, 999_999_999, 1_030_000_000, 1_999_999_998, 2_000_000_001,
    ]

    @Test(arguments: [CaptureFileWriter.Format.nanoseconds, .pcapng])
    func nanosecondFilesAreExact(format: CaptureFileWriter.Format) throws {
        let analysis = try Analysis(bytes: CaptureFileWriter.file(records(Self.odd), format: format))
        let times = analysis.samples.map { $0.time.nanoseconds - PacketBuilder.start.nanoseconds }
        #expect(times == [Self.odd[1], Self.odd[2], Self.odd[4], Self.odd[6]])
        #expect(analysis.samples.map(\.rtt) == [30_000_001, 20_000_002, 30_000_001, 3])
    }

    @Test func microsecondFilesAreExactToTheMicrosecond() throws {
        let analysis = try Analysis(bytes: CaptureFileWriter.file(records(Self.odd), format: .microseconds))
        func cut(_ time: Int64) -> Int64 { time / 1_000 * 1_000 }
        let times = analysis.samples.map { $0.time.nanoseconds - PacketBuilder.start.nanoseconds }
        #expect(times == [1, 2, 4, 6].map { cut(Self.odd[$0]) })
        #expect(analysis.samples.first?.rtt == cut(Self.odd[1]) - cut(Self.odd[0]))
    }

    /// The capture clock steps back by an hour in the middle: one interval is lost, the others are exact.
    @Test(arguments: CaptureFileWriter.Format.allCases)
    func afterAStepBackTheNextSamplesAreExact(format: CaptureFileWriter.Format) throws {
        let hour: Int64 = 3_600_000_000_000
        let millisecond: Int64 = 1_000_000
        let times = [0, 30, 50, 60, 90, 100, 130].map { $0 * millisecond - ($0 >= 90 ? hour : 0) }
        let analysis = try Analysis(bytes: CaptureFileWriter.file(records(times), format: format))
        #expect(analysis.samples.map(\.rtt) == [30, 20, 30].map { $0 * millisecond })
        #expect(analysis.samples.last?.time.nanoseconds == PacketBuilder.start.nanoseconds + times[6])
        #expect(analysis.report.rejected == ["negative": 1])
        #expect(analysis.isBalanced)
    }

    /// Two records out of order by some microseconds, as from two queues of a card.
    @Test func recordsOutOfOrderGiveNoNegativeSample() throws {
        let times: [Int64] = [0, 30_000_000, 50_000_000, 60_000_000, 59_999_000, 100_000_000, 130_000_000]
        let analysis = try Analysis(bytes: CaptureFileWriter.file(records(times), format: .nanoseconds))
        #expect(analysis.samples.map(\.rtt) == [30_000_000, 20_000_000, 30_000_000])
        #expect(analysis.report.rejected == ["negative": 1])
    }

    /// Timers follow the greatest time seen: a step back expires nothing early and holds nothing up.
    @Test func aStepBackDoesNotTimeOutWhatWaits() throws {
        var builder = PacketBuilder()
        let query = try #require(DNSQuery.write(id: 1, name: "a.example", type: DNSType.a))
        let question = DNSQuestion(name: try #require(DNSName("a.example")), type: DNSType.a)
        builder.udp(0, fromClient: true, payload: query)
        builder.tcp(-3_600_000, fromClient: true, .syn, seq: 1)
        builder.udp(20, fromClient: false, payload: DNSReply(id: 1, question: question, rcode: 3).write())
        #expect(try Analysis(builder).rtts(.dns, .server) == [20])
    }
}
