import Foundation
import Model
import Testing

@Suite struct TimeTests {
    @Test(arguments: [
        (Int64(0), Int64(0)), (1, 0), (999_999_999, 0), (1_000_000_000, 1), (-1, -1), (-1_000_000_000, -1),
        (-1_000_000_001, -2), (.max, 9_223_372_036), (.min, -9_223_372_037),
    ])
    func secondsRoundTowardsThePast(nanoseconds: Int64, seconds: Int64) {
        #expect(WallTime(nanoseconds: nanoseconds).seconds == seconds)
    }

    @Test func secondsBeyondTheRangeAreClamped() {
        #expect(WallTime(seconds: .max).nanoseconds == .max)
        #expect(WallTime(seconds: .min).nanoseconds == .min)
        #expect(WallTime(seconds: 1_700_000_000).nanoseconds == 1_700_000_000_000_000_000)
    }

    @Test func arithmeticNeverTraps() {
        let last = WallTime(nanoseconds: .max)
        let first = WallTime(nanoseconds: .min)
        #expect(last + .seconds(1) == last)
        #expect(first - .seconds(1) == first)
        #expect(last - first == .nanoseconds(Int64.max))
        #expect(first - last == .nanoseconds(Int64.min))
        #expect(MonotonicTime(nanoseconds: .max) + .seconds(Int64.max) == MonotonicTime(nanoseconds: .max))
        #expect(MonotonicTime(nanoseconds: 5) - MonotonicTime(nanoseconds: 8) == .nanoseconds(-3))
        #expect(WallTime(nanoseconds: 5) < WallTime(nanoseconds: 6))
    }

    @Test func durationsAreClampedToSixtyFourBits() {
        #expect(Duration.seconds(Int64.max).clampedNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).clampedNanoseconds == .min)
        #expect(Duration.nanoseconds(-1).clampedNanoseconds == -1)
        #expect(Duration.milliseconds(1_500).clampedNanoseconds == 1_500_000_000)
        #expect(Duration.nanoseconds(1_500).microseconds == 1.5)
        #expect(Duration.milliseconds(250).inSeconds == 0.25)
        #expect((Duration.seconds(9_223_372_036) + .nanoseconds(854_775_807)).clampedNanoseconds == .max)
        #expect((Duration.seconds(9_223_372_036) + .nanoseconds(854_775_808)).clampedNanoseconds == .max)
    }

    @Test func saturationAtBothEnds() {
        #expect(Int8.max.addingSaturated(1) == .max)
        #expect(Int8.min.addingSaturated(-1) == .min)
        #expect(Int8.min.subtractingSaturated(1) == .min)
        #expect(Int8.max.subtractingSaturated(-1) == .max)
        #expect(UInt8(3).subtractingSaturated(5) == 0)
        #expect(UInt8(250).addingSaturated(10) == .max)
        #expect(Int8(3).addingSaturated(-5) == -2)
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00Z"), (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_795_520_653_000_000_000, "2026-11-24T11:44:13Z"), (1, "1970-01-01T00:00:00.000000001Z"),
        (.max, "2262-04-11T23:47:16.854775807Z"), (.min, "1677-09-21T00:12:43.145224192Z"),
    ])
    func rfc3339(nanoseconds: Int64, text: String) {
        #expect(WallTime(nanoseconds: nanoseconds).rfc3339 == text)
    }

    /// Foundation's calendar as a second opinion, over 500 years.
    @Test func agreesWithTheCalendar() throws {
        let formatter = ISO8601DateFormatter()
        var random = SplitMix(state: 1)
        for _ in 0..<3_000 {
            let seconds = Int64.random(in: -9_000_000_000...9_000_000_000, using: &random)
            // Foundation reads dates before 15 October 1582 differently; 1684 is the earliest here.
            #expect(
                WallTime(seconds: seconds).rfc3339
                    == formatter.string(from: Date(timeIntervalSince1970: Double(seconds))))
        }
    }
}
