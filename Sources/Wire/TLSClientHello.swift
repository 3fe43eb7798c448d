// The ClientHello of TLS, RFC 8446, 4.1.2, with its server name (RFC 6066, 3), application protocols (RFC 7301),
// encrypted hello (RFC 9849) and early data (RFC 8446, 4.2.10).
//
// Invariant: a view holds version, random and session id; the places that it has noted lie inside its bytes.

/// Where the fixed fields of a hello lie, in bytes.
@usableFromInline
enum TLSHelloField {
    @usableFromInline static let version = 0
    @usableFromInline static let random = 2
    @usableFromInline static let sessionLength = 34
    @usableFromInline static let session = 35
}

/// Numbers of extensions.
public enum TLSExtensionType {
    public static let serverName: UInt16 = 0
    public static let applicationProtocols: UInt16 = 16
    public static let earlyData: UInt16 = 42
    public static let encryptedHello: UInt16 = 0xFE0D
}

/// The body of a ClientHello, read in place; cut bodies are read as far as they go.
@frozen
public struct TLSClientHello: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline let nameStart: Int
    @usableFromInline let nameCount: Int
    @usableFromInline let protocolStart: Int
    @usableFromInline let protocolCount: Int
    /// Whether the message carries an encrypted hello. Browsers send a random one to every server ("GREASE"), which
    /// cannot be told from a true one: the server name may then be only the name of who keeps the keys.
    public let hasEncryptedHello: Bool
    /// Whether the client sends data before the server has answered.
    public let hasEarlyData: Bool
    /// Whether all extensions were there. A body that was cut right before them looks like one without.
    public let isComplete: Bool

    /// Takes the body of a handshake message. Fails where version, random and session id are not all there or the
    /// session id is longer than 32 bytes; a walk over the extensions that breaks off leaves `isComplete` false.
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount > TLSHelloField.sessionLength, bytes.byte(at: TLSHelloField.version) == 3 else {
            return nil
        }
        let session = Int(bytes.byte(at: TLSHelloField.sessionLength))
        guard session <= 32, TLSHelloField.session &+ session <= bytes.byteCount else { return nil }
        let scan = TLSClientHello.scan(bytes, from: TLSHelloField.session &+ session)
        self.bytes = bytes
        nameStart = scan.nameStart
        nameCount = scan.nameCount
        protocolStart = scan.protocolStart
        protocolCount = scan.protocolCount
        hasEncryptedHello = scan.hasEncryptedHello
        hasEarlyData = scan.hasEarlyData
        isComplete = scan.isComplete
    }

    @inlinable public var version: UInt16 { bytes.bigEndian16(at: TLSHelloField.version) }

    /// The server name as it was sent; empty where there is none. Not checked to be a name.
    @inlinable public var serverName: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: nameStart).prefix(nameCount) }
    }

    /// The application protocol that the client prefers (`h2`); empty where there is none.
    @inlinable public var applicationProtocol: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: protocolStart).prefix(protocolCount) }
    }

    private struct Scan {
        var nameStart = 0
        var nameCount = 0
        var protocolStart = 0
        var protocolCount = 0
        var hasEncryptedHello = false
        var hasEarlyData = false
        var isComplete = false
    }

    /// Walks cipher suites, compression methods and extensions. Each step goes forward, so the walk ends.
    private static func scan(_ bytes: RawSpan, from start: Int) -> Scan {
        var scan = Scan()
        guard start &+ 2 <= bytes.byteCount else { return scan }
        var offset = start &+ 2 &+ Int(bytes.bigEndian16(at: start))
        guard offset < bytes.byteCount else { return scan }
        offset = offset &+ 1 &+ Int(bytes.byte(at: offset))
        if offset == bytes.byteCount { scan.isComplete = true }  // TLS 1.0 to 1.2 without extensions.
        guard offset &+ 2 <= bytes.byteCount else { return scan }
        let end = offset &+ 2 &+ Int(bytes.bigEndian16(at: offset))
        offset = offset &+ 2
        while offset &+ 4 <= min(end, bytes.byteCount) {
            let type = bytes.bigEndian16(at: offset)
            let length = Int(bytes.bigEndian16(at: offset &+ 2))
            let data = offset &+ 4
            guard data &+ length <= min(end, bytes.byteCount) else { return scan }
            note(type, bytes, data: data, length: length, in: &scan)
            offset = data &+ length
        }
        scan.isComplete = offset == end
        return scan
    }

    /// The caller has proved that `data + length` bytes are there.
    private static func note(_ type: UInt16, _ bytes: RawSpan, data: Int, length: Int, in scan: inout Scan) {
        switch type {
        case TLSExtensionType.serverName:
            // A list of names, of which there is one, of type 0.
            guard length >= 5, bytes.byte(at: data &+ 2) == 0 else { return }
            let count = Int(bytes.bigEndian16(at: data &+ 3))
            guard 5 &+ count <= length else { return }
            scan.nameStart = data &+ 5
            scan.nameCount = count
        case TLSExtensionType.applicationProtocols:
            guard length >= 3 else { return }
            let count = Int(bytes.byte(at: data &+ 2))
            guard 3 &+ count <= length else { return }
            scan.protocolStart = data &+ 3
            scan.protocolCount = count
        case TLSExtensionType.encryptedHello: scan.hasEncryptedHello = true
        case TLSExtensionType.earlyData: scan.hasEarlyData = true
        default: return
        }
    }
}

