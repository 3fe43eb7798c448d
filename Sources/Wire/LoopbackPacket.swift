// BSD loopback encapsulation, LINKTYPE_NULL (0) and LINKTYPE_LOOP (108), www.tcpdump.org/linktypes.html.
//
// Invariant: a view holds the four header bytes. The number is an address family in the byte order of the capturing
// host (NULL) or in network order (LOOP); the families are small, so either order can be told by the value.

/// A loopback header and what it carries, read in place.
@frozen
public struct LoopbackPacket: ~Escapable {
    @inlinable public static var headerLength: Int { 4 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than four bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= LoopbackPacket.headerLength else { return nil }
        self.bytes = bytes
    }

    /// The address family's number, in whichever byte order makes it small.
    @inlinable public var family: UInt32 {
        let value = bytes.bigEndian32(at: 0)
        return value > 0xFFFF ? value.byteSwapped : value
    }

    /// What follows: AF_INET is 2 everywhere, AF_INET6 is 24, 28 or 30 on the BSDs and 10 on Linux.
    @inlinable public var type: EtherType? {
        switch family {
        case 2: .ipv4
        case 10, 24, 28, 30: .ipv6
        default: nil
        }
    }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: LoopbackPacket.headerLength) }
    }
}

/// The one field of a loopback header.
public struct LoopbackHeader: Hashable, Sendable {
    public var family: UInt32

    public init(family: UInt32) { self.family = family }

    public init(_ view: borrowing LoopbackPacket) { self.init(family: view.family) }

    /// Appends the header in little-endian order (a capture of LINKTYPE_NULL on today's hosts) and the payload.
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        packet.append(bigEndian: family.byteSwapped)
        packet.append(contentsOf: payload)
    }
}

extension LoopbackHeader: CustomStringConvertible {
    public var description: String { "loopback family \(family)" }
}
