// Frames of a decrypted QUIC Initial: PADDING, PING, ACK, CRYPTO, CONNECTION_CLOSE (RFC 9000, 12.4 and 19).
//
// Invariant: the place of a CRYPTO frame's data lies inside the payload.

/// One frame of an Initial.
@frozen
public enum QUICFrame: Hashable, Sendable {
    case ping
    /// Of the packet numbers 0 to 63, those that are acknowledged, as bits.
    case acknowledgement(numbers: UInt64)
    /// Data of the handshake stream: its offset in the stream, and where it lies in the payload.
    case crypto(offset: UInt64, start: Int, count: Int)
    case close
}

/// The frames of a payload, one after the other; PADDING is passed over.
@frozen
public struct QUICFrames: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset = 0
    /// Whether a frame was met that an Initial must not carry, or that is cut; the walk has ended.
    public private(set) var isMalformed = false

    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) { self.bytes = bytes }

    /// The next frame; nil at the end. Each step goes forward, so the walk ends.
    public mutating func next() -> QUICFrame? {
        while offset < bytes.byteCount {
            let type = bytes.byte(at: offset)
            offset &+= 1
            switch type {
            case 0x00: continue
            case 0x01: return .ping
            case 0x02, 0x03:
                guard let numbers = acknowledgement(hasCounts: type == 0x03) else { break }
                return .acknowledgement(numbers: numbers)
            case 0x06:
                guard let start = integer(), let count = integer(), count <= UInt64(bytes.byteCount &- offset) else {
                    break
                }
                let data = offset
                offset &+= Int(count)
                return .crypto(offset: start, start: data, count: Int(count))
            case 0x1C:
                offset = bytes.byteCount
                return .close
            default: break
            }
            isMalformed = true
            offset = bytes.byteCount
        }
        return nil
    }

    private mutating func integer() -> UInt64? {
        guard let (value, end) = QUICInteger.read(bytes, at: offset) else { return nil }
        offset = end
        return value
    }

    private mutating func acknowledgement(hasCounts: Bool) -> UInt64? {
        guard let largest = integer(), integer() != nil, let ranges = integer(), let first = integer(),
            first <= largest, ranges <= UInt64(bytes.byteCount)
        else { return nil }
        var numbers = QUICFrames.bits(from: largest &- first, through: largest)
        var smallest = largest &- first
        for _ in 0..<Int(ranges) {
            // Each gap and range is one less than what lies between (RFC 9000, 19.3.1).
            guard let gap = integer(), let length = integer(), smallest >= 2, gap <= smallest &- 2 else { return nil }
            let top = smallest &- gap &- 2
            guard length <= top else { return nil }
            smallest = top &- length
            numbers |= QUICFrames.bits(from: smallest, through: top)
        }
        if hasCounts { for _ in 0..<3 where integer() == nil { return nil } }
        return numbers
    }

    private static func bits(from first: UInt64, through last: UInt64) -> UInt64 {
        guard first < 64 else { return 0 }
        let upper = last >= 63 ? UInt64.max : (1 &<< (last &+ 1)) &- 1
        return upper & ~((1 &<< first) &- 1)
    }
}

extension QUICFrame {
    /// Appends the frame; a CRYPTO frame takes its data from `data`, an acknowledgement must be of one run of numbers.
    public func write(data: [UInt8] = [], to payload: inout [UInt8]) {
        switch self {
        case .ping: payload.append(0x01)
        case .acknowledgement(let numbers):
            let last = UInt64(63 - min(numbers.leadingZeroBitCount, 63))
            payload.append(0x02)
            QUICInteger.write(last, to: &payload)
            payload += [0, 0]
            QUICInteger.write(last - UInt64(min(numbers.trailingZeroBitCount, Int(last))), to: &payload)
        case .crypto(let offset, _, _):
            payload.append(0x06)
            QUICInteger.write(offset, to: &payload)
            QUICInteger.write(UInt64(data.count), to: &payload)
            payload.append(contentsOf: data)
        case .close: payload += [0x1C, 0, 0, 0]
        }
    }
}

extension QUICFrame: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ping: "PING"
        case .acknowledgement(let numbers): "ACK \(String(numbers, radix: 2))"
        case .crypto(let offset, _, let count): "CRYPTO \(offset)+\(count)"
        case .close: "CONNECTION_CLOSE"
        }
    }
}
