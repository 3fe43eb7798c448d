// A sign of life of a loop, read by the watchdog.

internal import Synchronization

/// When a loop was last seen alive; written by the loop, read from any thread.
public final class Heartbeat: Sendable {
    private let last: Atomic<Int64>

    /// Begins as alive now, so that a loop which never starts is noticed as well.
    public init() {
        last = Atomic(Clock.monotonic())
    }

    /// Says that the loop is alive at `now`, a reading of CLOCK_MONOTONIC in nanoseconds.
    public func beat(at now: Int64 = Clock.monotonic()) {
        last.store(now, ordering: .relaxed)
    }

    /// The last sign of life, CLOCK_MONOTONIC in nanoseconds.
    public var lastBeat: Int64 { last.load(ordering: .relaxed) }

    /// Nanoseconds since the last sign of life, never below 0.
    public func age(at now: Int64 = Clock.monotonic()) -> Int64 { max(0, now &- lastBeat) }
}
