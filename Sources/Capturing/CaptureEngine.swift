// The engine behind the daemon's captures and `taut analyze`: packets in, samples out.
//
// One thread owns it. After the start nothing is allocated a packet; only a DNS name that is new costs a string.

internal import Model
internal import Statistics
internal import Wire

/// One sample with everything that a line of `taut analyze --samples` says.
struct EngineSample {
    var time: Int64
    var kind: PassiveKind
    var side: PassiveSide
    var method: PassiveMethod
    /// Nanoseconds; -1: none.
    var rtt: Int64
    var outcome: PassiveOutcome?
    var source: IPAddress
    var sourcePort: UInt16
    var destination: IPAddress
    var destinationPort: UInt16
    var interface: UInt32
    var service: ServiceReference
    var notes: SampleNotes = []
    var retries: UInt16 = 0
    var rcode: UInt8 = 0
    /// Bounds where the outcome is ambiguous; the lower bound alone where a request was repeated.
    var lower: Int64 = 0
    var upper: Int64 = 0
    var detail = SampleDetail()
}

/// Sizes and limits of an engine.
struct EngineLimits {
    /// Established connections.
    var maxFlows = 65_536
    /// Waiting DNS queries, echoes and handshakes of VPNs.
    var transactions = 8_192
    /// Nanoseconds that a reply is waited for.
    var replyLimit: Int64 = 30_000_000_000
    /// Connections from which on their entries no longer fit the processor's own cache, so that batches pay.
    var batchThreshold: UInt64 = 1_024
}

struct CaptureEngine: ~Copyable {
    /// Housekeeping runs once per this much packet time, in nanoseconds, and looks at one part of each table.
    private static var tick: Int64 { 100_000_000 }
    private static var partsPerSweep: Int { 64 }

    let dissector: PacketDissector
    var batch = PacketBatch()
    let attribution: AttributionTable
    /// Whether samples are kept in `samples` for the caller, who empties it.
    let keepsSamples: Bool
    /// Whether `figures` are made of the whole capture, as for a file; they are in place of the interval's summary.
    let makesFigures: Bool
    let batchThreshold: UInt64
    var flows: FlowTable
    var pool: SegmentPool
    var duplicates: DuplicateFilter
    var transactions: TransactionTable
    var fragments = FragmentTable()
    var streams = DNSStreamTable()
    var names: NameTable
    var tls = TLSTable()
    var quic = QUICTable()
    var hellos = HelloTable()
    var cipher = InitialCipher()
    /// Initials that may still be opened in this tick; those that were not, for that reason; numbers given out.
    var quicBudget = CaptureEngine.openedPerTick
    var quicUnread: UInt64 = 0
    var helloOwners: UInt64 = 0
    var summary = SummaryTable()
    var findings = TCPFindings()
    var samples: [EngineSample] = []
    var figures = FigureCollector()
    let hash: KeyedHash
    /// Which flows are measured; all of them unless the capture cannot keep up.
    private(set) var sampling = FlowSampling()

    private(set) var packets: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    /// More places than there are reasons.
    private var drops: InlineArray<32, UInt64> = InlineArray(repeating: 0)
    var duplicatePackets: UInt64 = 0
    /// The engine's clock: the greatest record time seen. Timers follow it, so a clock that steps back stops them.
    private(set) var now: Int64 = .min
    private(set) var nowSeconds: UInt32 = 0
    private(set) var earliest: Int64 = .max
    private var nextTick: Int64 = .min
    private var flowCursor = 0

    init(
        link: LinkLayer, attribution: AttributionTable, limits: EngineLimits, keepsSamples: Bool,
        makesFigures: Bool = false, hash: KeyedHash = KeyedHash()
    ) {
        self.hash = hash
        dissector = PacketDissector(link: link)
        self.attribution = attribution
        self.keepsSamples = keepsSamples
        self.makesFigures = makesFigures
        batchThreshold = limits.batchThreshold
        flows = FlowTable(maxFlows: limits.maxFlows, hash: hash)
        duplicates = DuplicateFilter(hash: hash)
        names = NameTable(hash: hash)
        pool = SegmentPool(chunks: flows.capacity * 15 / 8)
        transactions = TransactionTable(count: limits.transactions, limit: limits.replyLimit)
        if keepsSamples { samples.reserveCapacity(1_024) }
    }

    /// Takes one record: its time in nanoseconds since 1970, its length on the wire and what was captured of it.
    ///
    /// What it comes to may wait for the end of its batch; `flush` ends that.
    @inline(__always)
    mutating func process(time: Int64, wireLength: Int, record: RawSpan) {
        packets &+= 1
        bytes &+= UInt64(truncatingIfNeeded: max(wireLength, 0))
        if time < earliest { earliest = time }
        if dissector.link == .ethernet, sampling.shift == 0, takePlain(record, time: time) { return }
        processAnyPacket(time: time, wireLength: wireLength, record: record)
    }

