// Transmission Control Protocol, RFC 9293; timestamps RFC 7323, selective acknowledgement RFC 2018.
//
// Invariant: a view holds the whole header with its options. The length of the payload is the IP header's affair.

/// Where the fields of a TCP header lie, in bytes.
@usableFromInline
enum TCPField {
    @usableFromInline static let sourcePort = 0
    @usableFromInline static let destinationPort = 2
    @usableFromInline static let sequence = 4
    @usableFromInline static let acknowledgement = 8
    @usableFromInline static let dataOffset = 12
    @usableFromInline static let flags = 13
    @usableFromInline static let window = 14
    @usableFromInline static let checksum = 16
    @usableFromInline static let options = 20
}

/// The control bits of a TCP header.
@frozen
public struct TCPFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var fin: TCPFlags { TCPFlags(rawValue: 0x01) }
    @inlinable public static var syn: TCPFlags { TCPFlags(rawValue: 0x02) }
    @inlinable public static var rst: TCPFlags { TCPFlags(rawValue: 0x04) }
    @inlinable public static var psh: TCPFlags { TCPFlags(rawValue: 0x08) }
    @inlinable public static var ack: TCPFlags { TCPFlags(rawValue: 0x10) }
    @inlinable public static var urg: TCPFlags { TCPFlags(rawValue: 0x20) }
    @inlinable public static var ece: TCPFlags { TCPFlags(rawValue: 0x40) }
    @inlinable public static var cwr: TCPFlags { TCPFlags(rawValue: 0x80) }
}

/// A TCP header and its payload, read in place.
@frozen
public struct TCPSegment: ~Escapable {
    /// Bytes of a header without options.
    @inlinable public static var minimumHeaderLength: Int { 20 }

    @usableFromInline let bytes: RawSpan
    /// Bytes of the header with options, 20...60.
    public let headerLength: Int

    /// Fails where the header with its options does not fit into the bytes.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= TCPSegment.minimumHeaderLength else { return nil }
        let length = Int(bytes.byte(at: TCPField.dataOffset) >> 4) &* 4
        guard length >= TCPSegment.minimumHeaderLength, length <= bytes.byteCount else { return nil }
        self.bytes = bytes
        headerLength = length
    }

    @inlinable public var sourcePort: UInt16 { bytes.bigEndian16(at: TCPField.sourcePort) }
    @inlinable public var destinationPort: UInt16 { bytes.bigEndian16(at: TCPField.destinationPort) }
    @inlinable public var sequence: UInt32 { bytes.bigEndian32(at: TCPField.sequence) }
    /// Means nothing unless `flags` holds `.ack`.
    @inlinable public var acknowledgement: UInt32 { bytes.bigEndian32(at: TCPField.acknowledgement) }
    @inlinable public var flags: TCPFlags { TCPFlags(rawValue: bytes.byte(at: TCPField.flags)) }
    /// The window field as it stands, not scaled.
    @inlinable public var window: UInt16 { bytes.bigEndian16(at: TCPField.window) }
    @inlinable public var checksum: UInt16 { bytes.bigEndian16(at: TCPField.checksum) }

    /// What the capture holds behind the header; may include padding unless the IP header's length was applied.
    @inlinable @inline(__always)
    public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: headerLength) }
    }

    /// `sequence` above `acknowledgement`.
    @inlinable public var numbers: UInt64 { bytes.bigEndian64(at: TCPField.sequence) }
    /// The eight bytes from the data offset to the urgent pointer: with `numbers`, all that the fixed header says.
    @inlinable public var control: UInt64 { bytes.bigEndian64(at: TCPField.dataOffset) }

    /// The options that measuring needs. Stops without harm at the first malformed option.
    @inlinable @inline(__always)
    public var options: TCPOptions {
        let end = headerLength
        var options = TCPOptions()
        if end == TCPField.options { return options }
        // The layout that nearly every segment has: two no-operations, then the timestamps.
        if end >= TCPField.options &+ 12, bytes.bigEndian32(at: TCPField.options) == 0x0101_080A {
            options.hasTimestamps = true
            options.timestampValue = bytes.bigEndian32(at: TCPField.options &+ 4)
            options.timestampEcho = bytes.bigEndian32(at: TCPField.options &+ 8)
            if end == TCPField.options &+ 12 { return options }
            readOptions(from: TCPField.options &+ 12, to: end, into: &options)
        } else {
            readOptions(from: TCPField.options, to: end, into: &options)
        }
        return options
    }

    /// Reads options one by one. `end` is the header's length, which the initializer proved to be inside the bytes.
    @inlinable
    func readOptions(from start: Int, to end: Int, into options: inout TCPOptions) {
        var offset = start
        while offset < end {
            let kind = bytes.byte(at: offset)
            if kind == TCPOptions.endOfList { return }
            if kind == TCPOptions.noOperation {
                offset &+= 1
                continue
            }
            guard offset &+ 2 <= end else { return }
            let length = Int(bytes.byte(at: offset &+ 1))
            guard length >= 2, offset &+ length <= end else { return }
            switch kind {
            case TCPOptions.timestamps where length == 10:
                options.hasTimestamps = true
                options.timestampValue = bytes.bigEndian32(at: offset &+ 2)
                options.timestampEcho = bytes.bigEndian32(at: offset &+ 6)
            case TCPOptions.selectiveAcknowledgement where length >= 10:
                options.hasSelectiveBlock = true
                options.selectiveLeft = bytes.bigEndian32(at: offset &+ 2)
                options.selectiveRight = bytes.bigEndian32(at: offset &+ 6)
            default: break
            }
            offset &+= length
        }
    }
}

