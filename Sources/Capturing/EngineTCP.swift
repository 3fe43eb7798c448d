// TCP in the engine: from a dissected packet to the flow table and the state machine.

internal import Model
internal import Wire

extension CaptureEngine {
    private static var dnsPort: UInt32 { 53 }

    /// Reads a segment's header, and takes the segment at once or lets it wait for its batch.
    ///
    /// `packet` is the batch's next place, with key, sender, time and identification of the segment. `bytes` are what was
    /// captured of header and payload, and `length` what the IP header says of them.
    @inline(always)
    mutating func accept(_ packet: UnsafeMutablePointer<WaitingPacket>, length: Int, bytes: RawSpan) {
        guard let header = TCPSegment(bytes), length >= header.headerLength else {
            unsafe dropBroken(time: packet.pointee.segment.input.time, length: length, bytes: bytes)
            return
        }
        unsafe read(header, length: length, into: &packet.pointee.segment)
        if isBatched {
            unsafe enqueue(packet, payload: header.payload)
        } else {
            unsafe takeSegment(packet, payload: header.payload, hint: -1)
        }
    }

    /// The rest of a segment of which key and sender are known.
    @inline(always)
    mutating func read(_ header: borrowing TCPSegment, length: Int, into segment: inout PlacedSegment) {
        let numbers = header.numbers
        let control = header.control
        let options = header.options
        segment.input.sequence = UInt32(truncatingIfNeeded: numbers &>> 32)
        segment.input.acknowledgement = UInt32(truncatingIfNeeded: numbers)
        segment.input.payload = UInt32(truncatingIfNeeded: length &- header.headerLength)
        segment.input.timestampValue = options.timestampValue
        segment.input.timestampEcho = options.timestampEcho
        segment.input.selectiveLeft = options.selectiveLeft
        segment.input.selectiveRight = options.selectiveRight
        // The control word is data offset, control bits, window, checksum, urgent pointer.
        segment.input.flags =
            UInt16(truncatingIfNeeded: control &>> 48) & 0xFF
            | (options.hasSelectiveBlock ? TCPInput.selectiveBlock : 0)
            | (control & 0xFFFF_0000_0000 == 0 ? TCPInput.zeroWindow : 0)
        segment.hash = flows.hashed(segment.key)
        segment.fingerprint = duplicates.fingerprint(
            flow: segment.hash, numbers: numbers, control: control, input: segment.input)
        duplicates.prefetch(segment.fingerprint)
    }

    /// The same for a packet that came another way than plain; it holds the ports.
    @inline(never)
    mutating func acceptPacket(_ packet: DissectedPacket, record: RawSpan) {
        let place = unsafe batch.next
        unsafe place.pointee.segment.key = FlowKey()
        unsafe place.pointee.segment.input.sender = place.pointee.segment.key.fill(
            source: packet.source, sourcePort: record.bigEndian16(at: packet.offset),
            destination: packet.destination, destinationPort: record.bigEndian16(at: packet.offset &+ 2),
            interface: packet.interface)
        unsafe place.pointee.segment.identification = packet.identification
        unsafe place.pointee.segment.input.time = packet.time
        if packet.isFragmented, unsafe acceptFirst(place, of: packet, record: record) { return }
        unsafe accept(
            place, length: packet.length, bytes: record.suffix(from: packet.offset).prefix(packet.captured))
    }

    /// A segment whose header is not all there, or longer than the segment.
    @inline(never)
    private mutating func dropBroken(time: Int64, length: Int, bytes: RawSpan) {
        if TCPSegment(bytes) == nil {
            dropTruncated(captured: bytes.byteCount, length: length)
        } else {
            drop(.malformed)
        }
        if time > now { passTime(time) }
    }

    /// A segment to its samples. `hint` is where its connection lived a moment ago; -1: not known.
    @inline(never)
    mutating func takeSegment(_ packet: UnsafeMutablePointer<WaitingPacket>, payload: RawSpan, hint: Int) {
        let time = unsafe packet.pointee.segment.input.time
        if time > now { advance(to: time) }
        var index = unsafe find(packet, hint: hint)
        if index >= 0, sampling.hasShed, isOutdated(index) {
            flows.remove(index, pool: &pool)
            index = -1
        }
        if index < 0 {
            index = unsafe openFlow(packet)
            guard index >= 0 else { return }
        }
        let (fingerprint, identification) = unsafe (
            packet.pointee.segment.fingerprint, packet.pointee.segment.identification
        )
        if duplicates.mayBeCopy(fingerprint), unsafe isCopy(packet, of: index) {
            duplicatePackets &+= 1
            drop(.duplicate)
            return
        }
        duplicates.note(fingerprint, at: time, identification: identification)
        findings.reset()
        flows[index].lastSeen = nowSeconds
        unsafe flows[index].observe(packet.pointee.segment.input, pool: &pool, findings: &findings)
        // What follows leaves alone what is asked of these.
        let connection = flows[index].flags
        if !connection.contains(.isEstablished) { considerEstablishing(index) }
        if findings.count > 0 || findings.retransmitter >= 0 { report(index, at: time) }
        if unsafe packet.pointee.segment.input.payload > 0, connection.wantsPayload {
            if connection.awaitsHelloOnly, !CaptureEngine.mayOpenTLS(payload) {
                watchOn(index)
            } else {
                unsafe takePayload(index, input: packet.pointee.segment.input, payload: payload)
            }
        }
    }

