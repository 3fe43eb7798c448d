// What a ClientHello tells the engine, as plain values that outlive the packet.

internal import Wire

/// The facts of one ClientHello.
struct HelloFacts: BitwiseCopyable {
    /// A keyed hash of the server name, as `DNSName.key` makes it of the same name; 0: none, or no host name.
    var nameKey: UInt64 = 0
    var hasEncryptedHello = false
    var hasEarlyData = false
    private var nameCount: UInt8 = 0
    private var name: InlineArray<255, UInt8> = InlineArray(repeating: 0)

    /// Reads a handshake message; nil where it is not a whole ClientHello.
    init?(message bytes: RawSpan, hash: KeyedHash) {
        guard let handshake = TLSHandshake(bytes), handshake.type == TLSHandshakeType.clientHello, handshake.isWhole,
            let hello = TLSClientHello(handshake.body), hello.isComplete
        else { return nil }
        hasEncryptedHello = hello.hasEncryptedHello
        hasEarlyData = hello.hasEarlyData
        let given = hello.serverName
        guard let key = DNSName.key(hostName: given, seed: hash.nameSeed) else { return }
        nameKey = key
        nameCount = UInt8(truncatingIfNeeded: given.byteCount)
        for index in 0..<given.byteCount { name[index] = DNSName.lowercased(given.byte(at: index)) }
    }

    /// The name, lower case.
    var nameText: String {
        var text = ""
        for index in 0..<Int(nameCount) { text.unicodeScalars.append(UnicodeScalar(name[index])) }
        return text
    }
}
