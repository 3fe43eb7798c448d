// Headers between two network layers: MPLS (RFC 3032), PPPoE (RFC 2516), GRE (RFC 2784, 2890), VXLAN (RFC 7348).
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

/// A VXLAN header, read in place; an Ethernet frame follows.
@frozen
public struct VXLANPacket: ~Escapable {
    @inlinable public static var headerLength: Int { 8 }
    /// The port assigned by IANA.
    @inlinable public static var port: UInt16 { 4789 }
    /// The port that Linux took before one was assigned.
    @inlinable public static var legacyPort: UInt16 { 8472 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there or the network identifier is not marked valid.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= VXLANPacket.headerLength, bytes.byte(at: 0) & 0x08 != 0 else { return nil }
        self.bytes = bytes
    }

    /// The network identifier, 24 bits.
    @inlinable public var network: UInt32 { bytes.bigEndian32(at: 4) >> 8 }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: VXLANPacket.headerLength) }
    }
}

/// Writers of the headers above, for what is carried inside.
public enum TunnelHeader: Hashable, Sendable {
    /// Labels from the outermost to the bottom of the stack.
    case mpls(labels: [UInt32])
    case pppoe(session: UInt16, inner: EtherType)
    case gre(inner: EtherType)
    case vxlan(network: UInt32)

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
        case .gre(let inner):
            packet.append(bigEndian: UInt16(0))
            packet.append(bigEndian: inner.rawValue)
        case .vxlan(let network):
            packet.append(bigEndian: UInt32(0x0800_0000))
            packet.append(bigEndian: network << 8)
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
        case .vxlan(let network): "VXLAN \(network)"
        }
    }
}