/// What a ClientHello says, as values.
public struct TLSClientHelloFields: Hashable, Sendable {
    public var serverName: String?
    public var applicationProtocols: [String]
    public var hasEncryptedHello: Bool
    public var hasEarlyData: Bool
    /// Bytes of an extension that only takes room, as a post-quantum key share does; 0 to 65,535.
    public var keyShareLength: Int

    public init(
        serverName: String?, applicationProtocols: [String] = [], hasEncryptedHello: Bool = false,
        hasEarlyData: Bool = false, keyShareLength: Int = 0
    ) {
        self.serverName = serverName
        self.applicationProtocols = applicationProtocols
        self.hasEncryptedHello = hasEncryptedHello
        self.hasEarlyData = hasEarlyData
        self.keyShareLength = keyShareLength
    }

    /// The handshake message with its header. The key share comes first, so that the name lies behind it.
    public func write() -> [UInt8] {
        var extensions: [UInt8] = []
        func add(_ type: UInt16, _ data: [UInt8]) {
            extensions.append(bigEndian: type)
            extensions.append(bigEndian: UInt16(clamping: data.count))
            extensions.append(contentsOf: data.prefix(0xFFFF))
        }
        if keyShareLength > 0 { add(51, [UInt8](repeating: 0xA5, count: min(keyShareLength, 0xFFFF))) }
        if let serverName {
            var list: [UInt8] = []
            list.append(bigEndian: UInt16(clamping: serverName.utf8.count + 3))
            list.append(0)
            list.append(bigEndian: UInt16(clamping: serverName.utf8.count))
            add(TLSExtensionType.serverName, list + Array(serverName.utf8))
        }
        if !applicationProtocols.isEmpty {
            var list: [UInt8] = []
            for name in applicationProtocols { list += [UInt8(clamping: name.utf8.count)] + Array(name.utf8) }
            var data: [UInt8] = []
            data.append(bigEndian: UInt16(clamping: list.count))
            add(TLSExtensionType.applicationProtocols, data + list)
        }
        if hasEncryptedHello { add(TLSExtensionType.encryptedHello, [0] + [UInt8](repeating: 7, count: 40)) }
        if hasEarlyData { add(TLSExtensionType.earlyData, []) }
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 0x42, count: 32) + [0, 0, 2, 0x13, 0x01, 1, 0]
        body.append(bigEndian: UInt16(clamping: extensions.count))
        var message: [UInt8] = []
        TLSHandshakeHeader(type: TLSHandshakeType.clientHello).write(body: body + extensions, to: &message)
        return message
    }
}

extension TLSClientHelloFields: CustomStringConvertible {
    public var description: String { "ClientHello to \(serverName ?? "no name")" }
}
