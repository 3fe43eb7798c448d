// Sparse histogram with exponential buckets, base 2^(1/32).
//
// The buckets are those of an OpenTelemetry exponential histogram of scale 5 and of a Prometheus native histogram of
// schema 5 over the same unit: bucket i holds (2^(i/32), 2^((i+1)/32)]. Bounds come from integer tables, so every host
// puts every value into the same bucket.

/// Counts of durations in nanoseconds, with exact minimum, maximum, count and sum.
///
/// A quantile is off by at most `relativeError` of the value plus half a nanosecond. Histograms merge exactly: merging
/// and recording in any order give equal values. At most `maximumBuckets` buckets exist; recording into one that exists
/// allocates nothing.
public struct Histogram: Hashable, Sendable {
    /// Bound on the relative error of a quantile: 2^(1/64) - 1, rounded up.
    public static var relativeError: Double { 0.0109 }
    /// Index of the bucket that holds 0 alone.
    @inlinable public static var zeroIndex: Int { -2 }
    /// Index of the bucket that holds `Int64.max`.
    @inlinable public static var highestIndex: Int { 62 * 32 + 31 }
    /// How many buckets there can be.
    @inlinable public static var maximumBuckets: Int { highestIndex - zeroIndex + 1 }

    /// One bucket that is not empty.
    struct Bucket: Hashable, Sendable {
        var index: Int16
        var count: UInt64
    }

    /// Sorted by index; no bucket is empty.
    var cells: [Bucket] = []

    /// Values recorded; stays at its greatest value once reached.
    public private(set) var count: UInt64 = 0
    /// Sum of the values in nanoseconds; stays at `Int64.max` once reached (292 years).
    public private(set) var sum: Int64 = 0
    private var least: Int64 = .max
    private var greatest: Int64 = 0

    public init() {}

    /// A histogram of values that were counted elsewhere: `counts` of the buckets from `zeroIndex` on, of which those
    /// beyond `highestIndex` are passed over, with the values' sum, least and greatest in nanoseconds.
    public init(counts: [UInt64], sum: Int64, minimum: Int64, maximum: Int64) {
        let full = counts.prefix(Histogram.maximumBuckets).enumerated().filter { $0.element > 0 }
        self.init(
            cells: full.map {
                Bucket(index: Int16(truncatingIfNeeded: $0.offset + Histogram.zeroIndex), count: $0.element)
            },
            count: full.reduce(0) { $0.addingUpToLimit($1.element) }, sum: full.isEmpty ? 0 : sum,
            minimum: full.isEmpty ? .max : minimum, maximum: full.isEmpty ? 0 : maximum)
    }

    /// For the decoder, which has checked that the parts belong together.
    init(cells: [Bucket], count: UInt64, sum: Int64, minimum: Int64, maximum: Int64) {
        self.cells = cells
        self.count = count
        self.sum = sum
        least = minimum
        greatest = maximum
    }

    public var isEmpty: Bool { count == 0 }
    /// The least value recorded, exactly.
    public var minimum: Int64? { isEmpty ? nil : least }
    /// The greatest value recorded, exactly.
    public var maximum: Int64? { isEmpty ? nil : greatest }
    /// The mean in nanoseconds; nil when empty.
    public var mean: Double? { isEmpty ? nil : Double(sum) / Double(count) }

    /// The buckets that are not empty, by rising index. `bounds(of:)` gives the values of each.
    public var buckets: [(index: Int, count: UInt64)] { cells.map { (index: Int($0.index), count: $0.count) } }

    /// Adds a value `count` times. A negative value, which no duration has, is recorded as 0.
    public mutating func record(nanoseconds: Int64, count added: UInt64 = 1) {
        guard added > 0 else { return }
        let value = max(nanoseconds, 0)
        add(added, toBucket: Int16(truncatingIfNeeded: Histogram.bucketIndex(nanoseconds: value)))
        count = count.addingUpToLimit(added)
        let (product, overflow) = UInt64(value).multipliedReportingOverflow(by: added)
        sum = sum.addingUpToLimit(overflow ? .max : Int64(clamping: product))
        least = min(least, value)
        greatest = max(greatest, value)
    }

    /// Adds everything the other has recorded.
    public mutating func merge(_ other: Histogram) {
        guard !other.isEmpty else { return }
        if isEmpty {
            self = other
            return
        }
        var merged: [Bucket] = []
        merged.reserveCapacity(max(cells.count, other.cells.count))
        var mine = cells[...]
        var theirs = other.cells[...]
        while let a = mine.first, let b = theirs.first {
            if a.index == b.index {
                merged.append(Bucket(index: a.index, count: a.count.addingUpToLimit(b.count)))
                mine.removeFirst()
                theirs.removeFirst()
            } else if a.index < b.index {
                merged.append(a)
                mine.removeFirst()
            } else {
                merged.append(b)
                theirs.removeFirst()
            }
        }
        merged.append(contentsOf: mine)
        merged.append(contentsOf: theirs)
        cells = merged
        count = count.addingUpToLimit(other.count)
        sum = sum.addingUpToLimit(other.sum)
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
    }

    /// The value at share `q` (0...1, clamped) of the values in rising order, by nearest rank; nil when empty or `q` is
    /// not a number. Exact for the first and the last rank.
    public func quantile(_ q: Double) -> Int64? {
        guard !isEmpty, let rank = Quantiles.nearestRank(q, of: count) else { return nil }
        if rank <= 1 { return least }
        if rank >= count { return greatest }
        var seen: UInt64 = 0
        for cell in cells {
            seen = seen.addingUpToLimit(cell.count)
            if seen >= rank { return min(max(Histogram.middle(of: Int(cell.index)), least), greatest) }
        }
        return greatest
    }

    private mutating func add(_ added: UInt64, toBucket index: Int16) {
        // Where the buckets in use have no holes, this one's place follows from the first; it never lies behind that.
        var low = 0
        var high = cells.count
        if let first = cells.first, index >= first.index {
            var place = min(Int(index) - Int(first.index), cells.count - 1)
            for _ in 0..<4 where place > 0 && cells[place].index > index { place -= 1 }
            if cells[place].index == index {
                cells[place].count = cells[place].count.addingUpToLimit(added)
                return
            }
        }
        while low < high {
            let middle = (low + high) / 2
            if cells[middle].index < index { low = middle + 1 } else { high = middle }
        }
        if low < cells.count, cells[low].index == index {
            cells[low].count = cells[low].count.addingUpToLimit(added)
        } else {
            cells.insert(Bucket(index: index, count: added), at: low)
        }
    }
}

extension UInt64 {
    /// The sum, or the greatest value.
    func addingUpToLimit(_ other: UInt64) -> UInt64 {
        let (value, overflow) = addingReportingOverflow(other)
        return overflow ? .max : value
    }
}

extension Int64 {
    /// The sum of two numbers that are not negative, or the greatest value.
    func addingUpToLimit(_ other: Int64) -> Int64 {
        let (value, overflow) = addingReportingOverflow(other)
        return overflow ? .max : value
    }
}
