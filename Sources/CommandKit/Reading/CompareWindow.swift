// The windows of `taut compare`: stretches of time as people name them, and the same stretch at another time.

internal import Control
internal import Foundation
internal import Model

/// A window with the name it was given.
struct CompareWindow: Hashable, Sendable {
    var name: String
    var range: TimeRange
}

/// Reads windows, in the time zone and at the moment of the command.
///
/// - `now`: the last hour (or what `--for` says); `30m`, `7d`: the last so much.
/// - `today`, `yesterday`, `this-week`, `last-week`, `this-month`, `last-month`: by the calendar, weeks from Monday, cut
///   at the present moment.
/// - `2026-11-01`: that day; `2026-11`: that month; `A..B`: from one moment to another.
/// - `WINDOW@WHEN`: the same stretch of the clock `yesterday`, `last-week`, `last-month`, `last-year`, or so much earlier
///   (`2d`); with a moment, a window that begins there (`1h@2026-11-01T14:00`).
///
/// Beside a window that ends now (`now`, `30m`), `yesterday`, `last-week`, `last-month` and `last-year` by themselves are
/// that stretch a day, a week, a month or a year earlier: the question is whether it is slower than it was then.
struct CompareWindowReader {
    typealias Problem = TimeRange.Problem

    var now: WallTime
    var timeZone: TimeZone
    /// How long `now` is.
    var length: Duration

    private static let shifts: [String: (Calendar.Component, Int)] = [
        "yesterday": (.day, -1), "last-week": (.day, -7), "last-month": (.month, -1), "last-year": (.year, -1),
    ]

    static let forms = "now, 1h, today, yesterday, last-week, last-month, 2026-11-01, 2026-11, A..B or 1h@yesterday"

    /// - Parameter second: what to compare with; the stretch before that people mean where nil.
    func windows(_ first: String, _ second: String?) throws(Problem) -> [CompareWindow] {
        let second = second ?? Self.natural(after: first, isRolling: rolling(first) != nil)
        let names = [first, second].map { HostileText.line($0) }
        if let span = rolling(first), let shift = Self.shifts[second.lowercased()] {
            return [
                CompareWindow(name: names[0], range: span), CompareWindow(name: names[1], range: shifted(span, shift)),
            ]
        }
        if let span = rolling(second), let shift = Self.shifts[first.lowercased()] {
            return [
                CompareWindow(name: names[0], range: shifted(span, shift)), CompareWindow(name: names[1], range: span),
            ]
        }
        return [
            CompareWindow(name: names[0], range: try window(first)),
            CompareWindow(name: names[1], range: try window(second)),
        ]
    }

    /// What a window is compared with where nothing is said.
    private static func natural(after first: String, isRolling: Bool) -> String {
        switch first.lowercased() {
        case "today": "yesterday"
        case "this-week": "last-week"
        case "this-month": "last-month"
        default: isRolling ? "last-week" : first + "@last-week"
        }
    }

    /// One window by itself.
    func window(_ text: String) throws(Problem) -> TimeRange {
        let range = try uncut(text)
        guard range.since < now else { throw Problem(description: "the window \"\(text)\" has not begun yet") }
        let cut = TimeRange(unchecked: range.since, until: min(range.until, now))
        guard cut.since < cut.until else { throw Problem(description: "the window \"\(text)\" ends before it begins") }
        return cut
    }

    private func uncut(_ text: String) throws(Problem) -> TimeRange {
        if let dots = text.firstRange(of: "..") {
            let since = try moment(String(text[..<dots.lowerBound]), in: text)
            let until = try moment(String(text[dots.upperBound...]), in: text)
            return TimeRange(unchecked: since, until: until)
        }
        if let at = text.lastIndex(of: "@"), at != text.startIndex {
            let base = try window(String(text[..<at]))
            return try moved(base, to: String(text[text.index(after: at)...]), in: text)
        }
        if let span = rolling(text) ?? calendarSpan(text.lowercased()) ?? dated(text) { return span }
        if let span = try? DurationText.parse(text.lowercased()), span <= .zero {
            throw Problem(description: "the window \"\(text)\" has no length")
        }
        let words = ["now", "today", "this-week", "this-month"] + Self.shifts.keys.sorted()
        let hint = Suggestion.nearest(to: text, among: words).map { "did you mean \"\($0)\"?" }
        throw Problem(description: "\"\(text)\" is not a window; \(hint ?? "write \(Self.forms)")")
    }

