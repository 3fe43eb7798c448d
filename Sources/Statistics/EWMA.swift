// Exponentially weighted moving average.

/// A running average in which each new value has the weight `alpha`.
public struct EWMA: Hashable, Sendable {
    /// Weight of the newest value, above 0 and at most 1.
    public let alpha: Double
    /// The average; nil before the first value, which it starts from.
    public private(set) var value: Double?

    /// A weight outside 0...1 or not a number is clamped; 0 becomes the least weight that still moves.
    public init(alpha: Double) {
        self.alpha = alpha.isNaN ? 1 : min(max(alpha, .leastNormalMagnitude), 1)
    }

    /// Takes a value; one that is not finite is ignored.
    public mutating func record(_ new: Double) {
        guard new.isFinite else { return }
        if let old = value { value = old + alpha * (new - old) } else { value = new }
    }
}
