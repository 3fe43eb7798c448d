// ICMP in the engine: echoes, and errors about requests that wait.
//
// An error says nothing of the way to the destination, so it never gives an RTT. It ends the request that it quotes as
// failed, with its name; one that a packet was too big leaves the request waiting, since its sender makes it smaller.
// One about a segment of a connection that is known is a failure of that connection's service. Errors about anything else
// are counted under their reason.

internal import Model
internal import Wire

extension CaptureEngine {
    mutating func takeICMPv4(_ packet: DissectedPacket, bytes: RawSpan) {
        guard let message = ICMPv4Message(bytes) else { return drop(.truncated) }
        if message.isEchoRequest || message.isEchoReply {
            takeEcho(
                packet, isReply: message.isEchoReply, identifier: message.identifier, sequence: message.sequence)
            return
        }
        let cause = FailureCause(icmpType: message.type, code: message.code)
        guard cause != .none else { return drop(.icmp) }
        let quoted = message.payload
        guard let header = IPv4Packet(quoted), header.fragmentOffset == 0 else { return drop(cause.dropReason) }
        let inner = QuotedPacket(
            source: header.source, destination: header.destination, protocolNumber: header.protocolNumber,
            length: header.totalLength &- header.headerLength)
        takeError(cause, about: inner, bytes: quoted.suffix(from: header.headerLength), in: packet)
    }

    mutating func takeICMPv6(_ packet: DissectedPacket, bytes: RawSpan) {
        guard let message = ICMPv6Message(bytes) else { return drop(.truncated) }
        if message.isEchoRequest || message.isEchoReply {
            takeEcho(
                packet, isReply: message.isEchoReply, identifier: message.identifier, sequence: message.sequence)
            return
        }
        let cause = FailureCause(icmpv6Type: message.type, code: message.code)
        guard cause != .none else { return drop(.icmp) }
        let quoted = message.payload
        guard let header = IPv6Packet(quoted), let upper = header.upperLayer(), upper.fragmentOffset == 0
        else { return drop(cause.dropReason) }
        let inner = QuotedPacket(
            source: header.source, destination: header.destination, protocolNumber: upper.protocolNumber,
            length: IPv6Packet.headerLength &+ header.payloadLength &- upper.offset)
        takeError(cause, about: inner, bytes: quoted.suffix(from: upper.offset), in: packet)
    }

    private mutating func takeEcho(_ packet: DissectedPacket, isReply: Bool, identifier: UInt16, sequence: UInt16) {
        let transaction = echoTransaction(
            client: isReply ? packet.destination : packet.source,
            server: isReply ? packet.source : packet.destination, identifier: identifier, sequence: sequence,
            scope: packet.scope, time: packet.time)
        if isReply {
            takeReply(transaction, at: packet.time, reply: TransactionReply())
        } else {
            takeRequest(transaction)
        }
    }

    private func echoTransaction(
        client: IPAddress, server: IPAddress, identifier: UInt16, sequence: UInt16, scope: UInt32, time: Int64
    ) -> Transaction {
        var transaction = Transaction()
        transaction.kind = .echo
        fill(&transaction, client: client, server: server, scope: scope, time: time)
        transaction.fingerprint = fingerprint(
            transaction, UInt64(identifier) &<< 16 | UInt64(sequence) | 1 &<< 40, 0)
        return transaction
    }

    /// `bytes` begin with the quoted packet's transport header; eight of them are sure to be there (RFC 792).
    private mutating func takeError(
        _ cause: FailureCause, about inner: QuotedPacket, bytes: RawSpan, in packet: DissectedPacket
    ) {
        if inner.protocolNumber == .tcp {
            if !takeSegmentError(cause, about: inner, bytes: bytes, in: packet) { drop(cause.dropReason) }
            return
        }
        guard let fingerprint = requestFingerprint(inner, bytes: bytes, scope: packet.scope, time: packet.time)
        else { return drop(cause.dropReason) }
        if cause == .tooBig {
            if !transactions.note(fingerprint, cause: cause) { drop(cause.dropReason) }
        } else if let request = transactions.fail(fingerprint, cause: cause) {
            reportFailure(request, at: packet.time)
        } else {
            drop(cause.dropReason)
        }
    }

    /// An error about a TCP segment; false where it is of no connection here, or says nothing of its fate.
    ///
    /// A SYN that came back is told of once, like one that nobody answers. That a packet was too big is how a path's MTU
    /// is found (RFC 1191): the segment comes again smaller, and counts as sent again.
    private mutating func takeSegmentError(
        _ cause: FailureCause, about inner: QuotedPacket, bytes: RawSpan, in packet: DissectedPacket
    ) -> Bool {
        guard cause != .tooBig, bytes.byteCount >= 8 else { return false }
        var key = FlowKey()
        let sender = key.fill(
            source: inner.source, sourcePort: bytes.bigEndian16(at: 0), destination: inner.destination,
            destinationPort: bytes.bigEndian16(at: 2), interface: packet.interface)
        let index = flows.find(key)
        guard index >= 0, !sampling.hasShed || !isOutdated(index) else { return false }
        // Anybody can send such a message, so it must quote what was sent and not yet acknowledged (RFC 5927, 4.1).
        let sequence = bytes.bigEndian32(at: 4)
        if flows[index].has(.synSeen), !flows[index].has(.answerSeen), !flows[index].has(.handshakeDone) {
            guard sender == flows[index].client, sequence == flows[index].handshake.clientISN else {
                return false
            }
            if !flows[index].has(.isUndeliverable) {
                flows[index].flags.insert(.isUndeliverable)
                reportFailedOpening(index, at: packet.time, cause: cause)
            }
            return true
        }
        let side = flows[index].sides[sender]
        guard side.has(.isKnown), isAfter(side.nextSequence, sequence), !isAfter(side.highestAcknowledged, sequence)
        else { return false }
        if isCopy(of: packet, about: flows.hashed(key), sequence: sequence, cause: cause) { return true }
        let parties = parties(of: index)
        var sample = EngineSample(
            time: packet.time, kind: .tcpData, side: flows[index].side(towards: 1 &- sender), method: .seq, rtt: -1,
            outcome: .unanswered, source: inner.source, sourcePort: port(sender, of: index),
            destination: inner.destination, destinationPort: port(1 &- sender, of: index),
            interface: parties.interface, service: parties.service)
        sample.detail.cause = cause
        emit(sample, parties: parties, failures: 1)
        return true
    }

