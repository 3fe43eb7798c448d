import Statistics
import Testing

@Suite struct QuantileTests {
    @Test func nearestRank() {
        let hundred = (1...100).map(Int64.init)
        #expect(Quantiles.exact(sorted: hundred, 0.5) == 50)
        #expect(Quantiles.exact(sorted: hundred, 0.07) == 7, "0.07 · 100 is above 7 in binary")
        #expect(Quantiles.exact(sorted: hundred, 0.99) == 99)
        #expect(Quantiles.exact(sorted: hundred, 0.991) == 100)
        #expect(Quantiles.exact(sorted: hundred, 0) == 1)
        #expect(Quantiles.exact(sorted: hundred, 1) == 100)
        #expect(Quantiles.exact(sorted: [7], 0.5) == 7)
        #expect(Quantiles.exact(sorted: [], 0.5) == nil)
        #expect(Quantiles.exact(sorted: hundred, .nan) == nil)
    }
}

@Suite struct JitterTests {
    @Test func steadyTimesHaveNone() {
        var jitter = Jitter()
        #expect(jitter.nanoseconds == nil)
        jitter.record(nanoseconds: 5)
        #expect(jitter.nanoseconds == nil)
        for _ in 0..<100 { jitter.record(nanoseconds: 5) }
        #expect(jitter.nanoseconds == 0)
    }

    @Test func firstStepIsASixteenth() {
        var jitter = Jitter()
        jitter.record(nanoseconds: 40_000_000)
        jitter.record(nanoseconds: 56_000_000)
        #expect(jitter.nanoseconds == 1_000_000)
        jitter.record(nanoseconds: 40_000_000)
        #expect(jitter.nanoseconds == 1_937_500, "1 ms + (16 ms - 1 ms) / 16")
    }

    @Test func settlesAtTheMeanDifference() {
        var jitter = Jitter()
        for step in 0..<1000 { jitter.record(nanoseconds: step % 2 == 0 ? 30_000_000 : 32_000_000) }
        #expect(abs((jitter.nanoseconds ?? 0) - 2_000_000) <= 1)
    }

    @Test func extremesDoNotTrap() {
        var jitter = Jitter()
        for step in 0..<1000 { jitter.record(nanoseconds: step % 2 == 0 ? .max : .min) }
        #expect((jitter.nanoseconds ?? 0) > 1 << 57)
    }
}

@Suite struct LossRunsTests {
    @Test func runsAreCounted() {
        var runs = LossRuns()
        #expect(runs.share == nil && runs.meanRun == nil)
        for lost in [false, true, true, false, true, false, true, true, true] { runs.record(lost: lost) }
        #expect(runs.packets == 9 && runs.lost == 6 && runs.runs == 3 && runs.longest == 3 && runs.current == 3)
        #expect(runs.meanRun == 2)
        #expect(runs.share == 6.0 / 9.0)
    }

    @Test func unknownTimeEndsARun() {
        var runs = LossRuns()
        runs.record(lost: true)
        runs.interrupt()
        runs.record(lost: true)
        #expect(runs.runs == 2 && runs.longest == 1)
    }
}

@Suite struct EWMATests {
    @Test func startsAtTheFirstValue() {
        var average = EWMA(alpha: 0.5)
        #expect(average.value == nil)
        average.record(.infinity)
        #expect(average.value == nil)
        average.record(10)
        average.record(20)
        #expect(average.value == 15)
    }

    @Test func weightsAreClamped() {
        #expect(EWMA(alpha: 7).alpha == 1)
        #expect(EWMA(alpha: .nan).alpha == 1)
        #expect(EWMA(alpha: -1).alpha > 0)
    }
}

@Suite struct WilsonIntervalTests {
    @Test func knownValues() {
        // 10 of 100 at 95 %: 0.0552 to 0.1744 (Brown, Cai, DasGupta 2001).
        let interval = WilsonInterval(successes: 10, trials: 100)
        #expect(abs(interval.low - 0.0552) < 1e-4 && abs(interval.high - 0.1744) < 1e-4)
        let none = WilsonInterval(successes: 0, trials: 10)
        #expect(none.low == 0 && abs(none.high - 0.2775) < 1e-4)
        let all = WilsonInterval(successes: 10, trials: 10)
        #expect(all.high == 1 && abs(all.low - 0.7225) < 1e-4)
    }

    @Test func edges() {
        #expect(WilsonInterval(successes: 0, trials: 0) == WilsonInterval(successes: 5, trials: 0))
        #expect(WilsonInterval(successes: 0, trials: 0).high == 1)
        #expect(WilsonInterval(successes: .max, trials: 4) == WilsonInterval(successes: 4, trials: 4))
        let point = WilsonInterval(successes: 1, trials: 4, z: .nan)
        #expect(point.low == 0.25 && point.high == 0.25)
    }
}

@Suite struct MOSEstimateTests {
    @Test func goodAndBadPaths() {
        let good = MOSEstimate(roundTripMilliseconds: 20, jitterMilliseconds: 0, loss: 0)
        #expect(abs(good.rating - 92.96) < 0.01 && abs(good.score - 4.40) < 0.01)
        let lossy = MOSEstimate(roundTripMilliseconds: 20, jitterMilliseconds: 0, loss: 0.05)
        #expect(lossy.score < good.score && lossy.score > 3.5)
        let far = MOSEstimate(roundTripMilliseconds: 600, jitterMilliseconds: 30, loss: 0)
        #expect(far.score < 3.4 && far.score > 3.2)
    }

    @Test func anyNumberGivesAScore() {
        for value in [Double.nan, -1, 0, 1e300, .infinity] {
            let estimate = MOSEstimate(roundTripMilliseconds: value, jitterMilliseconds: value, loss: value)
            #expect((1...4.5).contains(estimate.score) && (0...100).contains(estimate.rating))
        }
    }
}
