// Steps of whole days follow the calendar: a day is 23 or 25 hours long where the clock changes.

internal import Foundation
internal import Model

enum CalendarSteps {
    /// The edges of a range in steps of whole days, at local midnights but for the range's own ends; nil for other steps.
    static func edges(_ range: TimeRange, step: Duration, timeZone: TimeZone) -> [WallTime]? {
        let seconds = step.components.seconds
        guard seconds >= 86_400, seconds % 86_400 == 0, step.components.attoseconds == 0 else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        var edges = [range.since]
        var day = calendar.startOfDay(for: Date(timeIntervalSince1970: Double(range.since.seconds)))
        while let last = edges.last, edges.count < HistoryVerb.maximumBuckets {
            guard let next = calendar.date(byAdding: .day, value: Int(clamping: seconds / 86_400), to: day) else {
                return nil
            }
            day = calendar.startOfDay(for: next)
            let edge = WallTime(seconds: Int64(day.timeIntervalSince1970))
            if edge >= range.until { break }
            if edge > last { edges.append(edge) }
        }
        return edges + [range.until]
    }
}
