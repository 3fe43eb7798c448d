// The ServerHello of TLS, RFC 8446, 4.1.3, and the HelloRetryRequest in its form.
//
// Invariant: a view holds version and the first eight bytes of the random.

/// The body of a ServerHello, read in place.
@frozen
public struct TLSServerHello: ~Escapable {
    /// The random that says HelloRetryRequest: SHA-256 of those words.
    @usableFromInline
    static var retryRandom: [4 of UInt64] {
        [0xCF21_AD74_E59A_6111, 0xBE1D_8C02_1E65_B891, 0xC2A2_1116_7ABB_8C5E, 0x079E_09E2_C8A8_339C]
    }

    @usableFromInline let bytes: RawSpan

    /// Takes the body of a handshake message. Fails where version and eight bytes of the random are not there.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= TLSHelloField.random &+ 8, bytes.byte(at: TLSHelloField.version) == 3 else {
            return nil
        }
        self.bytes = bytes
    }

    @inlinable public var version: UInt16 { bytes.bigEndian16(at: TLSHelloField.version) }

    /// Whether it asks for another ClientHello. Of a random that the capture cut, what is there is compared.
    @inlinable public var isRetryRequest: Bool {
        for word in 0..<4 {
            let offset = TLSHelloField.random &+ 8 &* word
            guard offset &+ 8 <= bytes.byteCount else { return true }
            if bytes.bigEndian64(at: offset) != TLSServerHello.retryRandom[word] { return false }
        }
        return true
    }
}

/// A ServerHello as a value.
public struct TLSServerHelloFields: Hashable, Sendable {
    public var isRetryRequest: Bool

    public init(isRetryRequest: Bool = false) { self.isRetryRequest = isRetryRequest }

    public init(_ view: borrowing TLSServerHello) { self.init(isRetryRequest: view.isRetryRequest) }

    /// The handshake message with its header, without extensions.
    public func write() -> [UInt8] {
        var body: [UInt8] = [3, 3]
        for word in 0..<4 {
            body.append(bigEndian: isRetryRequest ? TLSServerHello.retryRandom[word] : 0x5555_5555_5555_5555)
        }
        body += [0, 0x13, 0x01, 0, 0, 0]
        var message: [UInt8] = []
        TLSHandshakeHeader(type: TLSHandshakeType.serverHello).write(body: body, to: &message)
        return message
    }
}

extension TLSServerHelloFields: CustomStringConvertible {
    public var description: String { isRetryRequest ? "HelloRetryRequest" : "ServerHello" }
}
