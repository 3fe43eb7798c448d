// Handshakes of VPNs in the engine: WireGuard, IKE version 2, OpenVPN over UDP and TCP.

internal import Wire

extension CaptureEngine {
    /// Takes a datagram of a VPN; false where it is none, and then nothing was counted.
    @inline(__always)
    mutating func takeHandshake(_ packet: DissectedPacket, _ datagram: borrowing UDPDatagram) -> Bool {
        let whole = datagram.length == 0 ? packet.length : datagram.length
        guard let handshake = VPNHandshake(datagram, length: whole &- UDPDatagram.headerLength, time: packet.time)
        else { return false }
        return take(
            handshake, packet: packet, sourcePort: datagram.sourcePort, destinationPort: datagram.destinationPort)
    }

    private mutating func take(
        _ handshake: VPNHandshake, packet: DissectedPacket, sourcePort: UInt16, destinationPort: UInt16
    ) -> Bool {
        switch handshake.role {
        case .data:
            drop(.vpnData)
            return true
        case .unmeasured:
            drop(.ikeVersion1)
            return true
        case .request, .reply, .putOff: break
        }
        let transaction = vpnTransaction(
            handshake, source: packet.source, sourcePort: sourcePort, destination: packet.destination,
            destinationPort: destinationPort, scope: packet.scope, time: packet.time)
        switch handshake.role {
        case .request: takeRequest(transaction)
        case .putOff: putOff(transaction, at: packet.time)
        default: return takeVPNReply(transaction, handshake, at: packet.time)
        }
        return true
    }

    /// What proves nothing alone is left to others where no request waits for it.
    private mutating func takeVPNReply(_ transaction: Transaction, _ handshake: VPNHandshake, at time: Int64) -> Bool {
        guard handshake.isProvenAlone || transactions.knows(transaction.fingerprint) else { return false }
        takeReply(transaction, at: time, reply: handshake.reply)
        return true
    }

    /// The peer answers, but wants its cookie first: the handshake has failed, and is begun anew with another message.
    private mutating func putOff(_ transaction: Transaction, at time: Int64) {
        var orphan = transaction
        orphan.cause = .underLoad
        if let request = transactions.fail(transaction.fingerprint, cause: .underLoad) {
            reportFailure(request, at: time)
        } else if transactions.knows(transaction.fingerprint) {
            duplicatePackets &+= 1
        } else {
            takeReply(orphan, at: time, reply: TransactionReply())
        }
    }

    /// As the request is noted, whichever of request and reply is at hand.
    func vpnTransaction(
        _ handshake: VPNHandshake, source: IPAddress, sourcePort: UInt16, destination: IPAddress,
        destinationPort: UInt16, scope: UInt32, time: Int64
    ) -> Transaction {
        let isRequest = handshake.role == .request
        var transaction = Transaction()
        transaction.kind = handshake.kind
        transaction.flags = handshake.flags
        transaction.exchange = handshake.exchange
        transaction.identifier = isRequest ? handshake.digest : 0
        transaction.requestParts = handshake.requestPart
        transaction.clientPort = isRequest ? sourcePort : destinationPort
        transaction.serverPort = isRequest ? destinationPort : sourcePort
        fill(
            &transaction, client: isRequest ? source : destination, server: isRequest ? destination : source,
            scope: scope, time: time)
        let small =
            handshake.number | UInt64(handshake.kind.rawValue) &<< 48
            | (handshake.flags.contains(.overTCP) ? 1 &<< 40 : 0)
        transaction.fingerprint = fingerprint(transaction, small, handshake.session)
        return transaction
    }

    // MARK: OpenVPN over TCP

