// Durations as people write them on a command line.

/// Reads `90s`, `5m`, `2h`, `7d`, `2w`, `500ms`, `1h30m`, `1.5s`.
enum DurationText {
    /// Longest: a hundred years.
    static let maximum: Duration = .seconds(100 * 366 * 86_400)

    /// Why a text is not a duration, as a sentence for the user.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    static func parse(_ text: some StringProtocol) throws(Problem) -> Duration {
        var rest = Array(text.unicodeScalars)[...]
        guard !rest.isEmpty else { throw Problem(description: "an empty duration; write 30s, 5m, 2h or 7d") }
        var total: Double = 0
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard !digits.isEmpty, digits.count <= 18, let number = Double(String(String.UnicodeScalarView(digits)))
            else { throw Problem(description: "\(quoted(text)) is not a duration; write 30s, 5m, 2h or 7d") }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { ("a"..."z").contains($0) || $0 == "µ" }
            rest = rest.dropFirst(letters.count)
            let unit = String(String.UnicodeScalarView(letters))
            if unit.isEmpty {
                throw Problem(description: "\(quoted(text)) has no unit; did you mean \(quoted("\(text)s"))?")
            }
            guard let seconds = seconds(of: unit) else {
                throw Problem(description: "\(quoted(unit)) is not a unit of time; use ms, s, m, h, d or w")
            }
            total += number * seconds
        }
        guard total.isFinite, total <= maximum.inWholeSeconds else {
            throw Problem(description: "\(quoted(text)) is longer than a hundred years")
        }
        return .nanoseconds(Int64((total * 1_000_000_000).rounded()))
    }

    private static func seconds(of unit: String) -> Double? {
        switch unit {
        case "us", "µs": 1e-6
        case "ms": 1e-3
        case "s", "sec": 1
        case "m", "min": 60
        case "h": 3_600
        case "d": 86_400
        case "w": 604_800
        default: nil
        }
    }

    private static func quoted(_ text: some StringProtocol) -> String { "\"\(text)\"" }
}

extension Duration {
    fileprivate var inWholeSeconds: Double { Double(components.seconds) }
}