    /// Whether a segment that may be a copy is one.
    ///
    /// Bare acknowledgements are repeated at once while segments are missing. They are copies all the same where those of
    /// the connection's data get identifications of their own.
    private mutating func isCopy(_ packet: UnsafeMutablePointer<WaitingPacket>, of index: Int) -> Bool {
        let segment = unsafe packet.pointee.segment
        let sender = segment.input.sender
        let isRenumbering = flows[index].sides[0].has(.isRenumbered) || flows[index].sides[1].has(.isRenumbered)
        let copy = duplicates.copy(
            segment.fingerprint, at: segment.input.time, identification: segment.identification,
            isRepeatable: segment.input.isBare && !isRenumbering, leastRoundTrip: flows[index].leastRoundTrip(sender))
        if copy == .renumbered, !segment.input.isBare { flows[index].sides[sender].flags.insert(.isRenumbered) }
        return copy != .none
    }

    /// The entry of a segment's connection, or -1.
    @inline(__always)
    private mutating func find(_ packet: UnsafeMutablePointer<WaitingPacket>, hint: Int) -> Int {
        let likely = hint >= 0 ? hint : unsafe flows.candidate(packet.pointee.segment.hash)
        // Not in its first bucket.
        if likely < 0 {
            return unsafe flows.findElsewhere(packet.pointee.segment.key, hash: packet.pointee.segment.hash)
        }
        if flows[likely].has(.inUse), unsafe flows[likely].key.equals(packet.pointee.segment.key) {
            // No key is twice in the table.
            return likely
        }
        return unsafe flows.find(packet.pointee.segment.key, hash: packet.pointee.segment.hash)
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

    @inline(never)
    private mutating func openFlow(_ packet: UnsafeMutablePointer<WaitingPacket>) -> Int {
        if unsafe packet.pointee.segment.input.has(TCPInput.rst) {
            drop(.noFlow)
            return -1
        }
        let index = unsafe flows.insert(
            packet.pointee.segment.key, hash: packet.pointee.segment.hash, now: nowSeconds, pool: &pool)
        guard index >= 0 else {
            drop(.tableFull)
            return -1
        }
        // Once connections had to be forgotten, one that does not begin here may be one of those.
        let isOpening = unsafe packet.pointee.segment.input.flags & (TCPInput.syn | TCPInput.ack) == TCPInput.syn
        if flows.counters.evicted == 0 || isOpening {
            findings.counters.flows &+= 1
        }
        let ports = unsafe packet.pointee.segment.key.ports
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
                if !figures.addDense(finding.rtt, finding.kind, finding.side, service) {
                    figures.add(finding.rtt, at: figurePlace(finding.kind, finding.side, service))
                }
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
        if finding.isUnanswered {
            sample.outcome = .unanswered
            sample.time = finding.lower
            sample.retries = UInt16(clamping: finding.upper)
        } else if finding.rtt < 0 {
            sample.outcome = .ambiguous
            sample.lower = finding.lower
            sample.upper = finding.upper
        }
        emit(sample, parties: parties, failures: finding.kind == .tcpRefused || finding.isUnanswered ? 1 : 0)
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

    /// A SYN that nobody answered, or a connection of which the other direction was never seen: of an entry that is about
    /// to go.
    mutating func reportUnanswered(_ index: Int) {
        // One or two packets do not tell.
        if flows[index].packets > 2, flows[index].sides[0].has(.isSeen) != flows[index].sides[1].has(.isSeen),
            !flows[index].has(.synSeen), !flows[index].has(.isOneSided)
        {
            findings.counters.oneSidedFlows &+= 1
        }
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
        let hasSyn = flows[index].has(sender == flows[index].client ? .synSeen : .answerSeen)
        let isn = sender == flows[index].client ? flows[index].handshake.clientISN : flows[index].handshake.serverISN
        // Between two ports of the protocol, whoever opened the connection asks.
        let isServer = ports.0 == ports.1 ? sender != flows[index].client : UInt32(ports.0) == CaptureEngine.dnsPort
        streams.take(
            flow: index, side: sender, generation: flows[index].generation, origin: hasSyn ? isn &+ 1 : nil,
            isFromServer: isServer, now: nowSeconds,
            sequence: input.has(TCPInput.syn) ? input.sequence &+ 1 : input.sequence, length: Int(input.payload),
            payload: payload)
        if streams.hasHole {
            let parties = dnsTransaction(
                DNSSummary(), time: input.time, client: isServer ? sides.1 : sides.0,
                clientPort: isServer ? ports.1 : ports.0, server: isServer ? sides.0 : sides.1,
                serverPort: isServer ? ports.0 : ports.1, scope: scope, isOverTCP: true)
            streams.noteHole(connection(of: parties), at: nowSeconds)
        }
        for position in 0..<streams.messageCount {
            // A copy, since handling it uses the engine.
            let message = streams.message(position)
            guard let summary = DNSSummary(message.bytes, hash: hash), summary.isResponse == isServer else { continue }
            let isMatched = takeDNS(
                summary, time: input.time, source: sides.0, sourcePort: ports.0, destination: sides.1,
                destinationPort: ports.1, scope: scope, isOverTCP: true)
            if isMatched, summary.rcode == DNSRcode.noError { learnNames(message.bytes) }
        }
    }
}
