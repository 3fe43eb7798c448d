// From single results to rounds: every packet accounted for once, rounds of a series in the order of their ticks.

internal import LinuxSystem
internal import Model
internal import Wire

/// One address of one probe: what a time series is of.
final class Series {
    let key: SeriesKey
    let kind: ProbeKind
    /// The identifier of the series' echoes; nil until the first, and after too many losses.
    var identifier: UInt16?
    /// Packets lost in a row.
    var losses = 0
    /// Counted since the last round that was delivered.
    var duplicates: UInt32 = 0
    var foreign: UInt32 = 0
    /// Its probe is gone: what is still open ends unreported.
    var isRetired = false
    /// Begun rounds, oldest first.
    private(set) var open: [OpenRound] = []

    init(key: SeriesKey, kind: ProbeKind) {
        self.key = key
        self.kind = kind
    }

    func append(_ round: OpenRound) {
        open.append(round)
    }

    /// The oldest round if every packet of it has a result. Later rounds wait for it, so that whoever counts losses in
    /// a row sees them in the order in which they happened.
    func takeFinished() -> OpenRound? {
        guard let first = open.first, first.isComplete else { return nil }
        return open.removeFirst()
    }

    /// Drops what is open, and returns how many rounds that were.
    func retire() -> Int {
        isRetired = true
        defer { open = [] }
        return open.count
    }
}

/// A round whose results are coming in.
final class OpenRound {
    let series: Series
    let tick: Tick
    /// The tick as wall time.
    let scheduled: WallTime
    let firstSequence: UInt32
    let patience: Patience
    let staleAddressAge: Duration?
    private(set) var results: [ProbeResult?]
    private(set) var remaining: Int

    init(
        series: Series, tick: Tick, scheduled: WallTime, packets: Int, firstSequence: UInt32, patience: Patience,
        staleAddressAge: Duration? = nil
    ) {
        self.series = series
        self.tick = tick
        self.scheduled = scheduled
        self.firstSequence = firstSequence
        self.patience = patience
        self.staleAddressAge = staleAddressAge
        results = Array(repeating: nil, count: packets)
        remaining = packets
    }

    var isComplete: Bool { remaining == 0 }

    /// Notes the result of a packet; the first one counts, and a false return says that there was one already.
    func record(_ result: ProbeResult, packet: Int) -> Bool {
        guard results.indices.contains(packet), results[packet] == nil else { return false }
        results[packet] = result
        remaining -= 1
        return true
    }

    /// The round as it is reported; takes the series' counts with it.
    func report(finished: Int64) -> Round {
        defer {
            series.duplicates = 0
            series.foreign = 0
        }
        return Round(
            series: series.key, kind: series.kind, scheduled: scheduled, finished: MonotonicTime(nanoseconds: finished),
            lateness: .nanoseconds(tick.lateness), missedTicks: tick.missed, results: results.compactMap { $0 },
            duplicates: series.duplicates, foreign: series.foreign, staleAddressAge: staleAddressAge)
    }
}

/// How long an answer is waited for, in nanoseconds.
struct Patience: Hashable, Sendable {
    /// From send to `lost`.
    let timeout: Int64
    /// How much longer an answer still counts, as `late`.
    let grace: Int64

    /// Half of the smaller of timeout and interval, one second at most: long enough to tell a slow target from a dead
    /// one, short enough that a verdict comes at most half an interval later.
    init(timeout: Duration, interval: Duration) {
        self.timeout = max(timeout.clampedNanoseconds, 1)
        grace = max(0, min(min(timeout, interval).clampedNanoseconds / 2, 1_000_000_000))
    }

    var total: Int64 { timeout.addingSaturated(grace) }

    /// How long an echo that has its result is remembered, to know duplicates and answers that are too late.
    var memory: Int64 { min(max(timeout.multipliedSaturated(by: 2), 5_000_000_000), 30_000_000_000) }

    /// The outcome of an answer by its round-trip time.
    func outcome(rtt: Int64) -> Outcome {
        rtt > timeout ? .late(rtt: .nanoseconds(rtt)) : .ok(rtt: .nanoseconds(rtt))
    }
}

extension Int64 {
    func multipliedSaturated(by factor: Int64) -> Int64 {
        let (value, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? ((self < 0) == (factor < 0) ? .max : .min) : value
    }
}
