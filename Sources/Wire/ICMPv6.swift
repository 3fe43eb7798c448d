// Internet Control Message Protocol for IPv6, RFC 4443.
//
// Invariant: a view holds the eight bytes that echoes and errors begin with.

/// Where the fields of an ICMPv6 message lie, in bytes.
@usableFromInline
enum ICMPv6Field {
    @usableFromInline static let type = 0
    @usableFromInline static let code = 1
    @usableFromInline static let checksum = 2
    @usableFromInline static let identifier = 4
    @usableFromInline static let sequence = 6
    /// The MTU of "packet too big", the pointer of "parameter problem".
    @usableFromInline static let parameter = 4
}

/// An ICMPv6 message, read in place.
@frozen
public struct ICMPv6Message: ~Escapable {
    /// Bytes before the payload of an echo or an error, RFC 4443.
    public static var headerLength: Int { 8 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= ICMPv6Message.headerLength else { return nil }
        self.bytes = bytes
    }

    @inlinable public var type: UInt8 { bytes.byte(at: ICMPv6Field.type) }
    @inlinable public var code: UInt8 { bytes.byte(at: ICMPv6Field.code) }
    @inlinable public var checksum: UInt16 { bytes.bigEndian16(at: ICMPv6Field.checksum) }

    /// The identifier of an echo; of other types, whatever stands there.
    @inlinable public var identifier: UInt16 { bytes.bigEndian16(at: ICMPv6Field.identifier) }
    /// The sequence number of an echo; of other types, whatever stands there.
    @inlinable public var sequence: UInt16 { bytes.bigEndian16(at: ICMPv6Field.sequence) }
    /// The MTU of "packet too big", the pointer of "parameter problem"; of other types, whatever stands there.
    @inlinable public var parameter: UInt32 { bytes.bigEndian32(at: ICMPv6Field.parameter) }

    @inlinable public var isEchoRequest: Bool { type == ICMPv6Type.echoRequest && code == 0 }
    @inlinable public var isEchoReply: Bool { type == ICMPv6Type.echoReply && code == 0 }
    /// Whether the message reports an error and so quotes the packet that caused it (types below 128).
    @inlinable public var isError: Bool { type < 128 }

    /// An echo's data; in an error, as much of the offending packet as fitted, from its IPv6 header on.
    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: ICMPv6Message.headerLength) }
    }
}

/// The message types of RFC 4443.
public enum ICMPv6Type {
    public static let destinationUnreachable: UInt8 = 1
    public static let packetTooBig: UInt8 = 2
    public static let timeExceeded: UInt8 = 3
    public static let parameterProblem: UInt8 = 4
    public static let echoRequest: UInt8 = 128
    public static let echoReply: UInt8 = 129
}

extension ICMPEcho {
    /// The echo in `message`; nil where it is something else.
    public init?(_ message: borrowing ICMPv6Message) {
        guard message.isEchoRequest || message.isEchoReply else { return nil }
        self.init(isReply: message.isEchoReply, identifier: message.identifier, sequence: message.sequence)
    }

    /// Appends the ICMPv6 message; its checksum covers the addresses too (RFC 4443, 2.3).
    ///
    /// Without addresses the checksum stays 0: the kernel fills it in on a raw socket.
    public func writeICMPv6(
        payload: some Collection<UInt8>, addresses: (source: IPAddress, destination: IPAddress)?,
        to packet: inout [UInt8]
    ) {
        let start = packet.count
        packet.append(isReply ? ICMPv6Type.echoReply : ICMPv6Type.echoRequest)
        packet.append(0)
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: identifier)
        packet.append(bigEndian: sequence)
        packet.append(contentsOf: payload)
        if let addresses { packet.setICMPv6Checksum(from: start, addresses) }
    }
}

/// An ICMPv6 error as a value: what it says, and the packet that it quotes.
public struct ICMPv6Error: Hashable, Sendable {
    public var type: UInt8
    public var code: UInt8
    /// The MTU of "packet too big", the pointer of "parameter problem"; 0 otherwise.
    public var parameter: UInt32
    /// The offending packet from its IPv6 header on.
    public var quoted: [UInt8]

    public init(type: UInt8, code: UInt8, parameter: UInt32 = 0, quoted: [UInt8]) {
        self.type = type
        self.code = code
        self.parameter = parameter
        self.quoted = quoted
    }

    /// Appends the message; its checksum covers the addresses too (RFC 4443, 2.3).
    public func write(addresses: (source: IPAddress, destination: IPAddress)?, to packet: inout [UInt8]) {
        let start = packet.count
        packet.append(type)
        packet.append(code)
        packet.append(bigEndian: UInt16(0))
        packet.append(bigEndian: parameter)
        packet.append(contentsOf: quoted)
        if let addresses { packet.setICMPv6Checksum(from: start, addresses) }
    }
}

extension ICMPv6Error: CustomStringConvertible {
    public var description: String { "ICMPv6 error type \(type) code \(code)" }
}

extension Array where Element == UInt8 {
    /// Fills in the checksum of the ICMPv6 message from `start` to the end, whose checksum field is 0.
    fileprivate mutating func setICMPv6Checksum(
        from start: Int, _ addresses: (source: IPAddress, destination: IPAddress)
    ) {
        var pseudo = addresses.source.bytes + addresses.destination.bytes
        pseudo.append(bigEndian: UInt32(truncatingIfNeeded: count - start))
        pseudo.append(bigEndian: UInt32(58))
        let checksum = internetChecksum(pseudo + self[start...])
        setChecksum(checksum, at: start + ICMPv6Field.checksum)
    }
}
