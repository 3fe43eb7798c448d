// Packets that come by twice: mirror ports, bridges, `any` on hosts that forward.

/// Remembers the last few thousand TCP segments by a fingerprint.
///
/// A direct-mapped table: a segment seen again after another has taken its place is not recognised, which errs towards
/// counting it as a retransmission.
struct DuplicateFilter: ~Copyable {
    struct Entry: BitwiseCopyable {
        /// 48 bits of the fingerprint, never all zero, above the IP identification.
        var tag: UInt64 = 0
        var time: Int64 = 0
    }

    private static var size: Int { 4_096 }
    /// Copies made by switches and bridges are this close together, in nanoseconds.
    private static var window: Int64 { 1_000_000 }

    private var entries: FixedTable<Entry> = FixedTable(zeroed: DuplicateFilter.size)
    private let hash = KeyedHash()

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
        return hash.hash(numbers, words) ^ flow ^ shape &<< 16 | 1 &<< 63
    }

    @inline(__always)
    private func slot(_ fingerprint: UInt64) -> Int {
        Int(truncatingIfNeeded: fingerprint) & (DuplicateFilter.size &- 1)
    }

    /// A hint that this fingerprint will be asked for soon.
    @inline(__always)
    func prefetch(_ fingerprint: UInt64) { entries.prefetch(slot(fingerprint)) }

    /// Whether the same segment of the same flow and side was seen just before.
    ///
    /// Equal IP identifications tell a copy for certain within the window. Where they differ or there is none, a
    /// retransmission is not excluded; but it cannot come sooner than the peer's answer could, so the time between
    /// must be below half of `minimumRTT` (nanoseconds; 0: not known).
    @inline(__always)
    mutating func isDuplicate(
        _ fingerprint: UInt64, at time: Int64, identification: UInt16, minimumRTT: UInt32
    ) -> Bool {
        let slot = slot(fingerprint)
        let tag = fingerprint & ~0xFFFF
        let entry = entries[slot]
        if entry.tag & ~0xFFFF == tag {
            let distance = time &- entry.time
            if distance >= 0, distance < DuplicateFilter.window {
                if identification != 0, UInt64(identification) == entry.tag & 0xFFFF { return true }
                if minimumRTT == 0 || distance < Int64(minimumRTT) / 2 { return true }
            }
        }
        entries[slot] = Entry(tag: tag | UInt64(identification), time: time)
        return false
    }
}
