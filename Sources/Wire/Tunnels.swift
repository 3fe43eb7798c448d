// Headers between two network layers: MPLS (RFC 3032), PPPoE (RFC 2516), GRE (RFC 2784, 2890), AH (RFC 4302).
//
// Invariant: a view holds its whole header; what it carries is told by `type` or by the header itself.

/// One entry of an MPLS label stack, read in place.
@frozen
public struct MPLSLabel: ~Escapable {
    @inlinable public static var length: Int { 4 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than four bytes are there.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= MPLSLabel.length else { return nil }
        self.bytes = bytes
    }

    @inlinable public var label: UInt32 { bytes.bigEndian32(at: 0) >> 12 }
    @inlinable public var isBottomOfStack: Bool { bytes.byte(at: 2) & 1 != 0 }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: MPLSLabel.length) }
    }

    /// What follows the bottom of a stack by its first half byte, which is the only thing that tells: 4 or 6.
    @inlinable public var innerType: EtherType? {
        guard isBottomOfStack, bytes.byteCount > MPLSLabel.length else { return nil }
        switch bytes.byte(at: MPLSLabel.length) >> 4 {
        case 4: return .ipv4
        case 6: return .ipv6
        default: return nil
        }
    }
}

/// The header of a PPPoE session with its PPP protocol number, read in place.
@frozen
public struct PPPoESession: ~Escapable {
    /// Six bytes of PPPoE and two of PPP.
    @inlinable public static var headerLength: Int { 8 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there, or version, type or code are not those of session data.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= PPPoESession.headerLength, bytes.byte(at: 0) == 0x11, bytes.byte(at: 1) == 0
        else { return nil }
        self.bytes = bytes
    }

    @inlinable public var session: UInt16 { bytes.bigEndian16(at: 2) }
    /// What follows; nil for a PPP protocol other than IP.
    @inlinable public var type: EtherType? { PPPProtocol.type(bytes.bigEndian16(at: 6)) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: PPPoESession.headerLength) }
    }
}

/// Numbers of the PPP protocol field, RFC 1661 and the IANA registry.
public enum PPPProtocol {
    /// The EtherType that stands for the same network layer; nil for what is not IP.
    @inlinable
    public static func type(_ number: UInt16) -> EtherType? {
        switch number {
        case 0x0021: .ipv4
        case 0x0057: .ipv6
        default: nil
        }
    }
}

/// A GRE header of version 0, read in place.
@frozen
public struct GREPacket: ~Escapable {
    @inlinable public static var minimumHeaderLength: Int { 4 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the version is not 0, source routing is asked for, or the header does not fit.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= GREPacket.minimumHeaderLength else { return nil }
        let flags = bytes.bigEndian16(at: 0)
        guard flags & 0x4007 == 0, GREPacket.headerLength(flags) <= bytes.byteCount else { return nil }
        self.bytes = bytes
    }

    /// Four bytes, and four more each for checksum, key and sequence number.
    @inlinable
    static func headerLength(_ flags: UInt16) -> Int {
        4 + (flags & 0x8000 != 0 ? 4 : 0) + (flags & 0x2000 != 0 ? 4 : 0) + (flags & 0x1000 != 0 ? 4 : 0)
    }

    @inlinable public var headerLength: Int { GREPacket.headerLength(bytes.bigEndian16(at: 0)) }
    @inlinable public var type: EtherType { EtherType(rawValue: bytes.bigEndian16(at: 2)) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: headerLength) }
    }
}

/// An authentication header, read in place; what it protects is in clear.
@frozen
public struct AuthenticationHeader: ~Escapable {
    /// Bytes without the integrity check value.
    @inlinable public static var minimumLength: Int { 12 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the header does not fit.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= AuthenticationHeader.minimumLength else { return nil }
        let length = AuthenticationHeader.length(bytes.byte(at: 1))
        guard length >= AuthenticationHeader.minimumLength, length <= bytes.byteCount else { return nil }
        self.bytes = bytes
    }

    /// The field counts words of four bytes and leaves two of them out.
    @inlinable
    static func length(_ field: UInt8) -> Int { (Int(field) &+ 2) &* 4 }

    @inlinable public var headerLength: Int { AuthenticationHeader.length(bytes.byte(at: 1)) }
    @inlinable public var nextHeader: IPProtocol { IPProtocol(rawValue: bytes.byte(at: 0)) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: headerLength) }
    }
}

/// Writers of the headers above, for what is carried inside.
public enum TunnelHeader: Hashable, Sendable {
    /// Labels from the outermost to the bottom of the stack.
    case mpls(labels: [UInt32])
    case pppoe(session: UInt16, inner: EtherType)
    /// Checksum (written as 0), key and sequence number are left out where they are false or nil.
    case gre(inner: EtherType, hasChecksum: Bool = false, key: UInt32? = nil, sequence: UInt32? = nil)
    /// With an integrity check value of twelve bytes.
    case authentication(next: IPProtocol)

    /// Appends header and payload.
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        switch self {
        case .mpls(let labels):
            for (index, label) in labels.enumerated() {
                packet.append(bigEndian: label << 12 | (index == labels.count - 1 ? 0x100 : 0) | 64)
            }
        case .pppoe(let session, let inner):
            packet.append(contentsOf: [0x11, 0])
            packet.append(bigEndian: session)
            packet.append(bigEndian: UInt16(truncatingIfNeeded: payload.count + 2))
            packet.append(bigEndian: inner == .ipv6 ? UInt16(0x0057) : 0x0021)
        case .gre(let inner, let hasChecksum, let key, let sequence):
            packet.append(
                bigEndian: (hasChecksum ? UInt16(0x8000) : 0) | (key == nil ? 0 : 0x2000)
                    | (sequence == nil ? 0 : 0x1000))
            packet.append(bigEndian: inner.rawValue)
            if hasChecksum { packet.append(bigEndian: UInt32(0)) }
            if let key { packet.append(bigEndian: key) }
            if let sequence { packet.append(bigEndian: sequence) }
        case .authentication(let next):
            packet.append(contentsOf: [next.rawValue, 4, 0, 0])
            packet.append(bigEndian: UInt64(0x0000_0100_0000_0001))
            packet.append(contentsOf: [UInt8](repeating: 0x5A, count: 12))
        }
        packet.append(contentsOf: payload)
    }
}

extension TunnelHeader: CustomStringConvertible {
    public var description: String {
        switch self {
        case .mpls(let labels): "MPLS \(labels)"
        case .pppoe(let session, _): "PPPoE session \(session)"
        case .gre: "GRE"
        case .authentication: "AH"
        }
    }
}
