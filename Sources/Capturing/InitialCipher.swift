// The protection of QUIC Initial packets, RFC 9001, 5 and RFC 9369, 3.3: not secret, since the keys follow from the
// first connection ID, but in the way of reading the server name and packet numbers.
//
// The cryptography is OpenSSL's; here are only the labels and the order of calls.

internal import CCrypto
internal import Wire

/// Key material of one direction of a connection's Initial packets.
struct InitialKeys: BitwiseCopyable {
    var key: InlineArray<16, UInt8> = InlineArray(repeating: 0)
    var nonce: InlineArray<12, UInt8> = InlineArray(repeating: 0)
    var headerKey: InlineArray<16, UInt8> = InlineArray(repeating: 0)
}

/// A connection ID kept by value.
struct ConnectionID: BitwiseCopyable {
    var count: UInt8 = 0
    var bytes: InlineArray<20, UInt8> = InlineArray(repeating: 0)

    init() {}

    init(_ id: borrowing RawSpan) {
        count = UInt8(min(id.byteCount, 20))
        for index in 0..<Int(count) { bytes[index] = id.byte(at: index) }
    }

    func equals(_ id: borrowing RawSpan) -> Bool {
        guard id.byteCount == Int(count) else { return false }
        for index in 0..<Int(count) where bytes[index] != id.byte(at: index) { return false }
        return true
    }
}

/// One context of each kind, made once for an engine, when keys are first asked for: OpenSSL takes milliseconds to begin,
/// and most captures hold no QUIC. Where it gives none, nothing is decrypted.
@safe
struct InitialCipher: ~Copyable {
    /// Bytes of the longest Initial that is opened; no path carries a longer one.
    static var longestPacket: Int { 2_048 }

    private var mac: OpaquePointer?
    private var block: OpaquePointer?
    private var aead: OpaquePointer?
    private var isPrepared = false
    private let scratch: UnsafeMutablePointer<UInt8>
    /// Where the frames of the packet opened last lie in `scratch`.
    private var plainStart = 0
    private var plainCount = 0

    init() {
        unsafe scratch = .allocate(capacity: InitialCipher.longestPacket)
        unsafe scratch.initialize(repeating: 0, count: InitialCipher.longestPacket)
    }

    private mutating func prepare() {
        isPrepared = true
        unsafe mac = InitialCipher.makeMAC()
        unsafe block = EVP_CIPHER_CTX_new()
        unsafe aead = EVP_CIPHER_CTX_new()
        if let block = unsafe block {
            _ = unsafe EVP_EncryptInit_ex(block, EVP_aes_128_ecb(), nil, nil, nil)
        }
        if let aead = unsafe aead {
            _ = unsafe EVP_DecryptInit_ex(aead, EVP_aes_128_gcm(), nil, nil, nil)
        }
    }

    deinit {
        unsafe EVP_MAC_CTX_free(mac)
        unsafe EVP_CIPHER_CTX_free(block)
        unsafe EVP_CIPHER_CTX_free(aead)
        unsafe scratch.deallocate()
    }

    // MARK: Keys

    private static var salt1: [20 of UInt8] {
        [
            0x38, 0x76, 0x2C, 0xF7, 0xF5, 0x59, 0x34, 0xB3, 0x4D, 0x17, 0x9A, 0xE6, 0xA4, 0xC8, 0x0C, 0xAD, 0xCC, 0xBB,
            0x7F, 0x0A,
        ]
    }
    private static var salt2: [20 of UInt8] {
        [
            0x0D, 0xED, 0xE3, 0xDE, 0xF7, 0x00, 0xA6, 0xDB, 0x81, 0x93, 0x81, 0xBE, 0x6E, 0x26, 0x9D, 0xCB, 0xF9, 0xBD,
            0x2E, 0xD9,
        ]
    }
    /// Drafts 29 to 32.
    private static var saltDraft29: [20 of UInt8] {
        [
            0xAF, 0xBF, 0xEC, 0x28, 0x99, 0x93, 0xD2, 0x4C, 0x9E, 0x97, 0x86, 0xF1, 0x9C, 0x61, 0x11, 0xE0, 0x43, 0x90,
            0xA8, 0x99,
        ]
    }
    /// Drafts 23 to 28, and mvfst.
    private static var saltDraft23: [20 of UInt8] {
        [
            0xC3, 0xEE, 0xF7, 0x12, 0xC7, 0x2E, 0xBB, 0x5A, 0x11, 0xA7, 0xD2, 0x43, 0x2B, 0xB4, 0x63, 0x65, 0xBE, 0xF9,
            0xF5, 0x02,
        ]
    }

    private static func salt(_ version: QUICVersion) -> [20 of UInt8]? {
        switch version {
        case .v1: return salt1
        case .v2: return salt2
        default:
            if version.isKnown, version.draft == nil { return saltDraft23 }
            switch version.draft ?? 0 {
            case 33...: return salt1
            case 29...32: return saltDraft29
            case 23...28: return saltDraft23
            default: return nil
            }
        }
    }