    /// Takes a record that is a plain one, which nearly all are; false for others, with nothing done.
    @inline(__always)
    private mutating func takePlain(_ record: RawSpan, time: Int64) -> Bool {
        let packet = unsafe batch.next
        guard let plain = unsafe PlainSegment(record, into: &packet.pointee.segment) else { return false }
        unsafe packet.pointee.segment.input.time = time
        unsafe accept(packet, length: plain.length, bytes: record.suffix(from: plain.offset).prefix(plain.length))
        return true
    }

    @inline(never)
    private mutating func processAnyPacket(time: Int64, wireLength: Int, record: RawSpan) {
        var packet = DissectedPacket()
        packet.time = time
        packet.wireLength = wireLength
        if let reason = dissector.dissect(record, into: &packet) {
            if reason == .fragment, acceptFragment(packet, record: record) { return }
            drop(reason)
            if time > now { passTime(time) }
        } else if sampling.shift > 0, isShed(packet, record: record) {
            drop(.shed)
            // The packets that wait move the clock on in their turn.
            if time > now, batch.isEmpty { advance(to: time) }
        } else if packet.protocolNumber == .tcp, packet.captured >= 4 {
            acceptPacket(packet, record: record)
        } else if isBatched {
            enqueue(packet, record: record)
        } else {
            take(packet, record: record)
        }
    }

    /// The clock of a packet that is of no use must not overtake the ones that wait.
    mutating func passTime(_ time: Int64) {
        if batch.isEmpty { advance(to: time) } else { batch.note(time) }
    }

    /// A dissected packet that has no place in the table of connections, in its turn.
    mutating func take(_ packet: DissectedPacket, record: RawSpan) {
        if packet.time > now { advance(to: packet.time) }
        if packet.protocolNumber == .tcp {
            dropTruncated(captured: packet.captured, length: packet.length)
        } else {
            takeDatagram(packet, record: record)
        }
    }

    @inline(__always)
    mutating func drop(_ reason: DropReason) { drops[reason.rawValue] &+= 1 }

    /// Moves the clock on without a packet (a quiet live source) and does what is due.
    mutating func advance(to time: Int64) {
        guard time > now else { return }
        now = time
        guard time >= nextTick else { return }
        nextTick = time &+ CaptureEngine.tick
        nowSeconds = UInt32(truncatingIfNeeded: max(time, 0) / 1_000_000_000)
        sweep()
    }

    /// Measures one flow in 2^`shift` from now on; 0: all.
    mutating func sampleFlows(shift: Int) {
        flush()
        sampling.set(shift: shift, at: now)
    }

    /// One part of each table: what has waited too long is reported and freed.
    private mutating func sweep() {
        var slice = max(flows.used / CaptureEngine.partsPerSweep, 64)
        while true {
            let index = flows.nextExpired(now: nowSeconds, slice: &slice, cursor: &flowCursor)
            guard index >= 0 else { break }
            reportUnanswered(index)
            reportUnansweredTLS(index)
            flows.remove(index, pool: &pool)
        }
        var expired = ExpiredTransactions()
        transactions.expire(now: now, slice: 128) { expired.add($0) }
        for position in 0..<expired.count { reportTimeout(expired.list[position]) }
        sweepQUIC()
    }

    /// Reports everything that still waits, at the end of a file.
    mutating func finish() {
        flush()
        var waiting: [Transaction] = []
        transactions.finish { waiting.append($0) }
        for transaction in waiting.sorted(by: { $0.first < $1.first }) { reportTimeout(transaction) }
        for index in 0..<flows.used where flows[index].has(.inUse) { reportUnanswered(index) }
        finishQUIC()
    }

    // MARK: Samples

    /// Who a sample is filed under, beside its kind and side.
    struct Parties {
        var client: IPAddress
        var server: IPAddress
        var interface: UInt32
        var service: ServiceReference
        /// From `peer(of:)`.
        var peer: PeerReference
    }

    /// Files a sample and keeps it where the caller wants it.
    @inline(__always)
    mutating func emit(_ sample: EngineSample, parties: Parties, failures: UInt64) {
        if sampling.hasShed, isUnknown(sample) {
            findings.counters.reject(.shed)
            return
        }
        guard hasSummary else {
            if makesFigures { figures.add(sample, at: figurePlace(sample.kind, sample.side, sample.service)) }
            if keepsSamples { samples.append(sample) }
            return
        }
        var key = SummaryKey()
        key.interface = parties.interface
        key.service = sample.service.withoutSource
        key.kind = sample.kind
        key.side = sample.side
        fillPeer(&key, parties: parties)
        summary.add(key, rtt: sample.rtt, failures: failures, source: sample.service.source)
    }

    /// Whether an interval's summary is made: who keeps samples or makes figures never drains it.
    var hasSummary: Bool { !keepsSamples && !makesFigures }

    /// The rows of `figures` that a sample belongs to.
    @inline(__always)
    mutating func figurePlace(
        _ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference
    ) -> FigureCollector.Place {
        figures.place(kind, side, service) ?? openFigures(kind, side, service)
    }

