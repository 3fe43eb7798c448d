// Slots of a minute: the first column of the raw table's key.
//
// Rows lie by (slot, series, time). A commit touches the pages of the running slot alone, and one series is read by one
// short seek a slot, so both writing and reading stay near their best without a second index.

internal import Model

/// Which slot a time lies in, and where within it.
struct Slot: Hashable, Comparable {
    /// Seconds a slot spans; an hour has a whole number of slots.
    static let seconds: Int64 = 60
    static let microseconds: Int64 = seconds * 1_000_000
    static let perHour: Int64 = 3600 / seconds

    var number: Int64
    /// Microseconds since the slot began, 0..<60,000,000.
    var offset: Int64 = 0

    init(number: Int64) { self.number = number }

    /// Times before 1970 lie in negative slots.
    init(_ time: WallTime) {
        let microseconds = Slot.floored(time.nanoseconds, by: 1000)
        number = Slot.floored(microseconds, by: Slot.microseconds)
        offset = microseconds - number * Slot.microseconds
    }

    /// The time of an offset within a slot; clamps what 64 bits of nanoseconds do not hold.
    static func time(slot: Int64, offset: Int64) -> WallTime {
        let (start, overflow) = slot.multipliedReportingOverflow(by: microseconds)
        if overflow { return WallTime(nanoseconds: slot < 0 ? .min : .max) }
        let (value, tooFar) = start.addingSaturated(offset).multipliedReportingOverflow(by: 1000)
        return WallTime(nanoseconds: tooFar ? (slot < 0 ? .min : .max) : value)
    }

    static func < (a: Slot, b: Slot) -> Bool { (a.number, a.offset) < (b.number, b.offset) }

    static func floored(_ value: Int64, by divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Hours are named by the second they begin at, UTC.
enum Hour {
    static let seconds: Int64 = 3600

    static func start(of time: WallTime) -> Int64 { Slot.floored(time.seconds, by: seconds) * seconds }
    static func start(ofSlot slot: Int64) -> Int64 { Slot.floored(slot, by: Slot.perHour) * seconds }
    /// The slots of the hour that begins at the second.
    static func slots(of start: Int64) -> Range<Int64> {
        let first = Slot.floored(start, by: Slot.seconds)
        return first..<first + Slot.perHour
    }
}
