// Times for people: in their zone, and no longer than needed to tell the day.

public import Foundation
public import Model

/// Writes wall times for people who read at `now` in `timeZone`.
public struct LocalClock: Sendable {
    public var now: WallTime
    public var timeZone: TimeZone

    public init(now: WallTime, timeZone: TimeZone = .current) {
        self.now = now
        self.timeZone = timeZone
    }

    /// `14:03` today, `Nov 23 14:03` this year, `2025-11-23 14:03` else.
    public func short(_ time: WallTime) -> String {
        let (day, clock) = parts(time)
        let (today, _) = parts(now)
        if day == today { return String(clock.prefix(5)) }
        let fields = day.split(separator: "-")
        guard fields.count == 3, day.prefix(4) == today.prefix(4), let month = Int(fields[1]) else {
            return "\(day) \(clock.prefix(5))"
        }
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard months.indices.contains(month - 1) else { return "\(day) \(clock.prefix(5))" }
        return "\(months[month - 1]) \(fields[2]) \(clock.prefix(5))"
    }

    /// `2026-11-24 14:03:07`.
    public func full(_ time: WallTime) -> String {
        let (day, clock) = parts(time)
        return "\(day) \(clock.prefix(8))"
    }

    /// `14:03:07`.
    public func seconds(_ time: WallTime) -> String { String(parts(time).clock.prefix(8)) }

    /// The zone's offset at `now`: `UTC`, `UTC+01:00`.
    public var zoneText: String {
        let offset = self.offset(now)
        if offset == 0 { return "UTC" }
        func pad(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "UTC\(offset < 0 ? "-" : "+")\(pad(abs(offset) / 3_600)):\(pad(abs(offset) / 60 % 60))"
    }

    private func offset(_ time: WallTime) -> Int {
        timeZone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time.seconds)))
    }

    /// Date and time of day in the zone, by way of the UTC text of the shifted time.
    private func parts(_ time: WallTime) -> (day: String, clock: String) {
        let shifted = (time + .seconds(offset(time))).rfc3339(fractionDigits: 3)
        let halves = shifted.split(separator: "T")
        return halves.count == 2 ? (String(halves[0]), String(halves[1].dropLast())) : (shifted, "")
    }
}
