// Handshake messages of TLS, RFC 8446, 4. The same framing serves QUIC's CRYPTO stream (RFC 9001, 4.1.3).
//
// Invariant: a view holds the four header bytes.

/// Types of handshake messages.
public enum TLSHandshakeType {
    public static let clientHello: UInt8 = 1
    public static let serverHello: UInt8 = 2
}

/// A handshake header and the message's body, read in place.
@frozen
public struct TLSHandshake: ~Escapable {
    public static var headerLength: Int { 4 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than four bytes are there.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= TLSHandshake.headerLength else { return nil }
        self.bytes = bytes
    }

    /// One of `TLSHandshakeType`, or any other number.
    @inlinable public var type: UInt8 { bytes.byte(at: 0) }
    /// Bytes of the body by the header: 0 to 2^24 - 1.
    @inlinable public var length: Int { Int(bytes.bigEndian32(at: 0) & 0xFF_FFFF) }
    @inlinable public var isWhole: Bool { bytes.byteCount &- TLSHandshake.headerLength >= length }

    /// The body as far as it is there.
    @inlinable public var body: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: TLSHandshake.headerLength).prefix(length) }
    }
}

/// A handshake header as a value.
public struct TLSHandshakeHeader: Hashable, Sendable {
    public var type: UInt8

    public init(type: UInt8) { self.type = type }

    public init(_ view: borrowing TLSHandshake) { self.init(type: view.type) }

    /// Appends header and body; a body above 2^24 - 1 bytes does not fit the length field, which then wraps.
    public func write(body: [UInt8], to message: inout [UInt8]) {
        message.append(bigEndian: UInt32(type) << 24 | UInt32(truncatingIfNeeded: body.count) & 0xFF_FFFF)
        message.append(contentsOf: body)
    }
}

extension TLSHandshakeHeader: CustomStringConvertible {
    public var description: String { "TLS handshake type \(type)" }
}
