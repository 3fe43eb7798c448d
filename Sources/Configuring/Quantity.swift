// Quantities with units, as people write them: `10s`, `1h30m`, `64MiB`, `20%`.

internal import Model

/// Reads and writes durations, sizes and shares. Every function is total: a text is a value or a sentence.
enum Quantity {
    /// Why a text is not a quantity: a sentence for a person.
    struct Refusal: Error, Hashable {
        var sentence: String
    }

    /// A number as it is written, exact: `digits` · 10^-`decimals`.
    private struct Decimal {
        var digits: Int64
        var scale: Int64
        /// The text, for the sentence.
        var text: String
        var isZero: Bool { digits == 0 }

        /// The number times `unit`, rounded down; nil above 64 bits.
        func times(_ unit: Int64) -> Int64? {
            let product = Int128(digits) * Int128(unit) / Int128(scale)
            return Int64(exactly: product)
        }
    }

    /// The unit that is most likely meant where none is written, and an example with it.
    enum LikelyUnit: String {
        case milliseconds = "ms"
        case seconds = "s"
        case days = "d"
        case mebibytes = "MiB"
        case gibibytes = "GiB"

        var example: String {
            switch self {
            case .milliseconds: "200ms"
            case .seconds: "10s"
            case .days: "90d"
            case .mebibytes: "64MiB"
            case .gibibytes: "2GiB"
            }
        }
    }

    // MARK: Durations

    private static let durationUnits: [(name: String, nanoseconds: Int64)] = [
        ("y", 31_536_000_000_000_000), ("w", 604_800_000_000_000), ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
    ]
    private static let durationWords: [String: String] = [
        "msec": "ms", "millis": "ms", "milliseconds": "ms", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
        "min": "m", "mins": "m", "minute": "m", "minutes": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
        "day": "d", "days": "d", "week": "w", "weeks": "w", "year": "y", "years": "y",
    ]

    /// A duration: numbers with a unit of `ms s m h d w y`, one after another (`1h30m`); a year is 365 days.
    static func duration(_ text: String, unit likely: LikelyUnit = .seconds) throws(Refusal) -> Duration {
        let expected = "expected a duration such as \(likely.example)"
        if text.hasPrefix("-") { throw Refusal(sentence: "\(expected); a duration cannot be negative") }
        var rest = Substring(text)
        var total: Int64 = 0
        repeat {
            guard let number = takeNumber(&rest) else {
                throw Refusal(sentence: "\(expected), found \(quoted(text))")
            }
            let unit = takeWord(&rest)
            if unit.isEmpty {
                let meant = (text.hasSuffix(number.text) ? text : number.text) + likely.rawValue
                throw Refusal(sentence: "\(expected); \(number.text) has no unit — did you mean \(meant)?")
            }
            guard let scale = durationUnits.first(where: { $0.name == unit })?.nanoseconds else {
                let known = durationWords[unit.lowercased()].map { " — did you mean \(number.text)\($0)?" }
                throw Refusal(
                    sentence: "\(expected); \(quoted(unit)) is not a unit of time"
                        + (known ?? " (ms, s, m, h, d, w, y)"))
            }
            guard let part = number.times(scale) else {
                throw Refusal(sentence: "\(expected); \(quoted(text)) is longer than 292 years")
            }
            let (sum, overflow) = total.addingReportingOverflow(part)
            if overflow { throw Refusal(sentence: "\(expected); \(quoted(text)) is longer than 292 years") }
            total = sum
        } while !rest.isEmpty
        return .nanoseconds(total)
    }

    /// The shortest exact text with one unit: `10s`, `250ms`, `90d`; below a millisecond the nearest one above.
    static func text(_ duration: Duration) -> String {
        let nanoseconds = duration.clampedNanoseconds
        if nanoseconds == 0 { return "0s" }
        for unit in durationUnits where unit.name != "w" && nanoseconds % unit.nanoseconds == 0 {
            return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
        }
        return "\(nanoseconds / 1_000_000 + 1)ms"
    }

    // MARK: Sizes

