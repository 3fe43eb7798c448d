import Foundation
import Model
import Testing

@testable import CommandKit

@Suite struct CompareWindowTests {
    private static let berlin = TimeZone(identifier: "Europe/Berlin") ?? .gmt

    /// 2026-11-24T13:30:00Z, a Tuesday, is 14:30 in Berlin.
    private func reader(_ now: String = "2026-11-24T13:30:00Z") throws -> CompareWindowReader {
        CompareWindowReader(
            now: try #require(WallTime(rfc3339: now)), timeZone: Self.berlin, length: .seconds(3_600))
    }

    private func text(_ range: TimeRange) -> String { "\(range.since.rfc3339) \(range.until.rfc3339)" }

    @Test(arguments: [
        ("now", "2026-11-24T12:30:00Z 2026-11-24T13:30:00Z"),
        ("30m", "2026-11-24T13:00:00Z 2026-11-24T13:30:00Z"),
        ("7d", "2026-11-17T13:30:00Z 2026-11-24T13:30:00Z"),
        ("today", "2026-11-23T23:00:00Z 2026-11-24T13:30:00Z"),
        ("yesterday", "2026-11-22T23:00:00Z 2026-11-23T23:00:00Z"),
        ("this-week", "2026-11-22T23:00:00Z 2026-11-24T13:30:00Z"),
        ("last-week", "2026-11-15T23:00:00Z 2026-11-22T23:00:00Z"),
        ("this-month", "2026-10-31T23:00:00Z 2026-11-24T13:30:00Z"),
        ("Last-Month", "2026-09-30T22:00:00Z 2026-10-31T23:00:00Z"),
        ("2026-11-01", "2026-10-31T23:00:00Z 2026-11-01T23:00:00Z"),
        ("2026-11-24", "2026-11-23T23:00:00Z 2026-11-24T13:30:00Z"),
        ("2026-10", "2026-09-30T22:00:00Z 2026-10-31T23:00:00Z"),
        ("1h@yesterday", "2026-11-23T12:30:00Z 2026-11-23T13:30:00Z"),
        ("now@last-month", "2026-10-24T11:30:00Z 2026-10-24T12:30:00Z"),
        ("today@last-week", "2026-11-16T23:00:00Z 2026-11-17T13:30:00Z"),
        ("1h@2d", "2026-11-22T12:30:00Z 2026-11-22T13:30:00Z"),
        ("1h@90m", "2026-11-24T11:00:00Z 2026-11-24T12:00:00Z"),
        ("1h@2026-11-01T14:00", "2026-11-01T13:00:00Z 2026-11-01T14:00:00Z"),
        ("yesterday..today", "2026-11-22T23:00:00Z 2026-11-23T23:00:00Z"),
        ("@1795500000..@1795503600", "2026-11-24T06:00:00Z 2026-11-24T07:00:00Z"),
        ("2026-11-20T08:00:00Z..now", "2026-11-20T08:00:00Z 2026-11-24T13:30:00Z"),
    ])
    func forms(window: String, expected: String) throws {
        #expect(text(try reader().window(window)) == expected)
    }

    @Test(arguments: [
        "", "soon", "1h@", "@", "..", "now..yesterday", "2026-13", "2026-02-30", "2026-12-24", "0s", "1h@soon", "5",
        "1h@2027-01-01", "today..", "99999999999999999999d", "1h@yesterday@", "2026-11-", "-1h", "\u{1B}[2J",
    ])
    func refusals(window: String) {
        #expect(throws: TimeRange.Problem.self) { try reader().window(window) }
    }

    @Test func aSlipIsNamed() {
        #expect {
            try reader().window("lastweek")
        } throws: { "\($0)".contains("did you mean \"last-week\"") }
    }

    /// Beside a window that ends now, a word is the same stretch at that time; beside others it is the whole of it.
    @Test func wordsFollowTheirNeighbour() throws {
        let reader = try reader()
        func second(_ first: String, _ second: String?) throws -> String {
            text(try #require(reader.windows(first, second).last).range)
        }
        #expect(try second("now", "last-week") == "2026-11-17T12:30:00Z 2026-11-17T13:30:00Z")
        #expect(try second("7d", "last-week") == "2026-11-10T13:30:00Z 2026-11-17T13:30:00Z")
        #expect(try second("30m", "yesterday") == "2026-11-23T13:00:00Z 2026-11-23T13:30:00Z")
        #expect(try second("today", "yesterday") == "2026-11-22T23:00:00Z 2026-11-23T23:00:00Z")
        #expect(try second("now", nil) == "2026-11-17T12:30:00Z 2026-11-17T13:30:00Z")
        #expect(try second("today", nil) == "2026-11-22T23:00:00Z 2026-11-23T23:00:00Z")
        #expect(try second("this-month", nil) == "2026-09-30T22:00:00Z 2026-10-31T23:00:00Z")
        #expect(try second("2026-11-24", nil) == "2026-11-16T23:00:00Z 2026-11-17T13:30:00Z")
        let turned = try reader.windows("last-week", "now")
        #expect(text(turned[0].range) == "2026-11-17T12:30:00Z 2026-11-17T13:30:00Z")
        #expect(turned.map(\.name) == ["last-week", "now"])
    }

    /// The clocks went back on 2026-10-25: the same hour of the day is 25 hours before, and that day has 25 hours.
    @Test func theSameTimeOfDayAcrossAChangeOfTheClock() throws {
        let reader = try reader("2026-10-25T13:30:00Z")
        let windows = try reader.windows("1h", "yesterday")
        #expect(text(windows[1].range) == "2026-10-24T11:30:00Z 2026-10-24T12:30:00Z")
        #expect(windows[0].range.until - windows[1].range.until == .seconds(25 * 3_600))
        let day = try self.reader("2026-10-26T12:00:00Z").window("yesterday")
        #expect(day.until - day.since == .seconds(25 * 3_600))
        let week = try self.reader("2026-10-28T12:00:00Z").windows("7d", "last-week")[1].range
        // Both ends keep their time of day: this one has no hour twice.
        #expect(text(week) == "2026-10-14T12:00:00Z 2026-10-21T11:00:00Z")
    }

    /// On 2026-03-29 there was no 2:30 in Berlin: the window is as long as asked for all the same.
    @Test func anHourThatTheClockSkipped() throws {
        let reader = try reader("2026-03-30T00:59:00Z")
        let range = try reader.windows("30m", "yesterday")[1].range
        #expect(range.since < range.until)
    }

    @Test func parserIsTotal() throws {
        var generator = SystemRandomNumberGenerator()
        let pieces = ["now", "@", "..", "1h", "2026-11", "-", "yesterday", "last-week", "999999999d", "\u{202E}", "T"]
        let reader = try reader()
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...5, using: &generator))
                .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            if let range = try? reader.window(text) { #expect(range.since < range.until) }
        }
    }
}
