// Internet Key Exchange version 2, RFC 7296; fragments, RFC 7383. The header is ISAKMP's (RFC 2408), so version 1 is
// told by it too.
//
// Invariant: a view holds the 28 header bytes, an initiator's SPI that is not zero, a version of 1 or 2, and a length
// field that the datagram bears out.

/// Where the fields of the header lie, in bytes.
@usableFromInline
enum IKEField {
    @usableFromInline static let initiatorSPI = 0
    @usableFromInline static let responderSPI = 8
    @usableFromInline static let nextPayload = 16
    @usableFromInline static let version = 17
    @usableFromInline static let exchange = 18
    @usableFromInline static let flags = 19
    @usableFromInline static let messageID = 20
    @usableFromInline static let length = 24
}

/// What an exchange is for: the IANA registry "IKEv2 Exchange Types".
public enum IKEExchange {
    public static let initialize: UInt8 = 34
    public static let authenticate: UInt8 = 35
    public static let createChild: UInt8 = 36
    public static let informational: UInt8 = 37
    public static let sessionResume: UInt8 = 38
    public static let intermediate: UInt8 = 43
    public static let followUpKey: UInt8 = 44

    /// The name in the RFCs; the number where none is kept.
    public static func name(_ exchange: UInt8) -> String {
        switch exchange {
        case initialize: "IKE_SA_INIT"
        case authenticate: "IKE_AUTH"
        case createChild: "CREATE_CHILD_SA"
        case informational: "INFORMATIONAL"
        case sessionResume: "IKE_SESSION_RESUME"
        case intermediate: "IKE_INTERMEDIATE"
        case followUpKey: "IKE_FOLLOWUP_KE"
        default: "exchange=\(exchange)"
        }
    }
}

/// Notifications: the IANA registry "IKEv2 Notify Message Types". Below 16384 they are errors.
public enum IKENotification {
    public static let invalidKeyExchange: UInt16 = 17
    public static let cookie: UInt16 = 16_390
    public static let firstStatus: UInt16 = 16_384

    /// Whether an exchange failed with it; a wrong Diffie-Hellman group only asks for another try (RFC 7296, 1.2).
    public static func isFailure(_ type: UInt16) -> Bool {
        type < firstStatus && type != 0 && type != invalidKeyExchange
    }

    /// The name in the RFC; the number where none is kept.
    public static func name(_ type: UInt16) -> String {
        switch type {
        case 1: "UNSUPPORTED_CRITICAL_PAYLOAD"
        case 4: "INVALID_IKE_SPI"
        case 5: "INVALID_MAJOR_VERSION"
        case 7: "INVALID_SYNTAX"
        case 9: "INVALID_MESSAGE_ID"
        case 11: "INVALID_SPI"
        case 14: "NO_PROPOSAL_CHOSEN"
        case invalidKeyExchange: "INVALID_KE_PAYLOAD"
        case 24: "AUTHENTICATION_FAILED"
        case 43: "TEMPORARY_FAILURE"
        case cookie: "COOKIE"
        default: "notify=\(type)"
        }
    }
}

/// Which part of a message a fragment is.
@frozen
public struct IKEFragment: Hashable, Sendable {
    /// From 1.
    public var number: Int
    /// At least `number`.
    public var total: Int

    @inlinable
    public init(number: Int, total: Int) {
        self.number = number
        self.total = total
    }
}

/// A message, read in place.
@frozen
public struct IKEMessage: ~Escapable {
    @inlinable public static var headerLength: Int { 28 }
    /// The UDP port of the protocol.
    @inlinable public static var port: UInt16 { 500 }
    /// The port behind which address translation is passed, shared with ESP; four zero bytes precede a message
    /// (RFC 3948).
    @inlinable public static var translationPort: UInt16 { 4500 }
    @inlinable public static var markerLength: Int { 4 }
    /// Most payloads that are looked at.
    @inlinable public static var maximumPayloads: Int { 32 }

    @usableFromInline let bytes: RawSpan

