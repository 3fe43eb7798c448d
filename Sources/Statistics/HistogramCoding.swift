// A histogram as bytes: version, number of buckets, (gap, count) pairs, minimum, maximum, sum.
//
// Numbers are LEB128 varints without padding, so equal histograms have equal bytes. Minimum and maximum are written as
// their distance from the outer bounds of the first and last bucket. An hour of one series takes 15 to 40 bytes.

extension Histogram {
    private static let version: UInt8 = 1

    /// The histogram as bytes, for storage; `init(encoded:)` reads them.
    public func encoded() -> [UInt8] {
        var bytes = [Histogram.version]
        bytes.append(varint: UInt64(cells.count))
        guard let first = cells.first, let last = cells.last, let minimum, let maximum else { return bytes }
        var previous = Histogram.zeroIndex - 1
        for cell in cells {
            bytes.append(varint: UInt64(Int(cell.index) - previous - 1))
            bytes.append(varint: cell.count)
            previous = Int(cell.index)
        }
        bytes.append(varint: UInt64(minimum - Histogram.lowerBound(of: Int(first.index))))
        bytes.append(varint: UInt64(Histogram.upperBound(of: Int(last.index)) - maximum))
        bytes.append(varint: UInt64(sum))
        return bytes
    }

    /// Reads what `encoded()` wrote. Any bytes may be given: nil for what `encoded()` does not write, such as another
    /// version, a bucket out of range, or a sum that the buckets do not allow.
    public init?(encoded: some Collection<UInt8>) { self.init(bytes: Array(encoded)) }

    /// Of one type, so that no other module runs it unspecialised: a report reads thousands.
    private init?(bytes: [UInt8]) {
        var reader = VarintReader(bytes)
        guard reader.byte() == Histogram.version, let number = reader.varint(),
            number <= UInt64(Histogram.maximumBuckets)
        else { return nil }
        if number == 0 {
            guard reader.isAtEnd else { return nil }
            self.init()
            return
        }
        guard let cells = Histogram.readCells(Int(number), from: &reader),
            let first = cells.first, let last = cells.last,
            let aboveLower = reader.varint(), let belowUpper = reader.varint(), let sum = reader.varint(),
            reader.isAtEnd
        else { return nil }
        let lowest = Histogram.lowerBound(of: Int(first.index))
        let highest = Histogram.upperBound(of: Int(last.index))
        guard aboveLower <= UInt64(Histogram.upperBound(of: Int(first.index)) - lowest),
            belowUpper <= UInt64(highest - Histogram.lowerBound(of: Int(last.index)))
        else { return nil }
        let minimum = lowest + Int64(aboveLower)
        let maximum = highest - Int64(belowUpper)
        var total: UInt64 = 0
        for cell in cells { total = total.addingUpToLimit(cell.count) }
        guard minimum <= maximum, total > 1 || minimum == maximum,
            sum <= UInt64(Int64.max), Histogram.allows(Int64(sum), cells: cells, minimum: minimum, maximum: maximum)
        else { return nil }
        self.init(cells: cells, count: total, sum: Int64(sum), minimum: minimum, maximum: maximum)
    }

    private static func readCells(_ number: Int, from reader: inout VarintReader<[UInt8]>) -> [Bucket]? {
        var cells: [Bucket] = []
        cells.reserveCapacity(number)
        var next = UInt64(0)
        for _ in 0..<number {
            guard let gap = reader.varint(), gap < UInt64(maximumBuckets), let count = reader.varint(), count > 0
            else { return nil }
            let position = next + gap
            guard position < UInt64(maximumBuckets) else { return nil }
            let index = Int(position) + zeroIndex
            guard lowerBound(of: index) <= upperBound(of: index) else { return nil }
            cells.append(Bucket(index: Int16(index), count: count))
            next = position + 1
        }
        return cells
    }

    /// Whether values in these buckets can add up to the sum. The sums saturate as recording does.
    private static func allows(_ sum: Int64, cells: [Bucket], minimum: Int64, maximum: Int64) -> Bool {
        var least: Int64 = 0
        var greatest: Int64 = 0
        for cell in cells {
            let low = max(lowerBound(of: Int(cell.index)), minimum)
            let high = min(upperBound(of: Int(cell.index)), maximum)
            least = least.addingUpToLimit(product(low, cell.count))
            greatest = greatest.addingUpToLimit(product(high, cell.count))
        }
        return (least...max(least, greatest)).contains(sum)
    }

    private static func product(_ value: Int64, _ count: UInt64) -> Int64 {
        let (result, overflow) = UInt64(value).multipliedReportingOverflow(by: count)
        return overflow ? .max : Int64(clamping: result)
    }
}

extension [UInt8] {
    /// Appends an unsigned LEB128 number, 1 to 10 bytes.
    @inlinable
    package mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }
}

/// Reads bytes and LEB128 numbers; nil at the end and for padded or too long numbers.
package struct VarintReader<Bytes: Collection<UInt8>> {
    @usableFromInline let bytes: Bytes
    /// Where the next byte is read.
    @usableFromInline package var position: Bytes.Index

    @inlinable
    package init(_ bytes: Bytes) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    @inlinable package var isAtEnd: Bool { position == bytes.endIndex }

    @inlinable
    package mutating func byte() -> UInt8? {
        guard !isAtEnd else { return nil }
        defer { bytes.formIndex(after: &position) }
        return bytes[position]
    }

    @inlinable
    package mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard let byte = byte() else { return nil }
            let digits = UInt64(byte & 0x7F)
            guard shift < 63 || digits <= 1 else { return nil }
            value |= digits << shift
            if byte & 0x80 == 0 { return byte == 0 && shift > 0 ? nil : value }
        }
        return nil
    }
}
