// Bits in bytes, the first bit of a byte being its most significant one.

/// Appends bits.
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var pending: UInt64 = 0
    private var count = 0

    /// Appends the `width` low bits of a value, 0...56 bits.
    mutating func write(_ value: UInt64, width: Int) {
        guard width > 0 else { return }
        pending = (pending << UInt64(width)) | (value & ((1 << UInt64(width)) - 1))
        count += width
        while count >= 8 {
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: pending >> UInt64(count)))
        }
    }

    /// Fills the last byte up with zeros.
    mutating func finish() {
        if count > 0 { write(0, width: 8 - count) }
    }
}

/// Reads bits; past the end there are zeros, and `isExhausted` says so.
struct BitReader {
    private let bytes: [UInt8]
    private var next: Int
    private let end: Int
    private var window: UInt64 = 0
    /// Bits in the window, at its upper end.
    private var count = 0
    private var borrowed = 0

    /// Reads the bytes from `start` to before `end`, both within the array.
    init(_ bytes: [UInt8], from start: Int, to end: Int) {
        self.bytes = bytes
        self.end = min(max(end, 0), bytes.count)
        next = min(max(start, 0), self.end)
    }

    /// Whether more was read than there is.
    var isExhausted: Bool { borrowed * 8 > count }
    /// Whether all that is left is less than a byte.
    var isAtEnd: Bool { next == end && count - borrowed * 8 < 8 }

    private mutating func refill() {
        while count <= 56 {
            if next < end {
                window |= UInt64(bytes[next]) &<< UInt64(56 &- count)
                next &+= 1
            } else {
                borrowed &+= 1
            }
            count &+= 8
        }
    }

    /// The next `width` bits, 0...56.
    mutating func read(width: Int) -> UInt64 {
        if width == 0 { return 0 }
        if count < width { refill() }
        let value = window &>> UInt64(64 &- width)
        window = window &<< UInt64(width)
        count &-= width
        return value
    }

    /// How many ones come before the next zero, which is read too; stops at `limit` ones without reading a zero.
    mutating func ones(limit: Int) -> Int {
        if count < limit &+ 1 { refill() }
        let run = (~window).leadingZeroBitCount
        let used = run >= limit ? limit : run &+ 1
        window = window &<< UInt64(used)
        count &-= used
        return min(run, limit)
    }
}
