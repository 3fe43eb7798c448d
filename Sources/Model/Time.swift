// Two clocks that must never be mixed: wall time is a label, monotonic time is what intervals are made of.

/// A moment of wall-clock time: nanoseconds since 1970-01-01T00:00:00Z. Steps when the clock is set.
public struct WallTime: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    /// Whole seconds since the epoch; clamps beyond the years 1678 and 2262.
    public init(seconds: Int64) {
        let (value, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        nanoseconds = overflow ? (seconds < 0 ? .min : .max) : value
    }

    /// Seconds since the epoch, rounded towards the past.
    public var seconds: Int64 { nanoseconds / 1_000_000_000 - (nanoseconds % 1_000_000_000 < 0 ? 1 : 0) }

    public static func < (a: WallTime, b: WallTime) -> Bool { a.nanoseconds < b.nanoseconds }
    public static func + (a: WallTime, d: Duration) -> WallTime {
        WallTime(nanoseconds: a.nanoseconds.addingSaturated(d.clampedNanoseconds))
    }
    public static func - (a: WallTime, d: Duration) -> WallTime {
        WallTime(nanoseconds: a.nanoseconds.subtractingSaturated(d.clampedNanoseconds))
    }
    /// The difference of two labels; not a measured interval.
    public static func - (a: WallTime, b: WallTime) -> Duration {
        .nanoseconds(a.nanoseconds.subtractingSaturated(b.nanoseconds))
    }
}

/// A reading of CLOCK_MONOTONIC in nanoseconds: never steps, stands still while the host is suspended.
public struct MonotonicTime: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool { a.nanoseconds < b.nanoseconds }
    public static func + (a: MonotonicTime, d: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: a.nanoseconds.addingSaturated(d.clampedNanoseconds))
    }
    public static func - (a: MonotonicTime, b: MonotonicTime) -> Duration {
        .nanoseconds(a.nanoseconds.subtractingSaturated(b.nanoseconds))
    }
}

extension Duration {
    /// The duration in nanoseconds, clamped to what 64 bits hold (292 years).
    public var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return whole.addingSaturated(attoseconds / 1_000_000_000)
    }

    /// Microseconds with fraction, the unit of `_us` keys in JSON.
    public var microseconds: Double { Double(clampedNanoseconds) / 1_000 }
    /// Seconds with fraction, the unit of `_s` keys in JSON.
    public var inSeconds: Double { Double(clampedNanoseconds) / 1_000_000_000 }
}

extension FixedWidthInteger {
    /// The sum, or the nearest representable number.
    @inlinable
    public func addingSaturated(_ other: Self) -> Self {
        let (value, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : value
    }
    /// The difference, or the nearest representable number.
    @inlinable
    public func subtractingSaturated(_ other: Self) -> Self {
        let (value, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : value
    }
}
