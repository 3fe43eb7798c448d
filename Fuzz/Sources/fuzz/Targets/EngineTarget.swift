// The engine with its tables, under a script: what must hold after every packet, and what must hold at the end.

import Model
import Statistics
import TestSupport
import Wire

@testable import Capturing

enum EngineTarget {
    /// Services, networks and names, so that attribution runs too.
    static let attribution: AttributionTable = {
        func prefix(_ text: String) -> [IPPrefix] { IPPrefix(text).map { [$0] } ?? [] }
        return AttributionTable(
            networks: [NetworkSpec(name: "Office", prefixes: prefix("10.0.0.0/8"))],
            services: [
                ServiceSpec(name: "Web", prefixes: prefix("192.0.2.0/24"), names: ["*.example.com"], ports: [443])
            ])
    }()

    /// What was counted before.
    private struct Ledger {
        var packets: UInt64 = 0
        var samples = 0
        var values: [UInt64] = []
    }

    static func run(_ input: RawSpan) throws(FuzzFailure) {
        guard input.byteCount > 0 else { return }
        // A file's analysis keeps samples, a live capture fills histograms.
        let last = input.byte(at: input.byteCount &- 1)
        let keepsSamples = last & 1 == 0
        var limits = EngineLimits(maxFlows: 64, transactions: 64)
        if last & 2 != 0 { limits.batchThreshold = 2 }
        var engine = CaptureEngine(
            link: .ethernet, attribution: attribution, limits: limits, keepsSamples: keepsSamples)
        var script = EngineScript(input)
        var ledger = Ledger()
        var recorded: UInt64 = 0
        var least = Int64.max
        var steps = 0
        while let step = script.nextStep() {
            steps += 1
            switch step {
            case .record(let bytes, let wireLength):
                least = min(least, script.time)
                let before = engine.dropped
                engine.process(time: script.time, wireLength: wireLength, record: bytes.span.bytes)
                ledger.packets += 1
                try expect(
                    limits.batchThreshold == 2 || engine.dropped - before <= 1, "a packet was dropped twice")
                try expect(engine.dropped <= ledger.packets, "more drops than packets")
            case .quiet: engine.advance(to: script.time)
            case .drain: recorded += drain(&engine)
            }
            guard steps % 16 == 0 else { continue }
            engine.flush()
            try check(engine, &ledger)
        }
        engine.flush()
        try check(engine, &ledger)
        try checkTables(&engine)
        engine.finish()
        recorded += drain(&engine)
        try checkSamples(engine, recorded: recorded, span: least == .max ? 0 : engine.now &- least)
        var waiting = 0
        engine.transactions.finish { _ in waiting += 1 }
        try expect(waiting == 0, "a request still waits after the end")
    }

    /// How many RTTs the interval's histograms held.
    private static func drain(_ engine: inout CaptureEngine) -> UInt64 {
        engine.drainSummary { "if\($0)" }.values.reduce(0) { $0 + $1.histogram.count }
    }

    /// Counters go up only, and the tables keep their bounds. Connections seen in one direction only are not held to that:
    /// one of which the other side is heard after all is taken off again.
    private static func check(_ engine: borrowing CaptureEngine, _ ledger: inout Ledger) throws(FuzzFailure) {
        let counters = engine.counters
        try expect(counters.packets == ledger.packets, "every record is counted once")
        try expect(counters.drops.values.reduce(0, +) <= counters.packets, "packets = used + drops")
        var values = [
            counters.bytes, counters.retransmissions, counters.outOfOrder, counters.duplicates, counters.evictedFlows,
            counters.refusedFlows, counters.overflowedKeys, engine.findings.counters.upstreamLosses,
            engine.findings.counters.spurious, engine.findings.counters.flows,
        ]
        for reason in RejectReason.allCases { values.append(engine.findings.counters.rejected[reason.rawValue]) }
        for reason in DropReason.allCases { values.append(counters.drops[reason.name] ?? 0) }
        try expect(
            zip(ledger.values, values).allSatisfy { $0 <= $1 }, "a counter went down: \(ledger.values) \(values)")
        ledger.values = values
        let most = engine.flows.capacity + engine.flows.openingCapacity
        try expect(counters.activeFlows <= UInt64(most), "more flows than fit")
        try expect(engine.samples.count >= ledger.samples, "a sample went")
        ledger.samples = engine.samples.count
    }

