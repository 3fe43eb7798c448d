// Packets that come by twice: mirror ports, bridges, `any` on hosts that forward.

/// What a segment is beside those before it.
enum SegmentCopy {
    case none
    /// A copy by its IP identification.
    case exact
    /// One whose identification was set anew, or that has none.
    case renumbered
}

/// Remembers the last few thousand TCP segments by a fingerprint.
///
/// Each has one cache line where it may be, with room for four. A segment whose copy comes after four others of its line
/// is not recognised, which errs towards counting it as a retransmission: with n segments between the two that is about
/// one in 24 (1024 / n)^4, so one in 4,000 at a million a second and 300 us.
struct DuplicateFilter: ~Copyable {
    /// The newest first. A tag is the higher half of a fingerprint, never zero.
    struct Line: BitwiseCopyable {
        var times = SIMD4<Int64>()
        var tags = SIMD4<UInt32>()
        /// 16 bits each, the newest lowest.
        var identifications: UInt64 = 0
    }

    private static var size: Int { 1_024 }
    /// Copies made by switches and bridges are this close together, in nanoseconds.
    private static var window: Int64 { 1_000_000 }
    /// Those made by routers, of which both sides are seen, wait in a queue between; the identification tells them.
    private static var queueWindow: Int64 { 50_000_000 }

    private var lines: FixedTable<Line> = FixedTable(zeroed: DuplicateFilter.size)
    private let hash: KeyedHash

    init(hash: KeyedHash) { self.hash = hash }

    /// A keyed hash of everything that tells one segment of a flow (by its key's hash) from another: the words of its
    /// header, and what its options and length come to.
    @inline(__always)
    func fingerprint(flow: UInt64, numbers: UInt64, control: UInt64, input: TCPInput) -> UInt64 {
        // Beside the words of the header, not after them: no step waits for another, or for the flow's hash.
        var stamps = UInt64(input.timestampValue) &<< 32 | UInt64(input.timestampEcho)
        if input.has(TCPInput.selectiveBlock) {
            // Checksums left to the card do not tell acknowledgements with different SACK blocks apart.
            stamps = hash.hash(stamps, UInt64(input.selectiveLeft) &<< 32 | UInt64(input.selectiveRight), 0)
        }
        let shape = UInt64(input.payload) &<< 1 | UInt64(truncatingIfNeeded: input.sender)
        // The multiplier keeps changes of the checksum from undoing those of the stamps that it sums up.
        let words = control &+ stamps &* 0x9E37_79B9_7F4A_7C15
        // Into the half that is kept as the tag.
        return hash.hash(numbers, words) ^ flow ^ shape &<< 32 | 1 &<< 63
    }

    @inline(__always)
    private func place(_ fingerprint: UInt64) -> Int {
        Int(truncatingIfNeeded: fingerprint) & (DuplicateFilter.size &- 1)
    }

    /// A hint that this fingerprint will be asked for soon.
    @inline(__always)
    func prefetch(_ fingerprint: UInt64) { lines.prefetch(place(fingerprint)) }

    /// Whether the segment may be one that was seen before: `copy` tells.
    @inline(__always)
    func mayBeCopy(_ fingerprint: UInt64) -> Bool {
        any(lines[place(fingerprint)].tags .== DuplicateFilter.tag(fingerprint))
    }

    /// Whether the same segment of the same flow and side was seen just before.
    ///
    /// Equal IP identifications tell a copy for certain. Where they differ (some firewalls set them anew) or there is
    /// none, a retransmission is not excluded; but it cannot come sooner than the peer's answer could, so the time between
    /// must be below half of `leastRoundTrip` (nanoseconds; 0: not known). What may be repeated at once
    /// (`isRepeatable`), as acknowledgements with nothing else, only the identification tells where there is one.
    @inline(never)
    func copy(
        _ fingerprint: UInt64, at time: Int64, identification: UInt16, isRepeatable: Bool, leastRoundTrip: Int64
    ) -> SegmentCopy {
        let line = lines[place(fingerprint)]
        for way in 0..<4 where line.tags[way] == DuplicateFilter.tag(fingerprint) {
            let distance = time &- line.times[way]
            guard distance >= 0, distance < DuplicateFilter.queueWindow else { continue }
            let seen = UInt16(truncatingIfNeeded: line.identifications &>> UInt64(truncatingIfNeeded: 16 &* way))
            if identification != 0, identification == seen { return .exact }
            if distance >= DuplicateFilter.window || isRepeatable && identification != 0 && seen != 0 { continue }
            if leastRoundTrip == 0 || distance < leastRoundTrip / 2 { return .renumbered }
        }
        return .none
    }

    /// Remembers a segment that is no copy.
    @inline(__always)
    mutating func note(_ fingerprint: UInt64, at time: Int64, identification: UInt16) {
        let place = place(fingerprint)
        let line = lines[place]
        lines[place].times = SIMD4(time, line.times[0], line.times[1], line.times[2])
        lines[place].tags = SIMD4(DuplicateFilter.tag(fingerprint), line.tags[0], line.tags[1], line.tags[2])
        lines[place].identifications = line.identifications &<< 16 | UInt64(identification)
    }

    @inline(__always)
    private static func tag(_ fingerprint: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: fingerprint &>> 32) }
}
