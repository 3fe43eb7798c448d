// Which flows are measured while there is too much to measure them all.
//
// By flow, never by packet: of a flow that is kept everything is seen, so its RTTs, retransmissions and timeouts are what
// they would have been. A flow's level is drawn from a secret hash of its addresses and ports, the same in both
// directions; a step more keeps half of what was kept before, so a step leaves no hole in what it keeps.

internal import Wire

struct FlowSampling {
    /// One flow in 64 is the least.
    static var maximumShift: Int { 6 }

    private let hash = KeyedHash()
    /// One flow in 2^shift is measured.
    private(set) var shift = 0
    /// When flows of each level were last taken in again, on the engine's clock; `Int64.min`: never left out.
    private var readmitted: InlineArray<6, Int64> = InlineArray(repeating: .min)
    /// The latest of them.
    private(set) var lastReadmission = Int64.min
    /// Whether a flow was ever left out. Until then nothing below costs anything.
    private(set) var hasShed = false

    /// 0 for half of all flows, 1 for a quarter, … The level does not depend on the interface, so that a packet seen on
    /// two of them is kept or left out on both. Ports are 0 where there are none.
    @inline(__always)
    func level(_ a: IPAddress, _ aPort: UInt16, _ b: IPAddress, _ bPort: UInt16) -> Int {
        let one = hash.hash(a.high, a.low, UInt64(aPort))
        let other = hash.hash(b.high, b.low, UInt64(bPort))
        // Sum and exclusive or are the same either way round.
        let value = hash.hash(one &+ other, one ^ other, 0)
        return min(value.leadingZeroBitCount, FlowSampling.maximumShift)
    }

    @inline(__always)
    func leavesOut(level: Int) -> Bool { level < shift }

    /// Measures one flow in 2^`shift` from `time` on.
    mutating func set(shift wanted: Int, at time: Int64) {
        let wanted = min(max(wanted, 0), FlowSampling.maximumShift)
        if wanted < shift {
            for level in wanted..<shift { readmitted[level] = time }
            lastReadmission = max(lastReadmission, time)
        }
        if wanted > 0 { hasShed = true }
        shift = wanted
    }

    /// Whether packets of the level may have been left out after `time`.
    func hasMissed(level: Int, since time: Int64) -> Bool {
        guard level < FlowSampling.maximumShift else { return false }
        return level < shift || readmitted[level] > time
    }
}

extension CaptureEngine {
    /// What a flow entry's second of last use may lag behind, with the tick that counts seconds: nanoseconds.
    private static var secondSlack: Int64 { 2_000_000_000 }

    /// Whether the packet belongs to a flow that is left out now.
    @inline(never)
    func isShed(_ packet: DissectedPacket, record: RawSpan) -> Bool {
        var ports = (UInt16(0), UInt16(0))
        if packet.protocolNumber == .tcp || packet.protocolNumber == .udp, packet.captured >= 4 {
            ports.0 = record.bigEndian16(at: packet.offset)
            ports.1 = record.bigEndian16(at: packet.offset &+ 2)
        }
        return sampling.leavesOut(
            level: sampling.level(packet.source, ports.0, packet.destination, ports.1))
    }

    /// Whether an entry is from before its flow was left out: what it remembers is out of date, and what it missed
    /// would look like a hole in the capture.
    @inline(never)
    func isOutdated(_ index: Int) -> Bool {
        let since = Int64(flows[index].lastSeen) &* 1_000_000_000 &+ CaptureEngine.secondSlack
        guard since < sampling.lastReadmission else { return false }
        let level = sampling.level(address(0, of: index), port(0, of: index), address(1, of: index), port(1, of: index))
        return sampling.hasMissed(level: level, since: since)
    }

    /// Whether the answer, or the request, may be missing only because its flow was left out.
    @inline(never)
    func isUnknown(_ sample: EngineSample) -> Bool {
        let since: Int64
        switch sample.outcome {
        case .timeout, .unanswered: since = sample.time
        case .orphan: since = sample.time &- transactions.limit
        case .ambiguous, nil: return false
        }
        let level = sampling.level(sample.source, sample.sourcePort, sample.destination, sample.destinationPort)
        return sampling.hasMissed(level: level, since: since)
    }
}
