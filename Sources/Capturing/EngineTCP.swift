// TCP in the engine: from a dissected packet to the flow table and the state machine.

internal import Model
internal import Wire

extension CaptureEngine {
    private static var dnsPort: UInt32 { 53 }

    /// A segment from its record to its samples.
    ///
    /// `hint` is where its connection lived a moment ago; -1: not known.
    @inline(__always)
    mutating func takeTCP(_ placed: PlacedSegment, bytes: RawSpan, hint: Int = -1) {
        guard let segment = TCPSegment(bytes) else {
            dropTruncated(captured: bytes.byteCount, length: placed.length)
            return
        }
        guard placed.length >= segment.headerLength else {
            drop(.malformed)
            return
        }
        let sender = placed.place.sender
        let options = segment.options
        let input = TCPInput(
            time: placed.time, sequence: segment.sequence, acknowledgement: segment.acknowledgement,
            payload: UInt32(truncatingIfNeeded: placed.length &- segment.headerLength),
            flags: segment.flags.rawValue, hasTimestamps: options.hasTimestamps,
            hasSelectiveBlock: options.hasSelectiveBlock, isWindowZero: segment.window == 0,
            timestampValue: options.timestampValue, timestampEcho: options.timestampEcho,
            selectiveLeft: options.selectiveLeft, selectiveRight: options.selectiveRight, sender: sender)
        let fingerprint = duplicates.fingerprint(
            flow: placed.place.hash, input: input, checksum: segment.checksum, window: segment.window)
        duplicates.prefetch(fingerprint)
        var index = flows.find(placed.place.key, hash: placed.place.hash, hint: hint)
        if index >= 0, sampling.hasShed, isOutdated(index) {
            flows.remove(index, pool: &pool)
            index = -1
        }
        if index < 0 {
            index = openFlow(placed, input)
            guard index >= 0 else { return }
        }
        if duplicates.isDuplicate(
            fingerprint, at: placed.time, identification: placed.identification,
            minimumRTT: flows[index].sides[sender].minimumRTT)
        {
            duplicatePackets &+= 1
            drop(.duplicate)
            return
        }
        findings.reset()
        flows[index].lastSeen = nowSeconds
        flows[index].observe(input, pool: &pool, findings: &findings)
        // What follows leaves alone what is asked of these.
        let connection = flows[index].flags
        if !connection.contains(.isEstablished) { considerEstablishing(index) }
        if findings.count > 0 || findings.retransmitter >= 0 { report(index, at: placed.time) }
        if input.payload > 0, connection.wantsPayload {
            let payload = segment.payload
            if connection.awaitsHelloOnly, !CaptureEngine.mayOpenTLS(payload) {
                watchOn(index)
            } else {
                takePayload(index, input: input, payload: payload)
            }
        }
    }

    /// The same where it is rare, so that the code of it need not be there twice more.
    @inline(never)
    mutating func takeRareTCP(_ placed: PlacedSegment, bytes: RawSpan) {
        if placed.time > now { advance(to: placed.time) }
        takeTCP(placed, bytes: bytes)
    }

    /// What a payload is looked at for, which of most connections is over soon.
    @inline(never)
    private mutating func takePayload(_ index: Int, input: TCPInput, payload: RawSpan) {
        if flows[index].has(.isDNS) { takeDNSStream(index, input: input, payload: payload) }
        if flows[index].has(.watchesTLS) { takeTLS(index, input: input, payload: payload) }
        if !flows[index].has(.isPastOpening) { takeOpening(index, input: input, payload: payload) }
    }

    /// A TCP header that is not all there.
    mutating func dropTruncated(captured: Int, length: Int) {
        drop(captured < length ? .truncated : .malformed)
    }

    /// The packet with its canonical key, the key's hash, and which side sent it; nil where it is not TCP or the
    /// capture holds no ports.
    func placed(_ packet: DissectedPacket, record: RawSpan) -> PlacedSegment? {
        guard packet.protocolNumber == .tcp, packet.captured >= 4 else { return nil }
        var key = FlowKey()
        let sender = key.fill(
            source: packet.source, sourcePort: record.bigEndian16(at: packet.offset),
            destination: packet.destination, destinationPort: record.bigEndian16(at: packet.offset &+ 2),
            interface: packet.interface)
        return PlacedSegment(
            place: FlowPlace(key: key, sender: sender, hash: flows.hashed(key)), time: packet.time,
            length: packet.length, identification: packet.identification)
    }

    private mutating func openFlow(_ placed: PlacedSegment, _ input: TCPInput) -> Int {
        if input.has(TCPInput.rst) {
            drop(.noFlow)
            return -1
        }
        let index = flows.insert(placed.place.key, hash: placed.place.hash, now: nowSeconds, pool: &pool)
        guard index >= 0 else {
            drop(.tableFull)
            return -1
        }
        findings.counters.flows &+= 1
        let ports = placed.place.key.ports
        if ports &>> 16 == CaptureEngine.dnsPort || ports & 0xFFFF == CaptureEngine.dnsPort {
            flows[index].flags.insert(.isDNS)
        } else {
            flows[index].flags.insert(.watchesTLS)
        }
        return index
    }

    /// Both sides heard, or one side past its handshake for a while (asymmetric routing).
    private mutating func considerEstablishing(_ index: Int) {
        let both = flows[index].sides[0].has(.isSeen) && flows[index].sides[1].has(.isSeen)
        if both || flows[index].packets >= 8 { flows.establish(index, pool: &pool) }
    }

