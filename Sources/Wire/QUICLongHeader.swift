// Long headers of QUIC: what all versions share (RFC 8999, 5.1), and types and lengths of version 1 (RFC 9000, 17.2),
// of version 2 (RFC 9369, 3.2) and of the drafts before them.
//
// Invariant: a view holds both connection IDs, each at most 20 bytes long.

/// Where the fixed fields of a long header lie, in bytes.
@usableFromInline
enum QUICField {
    @usableFromInline static let version = 1
    @usableFromInline static let destinationLength = 5
    @usableFromInline static let destination = 6
}

/// A version number.
@frozen
public struct QUICVersion: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable public static var negotiation: QUICVersion { QUICVersion(rawValue: 0) }
    @inlinable public static var v1: QUICVersion { QUICVersion(rawValue: 1) }
    @inlinable public static var v2: QUICVersion { QUICVersion(rawValue: 0x6B33_43CF) }

    /// The number of the draft, 22 to 34, as the IETF's numbers and those of quant have it, or nil.
    @inlinable public var draft: Int? {
        let number = Int(rawValue & 0xFF)
        let isDraft = rawValue >> 8 == 0xFF_0000 || rawValue >> 8 == 0x45_4747
        return isDraft && number >= 22 && number <= 34 ? number : nil
    }

    /// Whether packets have the form of version 1: its own number, version 2, a draft close to it, mvfst's numbers.
    @inlinable public var isKnown: Bool {
        self == .v1 || self == .v2 || draft != nil || rawValue >> 4 == 0xFACE_B00
    }

    /// A number that clients use to make a server negotiate (RFC 9000, 15).
    @inlinable public var isReserved: Bool { rawValue & 0x0F0F_0F0F == 0x0A0A_0A0A }
}

/// What a packet with a long header is.
public enum QUICPacketType: UInt8, Hashable, Sendable {
    case initial, zeroRTT, handshake, retry, versionNegotiation
}

/// A long header, read in place.
@frozen
public struct QUICLongHeader: ~Escapable {
    /// Bytes of the longest connection ID of versions 1 and 2.
    public static var longestID: Int { 20 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the header form is short, the connection IDs are not all there or one is longer than 20 bytes, and
    /// where the fixed bit is missing in a packet of an unknown version. (Known ones may leave it out, RFC 9287.)
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= QUICField.destination &+ 1, bytes.byte(at: 0) & 0x80 != 0 else { return nil }
        let destination = Int(bytes.byte(at: QUICField.destinationLength))
        let sourceLength = QUICField.destination &+ destination
        guard destination <= QUICLongHeader.longestID, sourceLength < bytes.byteCount else { return nil }
        let source = Int(bytes.byte(at: sourceLength))
        guard source <= QUICLongHeader.longestID, sourceLength &+ 1 &+ source <= bytes.byteCount else { return nil }
        let version = QUICVersion(rawValue: bytes.bigEndian32(at: QUICField.version))
        guard bytes.byte(at: 0) & 0x40 != 0 || version == .negotiation || version.isKnown else { return nil }
        self.bytes = bytes
    }

    @inlinable public var version: QUICVersion { QUICVersion(rawValue: bytes.bigEndian32(at: QUICField.version)) }

    /// By the numbers of the packet's own version; of an unknown one, by those of version 1.
    @inlinable public var type: QUICPacketType {
        if version == .negotiation { return .versionNegotiation }
        let bits = bytes.byte(at: 0) >> 4 & 3
        switch version == .v2 ? (bits &+ 3) & 3 : bits {
        case 0: return .initial
        case 1: return .zeroRTT
        case 2: return .handshake
        default: return .retry
        }
    }

    @inlinable var destinationLength: Int { Int(bytes.byte(at: QUICField.destinationLength)) }
    @inlinable var sourceStart: Int { QUICField.destination &+ destinationLength &+ 1 }
    @inlinable var sourceLength: Int { Int(bytes.byte(at: sourceStart &- 1)) }