    /// The keys of the client's or the server's Initials; nil for a version without a known salt.
    mutating func keys(_ version: QUICVersion, _ id: ConnectionID, ofServer: Bool) -> InitialKeys? {
        guard let salt = InitialCipher.salt(version) else { return nil }
        if !isPrepared { prepare() }
        var secret: InlineArray<32, UInt8> = InlineArray(repeating: 0)
        var side: InlineArray<32, UInt8> = InlineArray(repeating: 0)
        var keys = InitialKeys()
        let isV2 = version == .v2
        // HKDF-Extract is HMAC with the salt as key (RFC 5869, 2.2).
        guard unsafe hmac(salt.span.bytes, id.bytes.span.bytes.prefix(Int(id.count)), into: &secret),
            expand(secret, ofServer ? "server in" : "client in", length: 32, into: &side),
            expand(side, isV2 ? "quicv2 key" : "quic key", length: 16, into: &keys.key),
            expand(side, isV2 ? "quicv2 iv" : "quic iv", length: 12, into: &keys.nonce),
            expand(side, isV2 ? "quicv2 hp" : "quic hp", length: 16, into: &keys.headerKey)
        else { return nil }
        return keys
    }

    /// HKDF-Expand-Label with an empty context (RFC 8446, 7.1) for at most one block of SHA-256.
    private mutating func expand<let count: Int>(
        _ secret: InlineArray<32, UInt8>, _ label: StaticString, length: UInt8,
        into output: inout InlineArray<count, UInt8>
    ) -> Bool {
        var info: InlineArray<40, UInt8> = InlineArray(repeating: 0)
        info[1] = length
        var used = 3
        func add(_ text: StaticString) {
            for index in 0..<text.utf8CodeUnitCount where used < 38 {
                info[used] = unsafe text.utf8Start[index]
                used += 1
            }
        }
        add("tls13 ")
        add(label)
        info[2] = UInt8(truncatingIfNeeded: used - 3)
        // Behind the label: the context's length, 0, and the block's number, 1 (RFC 5869, 2.3).
        info[used + 1] = 1
        var block: InlineArray<32, UInt8> = InlineArray(repeating: 0)
        guard unsafe hmac(secret.span.bytes, info.span.bytes.prefix(used + 2), into: &block) else { return false }
        for index in 0..<min(count, 32) { output[index] = block[index] }
        return true
    }

    private func hmac(_ key: RawSpan, _ message: RawSpan, into output: inout InlineArray<32, UInt8>) -> Bool {
        guard let mac = unsafe mac else { return false }
        return unsafe key.withUnsafeBytes { key in
            unsafe message.withUnsafeBytes { message in
                unsafe InitialCipher.hmac(mac, key, message, into: &output)
            }
        }
    }

    private static func hmac(
        _ mac: OpaquePointer, _ key: UnsafeRawBufferPointer, _ message: UnsafeRawBufferPointer,
        into output: inout InlineArray<32, UInt8>
    ) -> Bool {
        var length = 0
        guard unsafe EVP_MAC_init(mac, key.baseAddress, key.count, nil) == 1,
            unsafe EVP_MAC_update(mac, message.baseAddress, message.count) == 1
        else { return false }
        var target = output.mutableSpan
        return unsafe target.withUnsafeMutableBufferPointer {
            unsafe EVP_MAC_final(mac, $0.baseAddress, &length, $0.count) == 1 && length == 32
        }
    }