    /// Looks at the first bytes of each direction of a connection whose opening was seen, and never again.
    ///
    /// The length before a packet may have been sent alone; the packet is then told by what it holds.
    mutating func takeOpening(_ index: Int, input: TCPInput, payload: RawSpan) {
        let isClient = input.sender == flows[index].client
        guard flows[index].has(.synSeen) else { return flows[index].flags.formUnion(.isPastOpening) }
        let expected =
            (isClient ? flows[index].handshake.clientISN : flows[index].handshake.serverISN) &+ 1
        let prefix = UInt32(OpenVPNReset.streamLengthLength)
        let hasLength = input.sequence == expected
        guard hasLength || input.sequence == expected &+ prefix, isClient || flows[index].has(.answerSeen) else {
            return passOpening(index, input: input, payload: payload, expected: expected)
        }
        // The client's first bytes once more.
        if isClient, flows[index].has(.awaitsReset) { return }
        if hasLength, input.payload == prefix, isClient || flows[index].has(.awaitsReset) { return }
        if !isClient { flows[index].flags.formUnion(.isPastOpening) }
        guard isClient != flows[index].has(.awaitsReset), isWhole(input, payload: payload, hasLength: hasLength),
            let (handshake, transaction) = opening(index, input: input, payload: payload, hasLength: hasLength)
        else { return flows[index].flags.formUnion(.isPastOpening) }
        if isClient {
            flows[index].flags.insert(.awaitsReset)
            takeRequest(transaction)
        } else {
            _ = takeVPNReply(transaction, handshake, at: input.time)
        }
    }

    /// A segment that is not the first of its direction: that was missed, or a client asks again that got no answer.
    private mutating func passOpening(_ index: Int, input: TCPInput, payload: RawSpan, expected: UInt32) {
        let isClient = input.sender == flows[index].client
        let hasAnswer = flows[index].has(.answerSeen)
        if isClient, flows[index].has(.awaitsReset),
            !hasAnswer || !isAfter(input.acknowledgement, flows[index].handshake.serverISN &+ 1)
        {
            guard let (_, again) = opening(index, input: input, payload: payload, hasLength: true) else { return }
            return takeRequest(again)
        }
        // A SYN with data and a keepalive are not behind it.
        guard isAfter(input.sequence, expected) || !isClient && !hasAnswer else { return }
        flows[index].flags.formUnion(.isPastOpening)
        flows[index].flags.remove(.awaitsReset)
    }

    /// The reset in a segment of its own side, and its transaction.
    private func opening(
        _ index: Int, input: TCPInput, payload: RawSpan, hasLength: Bool
    ) -> (VPNHandshake, Transaction)? {
        let sender = input.sender
        guard var handshake = reset(input, payload: payload, hasLength: hasLength),
            (handshake.role == .request) == (sender == flows[index].client)
        else { return nil }
        handshake.flags.insert(.overTCP)
        var transaction = vpnTransaction(
            handshake, source: address(sender, of: index), sourcePort: port(sender, of: index),
            destination: address(1 &- sender, of: index), destinationPort: port(1 &- sender, of: index),
            scope: flows[index].key.scope, time: input.time)
        transaction.flow = UInt32(truncatingIfNeeded: index)
        transaction.generation = flows[index].generation
        return (handshake, transaction)
    }

    /// Whether the connection of a reset over TCP went on without its answer, which was missed here then.
    func isAnswerMissed(_ request: Transaction) -> Bool {
        guard request.kind == .openVPN, request.has(.overTCP) else { return false }
        let connection = flows[Int(request.flow)].flags
        return flows[Int(request.flow)].generation == request.generation
            && connection.isSuperset(of: [.inUse, .synSeen, .isPastOpening]) && !connection.contains(.awaitsReset)
    }

    /// Whether the segment is one packet of OpenVPN, as hardly any that is none: neither side has more to say before the
    /// other answers.
    @inline(__always)
    private func isWhole(_ input: TCPInput, payload: RawSpan, hasLength: Bool) -> Bool {
        let prefix = OpenVPNReset.streamLengthLength
        guard payload.byteCount > prefix else { return false }
        return !hasLength || Int(payload.bigEndian16(at: 0)) &+ prefix == Int(input.payload)
    }

    /// A reset alone in the segment, behind its length where that is there.
    private func reset(_ input: TCPInput, payload: RawSpan, hasLength: Bool) -> VPNHandshake? {
        let prefix = hasLength ? OpenVPNReset.streamLengthLength : 0
        guard isWhole(input, payload: payload, hasLength: hasLength),
            let reset = OpenVPNReset(
                payload.suffix(from: prefix), length: Int(input.payload) &- prefix, time: input.time)
        else { return nil }
        return VPNHandshake(reset)
    }
}
