// When to leave flows out, and when to take them in again.

/// Watches the kernel's drops, second by second. Halves the flows when drops last, and doubles them again once they have
/// been gone for a while; each relapse makes that while longer, so that the share does not swing.
struct LoadShedder {
    /// A second counts as bad when the kernel dropped one packet in this many, or more.
    private static let tolerated: UInt64 = 1_000
    /// Bad seconds, less the good ones between them, that make drops sustained.
    private static let badLimit = 3
    /// Good seconds in a row before more flows are taken in: at first, and at most.
    private static let shortestPatience = 30
    private static let longestPatience = 600

    private(set) var shift = 0
    private var bad = 0
    private var good = 0
    private var patience = LoadShedder.shortestPatience
    /// Whether the last step took flows in again.
    private var hasRecovered = false

    /// Takes the packets read and dropped within the last second. True where `shift` changed.
    mutating func observe(packets: UInt64, drops: UInt64) -> Bool {
        if drops > 0, drops >= packets.addingReportingOverflow(drops).partialValue / LoadShedder.tolerated {
            return observeBad()
        }
        if bad > 0 { bad -= 1 }
        good += 1
        if shift == 0 {
            if good >= LoadShedder.longestPatience { patience = LoadShedder.shortestPatience }
            return false
        }
        guard good >= patience else { return false }
        good = 0
        hasRecovered = true
        shift -= 1
        return true
    }

    private mutating func observeBad() -> Bool {
        good = 0
        bad += 1
        guard bad >= LoadShedder.badLimit else { return false }
        bad = 0
        guard shift < FlowSampling.maximumShift else { return false }
        if hasRecovered { patience = min(patience * 2, LoadShedder.longestPatience) }
        hasRecovered = false
        shift += 1
        return true
    }
}
