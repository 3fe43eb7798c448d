// Floods through the whole engine: what is bounded, what survives, and that all of it is counted. Cases 59 and 60.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct FloodTests {
    private func engine(maxFlows: Int, transactions: Int = 8_192, _ builder: PacketBuilder) -> (
        counters: CaptureCounters, flows: UInt64, samples: [EngineSample]
    ) {
        var limits = EngineLimits()
        limits.maxFlows = maxFlows
        limits.transactions = transactions
        var engine = CaptureEngine(
            link: .ethernet, attribution: AttributionTable(), limits: limits, keepsSamples: true)
        for record in builder.records {
            engine.process(
                time: record.time.nanoseconds, wireLength: record.wireLength, record: record.bytes.span.bytes)
        }
        engine.finish()
        return (engine.counters, engine.findings.counters.flows, engine.samples)
    }

    @Test func aFloodOfSynsLeavesAnEstablishedConnectionMeasured() {
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true)
        var scanner = Endpoints.ipv4
        for number in 0..<10_000 {
            scanner.client = IPAddress(v4: 0x0B00_0000 + UInt32(number))
            builder.tcp(120 + Double(number) / 10, fromClient: true, .syn, seq: 1, endpoints: scanner)
        }
        builder.tcp(2_000, fromClient: true, [.psh, .ack], seq: 1_101, ack: 5_201, payload: 100)
        builder.tcp(2_030, fromClient: false, .ack, seq: 5_201, ack: 1_201)
        let result = engine(maxFlows: 1_024, builder)
        let data = result.samples.filter { $0.kind == .tcpData && $0.side == .server }
        #expect(data.map(\.rtt) == [30_000_000, 30_000_000])
        #expect(result.flows == 10_001)
        // Half-open ones have a part of their own, and what the established part leaves free.
        #expect(result.counters.activeFlows <= 1_024 + 1_024 / 8)
        #expect(
            result.counters.activeFlows + result.counters.evictedFlows + result.counters.refusedFlows == 10_001)
    }

    @Test func aFullTableCountsWhatItGivesUp() {
        var builder = PacketBuilder()
        var parties = Endpoints.ipv4
        for number in 0..<1_000 {
            parties.client = IPAddress(v4: 0x0B00_0000 + UInt32(number))
            builder.cleanConversation(timestamps: true, endpoints: parties, from: Double(number) * 200)
        }
        let result = engine(maxFlows: 64, builder)
        #expect(result.flows == 1_000)
        #expect(result.counters.activeFlows <= 64 + 64)
        #expect(result.counters.evictedFlows > 0)
        #expect(
            result.counters.activeFlows + result.counters.evictedFlows + result.counters.refusedFlows <= 1_000)
        // Each was measured while it was there.
        #expect(result.samples.count { $0.kind == .tcpHandshake } == 2_000)
    }

    /// Requests that nobody answers: each is reported or, where a newer one needed the place, counted.
    @Test func aFloodOfHandshakesIsReportedOrCounted() {
        var builder = PacketBuilder()
        for number in 0..<5_000 {
            var initiation: [UInt8] = []
            WireGuardHeader(type: .initiation, sender: UInt32(number + 1)).write(to: &initiation)
            builder.udp(Double(number) / 10, fromClient: true, payload: initiation, endpoints: .ipv4)
        }
        let result = engine(maxFlows: 64, transactions: 1_024, builder)
        let timeouts = UInt64(result.samples.count { $0.outcome == .timeout })
        #expect(timeouts <= 1_024)
        #expect(timeouts + (result.counters.rejected["no_room"] ?? 0) == 5_000)
    }

    /// More queries at once than there is room for: the answer to one that gave way is no orphan, nor are its copies.
    @Test func theAnswerToAQueryThatGaveWayIsNoOrphan() throws {
        var builder = PacketBuilder()
        let name = try #require(DNSName("a.example"))
        let question = DNSQuestion(name: name, type: DNSType.a)
        for id in 0..<2_000 {
            let query = try #require(DNSQuery.write(id: UInt16(id), name: "a.example", type: DNSType.a))
            builder.udp(Double(id) / 100, fromClient: true, payload: query)
        }
        for id in 0..<2_000 {
            builder.udp(
                40 + Double(id), fromClient: false, payload: DNSReply(id: UInt16(id), question: question).write())
            builder.repeatLast(after: 0.3)
        }
        // Its query was not seen at all.
        builder.udp(60_000, fromClient: false, payload: DNSReply(id: 9_999, question: question).write())
        let result = engine(maxFlows: 64, transactions: 256, builder)
        let answered = result.samples.count { $0.rtt > 0 }
        #expect(answered > 0 && answered <= 256)
        #expect(result.samples.count { $0.outcome == .orphan } == 1)
        #expect(UInt64(answered) + (result.counters.rejected["no_room"] ?? 0) == 2_000)
        #expect(result.samples.count == answered + 1)
    }
}
