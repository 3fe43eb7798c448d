// When each probe is due: pure, so that it is tested with times made up.
//
// Ticks lie on a grid of the monotonic clock: phase + k * interval, the phase a hash of target and probe. So probes are
// spread over the interval without any state, a reload keeps the phase, and a restart too.

internal import LinuxSystem
internal import Model

/// What identifies a probe: history, sequence and phase hang on it.
struct ProbeKey: Hashable, Sendable {
    let target: TargetID
    let probe: String

    /// Where in the interval the probe's ticks lie, in nanoseconds: the same in every process.
    func phase(interval: Int64) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in target.rawValue.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        for byte in probe.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        // FNV's high bits are poor for short texts; the mix spreads neighbours like host-1 and host-2.
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        hash ^= hash >> 31
        return Int64(hash.multipliedFullWidth(by: UInt64(max(interval, 1))).high)
    }
}

/// A probe that is due.
struct Tick: Hashable, Sendable {
    let probe: Int
    /// The moment on the grid.
    let scheduled: Int64
    /// How long after it the tick was taken, never below 0.
    let lateness: Int64
    /// Ticks of this probe that were skipped since its last one.
    let missed: UInt32
}

/// Hands out ticks. A tick that is too late is skipped and counted with the next one, so that a stall of any length is
/// followed by the usual spread and not by a burst.
struct Scheduler {
    private struct Probe {
        var interval: Int64
        var phase: Int64
        var missed: UInt32 = 0
        /// Tells the heap's present entry from those of an earlier schedule.
        var generation: UInt64
    }

    private struct Due {
        let probe: Int
        let generation: UInt64
    }

    private var probes: [Int: Probe] = [:]
    private var queue = TimerHeap<Due>()
    private var nextGeneration: UInt64 = 0
    /// All ticks skipped since the start.
    private(set) var totalMissed: UInt64 = 0

    var count: Int { probes.count }

    /// When `takeTick` has something next; may be early where a probe was removed.
    var nextDeadline: Int64? { queue.nextDeadline }

    /// How late a tick may begin before it is skipped: a fifth of the interval, five seconds at most. So a stall is
    /// never followed by more than a fifth of an interval's probes at once.
    static func tolerance(interval: Int64) -> Int64 { min(interval / 5, 5_000_000_000) }

    /// Begins to schedule `probe`, first at the next moment of its grid after `now`.
    mutating func add(_ probe: Int, interval: Int64, phase: Int64, now: Int64) {
        let interval = max(interval, 1)
        nextGeneration &+= 1
        probes[probe] = Probe(interval: interval, phase: phase, generation: nextGeneration)
        queue.push(
            Due(probe: probe, generation: nextGeneration), at: Self.next(after: now, interval: interval, phase: phase))
    }

    mutating func remove(_ probe: Int) {
        probes[probe] = nil
    }

    /// The next tick that is due at `now`; nil when there is none.
    mutating func takeTick(now: Int64) -> Tick? {
        while let (scheduled, due) = queue.popDue(at: now) {
            guard var probe = probes[due.probe], probe.generation == due.generation else { continue }
            let following = Self.next(after: now, interval: probe.interval, phase: probe.phase)
            queue.push(due, at: following)
            let lateness = max(0, now - scheduled)
            let isTaken = lateness <= Self.tolerance(interval: probe.interval)
            // The grid points from `scheduled` up to `now`, without the one that is taken.
            let passed = UInt64(clamping: (following - scheduled) / probe.interval) - (isTaken ? 1 : 0)
            totalMissed &+= passed
            probe.missed = UInt32(clamping: UInt64(probe.missed) + passed)
            defer { probes[due.probe] = probe }
            guard isTaken else { continue }
            let missed = probe.missed
            probe.missed = 0
            return Tick(probe: due.probe, scheduled: scheduled, lateness: lateness, missed: missed)
        }
        return nil
    }

    /// The first moment of the grid after `now`.
    static func next(after now: Int64, interval: Int64, phase: Int64) -> Int64 {
        let elapsed = now - phase
        let steps = elapsed >= 0 ? elapsed / interval + 1 : -((-elapsed - 1) / interval)
        return phase + steps * interval
    }
}
