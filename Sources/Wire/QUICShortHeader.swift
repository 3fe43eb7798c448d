// Short headers of QUIC version 1 and 2, RFC 9000, 17.3.1, with the spin bit of 17.4.
//
// Invariant: a view holds the first byte of a packet that is long enough for a cipher's sample.

/// A short header, read in place. Only its first byte can be read without the connection's state.
@frozen
public struct QUICShortHeader: ~Escapable {
    /// First byte, packet number and payload of four bytes, and the tag: no packet is shorter (RFC 9001, 5.4.2).
    public static var shortestPacket: Int { 21 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the header form is long, the fixed bit is missing or the packet is too short (`length`: bytes of
    /// the datagram, whatever was captured of it).
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan, length: Int) {
        guard bytes.byteCount > 0, length >= QUICShortHeader.shortestPacket, bytes.byte(at: 0) & 0xC0 == 0x40 else {
            return nil
        }
        self.bytes = bytes
    }

    @inlinable public var spinBit: Bool { bytes.byte(at: 0) & 0x20 != 0 }
}

/// The readable field of a short header as a value.
public struct QUICShortHeaderFields: Hashable, Sendable {
    public var spinBit: Bool

    public init(spinBit: Bool) { self.spinBit = spinBit }

    public init(_ view: borrowing QUICShortHeader) { self.init(spinBit: view.spinBit) }

    /// Appends the first byte, the connection ID and the protected part.
    public func write(destinationID: [UInt8], payload: [UInt8], to packet: inout [UInt8]) {
        packet.append(spinBit ? 0x60 : 0x40)
        packet.append(contentsOf: destinationID)
        packet.append(contentsOf: payload)
    }
}

extension QUICShortHeaderFields: CustomStringConvertible {
    public var description: String { "QUIC short, spin \(spinBit ? 1 : 0)" }
}
