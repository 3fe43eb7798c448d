// The kernel's clocks, in nanoseconds.

internal import Glibc

/// Readings of the kernel's clocks in nanoseconds.
public enum Clock {
    /// CLOCK_MONOTONIC: never steps, stands still while the host is suspended. Schedules and durations use it.
    public static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    /// CLOCK_REALTIME since 1970: steps when it is set. Labels only.
    public static func wall() -> Int64 { read(CLOCK_REALTIME) }

    /// CLOCK_BOOTTIME: the monotonic clock plus the time spent suspended.
    public static func boottime() -> Int64 { read(CLOCK_BOOTTIME) }

    /// `timespec` as nanoseconds; clamped to what 64 bits hold.
    static func nanoseconds(_ time: timespec) -> Int64 {
        let (seconds, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return time.tv_sec < 0 ? .min : .max }
        let (sum, tooMuch) = seconds.addingReportingOverflow(Int64(time.tv_nsec))
        return tooMuch ? .max : sum
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Cannot fail: the three clocks exist on every Linux that this program runs on.
        unsafe clock_gettime(clock, &time)
        return nanoseconds(time)
    }
}

/// The wall clock and the monotonic clock read together, as nearly as user space can.
public struct ClockPair: Hashable, Sendable {
    public let monotonic: Int64
    public let wall: Int64
    /// The two readings lie at most this far apart.
    public let uncertainty: Int64

    public init(monotonic: Int64, wall: Int64, uncertainty: Int64 = 0) {
        self.monotonic = monotonic
        self.wall = wall
        self.uncertainty = uncertainty
    }

    /// Wall minus monotonic: constant while nobody sets the clock and the host is not suspended, since the kernel
    /// slews both clocks alike.
    public var offset: Int64 { wall &- monotonic }

    /// Reads wall between two readings of monotonic, and again (at most four times) when it was interrupted.
    public static func now() -> ClockPair {
        var best: ClockPair?
        for _ in 0..<4 {
            let before = Clock.monotonic()
            let wall = Clock.wall()
            let after = Clock.monotonic()
            let width = after &- before
            if width < (best?.uncertainty ?? .max) {
                best = ClockPair(monotonic: before &+ width / 2, wall: wall, uncertainty: width)
            }
            if width < 20_000 { break }
        }
        return best ?? ClockPair(monotonic: Clock.monotonic(), wall: Clock.wall())
    }
}
