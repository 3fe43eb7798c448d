// The packets that open an OpenVPN session, openvpn.net/community-docs/openvpn-protocol.html and the project's
// doc/tls-crypt-v2.txt.
//
// Invariant: a view holds a hard reset whose length and fixed fields are those of one of the wrappings. There is no
// magic number, so all of these are asked for: nothing else tells the protocol from noise.
//
// - none: opcode, session, acknowledgements, packet id.
// - tls-auth: an HMAC, a replay number and the time stand behind the session; the rest is in clear.
// - tls-crypt (and v2): a replay number, the time and a tag stand behind the session; the rest is encrypted, the
//   acknowledgement with its echo of the client's session too.

/// Where fields lie that all wrappings share, in bytes, and how long the parts are.
@usableFromInline
enum OpenVPNField {
    @usableFromInline static let opcode = 0
    @usableFromInline static let session = 1
    @usableFromInline static let afterSession = 9
    /// Replay number and time.
    @usableFromInline static let replayLength = 8
    /// No acknowledgement, packet id 0.
    @usableFromInline static let clientTail = 5
    /// One acknowledgement of packet 0, the session it is for, packet id 0.
    @usableFromInline static let serverTail = 17
    @usableFromInline static let cryptTag = 32
}

/// How control packets are protected.
@frozen
public enum OpenVPNWrapping: UInt8, Hashable, Sendable {
    case none, tlsAuth, tlsCrypt
}

/// A hard reset of either side, read in place.
@frozen
public struct OpenVPNReset: ~Escapable {
    /// Nanoseconds by which the time in a packet may differ from the capture's: a day.
    @inlinable public static var timeTolerance: Int64 { 86_400_000_000_000 }
    /// Bytes of the length before each packet over TCP.
    @inlinable public static var streamLengthLength: Int { 2 }

    @usableFromInline let bytes: RawSpan
    public let isFromServer: Bool
    public let wrapping: OpenVPNWrapping
    /// The client's session as the server echoes it; 0 where it is encrypted, and in the client's own reset.
    public let echoedSession: UInt64

    /// Fails for anything else. `length` is that of the packet, of which `bytes` may be the beginning; `time` is that
    /// of the capture in nanoseconds since 1970, which the time inside an encrypted packet must be near.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan, length: Int, time: Int64) {
        guard bytes.byteCount >= OpenVPNField.afterSession &+ OpenVPNField.clientTail, bytes.byteCount <= length
        else { return nil }
        let opcode = bytes.byte(at: OpenVPNField.opcode)
        guard opcode == 0x38 || opcode == 0x40 || opcode == 0x50 else { return nil }
        let isFromServer = opcode == 0x40
        guard bytes.bigEndian64(at: OpenVPNField.session) != 0 else { return nil }
        if opcode != 0x50, let tail = OpenVPNReset.clearTail(bytes, length: length, isFromServer: isFromServer) {
            wrapping = tail == OpenVPNField.afterSession ? .none : .tlsAuth
            echoedSession = isFromServer ? bytes.bigEndian64(at: tail &+ 5) : 0
        } else {
            guard OpenVPNReset.isEncrypted(bytes, length: length, opcode: opcode, time: time) else { return nil }
            wrapping = .tlsCrypt
            echoedSession = 0
        }
        self.isFromServer = isFromServer
        self.bytes = bytes
    }

    /// Where acknowledgements begin in a packet that has them in clear; nil where they are not as a reset's are.
    @inlinable
    static func clearTail(_ bytes: RawSpan, length: Int, isFromServer: Bool) -> Int? {
        let tailLength = isFromServer ? OpenVPNField.serverTail : OpenVPNField.clientTail
        let tail = length &- tailLength
        guard bytes.byteCount >= length else { return nil }
        switch tail &- OpenVPNField.afterSession {
        case 0: break
        // MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
        case 16 + 8, 20 + 8, 28 + 8, 32 + 8, 48 + 8, 64 + 8:
            guard isReplayNumber(bytes.bigEndian32(at: tail &- OpenVPNField.replayLength)) else { return nil }
        default: return nil
        }
        guard bytes.byte(at: tail) == (isFromServer ? 1 : 0), bytes.bigEndian32(at: tail &+ 1) == 0 else { return nil }
        if isFromServer {
            guard bytes.bigEndian32(at: tail &+ 13) == 0, bytes.bigEndian64(at: tail &+ 5) != 0 else { return nil }
        }
        return tail
    }

    /// Numbers of the first packets of a session: from 1, or from 0x0F000001 in a client that offers early negotiation.
    @inlinable
    static func isReplayNumber(_ number: UInt32) -> Bool {
        let low = number & 0x00FF_FFFF
        return (number >> 24 == 0 || number >> 24 == 0x0F) && low >= 1 && low <= 0xFF
    }

    @inlinable
    static func isEncrypted(_ bytes: RawSpan, length: Int, opcode: UInt8, time: Int64) -> Bool {
        guard bytes.byteCount >= OpenVPNField.afterSession &+ OpenVPNField.replayLength,
            isReplayNumber(bytes.bigEndian32(at: OpenVPNField.afterSession))
        else { return false }
        let stamp = Int64(bytes.bigEndian32(at: OpenVPNField.afterSession &+ 4)) &* 1_000_000_000
        let distance = stamp &- time
        guard distance < timeTolerance, distance > -timeTolerance else { return false }
        let base = OpenVPNField.afterSession &+ OpenVPNField.replayLength &+ OpenVPNField.cryptTag
        switch opcode {
        case 0x38: return length == base &+ OpenVPNField.clientTail
        // With or without the server's answer to early negotiation, six bytes.
        case 0x40:
            return length == base &+ OpenVPNField.serverTail || length == base &+ OpenVPNField.serverTail &+ 6
        default: return hasWrappedKey(bytes, length: length, base: base &+ OpenVPNField.clientTail)
        }
    }

    /// A wrapped client key (tls-crypt-v2) ends in its own length: 290 bytes and up to 735 of metadata.
    @inlinable
    static func hasWrappedKey(_ bytes: RawSpan, length: Int, base: Int) -> Bool {
        let size = length &- base
        guard size >= 290, size <= 1_025 else { return false }
        // Where the end was cut off, what is left has to do.
        return bytes.byteCount < length || Int(bytes.bigEndian16(at: length &- 2)) == size
    }

    /// The sender's own session identifier.
    @inlinable public var session: UInt64 { bytes.bigEndian64(at: OpenVPNField.session) }
}

