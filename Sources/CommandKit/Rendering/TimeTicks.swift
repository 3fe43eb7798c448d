// Where a time axis is labelled: at round times of the zone, whatever the range begins with.

internal import Control
internal import Foundation
internal import Model

/// A place on a time axis.
struct TimeTick: Hashable, Sendable {
    var time: WallTime
    /// `14:30`, `14:30:05`, `Nov 24` at midnight and for days, `2026-11` for months.
    var label: String
}

enum TimeTicks {
    /// Steps in seconds that divide a day.
    private static let clockSteps: [Int64] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    ]
    private static let daySteps = [1, 2, 7, 14]
    private static let monthSteps = [1, 2, 3, 6, 12, 24, 60, 120]

    /// At most about `count` ticks within the range, in order.
    static func ticks(_ range: TimeRange, most count: Int, clock: LocalClock) -> [TimeTick] {
        let length = (range.until - range.since).inSeconds
        guard length > 0, count > 0, length < 1e11 else { return [] }
        let wanted = length / Double(count)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = clock.timeZone
        let times: [WallTime]
        if let step = clockSteps.first(where: { Double($0) >= wanted }) {
            times = step <= 3_600 ? even(range, step, clock.timeZone) : hours(range, Int(step / 3_600), calendar)
        } else if let days = daySteps.first(where: { Double($0) * 86_400 >= wanted }) {
            times = dates(range, .day, days, calendar)
        } else {
            let months = monthSteps.first { Double($0) * 30 * 86_400 >= wanted } ?? 240
            times = dates(range, .month, months, calendar)
        }
        let isMonthly = wanted > 14 * 86_400
        return Array(times.prefix(2 * count)).map { TimeTick(time: $0, label: label($0, clock, isMonthly: isMonthly)) }
    }

    private static func label(_ time: WallTime, _ clock: LocalClock, isMonthly: Bool) -> String {
        let text = clock.full(time)
        if isMonthly { return String(text.prefix(7)) }
        let day = text.dropFirst(11) == "00:00:00"
        if day {
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            let number = Int(text.dropFirst(5).prefix(2)) ?? 0
            return months.indices.contains(number - 1) ? "\(months[number - 1]) \(text.dropFirst(8).prefix(2))" : text
        }
        return String(text.dropFirst(11).prefix(text.hasSuffix(":00") ? 5 : 8))
    }

    /// Multiples of up to an hour of the zone's own clock, also where its offset is no whole hour.
    private static func even(_ range: TimeRange, _ step: Int64, _ zone: TimeZone) -> [WallTime] {
        var times: [WallTime] = []
        var second = range.since.seconds
        if WallTime(seconds: second) < range.since { second += 1 }
        while WallTime(seconds: second) < range.until, times.count < 1_000 {
            let offset = Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(second))))
            let rest = (((second + offset) % step) + step) % step
            if rest == 0 { times.append(WallTime(seconds: second)) }
            second += rest == 0 ? step : step - rest
        }
        return times
    }

    /// Every so many hours of each day; an hour that the clock skips has no tick.
    private static func hours(_ range: TimeRange, _ step: Int, _ calendar: Calendar) -> [WallTime] {
        var times: [WallTime] = []
        var day = calendar.startOfDay(for: Date(timeIntervalSince1970: Double(range.since.seconds)))
        while WallTime(seconds: Int64(day.timeIntervalSince1970)) < range.until, times.count < 1_000 {
            for hour in stride(from: 0, to: 24, by: step) {
                guard let date = calendar.date(bySettingHour: hour, minute: 0, second: 0, of: day),
                    calendar.component(.hour, from: date) == hour
                else { continue }
                let time = WallTime(seconds: Int64(date.timeIntervalSince1970))
                if time >= range.since, time < range.until, times.last.map({ $0 < time }) ?? true { times.append(time) }
            }
            guard let next = calendar.date(byAdding: .day, value: 1, to: day) else { break }
            day = calendar.startOfDay(for: next)
        }
        return times
    }

    /// Every so many days or months, counted from the first of January.
    private static func dates(
        _ range: TimeRange, _ component: Calendar.Component, _ step: Int, _ calendar: Calendar
    ) -> [WallTime] {
        let begin = Date(timeIntervalSince1970: Double(range.since.seconds))
        let fields: Set<Calendar.Component> = component == .day ? [.year, .month] : [.year]
        guard let origin = calendar.date(from: calendar.dateComponents(fields, from: begin)) else { return [] }
        var times: [WallTime] = []
        for index in 0..<1_000 {
            guard let date = calendar.date(byAdding: component, value: index * step, to: origin) else { break }
            let time = WallTime(seconds: Int64(calendar.startOfDay(for: date).timeIntervalSince1970))
            if time >= range.until { break }
            if time >= range.since { times.append(time) }
        }
        return times
    }
}
