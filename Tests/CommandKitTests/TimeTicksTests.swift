import Control
import Foundation
import Model
import Testing

@testable import CommandKit

@Suite struct TimeTicksTests {
    private func ticks(
        _ since: String, _ until: String, most: Int, zone: String = "Europe/Berlin"
    ) throws -> [String] {
        let range = TimeRange(
            unchecked: try #require(WallTime(rfc3339: since)), until: try #require(WallTime(rfc3339: until)))
        let clock = LocalClock(now: range.until, timeZone: try #require(TimeZone(identifier: zone)))
        return TimeTicks.ticks(range, most: most, clock: clock).map(\.label)
    }

    @Test func roundTimesOfTheZone() throws {
        #expect(
            try ticks("2026-11-24T11:42:13Z", "2026-11-24T13:42:13Z", most: 5) == ["13:00", "13:30", "14:00", "14:30"])
        #expect(try ticks("2026-11-24T13:29:58Z", "2026-11-24T13:30:08Z", most: 3) == ["14:30", "14:30:05"])
        #expect(
            try ticks("2026-11-23T13:30:00Z", "2026-11-24T13:30:00Z", most: 5)
                == ["18:00", "Nov 24", "06:00", "12:00"])
        #expect(
            try ticks("2026-11-17T13:30:00Z", "2026-11-24T13:30:00Z", most: 4)
                == ["Nov 19", "Nov 21", "Nov 23"])
        #expect(
            try ticks("2025-11-24T00:00:00Z", "2026-11-24T00:00:00Z", most: 5) == [
                "2026-01", "2026-04", "2026-07", "2026-10",
            ])
    }

    /// Half-hour zones have their own round hours.
    @Test func zonesWithoutWholeHours() throws {
        let labels = try ticks("2026-11-24T11:00:00Z", "2026-11-24T14:00:00Z", most: 3, zone: "Asia/Kolkata")
        #expect(labels == ["17:00", "18:00", "19:00"])
    }

    /// Midnight stays midnight across a change of the clock, and a skipped hour has no tick.
    @Test func changesOfTheClock() throws {
        #expect(
            try ticks("2026-10-24T12:00:00Z", "2026-10-27T12:00:00Z", most: 4) == ["Oct 25", "Oct 26", "Oct 27"])
        let spring = try ticks("2026-03-28T22:00:00Z", "2026-03-29T08:00:00Z", most: 6)
        #expect(spring == ["Mar 29", "04:00", "06:00", "08:00"])
    }

    @Test func outlandishRangesAreBounded() {
        let clock = Fixtures.clock
        for (since, until) in [(Int64.min, Int64.max), (0, 1), (-1, 0), (5, 5), (0, 4_000_000_000_000_000_000)] {
            let range = TimeRange(
                unchecked: WallTime(nanoseconds: since), until: WallTime(nanoseconds: until))
            for count in [0, 1, 7, 40] { #expect(TimeTicks.ticks(range, most: count, clock: clock).count <= 2 * count) }
        }
    }
}
