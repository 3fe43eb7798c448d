// Internet Protocol version 6, RFC 8200.
//
// Invariant: a view holds the forty header bytes. Extension headers are walked by `upperLayer()`, at most eight.

/// Where the fields of an IPv6 header lie, in bytes.
@usableFromInline
enum IPv6Field {
    @usableFromInline static let version = 0
    @usableFromInline static let payloadLength = 4
    @usableFromInline static let nextHeader = 6
    @usableFromInline static let hopLimit = 7
    @usableFromInline static let source = 8
    @usableFromInline static let destination = 24
}

/// An IPv6 header and its payload, read in place.
@frozen
public struct IPv6Packet: ~Escapable {
    /// Bytes of the fixed header.
    @inlinable public static var headerLength: Int { 40 }
    /// Most extension headers that are walked; RFC 8504 asks nodes to bound it.
    @inlinable public static var maximumExtensions: Int { 8 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the version is not 6 or fewer than forty bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= IPv6Packet.headerLength, bytes.byte(at: IPv6Field.version) >> 4 == 6
        else { return nil }
        self.bytes = bytes
    }

    /// Bytes behind the fixed header as it claims; 0 in a jumbogram.
    @inlinable public var payloadLength: Int { Int(bytes.bigEndian16(at: IPv6Field.payloadLength)) }
    @inlinable public var nextHeader: IPProtocol { IPProtocol(rawValue: bytes.byte(at: IPv6Field.nextHeader)) }
    @inlinable public var hopLimit: UInt8 { bytes.byte(at: IPv6Field.hopLimit) }
    @inlinable public var source: IPAddress {
        IPAddress(
            v6High: bytes.bigEndian64(at: IPv6Field.source), low: bytes.bigEndian64(at: IPv6Field.source + 8))
    }
    @inlinable public var destination: IPAddress {
        IPAddress(
            v6High: bytes.bigEndian64(at: IPv6Field.destination),
            low: bytes.bigEndian64(at: IPv6Field.destination + 8))
    }

    /// What lies behind the fixed header, extension headers included, as far as it is there.
    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get {
            let end = IPv6Packet.headerLength + payloadLength
            return bytes.extracting(
                IPv6Packet.headerLength..<(payloadLength == 0 ? bytes.byteCount : min(end, bytes.byteCount)))
        }
    }

    /// Where the extension headers end; nil where one is cut off or there are more than `maximumExtensions`.
    @inlinable
    public func upperLayer() -> IPv6UpperLayer? {
        var layer = IPv6UpperLayer(protocolNumber: nextHeader, offset: IPv6Packet.headerLength)
        if layer.protocolNumber == .tcp { return layer }
        for _ in 0...IPv6Packet.maximumExtensions {
            let length: Int
            switch layer.protocolNumber {
            case .hopByHopOptions, .routing, .destinationOptions, .mobility, .hostIdentity, .shim6:
                guard layer.offset &+ 8 <= bytes.byteCount else { return nil }
                length = (Int(bytes.byte(at: layer.offset &+ 1)) &+ 1) &* 8
            case .authentication:
                guard layer.offset &+ 8 <= bytes.byteCount else { return nil }
                length = (Int(bytes.byte(at: layer.offset &+ 1)) &+ 2) &* 4
            case .fragment:
                guard layer.offset &+ 8 <= bytes.byteCount else { return nil }
                length = 8
                let field = bytes.bigEndian16(at: layer.offset &+ 2)
                layer.fragmentOffset = Int(field & 0xFFF8)
                layer.moreFragments = field & 1 != 0
                layer.fragmentIdentification = bytes.bigEndian32(at: layer.offset &+ 4)
            default:
                return layer
            }
            layer.protocolNumber = IPProtocol(rawValue: bytes.byte(at: layer.offset))
            layer.offset = layer.offset &+ length
            // Behind a later fragment's header lies the middle of a payload, not another header.
            if layer.fragmentOffset > 0 { return layer }
        }
        return nil
    }
}

/// What the chain of extension headers ends in.
@frozen
public struct IPv6UpperLayer: Hashable, Sendable {
    public var protocolNumber: IPProtocol
    /// Where it begins, in bytes from the start of the IPv6 header; may lie beyond what was captured.
    public var offset: Int
    /// From the fragment header, in bytes; 0 for the first fragment and for a whole packet.
    public var fragmentOffset: Int = 0
    public var moreFragments: Bool = false
    /// What the fragments of one packet share; 0 without a fragment header.
    public var fragmentIdentification: UInt32 = 0

    @inlinable
    public init(protocolNumber: IPProtocol, offset: Int) {
        self.protocolNumber = protocolNumber
        self.offset = offset
    }
}

/// The fields of an IPv6 header as values.
public struct IPv6Header: Hashable, Sendable {
    public var source: IPAddress
    public var destination: IPAddress
    public var nextHeader: IPProtocol
    public var hopLimit: UInt8

    public init(source: IPAddress, destination: IPAddress, nextHeader: IPProtocol, hopLimit: UInt8 = 64) {
        self.source = source
        self.destination = destination
        self.nextHeader = nextHeader
        self.hopLimit = hopLimit
    }

    public init(_ view: borrowing IPv6Packet) {
        self.init(
            source: view.source, destination: view.destination, nextHeader: view.nextHeader, hopLimit: view.hopLimit)
    }

    /// Appends header and payload; a payload above 65,535 bytes is written with length 0 (RFC 2675).
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        packet.append(bigEndian: UInt32(0x6000_0000))
        packet.append(bigEndian: UInt16(exactly: payload.count) ?? 0)
        packet.append(nextHeader.rawValue)
        packet.append(hopLimit)
        packet.append(contentsOf: source.bytes)
        packet.append(contentsOf: destination.bytes)
        packet.append(contentsOf: payload)
    }
}

extension IPv6Header: CustomStringConvertible {
    public var description: String { "IPv6 \(source) > \(destination) next \(nextHeader.rawValue)" }
}
