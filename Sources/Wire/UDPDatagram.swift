// User Datagram Protocol, RFC 768.
//
// Invariant: a view holds the eight header bytes, and a length field of at least eight or of zero (RFC 2675 jumbo).

/// Where the fields of a UDP header lie, in bytes.
@usableFromInline
enum UDPField {
    @usableFromInline static let sourcePort = 0
    @usableFromInline static let destinationPort = 2
    @usableFromInline static let length = 4
    @usableFromInline static let checksum = 6
}

/// A UDP header and its payload, read in place.
@frozen
public struct UDPDatagram: ~Escapable {
    /// Bytes of the header, RFC 768.
    public static var headerLength: Int { 8 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there or the length field claims less than the header.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= UDPDatagram.headerLength else { return nil }
        let claimed = bytes.bigEndian16(at: UDPField.length)
        guard claimed == 0 || Int(claimed) >= UDPDatagram.headerLength else { return nil }
        self.bytes = bytes
    }

    @inlinable public var sourcePort: UInt16 { bytes.bigEndian16(at: UDPField.sourcePort) }
    @inlinable public var destinationPort: UInt16 { bytes.bigEndian16(at: UDPField.destinationPort) }

    /// The length field: header and payload, 0 in a jumbogram.
    @inlinable public var length: Int { Int(bytes.bigEndian16(at: UDPField.length)) }

    /// The payload as far as it is there: no longer than the length field says, shorter where the capture cut it.
    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get {
            let end = length == 0 ? bytes.byteCount : min(length, bytes.byteCount)
            return bytes.extracting(UDPDatagram.headerLength..<max(end, UDPDatagram.headerLength))
        }
    }
}

/// The fields of a UDP header as values.
public struct UDPHeader: Hashable, Sendable {
    public var sourcePort: UInt16
    public var destinationPort: UInt16

    public init(sourcePort: UInt16, destinationPort: UInt16) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }

    public init(_ view: borrowing UDPDatagram) {
        self.init(sourcePort: view.sourcePort, destinationPort: view.destinationPort)
    }

    /// Appends header and payload, checksum zero ("not computed" over IPv4, RFC 768).
    ///
    /// A payload above 65,527 bytes does not fit the length field, which is then written as 0 (RFC 2675).
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        packet.append(bigEndian: sourcePort)
        packet.append(bigEndian: destinationPort)
        packet.append(bigEndian: UInt16(exactly: UDPDatagram.headerLength + payload.count) ?? 0)
        packet.append(bigEndian: UInt16(0))
        packet.append(contentsOf: payload)
    }
}

extension UDPHeader: CustomStringConvertible {
    public var description: String { "UDP \(sourcePort) > \(destinationPort)" }
}
