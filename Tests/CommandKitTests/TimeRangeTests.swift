import Foundation
import Model
import Testing

@testable import CommandKit

@Suite struct TimeRangeTests {
    private static let berlin = TimeZone(identifier: "Europe/Berlin") ?? .gmt
    /// 2026-11-24T13:30:00Z is 14:30 in Berlin.
    private static let now = Fixtures.now

    private func moment(_ text: String, zone: TimeZone = berlin, now: WallTime = now) throws -> String {
        try TimeRange.moment(text, option: "--since", now: now, timeZone: zone).rfc3339
    }

    @Test(arguments: [
        ("now", "2026-11-24T13:30:00Z"),
        ("2h", "2026-11-24T11:30:00Z"),
        ("2h ago", "2026-11-24T11:30:00Z"),
        ("2 h ago", "2026-11-24T11:30:00Z"),
        ("90m", "2026-11-24T12:00:00Z"),
        ("1h30m", "2026-11-24T12:00:00Z"),
        ("7d", "2026-11-17T13:30:00Z"),
        ("today", "2026-11-23T23:00:00Z"),
        ("yesterday", "2026-11-22T23:00:00Z"),
        ("2026-11-01", "2026-10-31T23:00:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("2026-11-01 08:15", "2026-11-01T07:15:00Z"),
        ("2026-11-01T08:15:30", "2026-11-01T07:15:30Z"),
        ("2026-11-01T08:15:30Z", "2026-11-01T08:15:30Z"),
        ("2026-11-01T08:15:30.250-05:00", "2026-11-01T13:15:30.25Z"),
        ("08:15", "2026-11-24T07:15:00Z"),
        ("08:15:30", "2026-11-24T07:15:30Z"),
        ("@1795527000", "2026-11-24T13:30:00Z"),
        ("@1795527000.5", "2026-11-24T13:30:00.5Z"),
        ("@0", "1970-01-01T00:00:00Z"),
    ])
    func forms(text: String, expected: String) throws {
        #expect(try moment(text) == expected)
    }

    /// The clocks went back on 2026-10-25: the day before begins 25 hours before the end of that Sunday.
    @Test func yesterdayAcrossTheEndOfSummerTime() throws {
        let monday = try #require(WallTime(rfc3339: "2026-10-26T12:00:00Z"))
        #expect(try moment("today", now: monday) == "2026-10-25T23:00:00Z")
        #expect(try moment("yesterday", now: monday) == "2026-10-24T22:00:00Z")
    }

    @Test(arguments: [
        "", "tomorrow-ish", "2h before", "5", "2026-13-01", "2026-02-29", "2026-11-01T25:00:00Z", "@x",
        "@99999999999999",
        "10y", "-2h", "25:00", "8:15", "08:61", "ab:cd", "2026-11-01T08:15:30+25:00", "99999999999999999999d",
    ])
    func refusals(text: String) {
        #expect(throws: TimeRange.Problem.self) { try moment(text) }
    }

    @Test func aBareNumberSuggestsAUnit() {
        #expect {
            try moment("5")
        } throws: { "\($0)".contains("did you mean \"5s\"") }
    }

    @Test func rangesAreOrdered() throws {
        let range = try TimeRange(
            since: "yesterday", until: "today", back: .seconds(1), now: Self.now, timeZone: Self.berlin)
        #expect(range.text(timeZone: Self.berlin) == "2026-11-23 00:00:00 to 2026-11-24 00:00:00 UTC+01:00 (1 d)")
        #expect(throws: TimeRange.Problem.self) {
            try TimeRange(since: "today", until: "yesterday", back: .seconds(1), now: Self.now, timeZone: Self.berlin)
        }
        let byDefault = try TimeRange(
            since: nil, until: "2026-11-02T00:00:00Z", back: .seconds(3_600), now: Self.now, timeZone: Self.berlin)
        #expect(byDefault.since.rfc3339 == "2026-11-01T23:00:00Z")
    }

    /// Whatever is written, the answer is a moment or a sentence.
    @Test func parserIsTotal() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "2h", "@", "-", "ago", "2026", "-11", "T", ":", "9999999999", ".", "Z", "+", "e9", "µs", "\u{202E}", " ",
        ]
        for _ in 0..<3_000 {
            let text = (0..<Int.random(in: 0...6, using: &generator))
                .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            _ = try? TimeRange.moment(text, option: "--since", now: Self.now, timeZone: Self.berlin)
            _ = try? DurationText.parse(text)
            _ = WallTime(rfc3339: text)
        }
    }

    @Test(arguments: [
        ("500ms", 500), ("1.5s", 1_500), ("2m", 120_000), ("1h30m", 5_400_000), ("1w", 604_800_000), ("250us", 0),
    ])
    func durations(text: String, milliseconds: Int64) throws {
        #expect(try DurationText.parse(text).clampedNanoseconds / 1_000_000 == milliseconds)
    }
}
