// Internet Protocol version 4, RFC 791.
//
// Invariant: a view holds the whole header with its options, and a total length of at least the header's or of zero
// (a segment that the kernel handed to the card unsplit).

/// Where the fields of an IPv4 header lie, in bytes.
@usableFromInline
enum IPv4Field {
    @usableFromInline static let versionAndLength = 0
    @usableFromInline static let totalLength = 2
    @usableFromInline static let identification = 4
    @usableFromInline static let flagsAndOffset = 6
    @usableFromInline static let timeToLive = 8
    @usableFromInline static let protocolNumber = 9
    @usableFromInline static let source = 12
    @usableFromInline static let destination = 16
}

/// An IPv4 header and its payload, read in place.
@frozen
public struct IPv4Packet: ~Escapable {
    /// Bytes of a header without options.
    @inlinable public static var minimumHeaderLength: Int { 20 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the version is not 4 or the header does not fit into the bytes or into its own lengths.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= IPv4Packet.minimumHeaderLength else { return nil }
        let first = bytes.byte(at: IPv4Field.versionAndLength)
        let length = Int(first & 0x0F) &* 4
        let total = Int(bytes.bigEndian16(at: IPv4Field.totalLength))
        guard first >> 4 == 4, length >= IPv4Packet.minimumHeaderLength, length <= bytes.byteCount,
            total == 0 || total >= length
        else { return nil }
        self.bytes = bytes
    }

    /// The same for a whole datagram that tells its length and whose header has no options; fails for others as well.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(plain bytes: RawSpan) {
        guard bytes.byteCount >= IPv4Packet.minimumHeaderLength, bytes.byte(at: IPv4Field.versionAndLength) == 0x45,
            bytes.bigEndian16(at: IPv4Field.flagsAndOffset) & 0x3FFF == 0
        else { return nil }
        guard bytes.bigEndian16(at: IPv4Field.totalLength) >= IPv4Packet.minimumHeaderLength else { return nil }
        self.bytes = bytes
    }

    /// Bytes of the header with options, 20...60.
    @inlinable public var headerLength: Int { Int(bytes.byte(at: IPv4Field.versionAndLength) & 0x0F) &* 4 }
    /// Header and payload as the header claims; 0 where the sender left it to the card.
    @inlinable public var totalLength: Int { Int(bytes.bigEndian16(at: IPv4Field.totalLength)) }
    @inlinable public var identification: UInt16 { bytes.bigEndian16(at: IPv4Field.identification) }
    @inlinable public var moreFragments: Bool { bytes.bigEndian16(at: IPv4Field.flagsAndOffset) & 0x2000 != 0 }
    /// Where the payload lies in the original datagram, in bytes; 0 for the first fragment and for a whole datagram.
    @inlinable public var fragmentOffset: Int {
        Int(bytes.bigEndian16(at: IPv4Field.flagsAndOffset) & 0x1FFF) &* 8
    }
    @inlinable public var timeToLive: UInt8 { bytes.byte(at: IPv4Field.timeToLive) }
    @inlinable public var protocolNumber: IPProtocol {
        IPProtocol(rawValue: bytes.byte(at: IPv4Field.protocolNumber))
    }
    @inlinable public var source: IPAddress { IPAddress(v4: bytes.bigEndian32(at: IPv4Field.source)) }
    @inlinable public var destination: IPAddress { IPAddress(v4: bytes.bigEndian32(at: IPv4Field.destination)) }

    /// The payload as far as it is there: without link-layer padding, shorter where the capture cut it.
    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get {
            let end = totalLength == 0 ? bytes.byteCount : min(totalLength, bytes.byteCount)
            return bytes.extracting(headerLength..<end)
        }
    }
}

/// The fields of an IPv4 header as values; no options.
public struct IPv4Header: Hashable, Sendable {
    public var source: IPAddress
    public var destination: IPAddress
    public var protocolNumber: IPProtocol
    public var identification: UInt16
    public var moreFragments: Bool
    /// In bytes, a multiple of eight.
    public var fragmentOffset: Int
    public var timeToLive: UInt8

    public init(
        source: IPAddress, destination: IPAddress, protocolNumber: IPProtocol, identification: UInt16 = 0,
        moreFragments: Bool = false, fragmentOffset: Int = 0, timeToLive: UInt8 = 64
    ) {
        self.source = source
        self.destination = destination
        self.protocolNumber = protocolNumber
        self.identification = identification
        self.moreFragments = moreFragments
        self.fragmentOffset = fragmentOffset
        self.timeToLive = timeToLive
    }

    public init(_ view: borrowing IPv4Packet) {
        self.init(
            source: view.source, destination: view.destination, protocolNumber: view.protocolNumber,
            identification: view.identification, moreFragments: view.moreFragments,
            fragmentOffset: view.fragmentOffset, timeToLive: view.timeToLive)
    }

    /// Appends header and payload with the right checksum.
    ///
    /// A packet above 65,535 bytes does not fit the length field, which is then written as 0 (segmentation offload).
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        var header: [UInt8] = [0x45, 0]
        header.append(bigEndian: UInt16(exactly: IPv4Packet.minimumHeaderLength + payload.count) ?? 0)
        header.append(bigEndian: identification)
        let offset = UInt16(truncatingIfNeeded: fragmentOffset / 8) & 0x1FFF
        header.append(bigEndian: offset | (moreFragments ? 0x2000 : 0))
        header.append(timeToLive)
        header.append(protocolNumber.rawValue)
        header.append(bigEndian: UInt16(0))
        header.append(bigEndian: source.v4Bits)
        header.append(bigEndian: destination.v4Bits)
        let checksum = internetChecksum(header)
        header[10] = UInt8(checksum >> 8)
        header[11] = UInt8(checksum & 0xFF)
        packet.append(contentsOf: header)
        packet.append(contentsOf: payload)
    }
}

extension IPv4Header: CustomStringConvertible {
    public var description: String { "IPv4 \(source) > \(destination) protocol \(protocolNumber.rawValue)" }
}
