// Interarrival jitter, RFC 3550 section 6.4.1 and appendix A.8.

/// The running jitter of a series of round-trip times: J += (|D| - J) / 16, where D is the difference between one
/// answered packet's time and the one's before.
///
/// Packets without an answer have no time and are skipped, as RFC 3550 does. The estimate is kept in sixteenths of a
/// nanosecond, so it is the same on every host.
public struct Jitter: Hashable, Sendable {
    private var previous: Int64?
    private var sixteenths: Int64 = 0
    /// Differences taken so far.
    public private(set) var samples: UInt64 = 0

    public init() {}

    /// The estimate in nanoseconds; nil before the second time.
    public var nanoseconds: Int64? { samples == 0 ? nil : sixteenths >> 4 }

    /// Takes the next time in nanoseconds; negative times count as 0, times above 2^58 (9 years) as 2^58.
    public mutating func record(nanoseconds: Int64) {
        let value = min(max(nanoseconds, 0), 1 << 58)
        defer { previous = value }
        guard let previous else { return }
        // RFC 3550 A.8 in integers: J16 += |D| - ((J16 + 8) >> 4).
        sixteenths += abs(value - previous) - ((sixteenths + 8) >> 4)
        samples = samples.addingUpToLimit(1)
    }
}