    func address(_ side: Int, of index: Int) -> IPAddress {
        let key = flows[index].key
        let high = side == 0 ? key.high0 : key.high1
        let low = side == 0 ? key.low0 : key.low1
        return key.scope & FlowKey.ipv6 != 0
            ? IPAddress(v6High: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
    }

    func port(_ side: Int, of index: Int) -> UInt16 {
        let ports = flows[index].key.ports
        return UInt16(truncatingIfNeeded: side == 0 ? ports &>> 16 : ports)
    }

    /// The connection's parties; service and network are looked up once and kept in the entry.
    mutating func parties(of index: Int) -> Parties {
        if !flows[index].has(.hasService) { learnParties(index) }
        let client = flows[index].client
        return Parties(
            client: address(client, of: index), server: address(1 &- client, of: index),
            interface: flows[index].key.scope & ~FlowKey.ipv6,
            service: ServiceReference(rawValue: flows[index].service),
            peer: PeerReference(rawValue: flows[index].spare))
    }

    @inline(never)
    private mutating func learnParties(_ index: Int) {
        let client = flows[index].client
        let server = 1 &- client
        flows[index].service = service(at: address(server, of: index), port: port(server, of: index)).rawValue
        flows[index].spare = peer(of: address(client, of: index)).rawValue
        flows[index].flags.insert(.hasService)
    }

    private mutating func report(_ index: Int, at time: Int64) {
        if !flows[index].has(.hasService) { learnParties(index) }
        let service = ServiceReference(rawValue: flows[index].service)
        if makesFigures, !keepsSamples, findings.count == 1 {
            // Nobody wants the sample itself, and an RTT is no failure.
            let finding = findings[0]
            if finding.rtt >= 0, finding.kind != .tcpRefused {
                figures.add(finding.rtt, at: figurePlace(finding.kind, finding.side, service))
                return
            }
        }
        for position in 0..<findings.count { report(findings[position], index, at: time) }
        if hasSummary, findings.retransmitter >= 0 { reportRetransmission(index) }
    }

    @inline(never)
    private mutating func report(_ finding: TCPFinding, _ index: Int, at time: Int64) {
        let parties = parties(of: index)
        let requester = finding.requester
        var sample = EngineSample(
            time: time, kind: finding.kind, side: finding.side, method: finding.method, rtt: finding.rtt,
            outcome: nil, source: address(requester, of: index), sourcePort: port(requester, of: index),
            destination: address(1 &- requester, of: index),
            destinationPort: port(1 &- requester, of: index), interface: parties.interface,
            service: parties.service, notes: finding.notes)
        if finding.rtt < 0 {
            sample.outcome = .ambiguous
            sample.lower = finding.lower
            sample.upper = finding.upper
        }
        emit(sample, parties: parties, failures: finding.kind == .tcpRefused ? 1 : 0)
    }

    private mutating func reportRetransmission(_ index: Int) {
        let parties = parties(of: index)
        var key = SummaryKey()
        key.interface = parties.interface
        key.service = parties.service.withoutSource
        key.kind = .tcpData
        key.side = flows[index].side(towards: 1 &- findings.retransmitter)
        fillPeer(&key, parties: parties)
        summary.add(key, retransmissions: 1, source: parties.service.source)
    }

    /// A SYN that nobody answered, of an entry that is about to go.
    mutating func reportUnanswered(_ index: Int) {
        guard flows[index].has(.synSeen),
            flows[index].flags.intersection([.answerSeen, .handshakeDone, .isClosed, .isUndeliverable]).isEmpty
        else { return }
        reportFailedOpening(index, at: flows[index].handshake.synLast)
    }

    /// A connection that did not come about, and why where that is known.
    mutating func reportFailedOpening(_ index: Int, at time: Int64, cause: FailureCause = .none) {
        let parties = parties(of: index)
        let client = flows[index].client
        var sample = EngineSample(
            time: time, kind: .tcpHandshake, side: .server, method: .syn, rtt: -1,
            outcome: .unanswered, source: parties.client, sourcePort: port(client, of: index),
            destination: parties.server, destinationPort: port(1 &- client, of: index),
            interface: parties.interface, service: parties.service,
            retries: UInt16(max(flows[index].handshake.synCount, 1) - 1))
        sample.detail.cause = cause
        emit(sample, parties: parties, failures: 1)
    }

    private mutating func takeDNSStream(_ index: Int, input: TCPInput, payload: RawSpan) {
        let scope = flows[index].key.scope
        let sender = input.sender
        let sides = (address(sender, of: index), address(1 &- sender, of: index))
        let ports = (port(sender, of: index), port(1 &- sender, of: index))
        streams.take(
            flow: index, side: sender, generation: flows[index].generation, now: nowSeconds,
            sequence: input.has(TCPInput.syn) ? input.sequence &+ 1 : input.sequence, length: Int(input.payload),
            payload: payload)
        for position in 0..<streams.messageCount {
            // A copy, since handling it uses the engine.
            let message = streams.message(position)
            guard let summary = DNSSummary(message.bytes, hash: hash) else { continue }
            let isMatched = takeDNS(
                summary, time: input.time, source: sides.0, sourcePort: ports.0, destination: sides.1,
                destinationPort: ports.1, scope: scope, isOverTCP: true)
            if isMatched, summary.rcode == DNSRcode.noError { learnNames(message.bytes) }
        }
    }
}