    /// Whether this error came by before, as a mirror port or a tunnel makes it; it is counted then, else remembered.
    private mutating func isCopy(
        of packet: DissectedPacket, about flow: UInt64, sequence: UInt32, cause: FailureCause
    ) -> Bool {
        let fingerprint = hash.hash(flow, UInt64(sequence) &<< 8 | UInt64(cause.rawValue)) | 1 &<< 63
        let copy = duplicates.copy(
            fingerprint, at: packet.time, identification: packet.identification, isRepeatable: false, leastRoundTrip: 0)
        if copy == .none {
            duplicates.note(fingerprint, at: packet.time, identification: packet.identification)
            return false
        }
        duplicatePackets &+= 1
        return true
    }

    /// What a quoted request goes by in the table; nil where it is none that would be there.
    private func requestFingerprint(_ inner: QuotedPacket, bytes: RawSpan, scope: UInt32, time: Int64) -> UInt64? {
        if inner.protocolNumber == .icmp, inner.source.isIPv4 {
            guard let echo = ICMPv4Message(bytes), echo.isEchoRequest else { return nil }
            return echoTransaction(
                client: inner.source, server: inner.destination, identifier: echo.identifier,
                sequence: echo.sequence, scope: scope, time: time
            ).fingerprint
        }
        if inner.protocolNumber == .icmpv6, inner.source.isIPv6 {
            guard let echo = ICMPv6Message(bytes), echo.isEchoRequest else { return nil }
            return echoTransaction(
                client: inner.source, server: inner.destination, identifier: echo.identifier,
                sequence: echo.sequence, scope: scope, time: time
            ).fingerprint
        }
        guard inner.protocolNumber == .udp, let datagram = UDPDatagram(bytes) else { return nil }
        let ports = (datagram.sourcePort, datagram.destinationPort)
        if ports.1 == 53 {
            guard let query = DNSSummary(datagram.payload, hash: hash), !query.isResponse, query.opcode == 0
            else { return nil }
            return dnsTransaction(
                query, time: time, client: inner.source, clientPort: ports.0, server: inner.destination,
                serverPort: ports.1, scope: scope, isOverTCP: false
            ).fingerprint
        }
        guard
            let handshake = VPNHandshake(datagram, length: inner.length &- UDPDatagram.headerLength, time: time),
            handshake.role == .request
        else { return nil }
        return vpnTransaction(
            handshake, source: inner.source, sourcePort: ports.0, destination: inner.destination,
            destinationPort: ports.1, scope: scope, time: time
        ).fingerprint
    }
}

/// The packet that an ICMP error is about.
private struct QuotedPacket {
    var source: IPAddress
    var destination: IPAddress
    var protocolNumber: IPProtocol
    /// Bytes of transport header and payload by its IP header.
    var length: Int
}

extension DissectedPacket {
    /// As a transaction keeps it: interface index, and the IP version in the top bit.
    var scope: UInt32 { interface | (source.isIPv6 ? FlowKey.ipv6 : 0) }
}

extension FailureCause {
    /// `none` for messages that are no errors about a packet's way.
    init(icmpType type: UInt8, code: UInt8) {
        switch type {
        case ICMPv4Type.destinationUnreachable:
            switch code {
            case 0, 6, 11: self = .networkUnreachable
            case 1, 7, 8, 12: self = .hostUnreachable
            case 2: self = .protocolUnreachable
            case 3: self = .portUnreachable
            case 4: self = .tooBig
            case 9, 10, 13: self = .prohibited
            default: self = .unreachable
            }
        case ICMPv4Type.timeExceeded: self = .timeExceeded
        case ICMPv4Type.parameterProblem: self = .parameterProblem
        default: self = .none
        }
    }

    /// Likewise of ICMPv6.
    init(icmpv6Type type: UInt8, code: UInt8) {
        switch type {
        case ICMPv6Type.destinationUnreachable:
            switch code {
            case 0: self = .networkUnreachable
            case 1, 5, 6: self = .prohibited
            case 3: self = .hostUnreachable
            case 4: self = .portUnreachable
            default: self = .unreachable
            }
        case ICMPv6Type.packetTooBig: self = .tooBig
        case ICMPv6Type.timeExceeded: self = .timeExceeded
        case ICMPv6Type.parameterProblem: self = .parameterProblem
        default: self = .none
        }
    }

    /// Where an error is counted that is about no request here.
    var dropReason: DropReason {
        switch self {
        case .networkUnreachable, .hostUnreachable, .protocolUnreachable, .portUnreachable, .prohibited, .unreachable:
            .icmpUnreachable
        case .timeExceeded: .icmpTimeExceeded
        case .tooBig: .icmpTooBig
        case .none, .underLoad, .parameterProblem: .icmp
        }
    }
}
