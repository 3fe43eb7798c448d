// RFC 3339 text read back into a wall time. Arithmetic only: no locale, no zone database.

extension WallTime {
    /// Reads RFC 3339: date, `T` (or `t` or a space), time, optional fraction, and `Z` or an offset.
    ///
    /// nil for anything else, a date that does not exist, and moments that 64 bits of nanoseconds cannot hold. The
    /// leap second `:60` is read as the first moment of the next minute.
    public init?(rfc3339 text: some StringProtocol) {
        var rest = Array(text.utf8)[...]
        func number(_ count: Int) -> Int64? {
            guard rest.count >= count else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(count) {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            rest = rest.dropFirst(count)
            return value
        }
        func mark(_ allowed: String) -> Bool {
            guard let first = rest.first, allowed.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), mark("-"), let month = number(2), mark("-"), let day = number(2), mark("Tt "),
            let hour = number(2), mark(":"), let minute = number(2), mark(":"), let second = number(2),
            (1...12).contains(month), (1...WallTime.days(inMonth: month, year: year)).contains(day), hour < 24,
            minute < 60, second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if mark(".") {
            let digits = rest.prefix { (48...57).contains($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            let kept = digits.prefix(9)
            for byte in kept { fraction = fraction * 10 + Int64(byte - 48) }
            for _ in kept.count..<9 { fraction *= 10 }
        }
        var offset: Int64 = 0
        if !mark("Zz") {
            let isWest = rest.first == UInt8(ascii: "-")
            guard mark("+-"), let hours = number(2), mark(":"), let minutes = number(2), hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 3_600 + minutes * 60) * (isWest ? -1 : 1)
        }
        guard rest.isEmpty else { return nil }
        let dayNumber = WallTime.dayNumber(year: year, month: month, day: day)
        let seconds = dayNumber * 86_400 + hour * 3_600 + minute * 60 + second - offset
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (value, carried) = whole.addingReportingOverflow(fraction)
        guard !overflow, !carried else { return nil }
        self.init(nanoseconds: value)
    }

    /// Days since 1970-01-01 of a date of the proleptic Gregorian calendar; years 0...9999.
    public static func dayNumber(year: Int64, month: Int64, day: Int64) -> Int64 {
        // Hinnant's algorithm: years begin in March, so that the leap day is the last of its year.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.flooredQuotient(400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    /// The quotient rounded towards minus infinity; the divisor is positive.
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
