// TCP in the engine: from a dissected packet to the flow table and the state machine.

internal import Model
internal import Wire

extension CaptureEngine {
    private static var dnsPort: UInt32 { 53 }

    /// A segment from its record to its samples.
    mutating func takeTCP(_ packet: DissectedPacket, record: RawSpan, place: FlowPlace) {
        let bytes = record.suffix(from: packet.offset).prefix(packet.captured)
        guard let segment = TCPSegment(bytes) else {
            dropTruncated(packet)
            return
        }
        guard packet.length >= segment.headerLength else {
            drop(.malformed)
            return
        }
        let sender = place.sender
        let options = segment.options
        let input = TCPInput(
            time: packet.time, sequence: segment.sequence, acknowledgement: segment.acknowledgement,
            payload: UInt32(truncatingIfNeeded: packet.length &- segment.headerLength),
            flags: segment.flags.rawValue, hasTimestamps: options.hasTimestamps,
            hasSelectiveBlock: options.hasSelectiveBlock, isWindowZero: segment.window == 0,
            timestampValue: options.timestampValue, timestampEcho: options.timestampEcho,
            selectiveLeft: options.selectiveLeft, selectiveRight: options.selectiveRight, sender: sender)
        let fingerprint = duplicates.fingerprint(
            flow: place.hash, input: input, checksum: segment.checksum, window: segment.window)
        duplicates.prefetch(fingerprint)
        var index = flows.find(place.key, hash: place.hash)
        if index >= 0, sampling.hasShed, isOutdated(index) {
            flows.remove(index, pool: &pool)
            index = -1
        }
        if index < 0 {
            index = openFlow(place, input)
            guard index >= 0 else { return }
        }
        if duplicates.isDuplicate(
            fingerprint, at: packet.time, identification: packet.identification,
            minimumRTT: flows[index].sides[sender].minimumRTT)
        {
            duplicatePackets &+= 1
            drop(.duplicate)
            return
        }
        findings.reset()
        flows[index].lastSeen = nowSeconds
        flows[index].observe(input, pool: &pool, findings: &findings)
        if !flows[index].has(.isEstablished) { considerEstablishing(index) }
        if findings.count > 0 || findings.retransmitter >= 0 { report(index, at: packet.time) }
        if flows[index].has(.isDNS), input.payload > 0 {
            takeDNSStream(index, input: input, payload: segment.payload)
        }
        if flows[index].has(.watchesTLS), input.payload > 0 {
            takeTLS(index, input: input, payload: segment.payload)
        }
        if input.payload > 0, !flows[index].has(.isPastOpening) {
            takeOpening(index, input: input, payload: segment.payload)
        }
    }

    /// A TCP header that is not all there.
    mutating func dropTruncated(_ packet: DissectedPacket) {
        drop(packet.captured < packet.length ? .truncated : .malformed)
    }

    /// The canonical key, its hash, and which side sent the packet; nil where the capture holds no ports.
    @inline(__always)
    func place(of packet: DissectedPacket, record: RawSpan) -> FlowPlace? {
        guard packet.captured >= 4 else { return nil }
        var key = FlowKey()
        let sender = CaptureEngine.fill(
            &key, packet, sourcePort: UInt32(record.bigEndian16(at: packet.offset)),
            destinationPort: UInt32(record.bigEndian16(at: packet.offset &+ 2)))
        return FlowPlace(key: key, sender: sender, hash: flows.hashed(key))
    }

    @inline(__always)
    private static func fill(
        _ key: inout FlowKey, _ packet: DissectedPacket, sourcePort: UInt32, destinationPort: UInt32
    ) -> Int {
        let source = packet.source
        let destination = packet.destination
        key.scope = packet.interface | (source.isIPv6 ? FlowKey.ipv6 : 0)
        let sourceIsLower: Bool
        if source.high != destination.high {
            sourceIsLower = source.high < destination.high
        } else if source.low != destination.low {
            sourceIsLower = source.low < destination.low
        } else {
            sourceIsLower = sourcePort <= destinationPort
        }
        if sourceIsLower {
            key.high0 = source.high
            key.low0 = source.low
            key.high1 = destination.high
            key.low1 = destination.low
            key.ports = sourcePort &<< 16 | destinationPort
            return 0
        }
        key.high0 = destination.high
        key.low0 = destination.low
        key.high1 = source.high
        key.low1 = source.low
        key.ports = destinationPort &<< 16 | sourcePort
        return 1
    }

    private mutating func openFlow(_ place: FlowPlace, _ input: TCPInput) -> Int {
        if input.has(TCPInput.rst) {
            drop(.noFlow)
            return -1
        }
        let key = place.key
        let index = flows.insert(key, hash: place.hash, now: nowSeconds, pool: &pool)
        guard index >= 0 else {
            drop(.tableFull)
            return -1
        }
        findings.counters.flows &+= 1
        if key.ports &>> 16 == CaptureEngine.dnsPort || key.ports & 0xFFFF == CaptureEngine.dnsPort {
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
        let client = flows[index].client
        let server = 1 &- client
        if !flows[index].has(.hasService) {
            flows[index].service =
                service(at: address(server, of: index), port: port(server, of: index)).rawValue
            flows[index].spare = peer(of: address(client, of: index)).rawValue
            flows[index].flags.insert(.hasService)
        }
        return Parties(
            client: address(client, of: index), server: address(server, of: index),
            interface: flows[index].key.scope & ~FlowKey.ipv6,
            service: ServiceReference(rawValue: flows[index].service),
            peer: PeerReference(rawValue: flows[index].spare))
    }

    private mutating func report(_ index: Int, at time: Int64) {
        let parties = parties(of: index)
        for position in 0..<findings.count {
            let finding = findings[position]
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
        guard findings.retransmitter >= 0, !keepsSamples else { return }
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