    @inline(never)
    private mutating func openFigures(
        _ kind: PassiveKind, _ side: PassiveSide, _ service: ServiceReference
    ) -> FigureCollector.Place {
        figures.open(kind, side, service, name: serviceText(service))
    }

    func fillPeer(_ key: inout SummaryKey, parties: Parties) {
        if let network = parties.peer.network {
            key.peer = .network
            key.peerLow = UInt64(truncatingIfNeeded: network)
        } else {
            let masked = attribution.masked(parties.client)
            key.peer = masked.isIPv6 ? .prefix6 : .prefix4
            key.peerHigh = masked.high
            key.peerLow = masked.low
        }
    }

    func peer(of client: IPAddress) -> PeerReference { PeerReference(network: attribution.network(of: client)) }

    /// The service that a server's address and port stand for: the name it goes by, else the configured prefix.
    func service(at server: IPAddress, port: UInt16) -> ServiceReference {
        if let name = names.name(of: server, now: nowSeconds) {
            if let service = name.service, attribution.accepts(port: port, service: service) {
                return ServiceReference(service: service).learned(.dns)
            }
            if attribution.keepsNames { return name.reference }
        }
        return attribution.service(at: server, port: port).map { ServiceReference(service: $0) } ?? .none
    }

    func serviceText(_ reference: ServiceReference) -> String? {
        if let service = reference.service { return attribution.serviceNames[service] }
        return names.text(reference)
    }

    // MARK: Figures

    /// Records that were not used, for whatever reason.
    var dropped: UInt64 {
        var sum: UInt64 = 0
        for reason in DropReason.allCases { sum &+= drops[reason.rawValue] }
        return sum
    }

    var counters: CaptureCounters {
        var counters = CaptureCounters()
        counters.packets = packets
        counters.bytes = bytes
        for reason in DropReason.allCases where drops[reason.rawValue] > 0 {
            counters.drops[reason.name] = drops[reason.rawValue]
        }
        for reason in RejectReason.allCases where findings.counters.rejected[reason.rawValue] > 0 {
            counters.rejected[reason.name] = findings.counters.rejected[reason.rawValue]
        }
        let withoutRoom =
            transactions.evicted &+ tls.evicted &+ quic.evicted &+ hellos.evicted &+ quicUnread &+ streams.letGo
        if withoutRoom > 0 { counters.rejected[RejectReason.noRoom.name, default: 0] &+= withoutRoom }
        if streams.lost > 0 { counters.rejected[RejectReason.unseen.name, default: 0] &+= streams.lost }
        counters.retransmissions = findings.counters.retransmissions
        counters.outOfOrder = findings.counters.outOfOrder
        counters.duplicates = duplicatePackets
        counters.acknowledgements = findings.counters.acknowledgements
        counters.captureGaps = findings.counters.captureGaps
        counters.flowDivisor = 1 &<< UInt64(sampling.shift)
        counters.activeFlows = flows.counters.active
        counters.evictedFlows = flows.counters.evicted
        counters.refusedFlows = flows.counters.refused
        counters.overflowedKeys = summary.overflowed
        return counters
    }

    /// Hands over the interval's figures and begins a new interval.
    mutating func drainSummary(interfaceName: (UInt32) -> String) -> [PassiveKey: PassiveCell] {
        flush()
        defer { summary.removeAll() }
        return copySummary(interfaceName: interfaceName)
    }

    /// The interval's figures so far.
    func copySummary(interfaceName: (UInt32) -> String) -> [PassiveKey: PassiveCell] {
        var result: [PassiveKey: PassiveCell] = [:]
        for index in 0..<summary.count {
            let (key, cell) = summary[index]
            let full = PassiveKey(
                interface: interfaceName(key.interface), service: serviceText(key.service), peer: peerText(key),
                kind: key.kind, side: key.side)
            // Two numbers may have one text: a name seen and a service called the same.
            result[full, default: PassiveCell()].merge(cell)
        }
        return result
    }

    private func peerText(_ key: SummaryKey) -> String? {
        switch key.peer {
        case .other: nil
        case .network: attribution.networkNames[Int(key.peerLow)]
        case .prefix4: attribution.peerText(IPAddress(v4: UInt32(truncatingIfNeeded: key.peerLow)))
        case .prefix6: attribution.peerText(IPAddress(v6High: key.peerHigh, low: key.peerLow))
        }
    }
}

/// A client's configured network as a number that fits into a flow entry.
struct PeerReference: BitwiseCopyable {
    /// 0: not looked up; 1: none; else the network's index + 2.
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    init(network: Int?) { rawValue = network.map { UInt32(truncatingIfNeeded: $0 &+ 2) } ?? 1 }

    var network: Int? { rawValue >= 2 ? Int(rawValue) - 2 : nil }
}

/// Expired requests of one sweep; a sweep looks at no more than it can hold.
private struct ExpiredTransactions {
    var list: InlineArray<128, Transaction> = InlineArray(repeating: Transaction())
    var count = 0

    mutating func add(_ transaction: Transaction) {
        guard count < 128 else { return }
        list[count] = transaction
        count += 1
    }
}
