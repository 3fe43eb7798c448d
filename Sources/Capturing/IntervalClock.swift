// When a second and an interval of a capture end.

internal import LinuxSystem
internal import Model

/// When an interval ends, by the monotonic clock, and its labels on the wall clock.
struct IntervalClock {
    private let length: Int64
    private var due: Int64
    private var nextSecond: Int64
    /// When the running interval began.
    private(set) var start: WallTime

    init(interval: Duration) {
        length = interval.clampedNanoseconds
        let now = Clock.monotonic()
        due = now.addingSaturated(length)
        nextSecond = now
        start = WallTime(nanoseconds: Clock.wall())
    }

    func isDue(_ now: Int64) -> Bool { now >= due }

    mutating func secondHasPassed(_ now: Int64) -> Bool {
        guard now >= nextSecond else { return false }
        nextSecond = now + 1_000_000_000
        return true
    }

    /// Ends the interval; one that was missed is not made up for.
    mutating func turn(_ now: Int64) -> (start: WallTime, end: WallTime) {
        let end = WallTime(nanoseconds: Clock.wall())
        defer { start = end }
        due = due.addingSaturated(length)
        if due <= now { due = now.addingSaturated(length) }
        return (start, max(start, end))
    }
}
