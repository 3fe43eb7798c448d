// Exact quantiles by nearest rank: always one of the values that were measured.

/// Quantiles of a list of values.
public enum Quantiles {
    /// The value at share `q` (0...1, clamped) of values in rising order; nil when empty or `q` is not a number.
    ///
    /// The nearest rank is ceil(q · n), at least 1: the least value that at least `q` of the values do not exceed.
    public static func exact(sorted values: [Int64], _ q: Double) -> Int64? {
        guard let rank = nearestRank(q, of: UInt64(values.count)) else { return nil }
        return values[Int(rank) - 1]
    }

    /// The rank, 1...count. A product within rounding error of a whole number is that number, so that 0.07 of 100 is 7.
    static func nearestRank(_ q: Double, of count: UInt64) -> UInt64? {
        guard count > 0, !q.isNaN else { return nil }
        let position = min(max(q, 0), 1) * Double(count)
        let nearest = position.rounded()
        let rank = abs(position - nearest) <= position * 1e-12 ? nearest : position.rounded(.up)
        guard let whole = UInt64(exactly: rank) else { return count }
        return min(max(whole, 1), count)
    }
}
