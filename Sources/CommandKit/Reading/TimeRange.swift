// --since and --until: which stretch of time is asked for.

internal import Control
internal import Foundation
internal import Model

/// A resolved range of wall time: from `since`, up to and without `until`.
struct TimeRange: Hashable, Sendable {
    var since: WallTime
    var until: WallTime

    /// Why a range could not be made, as a sentence for the user.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    /// A range whose order the caller vouches for.
    init(unchecked since: WallTime, until: WallTime) {
        self.since = since
        self.until = until
    }

    /// - Parameters:
    ///   - back: how far before `until` the range begins where `since` is not given.
    ///   - now: the moment that relative forms count from.
    init(
        since: String?, until: String?, back: Duration, now: WallTime, timeZone: TimeZone
    ) throws(Problem) {
        self.until =
            try until.map { text throws(Problem) in
                try TimeRange.moment(text, option: "--until", now: now, timeZone: timeZone)
            } ?? now
        self.since =
            try since.map { text throws(Problem) in
                try TimeRange.moment(text, option: "--since", now: now, timeZone: timeZone)
            } ?? self.until - back
        guard self.since < self.until else {
            let clock = LocalClock(now: now, timeZone: timeZone)
            throw Problem(
                description: "the range ends (\(clock.full(self.until))) before it begins (\(clock.full(self.since)))")
        }
    }

    /// `2026-11-23 04:00:00 to 2026-11-24 04:00:00 UTC+01:00 (1 d)`.
    func text(timeZone: TimeZone) -> String {
        let clock = LocalClock(now: until, timeZone: timeZone)
        let span = Figures.span(seconds: (until - since).inSeconds)
        return "\(clock.full(since)) to \(clock.full(until)) \(clock.zoneText) (\(span))"
    }

    /// One moment: RFC 3339, `now`, `today`, `yesterday`, `2026-11-01`, `2026-11-01 14:30`, `14:30`, `@epoch`, `2h`, `2h ago`.
    ///
    /// Days begin at local midnight, also as the end of a range: `--since yesterday --until today` is all of
    /// yesterday. `7d` is seven times 24 hours.
    static func moment(
        _ text: String, option: String, now: WallTime, timeZone: TimeZone
    ) throws(Problem) -> WallTime {
        let trimmed = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
        let word = trimmed.lowercased()
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let today = calendar.startOfDay(for: Date(timeIntervalSince1970: Double(now.seconds)))
        switch word {
        case "now": return now
        case "today": return WallTime(seconds: Int64(today.timeIntervalSince1970))
        case "yesterday":
            guard let day = calendar.date(byAdding: .day, value: -1, to: today) else { break }
            return WallTime(seconds: Int64(calendar.startOfDay(for: day).timeIntervalSince1970))
        default: break
        }
        if word.hasPrefix("@") {
            if let moment = epoch(word.dropFirst()) { return moment }
            throw Problem(description: "\(option): \"\(text)\" is not seconds since the epoch; write @1764547200")
        }
        if let moment = WallTime(rfc3339: trimmed) { return moment }
        if let moment = local(trimmed, calendar: calendar) { return moment }
        // A time of day is that of today.
        if trimmed.utf8.count == 5 || trimmed.utf8.count == 8, trimmed.contains(":") {
            let day = LocalClock(now: now, timeZone: timeZone).full(now).prefix(10)
            if let moment = local("\(day)T\(trimmed)", calendar: calendar) { return moment }
        }
        let span = word.hasSuffix(" ago") ? String(word.dropLast(4)) : word
        do throws(DurationText.Problem) {
            return now - (try DurationText.parse(span.filter { $0 != " " }))
        } catch {
            if let first = word.unicodeScalars.first, ("0"..."9").contains(first), !word.contains("-") {
                throw Problem(description: "\(option): \(error)")
            }
        }
        throw Problem(
            description: "\(option): \"\(text)\" is not a time; write 2h, 7d, today, yesterday, 2026-11-01, "
                + "2026-11-01T14:30:00Z or @1764547200")
    }

    private static func epoch(_ text: some StringProtocol) -> WallTime? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let seconds = Int64(parts[0]), abs(seconds) < 9_000_000_000 else {
            return nil
        }
        guard parts.count == 2 else { return WallTime(seconds: seconds) }
        guard (1...9).contains(parts[1].count), let fraction = UInt32(parts[1]) else { return nil }
        let scale = (parts[1].count..<9).reduce(Int64(1)) { scale, _ in scale * 10 }
        return WallTime(nanoseconds: seconds * 1_000_000_000 + (seconds < 0 ? -1 : 1) * Int64(fraction) * scale)
    }

    /// `2026-11-01` and `2026-11-01 14:30[:00]` (or with a T) in the local zone.
    private static func local(_ text: String, calendar: Calendar) -> WallTime? {
        let withTime = text.count == 10 ? text + "T00:00:00" : text.count == 16 ? text + ":00" : text
        // Reading it as UTC checks the form and that the date exists; the calendar then places it in the zone.
        guard text.count >= 10, let asUTC = WallTime(rfc3339: withTime + "Z") else { return nil }
        var utc = Calendar(identifier: .gregorian)
        utc.timeZone = TimeZone(secondsFromGMT: 0) ?? calendar.timeZone
        let fields = utc.dateComponents(
            [.year, .month, .day, .hour, .minute, .second],
            from: Date(timeIntervalSince1970: Double(asUTC.seconds)))
        guard let date = calendar.date(from: fields) else { return nil }
        return WallTime(seconds: Int64(date.timeIntervalSince1970))
    }
}