    private static let sizeUnits: [(name: String, bytes: Int64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("kB", 1_000), ("B", 1),
    ]

    /// A size in bytes: a number with a unit of `B KiB MiB GiB TiB` (powers of 1,024) or `KB MB GB TB` (of 1,000).
    static func size(_ text: String, unit likely: LikelyUnit = .mebibytes) throws(Refusal) -> Int64 {
        let expected = "expected a size such as \(likely.example)"
        var rest = Substring(text)
        guard let number = takeNumber(&rest) else { throw Refusal(sentence: "\(expected), found \(quoted(text))") }
        while rest.first == " " { rest.removeFirst() }
        let unit = String(rest)
        if unit.isEmpty {
            throw Refusal(
                sentence: "\(expected); \(number.text) has no unit — did you mean \(number.text)\(likely.rawValue)?")
        }
        guard let scale = sizeUnits.first(where: { $0.name == unit })?.bytes else {
            let letter = unit.prefix(1).uppercased()
            let meant = ["K", "M", "G", "T"].contains(letter) ? " — did you mean \(number.text)\(letter)iB?" : nil
            throw Refusal(
                sentence: "\(expected); \(quoted(unit)) is not a unit of size"
                    + (meant ?? " (B, KiB, MiB, GiB, TiB, KB, MB, GB, TB)"))
        }
        guard let bytes = number.times(scale) else {
            throw Refusal(sentence: "\(expected); \(quoted(text)) is more than 8 EiB")
        }
        return bytes
    }

    /// The shortest exact text with a binary unit: `8MiB`, `1500B`.
    static func text(bytes: Int64) -> String {
        for unit in sizeUnits where unit.name.hasSuffix("iB") && bytes != 0 && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "\(bytes)B"
    }

    // MARK: Shares

    /// A share of 0...1, written as a percentage: `20%`, `0.5%`.
    static func share(_ text: String) throws(Refusal) -> Double {
        let expected = "expected a percentage such as 5%"
        var rest = Substring(text)
        guard let number = takeNumber(&rest) else { throw Refusal(sentence: "\(expected), found \(quoted(text))") }
        while rest.first == " " { rest.removeFirst() }
        if rest.isEmpty {
            let asShare = number.digits < number.scale && !number.isZero
            let meant =
                asShare
                ? "\(plain(Double(number.digits) / Double(number.scale) * 100))% or \(number.text)%"
                : "\(number.text)%"
            throw Refusal(sentence: "\(expected); \(number.text) has no unit — did you mean \(meant)?")
        }
        guard rest == "%" else { throw Refusal(sentence: "\(expected), found \(quoted(text))") }
        let share = Double(number.digits) / Double(number.scale) / 100
        guard share <= 1 else { throw Refusal(sentence: "\(expected); \(text) is more than 100%") }
        return share
    }

    /// A share as a percentage: `20%`, `0.5%`.
    static func text(share: Double) -> String { plain(share * 100) + "%" }

    /// A number without a superfluous fraction, to six significant decimals.
    static func plain(_ number: Double) -> String {
        guard number.magnitude < 1e12 else { return "\(number)" }
        let rounded = (number * 1e6).rounded() / 1e6
        return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }

    // MARK: Parts

    /// Takes digits with an optional fraction of up to nine; nil where there are none or they exceed 15 digits.
    private static func takeNumber(_ rest: inout Substring) -> Decimal? {
        let whole = rest.prefix { $0.isASCII && $0.isNumber }
        var after = rest.dropFirst(whole.count)
        var fraction: Substring = ""
        if after.first == "." {
            fraction = after.dropFirst().prefix { $0.isASCII && $0.isNumber }
            guard !fraction.isEmpty else { return nil }
            after = after.dropFirst(fraction.count + 1)
        }
        guard !whole.isEmpty, whole.count + fraction.count <= 15, fraction.count <= 9 else { return nil }
        guard let digits = Int64(whole + fraction) else { return nil }
        let text = String(rest.dropLast(after.count))
        rest = after
        return Decimal(digits: digits, scale: fraction.reduce(1) { scale, _ in scale * 10 }, text: text)
    }

    private static func takeWord(_ rest: inout Substring) -> String {
        while rest.first == " " { rest.removeFirst() }
        let word = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != " " }
        rest = rest.dropFirst(word.count)
        while rest.first == " " { rest.removeFirst() }
        return String(word)
    }

    /// Text of the file in quotes, harmless to a terminal and short.
    static func quoted(_ text: some StringProtocol) -> String {
        let clean = Text.sanitised(text)
        return clean.count > 60 ? "\"\(clean.prefix(60))…\"" : "\"\(clean)\""
    }
}
