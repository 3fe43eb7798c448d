// Noticing that we were not there: stalls of the loop, suspensions of the host, steps of the clock. Pure.

internal import LinuxSystem

/// Compares when the loop should have run with when it did, and the three clocks with each other.
struct LoopWatch {
    enum Finding: Hashable {
        /// The loop was late or busy for so many nanoseconds.
        case stall(Int64)
        /// The host slept for so many nanoseconds.
        case suspension(Int64)
        /// The wall clock was set forward (or back, below 0) by so many nanoseconds.
        case clockStep(Int64)
    }

    /// Lateness beyond this is a stall.
    let stallBound: Int64
    /// Smaller differences of clocks are not reported.
    static let clockBound: Int64 = 100_000_000

    private var expected: Int64?
    private var offset: Int64?
    private var sleep: Int64?
    /// How long what came in may have waited to be read: the lateness of the last wake-up, or the work before it.
    private(set) var lateness: Int64 = 0
    private var busy: Int64 = 0

    init(stallBound: Int64) {
        self.stallBound = stallBound
    }

    /// The loop is about to wait, at the latest until `deadline`. What the work since the last wake-up took counts as
    /// lateness too.
    mutating func willWait(at now: Int64, until deadline: Int64) -> Finding? {
        busy = expected.map { now - $0 } ?? 0
        expected = max(now, deadline)
        return busy > stallBound ? .stall(busy) : nil
    }

    /// The loop woke up.
    mutating func didWake(_ clock: ClockPair, boottime: Int64) -> [Finding] {
        var findings: [Finding] = []
        let late = max(0, clock.monotonic - (expected ?? clock.monotonic))
        lateness = max(late, busy)
        if late > stallBound { findings.append(.stall(late)) }
        expected = clock.monotonic
        let slept = boottime - clock.monotonic
        let sleptMore = slept - (sleep ?? slept)
        sleep = slept
        if sleptMore > Self.clockBound { findings.append(.suspension(sleptMore)) }
        let step = clock.offset &- (offset ?? clock.offset) &- max(0, sleptMore)
        offset = clock.offset
        if abs(step) > Self.clockBound { findings.append(.clockStep(step)) }
        return findings
    }
}

/// Up to when packets that stay without an answer say nothing about their targets.
struct Interruptions: Hashable, Sendable {
    private var stalledUntil = Int64.min
    private var suspendedUntil = Int64.min

    mutating func stalled(until now: Int64) { stalledUntil = max(stalledUntil, now) }
    mutating func suspended(until now: Int64) { suspendedUntil = max(suspendedUntil, now) }

    /// Whether a packet sent at `sent` was under way when we were not there.
    func isSuspended(sent: Int64) -> Bool { sent <= suspendedUntil }
    func isStalled(sent: Int64) -> Bool { sent <= stalledUntil }
}
