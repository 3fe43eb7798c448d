// WireGuard, https://www.wireguard.com/protocol/ and the white paper, section 5.4.
//
// Invariant: a view holds the fields that its type has in clear, the reserved bytes are zero, and the length is that of
// its type, to the byte for all but transport data. Indices are little-endian, and drawn at random by their owner.

/// Where the fields of a message lie, in bytes.
@usableFromInline
enum WireGuardField {
    @usableFromInline static let type = 0
    /// The sender's index of both handshake messages; the receiver's of the others.
    @usableFromInline static let index = 4
    /// The receiver's index of a handshake response.
    @usableFromInline static let responseReceiver = 8
}

/// What a message is.
@frozen
public enum WireGuardType: UInt8, Hashable, Sendable {
    case initiation = 1
    case response = 2
    /// Sent instead of a response by a peer under load.
    case cookieReply = 3
    case transport = 4

    /// Bytes of the whole message; of transport data, the least.
    @inlinable public var length: Int {
        switch self {
        case .initiation: 148
        case .response: 92
        case .cookieReply: 64
        case .transport: 32
        }
    }
}

/// What a message has in clear, read in place.
@frozen
public struct WireGuardMessage: ~Escapable {
    /// The port that its documentation takes for servers; none is assigned.
    @inlinable public static var customaryPort: UInt16 { 51_820 }

    @usableFromInline let bytes: RawSpan
    public let type: WireGuardType

    /// Fails where the type is none of the four, a reserved byte is not zero, `length` (of the UDP payload, of which
    /// `bytes` may be the beginning) is not that of the type, or the indices were cut off.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan, length: Int) {
        guard bytes.byteCount >= 12, length >= bytes.byteCount,
            let type = WireGuardType(rawValue: bytes.byte(at: WireGuardField.type)),
            bytes.bigEndian32(at: WireGuardField.type) & 0x00FF_FFFF == 0,
            // Transport data is padded to a multiple of sixteen.
            type == .transport ? length >= type.length && length & 15 == 0 : length == type.length
        else { return nil }
        self.bytes = bytes
        self.type = type
    }

    /// The index that the sender of a handshake message goes by; nil in the other messages.
    @inlinable public var sender: UInt32? {
        type == .initiation || type == .response ? bytes.bigEndian32(at: WireGuardField.index).byteSwapped : nil
    }

    /// The index that the receiver goes by, taken from what it sent before; nil in an initiation.
    @inlinable public var receiver: UInt32? {
        switch type {
        case .initiation: nil
        case .response: bytes.bigEndian32(at: WireGuardField.responseReceiver).byteSwapped
        case .cookieReply, .transport: bytes.bigEndian32(at: WireGuardField.index).byteSwapped
        }
    }
}

/// The fields of a message as values.
public struct WireGuardHeader: Hashable, Sendable {
    public var type: WireGuardType
    /// Not written in a cookie reply and in transport data.
    public var sender: UInt32
    /// Not written in an initiation.
    public var receiver: UInt32

    public init(type: WireGuardType, sender: UInt32 = 0, receiver: UInt32 = 0) {
        self.type = type
        self.sender = sender
        self.receiver = receiver
    }

    /// Appends a message of the type's length whose encrypted part is filler.
    public func write(to packet: inout [UInt8]) {
        let start = packet.count
        packet.append(contentsOf: [type.rawValue, 0, 0, 0])
        if type == .initiation || type == .response { packet.append(bigEndian: sender.byteSwapped) }
        if type != .initiation { packet.append(bigEndian: receiver.byteSwapped) }
        packet.append(contentsOf: [UInt8](repeating: 0x5A, count: type.length - (packet.count - start)))
    }
}

extension WireGuardHeader: CustomStringConvertible {
    public var description: String { "WireGuard \(type) sender \(sender) receiver \(receiver)" }
}
