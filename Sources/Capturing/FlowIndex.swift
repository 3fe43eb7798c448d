// Where the entries of the flow table are found: buckets of one cache line, each looked at in a few instructions.

/// Eight slots a bucket, each with the tag of a key's hash and the place of its entry.
///
/// The tags of a bucket lie together, and so do the places, so that eight are compared at once. A bucket's number is
/// taken modulo their count, which is a power of two.
struct FlowIndex: ~Copyable {
    static var slotsPerBucket: Int { 8 }
    private static var lanesPerBucket: Int { 2 * slotsPerBucket }

    /// Of each bucket the tags, then for each tag the entry's place + 1; 0 is free.
    private var lanes: FixedTable<UInt32>
    private let mask: UInt32

    /// `buckets` is a power of two.
    init(buckets: Int) {
        lanes = FixedTable(zeroed: buckets * FlowIndex.lanesPerBucket)
        mask = UInt32(buckets - 1)
    }

    @inline(__always)
    private func start(_ bucket: UInt32) -> Int { Int(bucket & mask) &* FlowIndex.lanesPerBucket }

    @inline(__always)
    func prefetch(_ bucket: UInt32) { lanes.prefetch(start(bucket)) }

    /// The other bucket of an entry follows from the one and the tag, either way round.
    @inline(__always)
    func alternative(_ bucket: UInt32, tag: UInt32) -> UInt32 { (bucket ^ (tag &* 0x9E37_79B1 | 1)) & mask }

    /// A bit for each lane that holds the value, the first lane's lowest.
    ///
    /// In this form the compiler makes one comparison of four lanes of it; with the operators on vectors it makes a loop.
    @inline(__always)
    private static func equal(_ lanes: SIMD8<UInt32>, _ value: UInt32) -> UInt32 {
        let difference = lanes ^ SIMD8(repeating: value)
        let isZero = ~((difference | (0 &- difference)) &>> 31) & 1
        return (isZero &* SIMD8(1, 2, 4, 8, 16, 32, 64, 128)).wrappedSum()
    }

    /// The slots with the tag, as bits. A free one may be among them.
    @inline(__always)
    func matches(_ bucket: UInt32, tag: UInt32) -> UInt32 { FlowIndex.equal(lanes.eight(from: start(bucket)), tag) }

    /// The free slots, as bits.
    @inline(__always)
    func free(_ bucket: UInt32) -> UInt32 {
        FlowIndex.equal(lanes.eight(from: start(bucket) &+ FlowIndex.slotsPerBucket), 0)
    }

    /// The entry in a slot; -1 where it is free.
    @inline(__always)
    func entry(_ bucket: UInt32, _ slot: Int) -> Int {
        Int(lanes[start(bucket) &+ FlowIndex.slotsPerBucket &+ slot & 7]) &- 1
    }

    @inline(__always)
    mutating func set(_ bucket: UInt32, _ slot: Int, tag: UInt32, entry: Int) {
        lanes[start(bucket) &+ slot & 7] = tag
        lanes[start(bucket) &+ FlowIndex.slotsPerBucket &+ slot & 7] = UInt32(truncatingIfNeeded: entry &+ 1)
    }

    /// Frees the entry's slot; false where it is not in the bucket. No entry is twice in the index.
    mutating func remove(_ bucket: UInt32, tag: UInt32, entry wanted: Int) -> Bool {
        var slots = matches(bucket, tag: tag)
        while slots != 0 {
            let slot = slots.trailingZeroBitCount
            if entry(bucket, slot) == wanted {
                set(bucket, slot, tag: 0, entry: -1)
                return true
            }
            slots &= slots &- 1
        }
        return false
    }
}
