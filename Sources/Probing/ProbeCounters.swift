// What the probe engine did, counted.

public import Model
internal import Statistics

/// A snapshot of the engine's counters. All but the gauges count from its start; nothing is dropped uncounted.
public struct ProbeCounters: Hashable, Sendable {
    /// Packets and connection attempts handed to the kernel.
    public var sent: UInt64 = 0
    /// Answers in time.
    public var answered: UInt64 = 0
    /// Answers after the timeout, reported as `late`.
    public var late: UInt64 = 0
    /// Answers so late that the round had been reported with `lost` already.
    public var tooLate: UInt64 = 0
    public var lost: UInt64 = 0
    public var refused: UInt64 = 0
    /// Errors of the target or the path.
    public var errors: UInt64 = 0
    /// Rounds of names that never had an address.
    public var unresolved: UInt64 = 0
    /// Second and later answers to a packet.
    public var duplicates: UInt64 = 0
    /// Packets that claimed to answer but failed id, nonce, source, checksum or question.
    public var foreign: UInt64 = 0
    /// Echo replies and errors to other programs of this host, seen by the raw socket and passed over.
    public var unrelated: UInt64 = 0
    /// Results by the reason why they say nothing.
    public var indeterminate: [IndeterminateReason: UInt64] = [:]
    /// Rounds reported.
    public var rounds: UInt64 = 0
    /// Ticks that were skipped because the loop was late.
    public var missedTicks: UInt64 = 0
    /// Times the loop was late beyond the stall bound.
    public var stalls: UInt64 = 0
    /// Packets that the kernel threw away because our receive buffer was full.
    public var receiveDrops: UInt64 = 0
    /// Answers whose transmit or receive stamp was taken in user space because the kernel gave none.
    public var unstamped: UInt64 = 0

    /// How late ticks began, over the last one to two minutes.
    public var latenessP50: Duration = .zero
    public var latenessP99: Duration = .zero
    /// The worst lateness since the start.
    public var latenessMax: Duration = .zero

    /// Gauges: packets and attempts without a result, probes, descriptors in use, attempts that wait for one.
    public var outstanding: Int = 0
    public var probes: Int = 0
    public var descriptorsInUse: Int = 0
    public var descriptorsAwaited: Int = 0

    public init() {}

    /// Counts one result by its outcome.
    mutating func count(_ outcome: Outcome) {
        switch outcome {
        case .ok: answered += 1
        case .late: late += 1
        case .lost: lost += 1
        case .refused: refused += 1
        case .error: errors += 1
        case .unresolved: unresolved += 1
        case .indeterminate(let reason): indeterminate[reason, default: 0] += 1
        }
    }
}

/// Lateness of ticks over a sliding minute.
struct LatenessMeter {
    private var current = Histogram()
    private var previous = Histogram()
    private var windowStart: Int64?
    private var worst: Int64 = 0

    private static let window: Int64 = 60_000_000_000

    mutating func record(_ lateness: Int64, at now: Int64) {
        let start = windowStart ?? now
        if now - start >= Self.window {
            previous = current
            current = Histogram()
            windowStart = now
        } else {
            windowStart = start
        }
        current.record(nanoseconds: lateness)
        worst = max(worst, lateness)
    }

    func write(to counters: inout ProbeCounters) {
        var both = previous
        both.merge(current)
        counters.latenessP50 = .nanoseconds(both.quantile(0.5) ?? 0)
        counters.latenessP99 = .nanoseconds(both.quantile(0.99) ?? 0)
        counters.latenessMax = .nanoseconds(worst)
    }
}