/// The options of a TCP header that latency can be derived from.
@frozen
public struct TCPOptions: Hashable, Sendable {
    @usableFromInline static var endOfList: UInt8 { 0 }
    @usableFromInline static var noOperation: UInt8 { 1 }
    @usableFromInline static var selectiveAcknowledgement: UInt8 { 5 }
    @usableFromInline static var timestamps: UInt8 { 8 }

    public var hasTimestamps = false
    /// TSval; 0 where there is none.
    public var timestampValue: UInt32 = 0
    /// TSecr; valid only on a segment with ACK set (RFC 7323, 3.2).
    public var timestampEcho: UInt32 = 0
    public var hasSelectiveBlock = false
    /// The first block of a SACK option, which holds the segment that caused it (RFC 2018, 4).
    public var selectiveLeft: UInt32 = 0
    public var selectiveRight: UInt32 = 0

    @inlinable
    public init() {}
}

/// The fields of a TCP header as values.
public struct TCPHeader: Hashable, Sendable {
    public var sourcePort: UInt16
    public var destinationPort: UInt16
    public var sequence: UInt32
    public var acknowledgement: UInt32
    public var flags: TCPFlags
    public var window: UInt16
    public var checksum: UInt16
    /// The options as bytes; padded with end-of-list to a multiple of four when written, at most 40 bytes.
    public var options: [UInt8]

    public init(
        sourcePort: UInt16, destinationPort: UInt16, sequence: UInt32, acknowledgement: UInt32 = 0,
        flags: TCPFlags, window: UInt16 = 64_000, checksum: UInt16 = 0, options: [UInt8] = []
    ) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.sequence = sequence
        self.acknowledgement = acknowledgement
        self.flags = flags
        self.window = window
        self.checksum = checksum
        self.options = options
    }

    /// The fields of a view; its options are left out.
    public init(_ view: borrowing TCPSegment) {
        self.init(
            sourcePort: view.sourcePort, destinationPort: view.destinationPort, sequence: view.sequence,
            acknowledgement: view.acknowledgement, flags: view.flags, window: view.window, checksum: view.checksum)
    }

    /// Two no-operations and a timestamps option.
    public static func timestamps(value: UInt32, echo: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [1, 1, 8, 10]
        bytes.append(bigEndian: value)
        bytes.append(bigEndian: echo)
        return bytes
    }

    /// Two no-operations and a SACK option of up to four blocks, left edge inclusive, right edge exclusive.
    public static func selective(_ blocks: [(left: UInt32, right: UInt32)]) -> [UInt8] {
        var bytes: [UInt8] = [1, 1, 5, UInt8(2 + 8 * min(blocks.count, 4))]
        for block in blocks.prefix(4) {
            bytes.append(bigEndian: block.left)
            bytes.append(bigEndian: block.right)
        }
        return bytes
    }

    /// Appends header and payload with the checksum as it stands.
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        var padded = Array(options.prefix(40))
        while padded.count % 4 != 0 { padded.append(0) }
        packet.append(bigEndian: sourcePort)
        packet.append(bigEndian: destinationPort)
        packet.append(bigEndian: sequence)
        packet.append(bigEndian: acknowledgement)
        packet.append(UInt8((TCPSegment.minimumHeaderLength + padded.count) / 4) << 4)
        packet.append(flags.rawValue)
        packet.append(bigEndian: window)
        packet.append(bigEndian: checksum)
        packet.append(bigEndian: UInt16(0))
        packet.append(contentsOf: padded)
        packet.append(contentsOf: payload)
    }
}

extension TCPHeader: CustomStringConvertible {
    public var description: String {
        let names: [(TCPFlags, String)] = [
            (.syn, "S"), (.fin, "F"), (.rst, "R"), (.psh, "P"), (.ack, "."), (.urg, "U"), (.ece, "E"), (.cwr, "W"),
        ]
        let text = names.filter { flags.contains($0.0) }.map(\.1).joined()
        return "TCP \(sourcePort) > \(destinationPort) [\(text)] seq \(sequence) ack \(acknowledgement)"
    }
}
