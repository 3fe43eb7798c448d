// Numbers for people: a unit always, as many digits as mean something, and "–" for what is not known.

internal import Model

/// Formats the figures that tables show. Without Foundation's formatters, so that no locale changes a column.
enum Figures {
    static let unknown = "–"

    /// `412 µs`, `4.21 ms`, `42.1 ms`, `421 ms`, `4.21 s`: three digits from microseconds.
    static func time(microseconds: Double?) -> String {
        guard let microseconds, microseconds.isFinite else { return unknown }
        if microseconds < 0 { return "-" + time(microseconds: -microseconds) }
        if microseconds == 0 { return "0 µs" }
        if microseconds < 999.5 { return "\(fixed(microseconds, microseconds < 9.995 ? 1 : 0)) µs" }
        if microseconds < 999_500 { return "\(threeDigits(microseconds / 1_000)) ms" }
        return "\(threeDigits(microseconds / 1_000_000)) s"
    }

    static func time(nanoseconds: Int64?) -> String {
        time(microseconds: nanoseconds.map { Double($0) / 1_000 })
    }

    /// `0 %`, `0.4 %`, `12 %`: a loss that is there never shows as zero, one that is not total never as 100.
    static func percent(_ value: Double?) -> String {
        guard let value, value.isFinite else { return unknown }
        if value <= 0 { return "0 %" }
        if value < 0.1 { return "<0.1 %" }
        if value >= 100 { return "100 %" }
        if value < 9.95 { return "\(fixed(value, 1)) %" }
        return value > 99 ? ">99 %" : "\(fixed(value, 0)) %"
    }

    /// `3 s`, `5 min`, `2 h 10 min`, `3 d 4 h`: an age or a span, cut.
    static func span(seconds: Double?) -> String {
        guard let seconds, seconds.isFinite else { return unknown }
        let whole = Int64(max(0, min(seconds, 1e12)))
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3_600: return "\(whole / 60) min"
        case ..<86_400: return whole / 60 % 60 == 0 ? "\(whole / 3_600) h" : "\(whole / 3_600) h \(whole / 60 % 60) min"
        default:
            return whole / 3_600 % 24 == 0 ? "\(whole / 86_400) d" : "\(whole / 86_400) d \(whole / 3_600 % 24) h"
        }
    }

    /// `999`, `12,345`: thousands by a comma.
    static func count(_ value: some BinaryInteger) -> String {
        let digits = String(value.magnitude)
        var grouped = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { grouped += "," }
            grouped.append(digit)
        }
        return value < 0 ? "-" + grouped : grouped
    }

    /// `812 B`, `1.2 KiB`, `3.4 GiB`.
    static func bytes(_ value: Int64?) -> String {
        guard let value else { return unknown }
        var size = Double(value)
        guard size.magnitude >= 1_024 else { return "\(value) B" }
        for unit in ["KiB", "MiB", "GiB"] {
            size /= 1_024
            if size.magnitude < 1_023.95 { return "\(fixed(size, 1)) \(unit)" }
        }
        return "\(fixed(size / 1_024, 1)) TiB"
    }

    /// `+4.90 ms (+12 %)`.
    static func change(from old: Int64, to new: Int64) -> String {
        let difference = new.subtractingSaturated(old)
        let sign = difference > 0 ? "+" : ""
        return "\(sign)\(time(nanoseconds: difference)) (\(percentChange(from: old, to: new)))"
    }

    /// `+12 %`, `-0.4 %`, `0 %`; – where there is nothing to relate to.
    static func percentChange(from old: Int64, to new: Int64) -> String {
        guard old > 0 else { return unknown }
        let share = Double(new.subtractingSaturated(old)) * 100 / Double(old)
        let text = fixed(share, share.magnitude < 9.95 ? 1 : 0)
        if share == 0 { return "0 %" }
        return (share > 0 ? "+" : "") + text + " %"
    }

    /// `99.444 %`: told apart in the third decimal, and never rounded up to 100.
    static func availability(_ value: Double?) -> String {
        guard let value, value.isFinite else { return unknown }
        return fixed(value < 100 ? min(value, 99.999) : 100, 3) + " %"
    }

    /// `value` with exactly `digits` (0...9) digits of fraction, rounded half away from zero.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<min(max(digits, 0), 9) { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled.isFinite, scaled < 9e18 else { return value < 0 ? "-∞" : "∞" }
        let whole = Int64(scaled)
        let sign = value < 0 && whole > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(whole) }
        let unit = Int64(scale)
        let fraction = String(whole % unit)
        return sign + String(whole / unit) + "." + String(repeating: "0", count: max(0, digits - fraction.count))
            + fraction
    }

    private static func threeDigits(_ value: Double) -> String {
        if value < 9.995 { return fixed(value, 2) }
        return value < 99.95 ? fixed(value, 1) : fixed(value, 0)
    }
}