    @inlinable public var destinationID: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: QUICField.destination).prefix(destinationLength) }
    }

    @inlinable public var sourceID: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: sourceStart).prefix(sourceLength) }
    }

    /// The protected part of an Initial, 0-RTT or Handshake packet; nil for other types and where its lengths are not
    /// there or leave no room for a packet number and the cipher's tag.
    public var protected: QUICProtectedPacket? {
        let type = type
        guard type != .retry, type != .versionNegotiation else { return nil }
        var offset = sourceStart &+ sourceLength
        var tokenLength = 0
        if type == .initial {
            guard let token = QUICInteger.read(bytes, at: offset), token.value <= 0xFFFF else { return nil }
            tokenLength = Int(token.value)
            offset = token.end &+ tokenLength
        }
        guard let length = QUICInteger.read(bytes, at: offset), length.value >= 20, length.value <= 0xFFFF else {
            return nil
        }
        return QUICProtectedPacket(
            numberOffset: length.end, end: length.end &+ Int(length.value), tokenLength: tokenLength)
    }
}

/// Where the protected part of a packet lies, in bytes from the packet's first.
@frozen
public struct QUICProtectedPacket: Hashable, Sendable {
    /// Where the packet number begins.
    public var numberOffset: Int
    /// One behind the last byte by the header; the capture may end before.
    public var end: Int
    public var tokenLength: Int
}

/// Variable-length integers, RFC 9000, 16.
public enum QUICInteger {
    /// The number at `offset` (0 to 2^62 - 1) and the offset behind it; nil where it is not all there.
    @inlinable
    public static func read(_ bytes: borrowing RawSpan, at offset: Int) -> (value: UInt64, end: Int)? {
        guard offset >= 0, offset < bytes.byteCount else { return nil }
        let first = bytes.byte(at: offset)
        let count = 1 &<< Int(first >> 6)
        guard count <= bytes.byteCount &- offset else { return nil }
        var value = UInt64(first & 0x3F)
        for index in 1..<max(count, 1) { value = value &<< 8 | UInt64(bytes.byte(at: offset &+ index)) }
        return (value, offset &+ count)
    }

    /// Appends a number in the least room; of one above 2^62 - 1, the low 62 bits.
    public static func write(_ value: UInt64, to packet: inout [UInt8]) {
        switch value {
        case 0..<64: packet.append(UInt8(truncatingIfNeeded: value))
        case 64..<16_384: packet.append(bigEndian: UInt16(truncatingIfNeeded: value) | 0x4000)
        case 16_384..<(1 << 30): packet.append(bigEndian: UInt32(truncatingIfNeeded: value) | 0x8000_0000)
        default: packet.append(bigEndian: value | 0xC000_0000_0000_0000)
        }
    }
}

/// The fields of a long header as values.
public struct QUICHeader: Hashable, Sendable {
    public var type: QUICPacketType
    public var version: QUICVersion
    public var destinationID: [UInt8]
    public var sourceID: [UInt8]

    /// Connection IDs beyond 20 bytes are cut.
    public init(type: QUICPacketType, version: QUICVersion = .v1, destinationID: [UInt8], sourceID: [UInt8]) {
        self.type = type
        self.version = type == .versionNegotiation ? .negotiation : version
        self.destinationID = Array(destinationID.prefix(QUICLongHeader.longestID))
        self.sourceID = Array(sourceID.prefix(QUICLongHeader.longestID))
    }

    /// Appends the header up to the source connection ID. `low` holds the four bits that the type gives a meaning.
    public func write(low: UInt8 = 0, to packet: inout [UInt8]) {
        let number = type == .versionNegotiation ? 0 : type.rawValue
        let bits = version == .v2 ? (number + 1) & 3 : number
        packet.append(0xC0 | bits << 4 | low & 0xF)
        packet.append(bigEndian: version.rawValue)
        packet.append(UInt8(destinationID.count))
        packet.append(contentsOf: destinationID)
        packet.append(UInt8(sourceID.count))
        packet.append(contentsOf: sourceID)
    }
}

extension QUICHeader: CustomStringConvertible {
    public var description: String { "QUIC \(type), version \(String(version.rawValue, radix: 16))" }
}