    /// Fails where a field contradicts the invariant. `length` is that of the UDP payload, without the marker, of
    /// which `bytes` may be the beginning.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan, length: Int) {
        guard bytes.byteCount >= IKEMessage.headerLength, bytes.bigEndian64(at: IKEField.initiatorSPI) != 0
        else { return nil }
        let version = bytes.byte(at: IKEField.version) >> 4
        let claimed = Int(bytes.bigEndian32(at: IKEField.length))
        guard version == 1 || version == 2, claimed >= IKEMessage.headerLength, claimed <= length else { return nil }
        self.bytes = bytes
    }

    @inlinable public var initiatorSPI: UInt64 { bytes.bigEndian64(at: IKEField.initiatorSPI) }
    /// 0 in the first request, and in an answer that asks for another.
    @inlinable public var responderSPI: UInt64 { bytes.bigEndian64(at: IKEField.responderSPI) }
    /// 1 or 2.
    @inlinable public var majorVersion: Int { Int(bytes.byte(at: IKEField.version) >> 4) }
    @inlinable public var exchange: UInt8 { bytes.byte(at: IKEField.exchange) }
    @inlinable public var isResponse: Bool { bytes.byte(at: IKEField.flags) & 0x20 != 0 }
    /// Whether it comes from the side that opened the association, which may answer as well as ask.
    @inlinable public var isFromInitiator: Bool { bytes.byte(at: IKEField.flags) & 0x08 != 0 }
    @inlinable public var messageID: UInt32 { bytes.bigEndian32(at: IKEField.messageID) }
    /// Header and payloads.
    @inlinable public var length: Int { Int(bytes.bigEndian32(at: IKEField.length)) }
    @inlinable public var nextPayload: UInt8 { bytes.byte(at: IKEField.nextPayload) }

    /// Which part this is; nil for a whole message, and where the fragment's header was cut off or makes no sense.
    @inlinable public var fragment: IKEFragment? {
        guard nextPayload == IKEPayload.fragment, bytes.byteCount >= IKEMessage.headerLength &+ 8 else { return nil }
        let number = Int(bytes.bigEndian16(at: IKEMessage.headerLength &+ 4))
        let total = Int(bytes.bigEndian16(at: IKEMessage.headerLength &+ 6))
        guard number >= 1, number <= total else { return nil }
        return IKEFragment(number: number, total: total)
    }

    /// The notification that stands in place of what was asked for (a cookie, another group, an error), in a message
    /// whose payloads are in clear; 0 where the association's own payload is there, or no notification.
    public var rejection: UInt16 {
        var next = nextPayload
        var offset = IKEMessage.headerLength
        let end = min(length, bytes.byteCount)
        var found: UInt16 = 0
        for _ in 0..<IKEMessage.maximumPayloads {
            if next == 0 { return found }
            if next == IKEPayload.association { return 0 }
            guard offset &+ 4 <= end else { return found }
            let size = Int(bytes.bigEndian16(at: offset &+ 2))
            guard size >= 4 else { return found }
            if next == IKEPayload.notification, found == 0, offset &+ 8 <= end {
                found = bytes.bigEndian16(at: offset &+ 6)
            }
            next = bytes.byte(at: offset)
            offset &+= size
        }
        return found
    }
}

/// Payloads that are looked at: the IANA registry "IKEv2 Payload Types".
public enum IKEPayload {
    public static let association: UInt8 = 33
    public static let notification: UInt8 = 41
    public static let encrypted: UInt8 = 46
    public static let fragment: UInt8 = 53
}

/// The fields of a message as values.
public struct IKEHeader: Hashable, Sendable {
    public var initiatorSPI: UInt64
    public var responderSPI: UInt64
    public var exchange: UInt8
    public var messageID: UInt32
    public var isResponse: Bool
    public var isFromInitiator: Bool
    public var majorVersion: UInt8

    public init(
        initiatorSPI: UInt64, responderSPI: UInt64 = 0, exchange: UInt8, messageID: UInt32 = 0,
        isResponse: Bool = false,
        isFromInitiator: Bool = true, majorVersion: UInt8 = 2
    ) {
        self.initiatorSPI = initiatorSPI
        self.responderSPI = responderSPI
        self.exchange = exchange
        self.messageID = messageID
        self.isResponse = isResponse
        self.isFromInitiator = isFromInitiator
        self.majorVersion = majorVersion
    }

    /// Appends the message with its payloads as (type, content), none of them encrypted by us.
    public func write(payloads: [(type: UInt8, content: [UInt8])], to packet: inout [UInt8]) {
        let size = payloads.reduce(IKEMessage.headerLength) { $0 + 4 + $1.content.count }
        packet.append(bigEndian: initiatorSPI)
        packet.append(bigEndian: responderSPI)
        packet.append(contentsOf: [payloads.first?.type ?? 0, majorVersion << 4, exchange])
        packet.append((isResponse ? 0x20 : 0) | (isFromInitiator ? 0x08 : 0))
        packet.append(bigEndian: messageID)
        packet.append(bigEndian: UInt32(truncatingIfNeeded: size))
        for (index, payload) in payloads.enumerated() {
            // An encrypted payload is the last, and names the first one inside it.
            packet.append(contentsOf: [index + 1 < payloads.count ? payloads[index + 1].type : 0, 0])
            packet.append(bigEndian: UInt16(truncatingIfNeeded: payload.content.count + 4))
            packet.append(contentsOf: payload.content)
        }
    }

    /// Appends one fragment of an encrypted message.
    public func write(fragment: IKEFragment, to packet: inout [UInt8]) {
        var content: [UInt8] = []
        content.append(bigEndian: UInt16(truncatingIfNeeded: fragment.number))
        content.append(bigEndian: UInt16(truncatingIfNeeded: fragment.total))
        content.append(contentsOf: [UInt8](repeating: 0x5A, count: 32))
        write(payloads: [(IKEPayload.fragment, content)], to: &packet)
    }
}

extension IKEHeader: CustomStringConvertible {
    public var description: String {
        "IKE \(IKEExchange.name(exchange)) \(isResponse ? "response" : "request") \(messageID)"
    }
}
