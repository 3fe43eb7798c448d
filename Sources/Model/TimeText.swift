// RFC 3339 text of a wall time, without Foundation, so that the log and the alert path can use it.

extension WallTime {
    /// `2026-11-24T03:44:13.5Z`: UTC, as many digits of fraction as there are, none for whole seconds.
    public var rfc3339: String {
        let whole = seconds
        let remainder = nanoseconds % 1_000_000_000
        let nanos = remainder < 0 ? remainder + 1_000_000_000 : remainder
        let days = whole >= 0 ? whole / 86_400 : (whole - 86_399) / 86_400
        let second = Int(whole - days * 86_400)
        let (year, month, day) = Self.civil(daysSinceEpoch: days)
        var text = "\(Self.pad(year, 4))-\(Self.pad(month, 2))-\(Self.pad(day, 2))"
        text += "T\(Self.pad(second / 3600, 2)):\(Self.pad(second / 60 % 60, 2)):\(Self.pad(second % 60, 2))"
        if nanos > 0 {
            var digits = Self.pad(Int(nanos), 9)
            while digits.hasSuffix("0") { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }

    /// The proleptic Gregorian date, by Howard Hinnant's `civil_from_days`.
    private static func civil(daysSinceEpoch days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (Int(year), Int(month), Int(day))
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
