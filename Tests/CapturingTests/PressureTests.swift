// Many connections at once: batches, floods, and keys that others chose.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct PressureTests {
    /// A generator with a seed (splitmix64), so that every run sees the same.
    private struct Dice {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }

    private let start: Int64 = 1_700_000_000_000_000_000

    private func frame(
        client: Int, isFromClient: Bool, flags: TCPFlags, sequence: UInt32, acknowledgement: UInt32 = 0,
        payload: Int = 0
    ) -> [UInt8] {
        let outer = IPAddress(v4: 0x0A00_0000 + UInt32(client))
        let inner = IPAddress(v4: 0xC633_6401)
        let port = UInt16(20_000 + client % 40_000)
        let segment = TCPHeader(
            sourcePort: isFromClient ? port : 443, destinationPort: isFromClient ? 443 : port, sequence: sequence,
            acknowledgement: acknowledgement, flags: flags)
        var tcp: [UInt8] = []
        segment.write(payload: Array(repeating: 0, count: payload), to: &tcp)
        var packet: [UInt8] = Array(repeating: 2, count: 12) + [8, 0]
        IPv4Header(
            source: isFromClient ? outer : inner, destination: isFromClient ? inner : outer, protocolNumber: .tcp
        ).write(payload: tcp, to: &packet)
        return packet
    }

    private func engine(maxFlows: Int) -> CaptureEngine {
        var limits = EngineLimits()
        limits.maxFlows = maxFlows
        return CaptureEngine(
            link: .ethernet, attribution: AttributionTable(), limits: limits, keepsSamples: true)
    }

    private func feed(_ engine: inout CaptureEngine, _ frame: [UInt8], at time: Int64) {
        engine.process(time: time, wireLength: frame.count, record: frame.span.bytes)
    }

    /// SYN, SYN-ACK, ACK, data and its acknowledgement of 3,000 connections, each step of all of them before the next:
    /// more than the batches begin at, and each batch opens connections that it looked up before they were there.
    @Test func aBatchIsTakenAsPacketsOneByOneAre() {
        var engine = engine(maxFlows: 8_192)
        let count = 3_000
        var time = start
        func step(_ make: (Int) -> [UInt8]) {
            for client in 0..<count {
                time += 1_000
                feed(&engine, make(client), at: time)
            }
        }
        step { frame(client: $0, isFromClient: true, flags: .syn, sequence: 99) }
        step { frame(client: $0, isFromClient: false, flags: [.syn, .ack], sequence: 499, acknowledgement: 100) }
        step { frame(client: $0, isFromClient: true, flags: .ack, sequence: 100, acknowledgement: 500) }
        step { frame(client: $0, isFromClient: true, flags: .ack, sequence: 100, acknowledgement: 500, payload: 80) }
        step { frame(client: $0, isFromClient: false, flags: .ack, sequence: 500, acknowledgement: 180) }
        engine.flush()
        #expect(engine.samples.count == 3 * count)
        // Each waited for one round of all the others.
        #expect(engine.samples.allSatisfy { $0.rtt == Int64(count) * 1_000 })
        #expect(engine.counters.activeFlows == UInt64(count))
        #expect(engine.counters.drops.isEmpty)
    }

    /// Segments short, long and too long, in tags and without, between packets of no use, with a clock that steps back:
    /// what waits comes to the same as what is taken at once.
    @Test func aBatchChangesNothing() {
        func run(batchThreshold: UInt64) -> (samples: [String], counters: CaptureCounters, now: Int64) {
            var limits = EngineLimits()
            limits.maxFlows = 256
            limits.batchThreshold = batchThreshold
            var engine = CaptureEngine(
                link: .ethernet, attribution: AttributionTable(), limits: limits, keepsSamples: true)
            var dice = Dice(state: 11)
            var time = start
            var sent: [UInt32] = Array(repeating: 1, count: 40)
            for _ in 0..<6_000 {
                time += dice.next() % 50 == 0 ? -3_000_000 : 2_000_000
                let client = Int(dice.next() % 40)
                let length = dice.next() % 20 == 0 ? Int(dice.next() % 20_000) : Int(dice.next() % 1_400)
                let isFromClient = dice.next() % 2 == 0
                var packet = frame(
                    client: client, isFromClient: isFromClient, flags: .ack, sequence: isFromClient ? sent[client] : 1,
                    acknowledgement: isFromClient ? 1 : sent[client], payload: isFromClient ? length : 0)
                if isFromClient { sent[client] &+= UInt32(length) }
                switch dice.next() % 8 {
                case 0: packet.replaceSubrange(12..<14, with: [0x08, 0x06])
                case 1: packet.insert(contentsOf: [0x81, 0, 0, 7], at: 12)
                case 2: packet.removeLast(packet.count - 35)
                default: break
                }
                feed(&engine, packet, at: time)
            }
            engine.flush()
            return (engine.samples.map { "\($0)" }, engine.counters, engine.now)
        }
        let atOnce = run(batchThreshold: .max)
        let inBatches = run(batchThreshold: 0)
        #expect(atOnce.samples.count > 500)
        let firstOther = zip(inBatches.samples, atOnce.samples).first { $0 != $1 }
        #expect(firstOther == nil)
        #expect(inBatches.samples.count == atOnce.samples.count)
        #expect(inBatches.counters == atOnce.counters)
        #expect(inBatches.now == atOnce.now)
    }

    /// Within one batch a connection is opened, reset, and opened again from the same ports.
    @Test func aBatchSeesWhatItsEarlierPacketsDid() {
        var engine = engine(maxFlows: 8_192)
        for client in 0..<2_000 {
            feed(
                &engine, frame(client: client, isFromClient: true, flags: .syn, sequence: 1),
                at: start + Int64(client))
        }
        engine.flush()
        engine.samples.removeAll()
        let time = start + 1_000_000
        let steps: [[UInt8]] = [
            frame(client: 5_000, isFromClient: true, flags: .syn, sequence: 10),
            frame(client: 5_000, isFromClient: false, flags: [.rst, .ack], sequence: 0, acknowledgement: 11),
            frame(client: 5_000, isFromClient: true, flags: .syn, sequence: 900),
            frame(client: 5_000, isFromClient: false, flags: [.syn, .ack], sequence: 70, acknowledgement: 901),
        ]
        for (index, step) in steps.enumerated() { feed(&engine, step, at: time + Int64(index) * 7) }
        #expect(engine.samples.isEmpty)
        engine.flush()
        #expect(engine.samples.map(\.kind) == [.tcpRefused, .tcpHandshake])
        #expect(engine.samples.map(\.rtt) == [7, 7])
    }

    @Test func aRecordTooLongForABatchKeepsItsTurn() {
        var engine = engine(maxFlows: 8_192)
        for client in 0..<2_000 {
            feed(
                &engine, frame(client: client, isFromClient: true, flags: .syn, sequence: 1),
                at: start + Int64(client))
        }
        let long = frame(
            client: 7, isFromClient: false, flags: [.syn, .ack], sequence: 5, acknowledgement: 2,
            payload: PacketBatch.byteCapacity + 1)
        feed(&engine, long, at: start + 1_000_007)
        #expect(engine.samples.map(\.rtt) == [1_000_000])
    }

    /// Connections joined in their middle wait for their other side in what the established part leaves free.
    @Test func aStartAmidManyConnectionsForgetsNone() {
        var engine = engine(maxFlows: 4_096)
        for round in 0..<2 {
            for client in 0..<4_096 {
                feed(
                    &engine,
                    frame(
                        client: client, isFromClient: round == 0, flags: .ack, sequence: 7, acknowledgement: 7,
                        payload: 10), at: start + Int64(round * 4_096 + client) * 1_000)
            }
        }
        engine.flush()
        #expect(engine.counters.evictedFlows == 0)
        #expect(engine.findings.counters.flows == 4_096)
    }

    /// Far more connections than a table has room for: each is in it, given up, or refused, and counted as that.
    @Test func moreConnectionsThanFitAreCounted() {
        var pool = SegmentPool(chunks: 64)
        var table = FlowTable(maxFlows: 1_024)
        var dice = Dice(state: 3)
        var offered: UInt64 = 0
        for _ in 0..<200_000 {
            var key = FlowKey()
            key.low0 = dice.next() >> 32
            key.low1 = dice.next() >> 32
            key.rest = dice.next() & ~0xFFFF_FFFF
            let index = table.insert(key, now: UInt32(offered / 10_000), pool: &pool)
            offered += 1
            if index >= 0, dice.next() % 2 == 0 { table.establish(index, pool: &pool) }
        }
        let counters = table.counters
        #expect(counters.active + counters.evicted + counters.refused == offered)
        #expect(counters.active <= UInt64(table.capacity + table.openingCapacity))
        #expect(table.used <= table.capacity + table.openingCapacity)
        #expect(pool.chunksInUse == 0)
    }

    /// Keys that share a bucket without the secret spread with it: the fullest bucket stays near the mean.
    @Test func chosenKeysDoNotFillOneBucket() {
        var pool = SegmentPool(chunks: 64)
        var table = FlowTable(maxFlows: 8_192)
        for number in 0..<8_192 {
            var key = FlowKey()
            // Equal low bits everywhere, the worst for a hash that only masks.
            key.low0 = UInt64(number) << 16
            key.low1 = UInt64(number) << 16
            key.rest = 443 << 48
            let index = table.insert(key, now: 1, pool: &pool)
            #expect(index >= 0)
            table.establish(index, pool: &pool)
        }
        #expect(table.counters.active == 8_192)
        #expect(table.counters.evicted == 0)
        #expect(table.counters.refused == 0)
    }
}
