// Paths as they are on real lines: a base, queueing noise, spikes, loss in bursts, outages.

import Model
import Wire

/// A small fixed generator, so that every number repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func unit() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}

/// One target's line.
struct SyntheticPath {
    let key: SeriesKey
    private var random: SplitMix
    private let base: Double
    private let noise: Double
    private let phase: Int64
    private var outageLeft = 0
    private var burstLeft = 0

    /// Bases of 2 to 120 ms and noise of 50 µs to 1 ms, both evenly over their logarithm.
    init(number: Int, seed: UInt64) {
        random = SplitMix(state: seed &* 1_000_003 &+ UInt64(number))
        key = SeriesKey(
            target: TargetID(sanitising: "target-\(number)"), probe: "icmp",
            address: IPAddress("198.51.\(number / 250 % 250).\(number % 250 + 1)"))
        base = SyntheticPath.between(2e6, 120e6, share: random.unit())
        noise = SyntheticPath.between(50e3, 1e6, share: random.unit())
        phase = Int64(random.next() % 10_000)
    }

    /// Evenly over the logarithm, by roots and products: the same bits on every host.
    private static func between(_ low: Double, _ high: Double, share: Double) -> Double {
        var ratio = high / low
        for _ in 0..<6 { ratio = ratio.squareRoot() }
        var value = low
        for step in 0..<64 { value *= share * 64 > Double(step + 1) ? ratio : 1 }
        return value * (1 + (share * 64 - (share * 64).rounded(.down)) * (ratio - 1))
    }

    /// When the probe of a tick (ms) left, in nanoseconds, and what came of it.
    mutating func next(tick: Int64, sequence: Int) -> (sent: Int64, outcome: Outcome) {
        // Lateness of the loop: tens of microseconds, seldom some milliseconds.
        let late = random.unit() < 0.001 ? random.unit() * 5e6 : 20e3 + random.unit() * 60e3
        let sent = (tick + phase) * 1_000_000 + Int64(late)
        if outageLeft > 0 {
            outageLeft -= 1
            return (sent, .lost)
        }
        if random.unit() < 0.000_02 {
            outageLeft = Int(random.unit() * 400)
            return (sent, .lost)
        }
        if burstLeft > 0 { burstLeft -= 1 } else if random.unit() < 0.000_5 { burstLeft = Int(random.unit() * 40) }
        if random.unit() < (burstLeft > 0 ? 0.3 : 0.002) { return (sent, .lost) }
        // Four uniform numbers make a hump; a burst queues.
        var queue = (0..<4).reduce(0.0) { sum, _ in sum + random.unit() } * noise / 2
        if burstLeft > 0 { queue += random.unit() * 40 * noise }
        if random.unit() < 0.005 { queue += random.unit() * 100e6 }
        return (sent, .ok(rtt: .nanoseconds(Int64(base + queue))))
    }
}

/// Time in which the monitor itself was off: some minutes now and then.
struct SyntheticGaps {
    private var random: SplitMix
    private var until: Int64 = .min

    init(seed: UInt64) { random = SplitMix(state: seed &+ 77) }

    mutating func isOff(at tick: Int64) -> Bool {
        if tick < until { return true }
        if random.unit() < 0.000_02 { until = tick + Int64(random.unit() * 1_800_000) }
        return false
    }
}
