// Histograms of busy rows with a place for each bucket, full or empty: recording takes the same few instructions
// whatever is there already, and touches nothing that is counted or shared.

internal import Statistics

/// RTTs of up to `capacity` rows, in nanoseconds; 16 KiB a row, and nothing before there is one.
struct DenseTallies: ~Copyable {
    struct Tally: BitwiseCopyable {
        var sum: Int64 = 0
        /// How far the least lies below the greatest number there is, so that all zero is a row without any.
        var headroom: Int64 = 0
        var greatest: Int64 = 0
    }

    private static var capacity: Int { 1_024 }
    /// At least `Histogram.maximumBuckets`, and a power of two.
    private static var buckets: Int { 2_048 }

    private var tallies: FixedTable<Tally> = FixedTable(zeroed: 0)
    private var counts: FixedTable<UInt64> = FixedTable(zeroed: 0)
    private var used = 0

    /// A new row; -1 where there are as many as there can be.
    mutating func open() -> Int {
        guard used < DenseTallies.capacity else { return -1 }
        if used == 0 {
            tallies = FixedTable(zeroed: DenseTallies.capacity)
            // Few rows are used, and each is to take no more than itself.
            counts = FixedTable(zeroed: DenseTallies.capacity * DenseTallies.buckets, usesHugePages: false)
        }
        used += 1
        return used - 1
    }

    /// Adds an RTT, 0 or more, that lies in `bucket`.
    @inline(__always)
    mutating func record(_ rtt: Int64, bucket: Int, row: Int) {
        let place = (bucket &- Histogram.zeroIndex) & (DenseTallies.buckets &- 1)
        counts[row &* DenseTallies.buckets &+ place] &+= 1
        let (sum, isTooGreat) = tallies[row].sum.addingReportingOverflow(rtt)
        tallies[row].sum = isTooGreat ? .max : sum
        if .max &- rtt > tallies[row].headroom { tallies[row].headroom = .max &- rtt }
        if rtt > tallies[row].greatest { tallies[row].greatest = rtt }
    }

    /// The row's RTTs as a histogram.
    func histogram(_ row: Int) -> Histogram {
        let tally = tallies[row]
        let start = row * DenseTallies.buckets
        return Histogram(
            counts: (0..<Histogram.maximumBuckets).map { counts[start + $0] }, sum: tally.sum,
            minimum: .max &- tally.headroom, maximum: tally.greatest)
    }
}