    /// Every flow is found by its key, and every chunk of the pool has an owner.
    private static func checkTables(_ engine: inout CaptureEngine) throws(FuzzFailure) {
        var active: UInt64 = 0
        var established = 0
        var chunks = 0
        for index in 0..<engine.flows.used {
            var flow = engine.flows[index]
            if flow.has(.inUse) {
                active += 1
                if flow.has(.isEstablished) { established += 1 }
                try expect(engine.flows.find(flow.key) == index, "a flow is not found by its key")
            }
            for side in 0..<2 {
                let queue = flow.sides[side].queue
                let held = queue.count == 0 ? 0 : (Int(queue.headSlot) + Int(queue.count) + 2) / SegmentChunk.capacity
                try expect(flow.has(.inUse) || held == 0, "a free entry holds segments")
                chunks += held + (flow.sides[side].copies == 0 ? 0 : 1)
                var seen = 0
                engine.pool.forEach(in: queue) { _ in
                    seen += 1
                    return true
                }
                try expect(seen == Int(queue.count), "a queue of \(queue.count) segments holds \(seen)")
            }
        }
        try expect(active == engine.flows.counters.active, "active flows are miscounted")
        try expect(established <= engine.flows.capacity, "more established flows than fit")
        try expect(chunks == engine.pool.chunksInUse, "\(engine.pool.chunksInUse) chunks in use, \(chunks) owned")
    }

    private static func checkSamples(
        _ engine: borrowing CaptureEngine, recorded: UInt64, span: Int64
    ) throws(FuzzFailure) {
        var timed: UInt64 = 0
        for sample in engine.samples {
            try expect(sample.rtt >= -1, "a negative RTT: \(sample)")
            try expect((sample.rtt < 0) == (sample.outcome != nil), "an RTT or an outcome, never both: \(sample)")
            try expect(sample.rtt <= span, "an RTT longer than the capture: \(sample)")
            if sample.outcome == .ambiguous {
                try expect(sample.lower <= sample.upper, "bounds out of order: \(sample)")
                try expect(sample.lower >= 0, "a negative bound: \(sample)")
            }
            if sample.rtt >= 0 { timed += 1 }
        }
        try expect(
            timed == 0 || recorded == 0, "\(timed) samples with an RTT, and \(recorded) in the histograms too")
    }

    // MARK: Seeds

    /// Hellos of TLS in both directions, a QUIC handshake (its Initials cut to what a step can carry), VPNs.
    private static func payloads(_ millisecond: UInt8) -> [UInt8] {
        func stream(_ who: UInt8, _ payload: [UInt8]) -> [UInt8] {
            [3, who, 0x18, millisecond, 0, 0, UInt8(clamping: payload.count)] + payload.prefix(255) + [0]
        }
        func datagram(_ port: UInt8, _ who: UInt8, _ payload: [UInt8]) -> [UInt8] {
            // A size of 255 means the longest that a step can carry, 1,200 bytes.
            [4 | port << 3, who, millisecond, payload.count > 254 ? 255 : UInt8(payload.count)] + payload
        }
        let hello = TLSClientHelloFields(serverName: "www.example.com", applicationProtocols: ["h3"]).write()
        let builder = QUICBuilder()
        let record = TLSTarget.record(hello)
        var result = stream(0, Array(record.prefix(60))) + stream(0, Array(record.dropFirst(60)))
        result += stream(128, TLSTarget.record(TLSServerHelloFields(isRetryRequest: true).write()))
        result += stream(0, record) + stream(128, TLSTarget.record(TLSServerHelloFields().write()))
        result += datagram(1, 0, builder.clientInitial(number: 0, frames: QUICBuilder.crypto(hello)))
        result += datagram(1, 128, builder.serverInitial(number: 0, frames: QUICBuilder.acknowledge(0...0)))
        result += datagram(1, 0, builder.handshake(fromServer: false))
        for turn in 0..<3 as Range<UInt8> {
            result += datagram(1, 0, builder.short(fromServer: false, spin: turn & 1 == 0))
            result += datagram(1, 128, builder.short(fromServer: true, spin: turn & 1 == 0))
        }
        for (port, who, write) in vpns {
            var message: [UInt8] = []
            write(&message)
            result += datagram(port, who, message)
        }
        return result
    }

