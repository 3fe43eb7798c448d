// libpcap's 32-bit counters, counted on beyond them.

/// A running total of a counter that wraps at 2^32, or starts anew with its interface.
struct DropTally {
    private var last: UInt32 = 0
    private(set) var total: UInt64 = 0

    /// Takes a reading. One that lies below the last is a new start, unless it is near enough to have wrapped.
    mutating func read(_ value: UInt32) {
        let step = value &- last
        if step < 1 << 31 { total &+= UInt64(step) }
        last = value
    }
}
