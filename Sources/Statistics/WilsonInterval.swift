// Confidence bounds of a share. Wilson, "Probable inference", J. Am. Stat. Assoc. 22 (1927).

/// The Wilson score interval of a share such as loss: stays within 0...1 and holds for few trials and shares near 0.
public struct WilsonInterval: Hashable, Sendable {
    public let low: Double
    public let high: Double

    /// Bounds for `successes` of `trials` at `z` standard deviations (1.96: 95 %).
    ///
    /// Without trials nothing is known: 0...1. More successes than trials count as all of them; a `z` that is negative
    /// or not a number counts as 0.
    public init(successes: UInt64, trials: UInt64, z: Double = 1.959963984540054) {
        guard trials > 0 else {
            low = 0
            high = 1
            return
        }
        let n = Double(trials)
        let share = Double(min(successes, trials)) / n
        let z = z > 0 ? min(z, 1e6) : 0
        let square = z * z / n
        let centre = (share + square / 2) / (1 + square)
        let reach = z / (1 + square) * (share * (1 - share) / n + square / (4 * n)).squareRoot()
        low = successes == 0 ? 0 : max(0, min(centre - reach, share))
        high = successes >= trials ? 1 : min(1, max(centre + reach, share))
    }
}