    /// HMAC with SHA-256, which stays the context's digest whatever key it is given.
    private static func makeMAC() -> OpaquePointer? {
        let hmac = unsafe EVP_MAC_fetch(nil, "HMAC", nil)
        // A context holds its algorithm, so the reference of the fetch is given back at once.
        defer { unsafe EVP_MAC_free(hmac) }
        guard let context = unsafe hmac.flatMap({ unsafe EVP_MAC_CTX_new($0) }) else { return nil }
        var digest: InlineArray<7, CChar> = [83, 72, 65, 50, 53, 54, 0]  // "SHA256"
        var name = digest.mutableSpan
        let isSet = unsafe name.withUnsafeMutableBufferPointer { name in
            let parameters: InlineArray<2, OSSL_PARAM> = unsafe [
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.baseAddress, 0),
                OSSL_PARAM_construct_end(),
            ]
            return unsafe parameters.span.withUnsafeBufferPointer {
                unsafe EVP_MAC_CTX_set_params(context, $0.baseAddress) == 1
            }
        }
        if isSet { return unsafe context }
        unsafe EVP_MAC_CTX_free(context)
        return nil
    }

    // MARK: Opening

    /// Opens a packet that begins with `packet`'s first byte and calls `body` with its number and its frames.
    ///
    /// nil where the packet is not all there, too long, or not authentic under the keys.
    mutating func open<Result>(
        _ packet: RawSpan, _ place: QUICProtectedPacket, keys: InitialKeys, _ body: (UInt64, RawSpan) -> Result
    ) -> Result? {
        guard place.end <= packet.byteCount, place.end <= InitialCipher.longestPacket,
            place.numberOffset &+ 20 <= place.end
        else { return nil }
        // The header mask comes from 16 bytes that lie four behind the start of the number (RFC 9001, 5.4.2).
        guard let mask = mask(packet.suffix(from: place.numberOffset &+ 4).prefix(16), keys.headerKey) else {
            return nil
        }
        var first = packet.byte(at: 0)
        first ^= mask[0] & (first & 0x80 != 0 ? 0x0F : 0x1F)
        let numberLength = Int(first & 3) &+ 1
        var number: UInt64 = 0
        var header: InlineArray<4, UInt8> = InlineArray(repeating: 0)
        for index in 0..<numberLength {
            header[index] = packet.byte(at: place.numberOffset &+ index) ^ mask[1 &+ index]
            number = number &<< 8 | UInt64(header[index])
        }
        // The first packets of a connection have numbers so small that they are sent whole.
        var nonce = keys.nonce
        for index in 0..<8 { nonce[4 &+ index] ^= UInt8(truncatingIfNeeded: number &>> (56 &- 8 &* index)) }
        let headerLength = place.numberOffset &+ numberLength
        unsafe packet.prefix(place.end).withUnsafeBytes {
            unsafe UnsafeMutableRawBufferPointer(start: scratch, count: InitialCipher.longestPacket).copyMemory(
                from: $0)
        }
        unsafe scratch[0] = first
        for index in 0..<numberLength { unsafe scratch[place.numberOffset &+ index] = header[index] }
        guard decrypt(headerLength: headerLength, end: place.end, key: keys.key, nonce: nonce) else {
            plainStart = 0
            plainCount = 0
            return nil
        }
        plainStart = headerLength
        plainCount = place.end &- 16 &- headerLength
        let plain = unsafe RawSpan(
            _unsafeStart: UnsafeRawPointer(scratch + headerLength), byteCount: place.end &- 16 &- headerLength)
        return body(number, plain)
    }

    /// Calls `body` with a part of what was opened last; with nothing where it does not lie inside.
    func readPlain<Result>(at offset: Int, count: Int, _ body: (RawSpan) -> Result) -> Result {
        let isInside = offset >= 0 && count >= 0 && count <= plainCount &- offset
        return unsafe body(
            RawSpan(
                _unsafeStart: UnsafeRawPointer(scratch + plainStart + (isInside ? offset : 0)),
                byteCount: isInside ? count : 0))
    }

    private func mask(_ sample: RawSpan, _ key: InlineArray<16, UInt8>) -> InlineArray<32, UInt8>? {
        guard let block = unsafe block, sample.byteCount == 16 else { return nil }
        var output: InlineArray<32, UInt8> = InlineArray(repeating: 0)
        var written: Int32 = 0
        var target = output.mutableSpan
        let isDone = unsafe target.withUnsafeMutableBufferPointer { output in
            unsafe key.span.withUnsafeBufferPointer { key in
                unsafe sample.withUnsafeBytes { sample in
                    unsafe EVP_EncryptInit_ex(block, nil, nil, key.baseAddress, nil) == 1
                        && EVP_EncryptUpdate(
                            block, output.baseAddress, &written,
                            sample.assumingMemoryBound(to: UInt8.self).baseAddress, 16) == 1
                }
            }
        }
        return isDone && written == 16 ? output : nil
    }

    /// Decrypts the scratch buffer behind its header in place; `end` is one behind the tag of 16 bytes.
    private func decrypt(
        headerLength: Int, end: Int, key: InlineArray<16, UInt8>, nonce: InlineArray<12, UInt8>
    ) -> Bool {
        guard let aead = unsafe aead else { return false }
        let count = end &- 16 &- headerLength
        var written: Int32 = 0
        guard count > 0,
            unsafe key.span.withUnsafeBufferPointer({ key in
                unsafe nonce.span.withUnsafeBufferPointer { nonce in
                    unsafe EVP_DecryptInit_ex(aead, nil, nil, key.baseAddress, nonce.baseAddress) == 1
                }
            }),
            unsafe EVP_DecryptUpdate(aead, nil, &written, scratch, Int32(headerLength)) == 1,
            unsafe EVP_DecryptUpdate(aead, scratch + headerLength, &written, scratch + headerLength, Int32(count)) == 1,
            unsafe EVP_CIPHER_CTX_ctrl(aead, EVP_CTRL_AEAD_SET_TAG, 16, scratch + end - 16) == 1
        else { return false }
        return unsafe EVP_DecryptFinal_ex(aead, scratch + end - 16, &written) == 1
    }
}

// One thread owns a cipher; it is handed to that thread before it starts.
extension InitialCipher: @unchecked Sendable {}
