// From time stamps to a round-trip time, or to the reason why there is none.

internal import LinuxSystem
internal import Model

/// The four readings around one question and its answer, in nanoseconds.
struct RoundTrip {
    /// Just before the packet was handed to the kernel.
    let sent: ClockPair
    /// The kernel's transmit stamp, CLOCK_REALTIME.
    let transmitted: Int64?
    /// The kernel's receive stamp, CLOCK_REALTIME.
    let received: Int64?
    /// When the answer was read.
    let read: ClockPair

    /// Wall minus monotonic may differ by this much between two readings (of which each has its own uncertainty).
    static let offsetTolerance: Int64 = 500_000
    /// A kernel interval may exceed the bracket around it by this much.
    static let bracketTolerance: Int64 = 50_000

    enum Reading: Equatable {
        case time(Int64, MeasurementSource)
        /// The wall clock was set while the packet was under way, so that its stamps do not belong together.
        case clockStep
        /// No receive stamp, and we read the answer too late to say when it came.
        case tooLateToTell
    }

    /// The round-trip time by the best stamps there are.
    ///
    /// The stamps are of the wall clock, which steps: so its offset to the monotonic clock must be the same before and
    /// after, and the interval must lie within the bracket of two monotonic readings. `stall` is how late the loop was
    /// when it read the answer; without a receive stamp that is in the figure, so a stall voids it.
    func measure(stall: Int64, stallBound: Int64) -> Reading {
        let drift = (read.offset &- sent.offset).magnitude
        let tolerance = UInt64(clamping: Self.offsetTolerance &+ sent.uncertainty &+ read.uncertainty)
        guard drift <= tolerance else { return .clockStep }
        if received == nil, stall > stallBound { return .tooLateToTell }
        let start = transmitted ?? sent.wall
        let end = received ?? read.wall
        let interval = end &- start
        let bracket = read.monotonic &- sent.monotonic
        let slack = Self.bracketTolerance &+ sent.uncertainty &+ read.uncertainty
        guard interval >= 0, interval <= bracket &+ slack else { return .clockStep }
        return .time(interval, transmitted != nil && received != nil ? .kernel : .user)
    }
}
