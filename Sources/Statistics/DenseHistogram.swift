// The buckets of `Histogram` with a place for each, full or empty.

/// Counts of durations in nanoseconds for one busy row: recording takes the same time whatever is there already.
///
/// 16 KiB; where there are many rows, `Histogram` keeps only the buckets in use.
public struct DenseHistogram: Sendable {
    @usableFromInline var counts: [UInt64]
    @usableFromInline var count: UInt64 = 0
    @usableFromInline var sum: Int64 = 0
    @usableFromInline var least: Int64 = .max
    @usableFromInline var greatest: Int64 = 0

    public init() { counts = Array(repeating: 0, count: Histogram.maximumBuckets) }

    /// Adds a value. A negative value, which no duration has, is recorded as 0.
    public mutating func record(nanoseconds: Int64) {
        record(nanoseconds: nanoseconds, bucket: Histogram.bucketIndex(nanoseconds: nanoseconds))
    }

    /// The same where the value's bucket is known already: `Histogram.bucketIndex(nanoseconds:)` of the same value.
    @inlinable @inline(__always)
    public mutating func record(nanoseconds: Int64, bucket: Int) {
        let value = max(nanoseconds, 0)
        counts[bucket &- Histogram.zeroIndex] &+= 1
        count &+= 1
        sum = sum.addingUpToLimit(value)
        if value < least { least = value }
        if value > greatest { greatest = value }
    }

    /// The same values as a histogram.
    public var histogram: Histogram {
        guard count > 0 else { return Histogram() }
        let cells = counts.indices.filter { counts[$0] > 0 }.map {
            Histogram.Bucket(
                index: Int16(truncatingIfNeeded: $0 + Histogram.zeroIndex), count: counts[$0])
        }
        return Histogram(cells: cells, count: count, sum: sum, minimum: least, maximum: greatest)
    }
}
