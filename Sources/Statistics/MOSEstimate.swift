// What a call over this path would sound like: the E-model, ITU-T G.107, with the defaults for everything but delay and
// loss.

/// An estimate of the mean opinion score from delay, jitter and loss, for G.711 with packet loss concealment.
public struct MOSEstimate: Hashable, Sendable {
    /// The transmission rating R, 0...100.
    public let rating: Double
    /// The mean opinion score, 1...4.5 (ITU-T G.107 annex B).
    public let score: Double

    /// - Parameters:
    ///   - roundTripMilliseconds: half of it is taken as the one-way delay.
    ///   - jitterMilliseconds: a play-out buffer of twice the jitter is added to the delay.
    ///   - loss: share of packets lost, 0...1, taken as random.
    ///
    /// Values below zero and values that are not numbers count as 0.
    public init(roundTripMilliseconds: Double, jitterMilliseconds: Double, loss: Double) {
        func positive(_ value: Double) -> Double { value > 0 ? min(value, 1e9) : 0 }
        let delay = positive(roundTripMilliseconds) / 2 + 2 * positive(jitterMilliseconds)
        // The two-slope approximation of Idd by Cole and Rosenbluth (2001) to G.107's curve.
        let delayImpairment = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0)
        // G.113 appendix I for G.711 with concealment: Ie 0, Bpl 25.1.
        let percent = min(positive(loss), 1) * 100
        let lossImpairment = percent == 0 ? 0 : 95 * percent / (percent + 25.1)
        rating = min(max(93.2 - delayImpairment - lossImpairment, 0), 100)
        let r = rating
        score = r <= 6.5 ? 1 : min(max(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, 1), 4.5)
    }
}
