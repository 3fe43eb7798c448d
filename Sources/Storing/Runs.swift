// A list of numbers that are nearly all the same.

internal import Statistics

/// The common number, and the runs of others: gap since the last such run, number, length.
struct Runs: Hashable {
    var common: UInt64
    var others: [Run] = []

    struct Run: Hashable {
        var gap: Int
        var value: UInt64
        var length: Int
    }

    init(_ values: [UInt64]) {
        var counts: [UInt64: Int] = [:]
        for value in values { counts[value, default: 0] += 1 }
        // Of numbers that are equally common the least, so that equal lists have equal bytes.
        common = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 0
        var gap = 0
        for value in values {
            if value == common {
                gap += 1
            } else if gap == 0, let last = others.last, last.value == value {
                others[others.count - 1].length += 1
            } else {
                others.append(Run(gap: gap, value: value, length: 1))
                gap = 0
            }
        }
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(varint: common)
        bytes.append(varint: UInt64(others.count))
        for run in others {
            bytes.append(varint: UInt64(run.gap))
            bytes.append(varint: run.value)
            bytes.append(varint: UInt64(run.length))
        }
    }

    /// Reads the runs of a list of `count` numbers; nil where they do not fit it.
    static func read(_ count: Int, from reader: inout VarintReader<ArraySlice<UInt8>>) -> [UInt64]? {
        guard let common = reader.varint(), let number = reader.varint(), number <= UInt64(count) else { return nil }
        var values = [UInt64](repeating: common, count: count)
        var position = 0
        for _ in 0..<number {
            guard let gap = reader.varint(), let value = reader.varint(), let length = reader.varint(),
                gap <= UInt64(count), length <= UInt64(count), position + Int(gap) + Int(length) <= count
            else { return nil }
            position += Int(gap)
            for _ in 0..<length {
                values[position] = value
                position += 1
            }
        }
        return values
    }
}
