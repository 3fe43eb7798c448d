// QUIC packets for tests, protected as RFC 9001, 5 has it: written apart from the engine's reader, so that one does not
// repeat the other's mistake.

internal import CCrypto
public import Wire

/// One connection's Initial keys, and the packets that client and server send under them.
public struct QUICBuilder: Sendable {
    public var version: QUICVersion
    /// From which the keys follow: the destination ID of the client's first Initial.
    public var original: [UInt8]
    public var client: [UInt8]
    public var server: [UInt8]

    public init(
        version: QUICVersion = .v1, original: [UInt8] = [0x83, 0x94, 0xC8, 0xF0, 0x3E, 0x51, 0x57, 0x08],
        client: [UInt8] = [1, 2, 3, 4, 5], server: [UInt8] = [9, 8, 7, 6, 5, 4, 3, 2]
    ) {
        self.version = version
        self.original = original
        self.client = client
        self.server = server
    }

    /// Frames as bytes.
    public static func crypto(_ data: some Collection<UInt8>, at offset: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        QUICFrame.crypto(offset: UInt64(offset), start: 0, count: data.count).write(data: Array(data), to: &bytes)
        return bytes
    }

    public static func acknowledge(_ numbers: ClosedRange<UInt64>) -> [UInt8] {
        var bits: UInt64 = 0
        for number in numbers { bits |= 1 << number }
        var bytes: [UInt8] = []
        QUICFrame.acknowledgement(numbers: bits).write(to: &bytes)
        return bytes
    }

    /// An Initial of the client, padded to 1,200 bytes; `to` is the destination ID where it is not the original.
    public func clientInitial(
        number: UInt64, frames: [UInt8], to destination: [UInt8]? = nil, token: [UInt8] = []
    ) -> [UInt8] {
        initial(
            number: number, frames: frames, destination: destination ?? original, source: client, token: token,
            isServer: false)
    }

    /// An Initial of the server, padded to 1,200 bytes.
    public func serverInitial(number: UInt64, frames: [UInt8]) -> [UInt8] {
        initial(number: number, frames: frames, destination: client, source: server, token: [], isServer: true)
    }

    private func initial(
        number: UInt64, frames: [UInt8], destination: [UInt8], source: [UInt8], token: [UInt8], isServer: Bool
    ) -> [UInt8] {
        var header: [UInt8] = []
        QUICHeader(type: .initial, version: version, destinationID: destination, sourceID: source)
            .write(low: 1, to: &header)
        QUICInteger.write(UInt64(token.count), to: &header)
        header += token
        // Two bytes of length, two of packet number, 16 of tag.
        let room = 1_200 - header.count - 2 - 2 - 16
        let plain = frames + [UInt8](repeating: 0, count: max(0, room - frames.count))
        header.append(bigEndian: UInt16(plain.count + 18) | 0x4000)
        return protect(header, number: number, plain: plain, isServer: isServer)
    }

    /// A Handshake packet: nothing in it can be read.
    public func handshake(fromServer: Bool) -> [UInt8] {
        var packet: [UInt8] = []
        QUICHeader(
            type: .handshake, version: version, destinationID: fromServer ? client : server,
            sourceID: fromServer ? server : client
        ).write(low: 1, to: &packet)
        packet.append(bigEndian: UInt16(100) | 0x4000)
        return packet + [UInt8](repeating: 0xE5, count: 100)
    }

    public func retry(token: [UInt8] = [7, 7, 7]) -> [UInt8] {
        var packet: [UInt8] = []
        QUICHeader(type: .retry, version: version, destinationID: client, sourceID: server).write(to: &packet)
        return packet + token + [UInt8](repeating: 0xA1, count: 16)
    }

    public func versionNegotiation(_ versions: [QUICVersion] = [.v1]) -> [UInt8] {
        var packet: [UInt8] = []
        QUICHeader(type: .versionNegotiation, destinationID: client, sourceID: original).write(to: &packet)
        for version in versions { packet.append(bigEndian: version.rawValue) }
        return packet
    }

    public func short(fromServer: Bool, spin: Bool, size: Int = 40) -> [UInt8] {
        var packet: [UInt8] = []
        QUICShortHeaderFields(spinBit: spin).write(
            destinationID: fromServer ? client : server, payload: [UInt8](repeating: 0x3C, count: size), to: &packet)
        return packet
    }

    // MARK: Protection

    /// Key, nonce and header key of one side.
    public func keys(isServer: Bool) -> (key: [UInt8], nonce: [UInt8], header: [UInt8]) {
        let salt: [UInt8] =
            version == .v2
            ? [
                0x0D, 0xED, 0xE3, 0xDE, 0xF7, 0x00, 0xA6, 0xDB, 0x81, 0x93, 0x81, 0xBE, 0x6E, 0x26, 0x9D, 0xCB, 0xF9,
                0xBD, 0x2E, 0xD9,
            ]
            : [
                0x38, 0x76, 0x2C, 0xF7, 0xF5, 0x59, 0x34, 0xB3, 0x4D, 0x17, 0x9A, 0xE6, 0xA4, 0xC8, 0x0C, 0xAD, 0xCC,
                0xBB, 0x7F, 0x0A,
            ]
        let word = version == .v2 ? "quicv2" : "quic"
        let secret = QUICBuilder.expand(
            QUICBuilder.hmac(salt, original), isServer ? "server in" : "client in", 32)
        return (
            QUICBuilder.expand(secret, "\(word) key", 16), QUICBuilder.expand(secret, "\(word) iv", 12),
            QUICBuilder.expand(secret, "\(word) hp", 16)
        )
    }

    private func protect(_ header: [UInt8], number: UInt64, plain: [UInt8], isServer: Bool) -> [UInt8] {
        let keys = keys(isServer: isServer)
        var header = header
        header.append(bigEndian: UInt16(truncatingIfNeeded: number))
        var nonce = keys.nonce
        for index in 0..<8 { nonce[4 + index] ^= UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64(index))) }
        var packet = header + QUICBuilder.seal(plain, header: header, key: keys.key, nonce: nonce)
        let start = header.count - 2
        let mask = QUICBuilder.block(Array(packet[(start + 4)..<(start + 20)]), key: keys.header)
        packet[0] ^= mask[0] & 0x0F
        for index in 0..<2 { packet[start + index] ^= mask[1 + index] }
        return packet
    }

    private static func expand(_ secret: [UInt8], _ label: String, _ length: Int) -> [UInt8] {
        let full = Array("tls13 \(label)".utf8)
        let info = [0, UInt8(length), UInt8(full.count)] + full + [0, 1]
        return Array(hmac(secret, info).prefix(length))
    }

    private static func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &digest, &length)
        return digest
    }

    private static func block(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var output = [UInt8](repeating: 0, count: 32)
        var written: Int32 = 0
        EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), nil, key, nil)
        EVP_EncryptUpdate(context, &output, &written, bytes, Int32(bytes.count))
        return output
    }

    private static func seal(_ plain: [UInt8], header: [UInt8], key: [UInt8], nonce: [UInt8]) -> [UInt8] {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var output = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: 16)
        var written: Int32 = 0
        EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, key, nonce)
        EVP_EncryptUpdate(context, nil, &written, header, Int32(header.count))
        EVP_EncryptUpdate(context, &output, &written, plain, Int32(plain.count))
        EVP_EncryptFinal_ex(context, nil, &written)
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag)
        return output + tag
    }
}
