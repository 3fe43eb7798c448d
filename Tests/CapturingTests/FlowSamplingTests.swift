// Shedding load: which flows are left out, when, and that nothing is said of what was not looked at.

import Model
import Statistics
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct FlowSamplingTests {
    private func parties(_ number: Int) -> Endpoints {
        var parties = Endpoints.ipv4
        parties.client = IPAddress(v4: 0x0B00_0000 + UInt32(number))
        return parties
    }

    private func engine() -> CaptureEngine {
        CaptureEngine(
            link: .ethernet, attribution: AttributionTable(), limits: EngineLimits(), keepsSamples: true)
    }

    private func feed(_ engine: inout CaptureEngine, _ builder: PacketBuilder) {
        for record in builder.records {
            engine.process(
                time: record.time.nanoseconds, wireLength: record.wireLength, record: record.bytes.span.bytes)
        }
        engine.flush()
    }

    @Test func aStepHalvesAndKeepsASubset() {
        let sampling = FlowSampling()
        var counts = [Int](repeating: 0, count: FlowSampling.maximumShift + 1)
        for number in 0..<20_000 {
            let one = IPAddress(v4: UInt32(number) &* 2_654_435_761)
            let other = IPAddress(v6High: 1, low: UInt64(number % 3))
            let level = sampling.level(one, 40_000, other, 443)
            #expect(level == sampling.level(other, 443, one, 40_000))
            counts[level] += 1
        }
        #expect(counts[0] > 9_500 && counts[0] < 10_500)
        #expect(counts[1] > 4_700 && counts[1] < 5_300)
        // A level above the shift is kept at every smaller shift too, since only the number decides.
        var stepped = sampling
        for shift in 0...FlowSampling.maximumShift {
            stepped.set(shift: shift, at: 0)
            for level in 0...FlowSampling.maximumShift {
                #expect(stepped.leavesOut(level: level) == (level < shift))
            }
        }
        stepped.set(shift: 99, at: 0)
        #expect(stepped.shift == FlowSampling.maximumShift)
    }

    @Test func whatIsLeftOutIsCountedAndTheRestMeasuredInFull() {
        var engine = engine()
        engine.sampleFlows(shift: 1)
        var builder = PacketBuilder()
        for number in 0..<400 {
            builder.cleanConversation(timestamps: true, endpoints: parties(number), from: Double(number) * 200)
        }
        feed(&engine, builder)
        engine.finish()
        let counters = engine.counters
        let shed = counters.drops["shed"] ?? 0
        // Conversations have seven packets, and none is cut in two.
        #expect(shed > 0 && shed % 7 == 0)
        let kept = 400 - shed / 7
        #expect(kept > 120 && kept < 280)
        #expect(counters.packets == 2_800)
        #expect(counters.drops == ["shed": shed])
        #expect(counters.flowDivisor == 2)
        #expect(counters.loss.shed == shed)
        #expect(counters.captureGaps == 0)
        #expect(UInt64(engine.samples.count { $0.kind == .tcpHandshake }) == kept * 2)
        #expect(UInt64(engine.samples.count { $0.kind == .tcpData && $0.side == .server }) == kept)
        #expect(engine.samples.allSatisfy { $0.outcome == nil })
    }

    /// Requests seen before load was shed, replies left out: nobody has timed out.
    @Test func whatMayHaveBeenLeftOutIsNotCalledUnanswered() {
        var engine = engine()
        var builder = PacketBuilder()
        for number in 0..<200 {
            var initiation: [UInt8] = []
            WireGuardHeader(type: .initiation, sender: UInt32(number + 1)).write(to: &initiation)
            builder.udp(Double(number) / 10, fromClient: true, payload: initiation, endpoints: parties(number))
            builder.tcp(Double(number) / 10, fromClient: true, .syn, seq: 1000, endpoints: parties(number))
        }
        feed(&engine, builder)
        engine.sampleFlows(shift: FlowSampling.maximumShift)
        engine.finish()
        let told = engine.samples.count { $0.outcome == .timeout || $0.outcome == .unanswered }
        #expect(told < 40)
        #expect(UInt64(told) + (engine.counters.rejected["shed"] ?? 0) == 400)
    }

    @Test func flowsTakenInAgainBeginAnew() {
        var engine = engine()
        var before = PacketBuilder()
        var during = PacketBuilder()
        var after = PacketBuilder()
        for number in 0..<100 {
            let parties = parties(number)
            let offset = Double(number)
            before.opening(endpoints: parties, from: offset)
            during.tcp(
                60_000 + offset, fromClient: true, .ack, seq: 1001, ack: 5001, payload: 1_000, endpoints: parties)
            during.tcp(60_030 + offset, fromClient: false, .ack, seq: 5001, ack: 2001, endpoints: parties)
            after.tcp(120_000 + offset, fromClient: true, .ack, seq: 2001, ack: 5001, payload: 100, endpoints: parties)
            after.tcp(120_030 + offset, fromClient: false, .ack, seq: 5001, ack: 2101, endpoints: parties)
        }
        feed(&engine, before)
        engine.sampleFlows(shift: 2)
        feed(&engine, during)
        engine.sampleFlows(shift: 0)
        feed(&engine, after)
        engine.finish()
        let counters = engine.counters
        #expect((counters.drops["shed"] ?? 0) > 0)
        // What was left out in between is no hole in the capture.
        #expect(counters.captureGaps == 0)
        #expect(counters.retransmissions == 0)
        let late = engine.samples.filter { $0.kind == .tcpData && $0.side == .server }
        #expect(late.allSatisfy { $0.rtt == 30_000_000 })
        #expect(late.count >= 100)
        #expect(counters.flowDivisor == 1)
    }

    // MARK: When

    private func expectNoChange(
        _ shedder: inout LoadShedder, _ packets: UInt64, _ drops: UInt64, at location: SourceLocation = #_sourceLocation
    ) {
        let changed = shedder.observe(packets: packets, drops: drops)
        #expect(!changed, sourceLocation: location)
    }

    @Test func sustainedDropsHalveAndQuietDoubles() {
        var shedder = LoadShedder()
        // A burst is not sustained.
        expectNoChange(&shedder, 100_000, 5_000)
        expectNoChange(&shedder, 100_000, 5_000)
        for _ in 0..<5 { expectNoChange(&shedder, 100_000, 0) }
        // A few lost packets are not worth losing half of the flows.
        for _ in 0..<60 { expectNoChange(&shedder, 100_000, 10) }
        #expect(shedder.shift == 0)
        for shift in 1...FlowSampling.maximumShift {
            let changes = (0..<3).map { _ in shedder.observe(packets: 100_000, drops: 5_000) }
            #expect(changes == [false, false, true])
            #expect(shedder.shift == shift)
        }
        for _ in 0..<30 { expectNoChange(&shedder, 100_000, 5_000) }
        #expect(shedder.shift == FlowSampling.maximumShift)
        for shift in (0..<FlowSampling.maximumShift).reversed() {
            let changes = (0..<30).map { _ in shedder.observe(packets: 100_000, drops: 0) }
            #expect(changes.count { $0 } == 1 && changes.last == true)
            #expect(shedder.shift == shift)
        }
        for _ in 0..<1_000 { expectNoChange(&shedder, .max, 0) }
    }

    @Test func eachRelapseMakesItWaitLonger() {
        var shedder = LoadShedder()
        var waits: [Int] = []
        for _ in 0..<7 {
            while shedder.shift == 0 { _ = shedder.observe(packets: 1_000, drops: 1_000) }
            var wait = 0
            while shedder.shift == 1 {
                _ = shedder.observe(packets: 1_000, drops: 0)
                wait += 1
            }
            waits.append(wait)
        }
        #expect(waits == [30, 60, 120, 240, 480, 600, 600])
    }

    @Test func countersGoOnBeyondThirtyTwoBitsAndStartAnew() {
        var tally = DropTally()
        for value: UInt32 in [10, 4_000_000_000, 200] { tally.read(value) }
        // From 10 to four thousand million in one step is a new start as well: nothing drops that fast.
        #expect(tally.total == 10 + UInt64(200 &- UInt32(4_000_000_000)))
        var restarted = DropTally()
        for value: UInt32 in [1_000, 1_500, 0, 7] { restarted.read(value) }
        #expect(restarted.total == 1_507)
    }
}
