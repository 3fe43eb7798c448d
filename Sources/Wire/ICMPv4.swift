// Internet Control Message Protocol, RFC 792.
//
// Invariant: a view holds the eight bytes that every message begins with.

/// Where the fields of an ICMP message lie, in bytes.
@usableFromInline
enum ICMPv4Field {
    @usableFromInline static let type = 0
    @usableFromInline static let code = 1
    @usableFromInline static let checksum = 2
    @usableFromInline static let identifier = 4
    @usableFromInline static let sequence = 6
    /// RFC 1191: the MTU of the next hop in "fragmentation needed".
    @usableFromInline static let nextHopMTU = 6
}

/// An ICMP message, read in place.
@frozen
public struct ICMPv4Message: ~Escapable {
    /// Bytes before the payload, RFC 792.
    public static var headerLength: Int { 8 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= ICMPv4Message.headerLength else { return nil }
        self.bytes = bytes
    }

    @inlinable public var type: UInt8 { bytes.byte(at: ICMPv4Field.type) }
    @inlinable public var code: UInt8 { bytes.byte(at: ICMPv4Field.code) }
    @inlinable public var checksum: UInt16 { bytes.bigEndian16(at: ICMPv4Field.checksum) }

    /// The identifier of an echo; of other types, whatever stands there.
    @inlinable public var identifier: UInt16 { bytes.bigEndian16(at: ICMPv4Field.identifier) }
    /// The sequence number of an echo; of other types, whatever stands there.
    @inlinable public var sequence: UInt16 { bytes.bigEndian16(at: ICMPv4Field.sequence) }
    /// The next hop's MTU of "fragmentation needed" (RFC 1191); 0 where the router does not say.
    @inlinable public var nextHopMTU: Int { Int(bytes.bigEndian16(at: ICMPv4Field.nextHopMTU)) }

    @inlinable public var isEchoRequest: Bool { type == ICMPv4Type.echoRequest && code == 0 }
    @inlinable public var isEchoReply: Bool { type == ICMPv4Type.echoReply && code == 0 }
    /// Whether the message reports an error and so quotes the packet that caused it.
    @inlinable public var isError: Bool { ICMPv4Type.isError(type) }

    /// An echo's data; in an error, the quoted packet: its IP header and at least eight bytes more (RFC 792),
    /// as far as they are there.
    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: ICMPv4Message.headerLength) }
    }

    /// Whether the checksum fits the bytes; meaningless where the message was cut.
    public var hasValidChecksum: Bool {
        var sum: UInt64 = 0
        for offset in 0..<bytes.byteCount {
            let byte = UInt64(bytes.byte(at: offset))
            sum &+= offset % 2 == 0 ? byte << 8 : byte
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) &+ (sum >> 16) }
        return sum == 0xFFFF
    }
}

/// The message types of RFC 792 that matter here.
public enum ICMPv4Type {
    public static let echoReply: UInt8 = 0
    public static let destinationUnreachable: UInt8 = 3
    public static let sourceQuench: UInt8 = 4
    public static let redirect: UInt8 = 5
    public static let echoRequest: UInt8 = 8
    public static let timeExceeded: UInt8 = 11
    public static let parameterProblem: UInt8 = 12

    /// Whether messages of this type quote a packet because of an error; redirects are no errors.
    @inlinable
    public static func isError(_ type: UInt8) -> Bool {
        type == destinationUnreachable || type == sourceQuench || type == timeExceeded || type == parameterProblem
    }
}

/// An echo request or reply of ICMP or ICMPv6 as a value; both protocols share the layout (RFC 792, RFC 4443).
public struct ICMPEcho: Hashable, Sendable {
    public var isReply: Bool
    public var identifier: UInt16
    public var sequence: UInt16

    public init(isReply: Bool = false, identifier: UInt16, sequence: UInt16) {
        self.isReply = isReply
        self.identifier = identifier
        self.sequence = sequence
    }

    /// The echo in `message`; nil where it is something else.
    public init?(_ message: borrowing ICMPv4Message) {
        guard message.isEchoRequest || message.isEchoReply else { return nil }
        self.init(isReply: message.isEchoReply, identifier: message.identifier, sequence: message.sequence)
    }

    /// Appends the ICMP message with its checksum.
    public func writeICMPv4(payload: some Collection<UInt8>, to packet: inout [UInt8]) {
        let start = packet.count
        packet.append(isReply ? ICMPv4Type.echoReply : ICMPv4Type.echoRequest)
        packet.append(0)
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: identifier)
        packet.append(bigEndian: sequence)
        packet.append(contentsOf: payload)
        packet.setChecksum(internetChecksum(packet[start...]), at: start + ICMPv4Field.checksum)
    }
}

extension ICMPEcho: CustomStringConvertible {
    public var description: String { "echo \(isReply ? "reply" : "request") id \(identifier) seq \(sequence)" }
}

/// An ICMP error as a value: what it says, and the packet that it quotes.
public struct ICMPv4Error: Hashable, Sendable {
    public var type: UInt8
    public var code: UInt8
    /// The MTU of "fragmentation needed"; 0 otherwise.
    public var nextHopMTU: UInt16
    /// The offending packet from its IP header on.
    public var quoted: [UInt8]

    public init(type: UInt8, code: UInt8, nextHopMTU: UInt16 = 0, quoted: [UInt8]) {
        self.type = type
        self.code = code
        self.nextHopMTU = nextHopMTU
        self.quoted = quoted
    }

    /// Appends the message with its checksum.
    public func write(to packet: inout [UInt8]) {
        let start = packet.count
        packet.append(type)
        packet.append(code)
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: nextHopMTU)
        packet.append(contentsOf: quoted)
        packet.setChecksum(internetChecksum(packet[start...]), at: start + ICMPv4Field.checksum)
    }
}

extension ICMPv4Error: CustomStringConvertible {
    public var description: String { "ICMP error type \(type) code \(code)" }
}

extension Array where Element == UInt8 {
    /// Overwrites the two bytes at `offset`, which exist, with `checksum`.
    mutating func setChecksum(_ checksum: UInt16, at offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: checksum >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: checksum)
    }
}