    private static var vpns: [(port: UInt8, who: UInt8, write: (inout [UInt8]) -> Void)] {
        [
            (4, 0, { WireGuardHeader(type: .initiation, sender: 7).write(to: &$0) }),
            (4, 128, { WireGuardHeader(type: .response, sender: 8, receiver: 7).write(to: &$0) }),
            (2, 0, { IKEHeader(initiatorSPI: 9, exchange: 34).write(payloads: [(33, [1, 2, 3, 4])], to: &$0) }),
            (
                2, 128,
                {
                    IKEHeader(initiatorSPI: 9, exchange: 34, isResponse: true, isFromInitiator: false)
                        .write(payloads: [(41, [0, 0, 64, 6])], to: &$0)
                }
            ),
            (5, 0, { OpenVPNResetHeader(isFromServer: false, session: 5).write(to: &$0) }),
            (5, 128, { OpenVPNResetHeader(isFromServer: true, session: 6, echoedSession: 5).write(to: &$0) }),
        ]
    }

    /// A handshake, data with its acknowledgement, losses, a keepalive, a close, DNS, a flood: steps of `EngineScript`.
    static var seeds: [[UInt8]] {
        let millisecond: UInt8 = 20
        let opened: [UInt8] = [
            0, 0, 0x02, millisecond, 0, 0, 0, 0,
            0, 128, 0x12, millisecond, 0, 0, 0, 0,
            0, 0, 0x10, millisecond, 0, 0, 0, 0,
        ]
        let data: [UInt8] = [0, 0, 0x18, millisecond, 0, 0, 100, 0, 0, 128, 0x10, millisecond, 0, 0, 0, 0]
        let again: [UInt8] = [8, 0, 0x18, millisecond, 0xFF, 0, 100, 0, 0, 128, 0x10, millisecond, 0, 0, 0, 0]
        let hole: [UInt8] = [
            8, 0, 0x18, millisecond, 1, 0, 100, 0, 0x48, 128, 0x10, millisecond, 0, 0xFE, 0, 0, 0x11,
            8, 0, 0x18, millisecond, 0xFE, 0, 100, 0, 0, 128, 0x10, millisecond, 0, 0, 0, 0,
        ]
        let stamped: [UInt8] = [
            0x20, 1, 0x02, millisecond, 0, 0, 0, 5, 0, 0x20, 129, 0x12, millisecond, 0, 0, 0, 5, 0,
            0x20, 1, 0x18, millisecond, 0, 0, 50, 5, 0, 0x20, 129, 0x10, millisecond, 0, 0, 0, 5, 0,
        ]
        let close: [UInt8] = [0, 0, 0x11, millisecond, 0, 0, 0, 0, 0, 128, 0x11, millisecond, 0, 0, 0, 0]
        let flood = (0..<100).flatMap { _ in [6, 10, 1, 0] as [UInt8] }
        let pairs = (0..<100).flatMap { _ in [6, 10, 1, 0, 6, 10, 0, 3] as [UInt8] }
        var names: [UInt8] = []
        for message in DNSTarget.seeds.prefix(2) {
            names += [4, message[2] & 0x80 == 0 ? 0 : 128, millisecond, UInt8(clamping: message.count)] + message
        }
        var stream: [UInt8] = []
        if let query = DNSTarget.seeds.first {
            let framed = [0, UInt8(clamping: query.count)] + query
            stream = [3, 16, 0x18, millisecond, 0, 0, UInt8(clamping: framed.count)] + framed + [0]
        }
        let echo: [UInt8] = [
            4, 64, millisecond, 8, 8, 0, 0, 0, 0, 7, 0, 1, 4, 192, millisecond, 8, 0, 0, 0, 0, 0, 7, 0, 1,
        ]
        let quiet: [UInt8] = [7, 38, 15, 0]
        let other = [opened, data, payloads(millisecond)].flatMap { $0 }
        return [
            other, other + [7, 2], other + [7, 3],
            opened + data, opened + data + again, opened + hole, stamped, opened + data + close, flood, pairs,
            names + opened + data, stream, echo + quiet, opened + quiet + data, opened + data + data + quiet + flood,
        ]
    }
}
