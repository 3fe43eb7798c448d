// What a datagram, or the first bytes of a TCP stream, is to the handshake of a VPN.
//
// WireGuard and OpenVPN are told by content on any port, IKE by its ports and content. A server's reset of OpenVPN is
// believed by its echo of the client's session; with tls-crypt that echo is encrypted, so that it counts only as the
// answer to a client's reset between the same ports, and never alone.

internal import Wire

struct VPNHandshake {
    enum Role {
        case request, reply
        /// WireGuard's cookie reply.
        case putOff
        /// Packets inside the tunnel, and keepalives.
        case data
        /// IKE version 1.
        case unmeasured
    }

    var kind: TransactionKind
    var role: Role
    /// With the parties, the key of the transaction.
    var session: UInt64 = 0
    var number: UInt64 = 0
    var flags: Transaction.Flags = []
    var exchange: UInt8 = 0
    /// What tells a request from another that may follow under the same number; 0 where none may.
    var digest: UInt16 = 0
    var reply = TransactionReply()
    /// The bit of this part of a request; 0 for a whole one.
    var requestPart: UInt32 = 0
    /// Whether its own bytes prove what it is, without the request before it.
    var isProvenAlone = true

    /// nil for what is no VPN's. `length` is that of the UDP payload by the headers, `time` the capture's.
    @inline(__always)
    init?(_ datagram: borrowing UDPDatagram, length: Int, time: Int64) {
        let payload = datagram.payload
        guard payload.byteCount > 0 else { return nil }
        switch payload.byte(at: 0) {
        case 1...4:
            if let message = WireGuardMessage(payload, length: length) {
                self.init(message, sourcePort: datagram.sourcePort, destinationPort: datagram.destinationPort)
                return
            }
        case 0x38, 0x40, 0x50:
            if let reset = OpenVPNReset(payload, length: length, time: time) {
                self.init(reset)
                return
            }
        default: break
        }
        let isTranslated =
            datagram.sourcePort == IKEMessage.translationPort || datagram.destinationPort == IKEMessage.translationPort
        guard isTranslated || datagram.sourcePort == IKEMessage.port || datagram.destinationPort == IKEMessage.port
        else { return nil }
        self.init(
            ike: payload, length: length, isTranslated: isTranslated, sourcePort: datagram.sourcePort,
            destinationPort: datagram.destinationPort)
    }

    private init(_ message: borrowing WireGuardMessage, sourcePort: UInt16, destinationPort: UInt16) {
        kind = .wireGuard
        switch message.type {
        case .initiation:
            role = .request
            number = UInt64(message.sender ?? 0)
        case .response:
            role = .reply
            number = UInt64(message.receiver ?? 0)
        case .cookieReply:
            role = .putOff
            number = UInt64(message.receiver ?? 0)
        case .transport: role = .data
        }
        let (asker, answerer) = role == .request ? (sourcePort, destinationPort) : (destinationPort, sourcePort)
        // Either side may begin anew; towards a worker who is away, it is the gateway.
        let own = WireGuardMessage.customaryPort
        if asker == own, answerer != own { flags = .isReversed }
    }

    init(_ reset: borrowing OpenVPNReset) {
        kind = .openVPN
        role = reset.isFromServer ? .reply : .request
        switch reset.wrapping {
        case .none: break
        case .tlsAuth: flags = .tlsAuth
        case .tlsCrypt: flags = .tlsCrypt
        }
        if reset.wrapping == .tlsCrypt {
            number = 1
            isProvenAlone = false
        } else {
            session = reset.isFromServer ? reset.echoedSession : reset.session
        }
    }

    private init?(
        ike payload: RawSpan, length: Int, isTranslated: Bool, sourcePort: UInt16, destinationPort: UInt16
    ) {
        kind = .ike
        role = .data
        var bytes = payload
        var rest = length
        if isTranslated {
            if length == 1, payload.byte(at: 0) == 0xFF { return }
            guard payload.byteCount >= IKEMessage.markerLength else { return nil }
            // Anything but the marker is the SPI of ESP, with a sequence number behind it (RFC 4303).
            if payload.bigEndian32(at: 0) != 0 {
                guard length >= 8 else { return nil }
                return
            }
            bytes = payload.suffix(from: IKEMessage.markerLength)
            rest = length &- IKEMessage.markerLength
        }
        guard let message = IKEMessage(bytes, length: rest) else { return nil }
        guard message.majorVersion == 2 else {
            role = .unmeasured
            return
        }
        let isResponse = message.isResponse
        role = isResponse ? .reply : .request
        session = message.initiatorSPI
        exchange = message.exchange
        // Both sides count their requests from 0, so who asks belongs to the key.
        let initiatorAsks = message.isFromInitiator != isResponse
        number = UInt64(message.messageID) | (initiatorAsks ? 1 &<< 32 : 0)
        if exchange == IKEExchange.initialize || exchange == IKEExchange.sessionResume {
            if isResponse { reply.rejection = message.rejection }
            digest = VPNHandshake.digest(bytes)
        }
        let (asker, answerer) = isResponse ? (destinationPort, sourcePort) : (sourcePort, destinationPort)
        let isOwn = { (port: UInt16) in port == IKEMessage.port || port == IKEMessage.translationPort }
        // Between two ports of the protocol, who opened the association is its client.
        let isClientAsking = isOwn(asker) == isOwn(answerer) ? initiatorAsks : isOwn(answerer)
        if !isClientAsking { flags = .isReversed }
        if let fragment = message.fragment { take(fragment, isResponse: isResponse) }
    }

    /// Never 0.
    private static func digest(_ bytes: RawSpan) -> UInt16 {
        var sum: UInt32 = 0
        for offset in 0..<bytes.byteCount { sum = sum &* 31 &+ UInt32(bytes.byte(at: offset)) }
        return max(UInt16(truncatingIfNeeded: sum ^ sum &>> 16), 1)
    }

    /// More parts than there are bits are not told apart: of such a reply, the last is its end.
    private mutating func take(_ fragment: IKEFragment, isResponse: Bool) {
        let bit: UInt32 = fragment.number <= 32 ? 1 &<< UInt32(fragment.number &- 1) : 1 &<< 31
        guard isResponse else {
            requestPart = bit
            return
        }
        reply.isTold = fragment.number == 1
        reply.part = bit
        reply.allParts = fragment.total >= 32 ? .max : 1 &<< UInt32(fragment.total) &- 1
        if fragment.total > 32 {
            reply.allParts = 1 &<< 31
            reply.part = fragment.number == fragment.total ? 1 &<< 31 : 0
        }
    }
}
