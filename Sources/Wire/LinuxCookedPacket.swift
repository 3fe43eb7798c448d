// Linux cooked captures, LINKTYPE_LINUX_SLL (113) and LINKTYPE_LINUX_SLL2 (276), www.tcpdump.org/linktypes.html.
//
// Invariant: a view holds the whole header of its version. Only version 2 says which interface a packet was seen on.

/// Where the fields of the two headers lie, in bytes.
@usableFromInline
enum LinuxCookedField {
    @usableFromInline static let type1 = 14
    @usableFromInline static let type2 = 0
    @usableFromInline static let interface2 = 4
    @usableFromInline static let hardware2 = 8
    @usableFromInline static let direction2 = 10
}

/// A cooked header of version 1 and what it carries, read in place.
@frozen
public struct LinuxCookedPacket: ~Escapable {
    @inlinable public static var headerLength: Int { 16 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than sixteen bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= LinuxCookedPacket.headerLength else { return nil }
        self.bytes = bytes
    }

    @inlinable public var type: EtherType { EtherType(rawValue: bytes.bigEndian16(at: LinuxCookedField.type1)) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: LinuxCookedPacket.headerLength) }
    }
}

/// A cooked header of version 2 and what it carries, read in place.
@frozen
public struct LinuxCookedPacket2: ~Escapable {
    @inlinable public static var headerLength: Int { 20 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than twenty bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= LinuxCookedPacket2.headerLength else { return nil }
        self.bytes = bytes
    }

    @inlinable public var type: EtherType { EtherType(rawValue: bytes.bigEndian16(at: LinuxCookedField.type2)) }
    /// The interface's index on the capturing host.
    @inlinable public var interface: UInt32 { bytes.bigEndian32(at: LinuxCookedField.interface2) }
    /// The ARPHRD_ number of the interface.
    @inlinable public var hardwareType: UInt16 { bytes.bigEndian16(at: LinuxCookedField.hardware2) }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: LinuxCookedPacket2.headerLength) }
    }
}

/// The fields of a cooked header as values.
public struct LinuxCookedHeader: Hashable, Sendable {
    public var type: EtherType
    /// The interface's index; written by version 2 only.
    public var interface: UInt32

    public init(type: EtherType, interface: UInt32 = 0) {
        self.type = type
        self.interface = interface
    }

    public init(_ view: borrowing LinuxCookedPacket2) {
        self.init(type: view.type, interface: view.interface)
    }

    /// Appends a header of version 1, as of a packet to us on Ethernet, and the payload.
    public func writeVersion1(payload: [UInt8], to packet: inout [UInt8]) {
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: UInt16(1))
        packet.append(bigEndian: UInt16(6))
        packet.append(contentsOf: [2, 0, 0, 0, 0, 1, 0, 0])
        packet.append(bigEndian: type.rawValue)
        packet.append(contentsOf: payload)
    }

    /// Appends a header of version 2, as of a packet to us on Ethernet, and the payload.
    public func writeVersion2(payload: [UInt8], to packet: inout [UInt8]) {
        packet.append(bigEndian: type.rawValue)
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: interface)
        packet.append(bigEndian: UInt16(1))
        packet.append(contentsOf: [0, 6, 2, 0, 0, 0, 0, 1, 0, 0])
        packet.append(contentsOf: payload)
    }
}

extension LinuxCookedHeader: CustomStringConvertible {
    public var description: String { "cooked interface \(interface) type 0x\(String(type.rawValue, radix: 16))" }
}