/// The fields of a hard reset as values.
public struct OpenVPNResetHeader: Hashable, Sendable {
    public var isFromServer: Bool
    public var session: UInt64
    /// The client's session, written by the server where it is not encrypted.
    public var echoedSession: UInt64
    public var wrapping: OpenVPNWrapping
    /// Of tls-auth: 16, 20, 28, 32, 48 or 64.
    public var hashLength: Int
    /// Number of the packet and seconds since 1970, of both wrappings.
    public var replayNumber: UInt32
    public var seconds: UInt32
    /// Of the client: bytes of a wrapped key with its length, which make it a reset of version 3; 0: none.
    public var wrappedKeyLength: Int

    public init(
        isFromServer: Bool, session: UInt64, echoedSession: UInt64 = 0, wrapping: OpenVPNWrapping = .none,
        hashLength: Int = 20, replayNumber: UInt32 = 1, seconds: UInt32 = 0, wrappedKeyLength: Int = 0
    ) {
        self.isFromServer = isFromServer
        self.session = session
        self.echoedSession = echoedSession
        self.wrapping = wrapping
        self.hashLength = hashLength
        self.replayNumber = replayNumber
        self.seconds = seconds
        self.wrappedKeyLength = wrappedKeyLength
    }

    /// Appends the packet, over TCP with its length before it; HMAC, tag and what is encrypted are filler.
    public func write(overTCP: Bool = false, to packet: inout [UInt8]) {
        var reset: [UInt8] = [isFromServer ? 0x40 : wrappedKeyLength > 0 ? 0x50 : 0x38]
        reset.append(bigEndian: session)
        if wrapping == .tlsAuth { reset.append(contentsOf: [UInt8](repeating: 0x5A, count: hashLength)) }
        if wrapping != .none {
            reset.append(bigEndian: replayNumber)
            reset.append(bigEndian: seconds)
        }
        if wrapping == .tlsCrypt { reset.append(contentsOf: [UInt8](repeating: 0x5A, count: 32)) }
        var tail: [UInt8] = [isFromServer ? 1 : 0]
        if isFromServer {
            tail.append(bigEndian: UInt32(0))
            tail.append(bigEndian: echoedSession)
        }
        tail.append(bigEndian: UInt32(0))
        reset.append(contentsOf: wrapping == .tlsCrypt ? [UInt8](repeating: 0xC3, count: tail.count) : tail)
        if wrappedKeyLength > 2 {
            reset.append(contentsOf: [UInt8](repeating: 0x5A, count: wrappedKeyLength - 2))
            reset.append(bigEndian: UInt16(truncatingIfNeeded: wrappedKeyLength))
        }
        if overTCP { packet.append(bigEndian: UInt16(truncatingIfNeeded: reset.count)) }
        packet.append(contentsOf: reset)
    }
}

extension OpenVPNResetHeader: CustomStringConvertible {
    public var description: String { "OpenVPN \(isFromServer ? "server" : "client") reset, \(wrapping)" }
}