    /// Windows that end now and are so much long.
    private func rolling(_ text: String) -> TimeRange? {
        if text.lowercased() == "now" { return TimeRange(unchecked: now - length, until: now) }
        guard let length = try? DurationText.parse(text.lowercased()), length > .zero else { return nil }
        return TimeRange(unchecked: now - length, until: now)
    }

    private func moment(_ text: String, in window: String) throws(Problem) -> WallTime {
        do throws(Problem) {
            return try TimeRange.moment(text, option: "the window \"\(window)\"", now: now, timeZone: timeZone)
        } catch {
            throw Problem(description: error.description)
        }
    }

    private func moved(_ base: TimeRange, to when: String, in text: String) throws(Problem) -> TimeRange {
        if let shift = Self.shifts[when.lowercased()] { return shifted(base, shift) }
        if let back = try? DurationText.parse(when.lowercased()) {
            let seconds = back.components.seconds
            // Whole days keep the time of day when the clock has changed in between.
            if seconds > 0, seconds % 86_400 == 0, back.components.attoseconds == 0 {
                return shifted(base, (.day, -Int(clamping: seconds / 86_400)))
            }
            return TimeRange(unchecked: base.since - back, until: base.until - back)
        }
        let since = try moment(when, in: text)
        return TimeRange(unchecked: since, until: since + (base.until - base.since))
    }

    // MARK: calendar

    private var calendar: Calendar {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        return calendar
    }

    /// Both ends moved by the calendar, so that 9 to 10 stays 9 to 10 across a change of the clock.
    private func shifted(_ range: TimeRange, _ shift: (Calendar.Component, Int)) -> TimeRange {
        let since = moved(range.since, shift)
        let until = moved(range.until, shift)
        // An hour that the clock skipped on that day: as long as the other window, from where it would begin.
        return TimeRange(unchecked: since, until: until > since ? until : since + (range.until - range.since))
    }

    private func moved(_ time: WallTime, _ shift: (Calendar.Component, Int)) -> WallTime {
        let date = Date(timeIntervalSince1970: Double(time.seconds))
        let moved = calendar.date(byAdding: shift.0, value: shift.1, to: date) ?? date
        return time + .seconds(moved.timeIntervalSince(date))
    }

    private func calendarSpan(_ word: String) -> TimeRange? {
        let today = calendar.startOfDay(for: Date(timeIntervalSince1970: Double(now.seconds)))
        // Monday is weekday 2 of the Gregorian calendar.
        let monday = calendar.date(
            byAdding: .day, value: -((calendar.component(.weekday, from: today) + 5) % 7), to: today)
        let month = calendar.date(from: calendar.dateComponents([.year, .month], from: today))
        switch word {
        case "today": return span(from: today, days: 0, 1)
        case "yesterday": return span(from: today, days: -1, 0)
        case "this-week": return span(from: monday, days: 0, 7)
        case "last-week": return span(from: monday, days: -7, 0)
        case "this-month": return span(from: month, .month, 0, 1)
        case "last-month": return span(from: month, .month, -1, 0)
        default: return nil
        }
    }

    private func span(from date: Date?, days from: Int, _ to: Int) -> TimeRange? { span(from: date, .day, from, to) }

    private func span(from date: Date?, _ component: Calendar.Component, _ from: Int, _ to: Int) -> TimeRange? {
        guard let date, let since = calendar.date(byAdding: component, value: from, to: date),
            let until = calendar.date(byAdding: component, value: to, to: date)
        else { return nil }
        func wall(_ date: Date) -> WallTime {
            WallTime(seconds: Int64(calendar.startOfDay(for: date).timeIntervalSince1970))
        }
        return TimeRange(unchecked: wall(since), until: wall(until))
    }

    /// `2026-11-01` and `2026-11`.
    private func dated(_ text: String) -> TimeRange? {
        let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map { part in
            part.utf8.allSatisfy { (48...57).contains($0) } ? Int(part) : nil
        }
        guard (2...3).contains(numbers.count), let year = numbers[0], (1970...9999).contains(year),
            let month = numbers[1], (1...12).contains(month), text.utf8.count == (numbers.count == 3 ? 10 : 7)
        else { return nil }
        let first = calendar.date(from: DateComponents(year: year, month: month, day: 1))
        guard numbers.count == 3 else { return span(from: first, .month, 0, 1) }
        guard let first, let day = numbers[2], let days = calendar.range(of: .day, in: .month, for: first),
            days.contains(day)
        else { return nil }
        return span(from: first, days: day - 1, day)
    }
}
