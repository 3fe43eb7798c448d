// Domain names in messages and as text: RFC 1035, 3.1 and 4.1.4 (compression), 5.1 (escapes).
//
// Invariant: a name has at most 255 bytes on the wire, its labels 1 to 63 each.

/// Walks the labels of a name in a message, following compression pointers; allocates nothing.
///
/// Total and bounded: a pointer must lead to before the part it stands in, so that the walk only ever goes back, and
/// a name ends with an error at 255 bytes.
@frozen
public struct DNSLabelCursor {
    /// The offset behind the name where it stands (not behind what a pointer leads to), once the walk has ended well.
    public private(set) var end: Int?
    /// Whether the name breaks the rules; the walk has ended.
    public private(set) var isMalformed = false

    @usableFromInline var position: Int
    /// Where the present part begins: pointers must lead to before it.
    @usableFromInline var partStart: Int
    /// The offset behind the first pointer, which is where the name ends.
    @usableFromInline var afterPointer: Int?
    @usableFromInline var length = 1

    /// Begins at `offset`, from the message's first byte.
    @inlinable
    public init(at offset: Int) {
        position = offset
        partStart = offset
    }

    /// The next label as offset and length of its bytes; nil at the end of the name or where it is malformed.
    public mutating func next(in message: borrowing RawSpan) -> (offset: Int, count: Int)? {
        while end == nil, !isMalformed {
            guard position >= 0, position < message.byteCount else { return fail() }
            let lead = Int(message.byte(at: position))
            switch lead >> 6 {
            case 0 where lead == 0:
                end = afterPointer ?? position + 1
                return nil
            case 0:
                length += lead + 1
                guard length <= 255, position + 1 + lead <= message.byteCount else { return fail() }
                defer { position += 1 + lead }
                return (position + 1, lead)
            case 3:
                guard position + 2 <= message.byteCount else { return fail() }
                let target = Int(message.bigEndian16(at: position) & 0x3FFF)
                guard target < partStart else { return fail() }
                afterPointer = afterPointer ?? position + 2
                position = target
                partStart = target
            default: return fail()
            }
        }
        return nil
    }

    private mutating func fail() -> (offset: Int, count: Int)? {
        isMalformed = true
        return nil
    }
}

/// A domain name as a value, lower case; the root has no labels.
public struct DNSName: Hashable, Sendable {
    /// The labels' bytes, lower case.
    public let labels: [[UInt8]]

