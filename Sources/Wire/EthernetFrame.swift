// Ethernet II frames and VLAN tags, IEEE 802.3 and 802.1Q.
//
// Invariant: a frame view holds the fourteen header bytes; a tag view holds the four bytes behind a tag's EtherType.

/// Where the fields of an Ethernet header lie, in bytes.
@usableFromInline
enum EthernetField {
    @usableFromInline static let destination = 0
    @usableFromInline static let source = 6
    @usableFromInline static let type = 12
}

/// An Ethernet header and what it carries, read in place.
@frozen
public struct EthernetFrame: ~Escapable {
    /// Bytes of the header without tags.
    @inlinable public static var headerLength: Int { 14 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than fourteen bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= EthernetFrame.headerLength else { return nil }
        self.bytes = bytes
    }

    /// The EtherType; below 0x0600 it is the length of an 802.3 frame.
    @inlinable public var type: EtherType { EtherType(rawValue: bytes.bigEndian16(at: EthernetField.type)) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: EthernetFrame.headerLength) }
    }
}

/// The four bytes behind the EtherType of a VLAN tag: priority and identifier, then the type of what follows.
@frozen
public struct VLANTag: ~Escapable {
    /// Bytes of a tag behind its own EtherType.
    @inlinable public static var length: Int { 4 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than four bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= VLANTag.length else { return nil }
        self.bytes = bytes
    }

    /// 0...4095.
    @inlinable public var identifier: UInt16 { bytes.bigEndian16(at: 0) & 0x0FFF }
    @inlinable public var type: EtherType { EtherType(rawValue: bytes.bigEndian16(at: 2)) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: VLANTag.length) }
    }
}

/// The fields of an Ethernet header, with its tags, as values.
public struct EthernetHeader: Hashable, Sendable {
    /// One tag: its own EtherType and the VLAN identifier.
    public struct Tag: Hashable, Sendable {
        public var type: EtherType
        public var identifier: UInt16

        public init(type: EtherType, identifier: UInt16) {
            self.type = type
            self.identifier = identifier
        }
    }

    /// The 48 bits of the hardware addresses in the low part.
    public var source: UInt64
    public var destination: UInt64
    /// Outermost first.
    public var tags: [Tag]
    public var type: EtherType

    public init(
        source: UInt64 = 0x02_00_00_00_00_01, destination: UInt64 = 0x02_00_00_00_00_02, tags: [Tag] = [],
        type: EtherType
    ) {
        self.source = source
        self.destination = destination
        self.tags = tags
        self.type = type
    }

    /// Appends header, tags and payload; no padding, no frame check sequence.
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        for address in [destination, source] {
            packet.append(bigEndian: UInt16(truncatingIfNeeded: address >> 32))
            packet.append(bigEndian: UInt32(truncatingIfNeeded: address))
        }
        for tag in tags {
            packet.append(bigEndian: tag.type.rawValue)
            packet.append(bigEndian: tag.identifier & 0x0FFF)
        }
        packet.append(bigEndian: type.rawValue)
        packet.append(contentsOf: payload)
    }
}

extension EthernetHeader: CustomStringConvertible {
    public var description: String {
        let vlans = tags.map { " vlan \($0.identifier)" }.joined()
        return "Ethernet\(vlans) type 0x\(String(type.rawValue, radix: 16))"
    }
}
