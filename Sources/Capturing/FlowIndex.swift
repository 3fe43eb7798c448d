// Where the entries of the flow table are found: buckets of half a cache line, each looked at in a few instructions.

/// Eight slots a bucket, each with eight bits of a key's hash, its tag, and the place of its entry.
///
/// The tags of a bucket are the bytes of one number, so that all are compared at once. One in a few hundred look-ups
/// meets a foreign tag that is the same; keys are compared in any case. A bucket's number is taken modulo their count,
/// which is a power of two.
struct FlowIndex: ~Copyable {
    static var slotsPerBucket: Int { 8 }
    private static var bytesPerBucket: Int { 32 }
    /// One before the first place: a place is the three high bytes of four.
    private static var firstPlace: Int { 7 }
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }

    /// Of each bucket eight tags, then the entries' places of three bytes each. Tag 0 is free.
    private var bytes: FixedTable<UInt8>
    private let mask: UInt32

    /// `buckets` is a power of two, and entries are below 2^24.
    init(buckets: Int) {
        bytes = FixedTable(zeroed: buckets * FlowIndex.bytesPerBucket)
        mask = UInt32(buckets - 1)
    }

    @inline(__always)
    private func start(_ bucket: UInt32) -> Int { Int(bucket & mask) &* FlowIndex.bytesPerBucket }

    @inline(__always)
    private func start(_ bucket: UInt32, _ slot: Int) -> Int {
        start(bucket) &+ FlowIndex.firstPlace &+ (slot & 7) &* 3
    }

    /// The first of an entry's two buckets.
    @inline(__always)
    static func bucket(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash) }

    /// The other bucket follows from the one and the hash, either way round.
    @inline(__always)
    func alternative(_ bucket: UInt32, _ hash: UInt64) -> UInt32 {
        (bucket ^ (UInt32(truncatingIfNeeded: hash &>> 32) &* 0x9E37_79B1 | 1)) & mask
    }

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt64 { max(hash &>> 56, 1) }

    @inline(__always)
    func prefetch(_ bucket: UInt32) { bytes.prefetch(start(bucket)) }

    /// Slots by a bit in the byte that each has.
    struct Slots {
        fileprivate(set) var bits: UInt64

        var isEmpty: Bool { bits == 0 }
        var count: Int { bits.nonzeroBitCount }
        /// Without the count, for which older processors have no instruction.
        @inline(__always)
        var isMoreThanTwo: Bool {
            let withoutOne = bits & (bits &- 1)
            return withoutOne & (withoutOne &- 1) != 0
        }
        /// 0...7; 8 where there is none.
        @inline(__always)
        var first: Int { bits.trailingZeroBitCount &>> 3 }

        @inline(__always)
        mutating func removeFirst() { bits &= bits &- 1 }
    }

    /// The slots whose tag is this byte, and no others.
    @inline(__always)
    private func slots(_ bucket: UInt32, tag: UInt64) -> Slots {
        let difference = bytes.load(start(bucket), as: UInt64.self) ^ tag &* FlowIndex.ones
        // No byte carries into the next: the high bit of a sum is 0 where the low seven bits of the byte are.
        let low = FlowIndex.ones &* 0x7F
        return Slots(bits: ~((difference & low) &+ low | difference | low))
    }

    /// The slots with the hash's tag.
    @inline(__always)
    func matches(_ bucket: UInt32, _ hash: UInt64) -> Slots { slots(bucket, tag: FlowIndex.tag(hash)) }

    @inline(__always)
    func free(_ bucket: UInt32) -> Slots { slots(bucket, tag: 0) }

    /// The entry in a slot; means nothing where that is free.
    @inline(__always)
    func entry(_ bucket: UInt32, _ slot: Int) -> Int { Int(bytes.load(start(bucket, slot), as: UInt32.self) &>> 8) }

    mutating func set(_ bucket: UInt32, _ slot: Int, _ hash: UInt64, entry: Int) {
        setTag(bucket, slot, FlowIndex.tag(hash))
        let start = start(bucket, slot)
        let before = bytes.load(start, as: UInt32.self) & 0xFF
        bytes.store(before | UInt32(truncatingIfNeeded: entry) &<< 8, start)
    }

    @inline(__always)
    private mutating func setTag(_ bucket: UInt32, _ slot: Int, _ tag: UInt64) {
        let shift = UInt64(truncatingIfNeeded: slot & 7) &* 8
        let others = bytes.load(start(bucket), as: UInt64.self) & ~(0xFF &<< shift)
        bytes.store(others | tag &<< shift, start(bucket))
    }

    /// Frees the entry's slot; false where it is not in the bucket. No entry is twice in the index.
    mutating func remove(_ bucket: UInt32, _ hash: UInt64, entry wanted: Int) -> Bool {
        var slots = matches(bucket, hash)
        while !slots.isEmpty {
            if entry(bucket, slots.first) == wanted {
                setTag(bucket, slots.first, 0)
                return true
            }
            slots.removeFirst()
        }
        return false
    }
}