    /// Fails where a label is empty or longer than 63 bytes, or the name longer than 255.
    public init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...63).contains($0.count) }),
            labels.reduce(1, { $0 + $1.count + 1 }) <= 255
        else { return nil }
        self.labels = labels.map { $0.map(Self.lowercased) }
    }

    /// The name at `offset` of a message, compression resolved, and the offset behind it; nil where it is malformed.
    public static func read(_ message: borrowing RawSpan, at offset: Int) -> (name: DNSName, end: Int)? {
        var cursor = DNSLabelCursor(at: offset)
        var labels: [[UInt8]] = []
        while let (start, count) = cursor.next(in: message) {
            var label: [UInt8] = []
            label.reserveCapacity(count)
            for index in start..<start + count { label.append(message.byte(at: index)) }
            labels.append(label)
        }
        guard let end = cursor.end, let name = DNSName(labels: labels) else { return nil }
        return (name, end)
    }

    /// A hash of the name at `offset` of a message, the same for any case and any compression; nil where it is
    /// malformed. Allocates nothing; `seed` keeps others from choosing names that collide.
    public static func key(
        _ message: borrowing RawSpan, at offset: Int, seed: UInt64 = 0
    ) -> (key: UInt64, end: Int)? {
        var hash = DNSHash(seed: seed)
        var cursor = DNSLabelCursor(at: offset)
        while let (start, count) = cursor.next(in: message) {
            hash.combine(UInt8(truncatingIfNeeded: count))
            for index in start..<start + count { hash.combine(lowercased(message.byte(at: index))) }
        }
        return cursor.end.map { (hash.finished, $0) }
    }

    /// The same hash as that of the name in a message.
    public func key(seed: UInt64 = 0) -> UInt64 {
        var hash = DNSHash(seed: seed)
        for label in labels {
            hash.combine(UInt8(truncatingIfNeeded: label.count))
            for byte in label { hash.combine(byte) }
        }
        return hash.finished
    }

    /// The same hash of a host name written with dots (as in TLS), any case, without a final dot; nil where it is none:
    /// letters, digits, hyphens and underscores in labels of 1 to 63 bytes, 253 bytes in all, not a number alone
    /// (RFC 6066, 3 excludes addresses). Allocates nothing.
    public static func key(hostName text: borrowing RawSpan, seed: UInt64 = 0) -> UInt64? {
        guard text.byteCount > 0, text.byteCount <= 253 else { return nil }
        var hash = DNSHash(seed: seed)
        var start = 0
        var hasLetter = false
        while start < text.byteCount {
            var end = start
            hasLetter = false
            while end < text.byteCount, text.byte(at: end) != UInt8(ascii: ".") {
                let byte = lowercased(text.byte(at: end))
                let isLetter = (0x61...0x7A).contains(byte)
                guard isLetter || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F else { return nil }
                hasLetter = hasLetter || isLetter
                end += 1
            }
            // A dot at the very end would leave an empty label.
            guard end > start, end - start <= 63, end + 1 != text.byteCount else { return nil }
            hash.combine(UInt8(truncatingIfNeeded: end - start))
            for index in start..<end { hash.combine(lowercased(text.byte(at: index))) }
            start = end + 1
        }
        return hasLetter ? hash.finished : nil
    }

    /// Appends the name without compression.
    public func write(to packet: inout [UInt8]) {
        for label in labels {
            packet.append(UInt8(truncatingIfNeeded: label.count))
            packet.append(contentsOf: label)
        }
        packet.append(0)
    }

    /// An ASCII letter in lower case; any other byte as it is.
    @inlinable
    public static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

extension DNSName: LosslessStringConvertible {
    /// The labels with dots between, without a final dot; empty for the root. Dots and backslashes in labels and bytes
    /// that are not printable ASCII are written as `\DDD` in decimal (RFC 1035, 5.1).
    public var description: String {
        var text = ""
        for (index, label) in labels.enumerated() {
            if index > 0 { text += "." }
            for byte in label {
                if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "."), byte != UInt8(ascii: "\\") {
                    text.unicodeScalars.append(UnicodeScalar(byte))
                } else {
                    let digits = String(byte)
                    text += "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
                }
            }
        }
        return text
    }

    /// Reads labels with dots between, with or without the final dot; empty or `.` is the root. `\DDD` is the byte of
    /// that number, a backslash before anything else that character.
    public init?(_ text: some StringProtocol) {
        guard text != "", text != "." else {
            self.init(labels: [])
            return
        }
        var labels: [[UInt8]] = [[]]
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "."): labels.append([])
            case UInt8(ascii: "\\"):
                guard let escaped = Self.unescape(&bytes) else { return nil }
                labels[labels.count - 1].append(escaped)
            default: labels[labels.count - 1].append(byte)
            }
            if labels.count > 128 { return nil }
        }
        if labels.last?.isEmpty == true { labels.removeLast() }
        self.init(labels: labels)
    }

    private static func unescape(_ bytes: inout ArraySlice<UInt8>) -> UInt8? {
        guard let first = bytes.popFirst() else { return nil }
        guard (48...57).contains(first) else { return first }
        guard bytes.count >= 2, let second = bytes.popFirst(), let third = bytes.popFirst(),
            (48...57).contains(second), (48...57).contains(third)
        else { return nil }
        return UInt8(exactly: Int(first - 48) * 100 + Int(second - 48) * 10 + Int(third - 48))
    }
}

/// FNV-1a with a final mix: cheap a byte, and seeded.
@usableFromInline
struct DNSHash {
    private var state: UInt64

    init(seed: UInt64) {
        state = 0xCBF2_9CE4_8422_2325 ^ (seed &* 0x9E37_79B9_7F4A_7C15)
    }

    mutating func combine(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    var finished: UInt64 {
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
