// How reports are written: every key always there, `null` for what is not known, times as RFC 3339.

public import Model

/// An optional that is written as `null` rather than left out, and may be left out when read.
///
/// The command contract is that an unknown value is `null`: a reader need not tell "absent" from "unknown".
@propertyWrapper
public struct OrNull<Value: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    public var wrappedValue: Value?

    public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

extension KeyedDecodingContainer {
    /// A key that is not there reads as nil, so that a newer reader understands an older writer.
    public func decode<Value>(_ type: OrNull<Value>.Type, forKey key: Key) throws -> OrNull<Value> {
        try decodeIfPresent(type, forKey: key) ?? OrNull(wrappedValue: nil)
    }
}

/// A wall time in a report: RFC 3339 in UTC with three digits of fraction, cut.
public struct ReportTime: Codable, Hashable, Sendable, Comparable {
    public var time: WallTime

    public init(_ time: WallTime) { self.time = time }

    /// nil in, nil out.
    public init?(_ time: WallTime?) {
        guard let time else { return nil }
        self.init(time)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let time = WallTime(rfc3339: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 time")
        }
        self.time = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// `2026-11-24T03:48:08.123Z`.
    public var text: String { time.rfc3339(fractionDigits: 3) }

    public static func < (a: ReportTime, b: ReportTime) -> Bool { a.time < b.time }
}

extension WallTime {
    /// RFC 3339 in UTC with exactly `fractionDigits` (1...9) digits of fraction, cut not rounded.
    public func rfc3339(fractionDigits: Int) -> String {
        let text = rfc3339.dropLast()
        let parts = text.split(separator: ".")
        let fraction = (parts.count > 1 ? String(parts[1]) : "") + "000000000"
        return "\(parts[0]).\(fraction.prefix(min(max(fractionDigits, 1), 9)))Z"
    }
}

extension Duration {
    /// Microseconds rounded to a thousandth, so that JSON shows nanoseconds and no binary noise.
    public var reportMicroseconds: Double { (microseconds * 1_000).rounded() / 1_000 }
}
