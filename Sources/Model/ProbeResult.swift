// Results of active probes.

public import Wire

/// What a time series is of: one probe of one target at one address.
public struct SeriesKey: Hashable, Sendable {
    public var target: TargetID
    public var probe: String
    /// nil where the target has no IP address (an interface) or none is known yet.
    public var address: IPAddress?

    public init(target: TargetID, probe: String, address: IPAddress?) {
        self.target = target
        self.probe = probe
        self.address = address
    }
}

/// What came of one packet or attempt.
public struct ProbeResult: Hashable, Sendable {
    /// When it was sent (kernel time where there is one), or would have been.
    public var sent: WallTime
    /// Counts up by one a packet within (target, probe), wraps at 2^32.
    public var sequence: UInt32
    public var outcome: Outcome
    public var source: MeasurementSource
    /// The kernel's own handshake RTT (TCP_INFO, microseconds resolution) beside a TCP connect time.
    public var kernelRTT: Duration?
    /// Who sent the error, the rcode and the like; already free of control characters.
    public var note: String?

    public init(
        sent: WallTime, sequence: UInt32, outcome: Outcome, source: MeasurementSource, kernelRTT: Duration? = nil,
        note: String? = nil
    ) {
        self.sent = sent
        self.sequence = sequence
        self.outcome = outcome
        self.source = source
        self.kernelRTT = kernelRTT
        self.note = note
    }
}

/// One scheduled run of one probe, all of its results known.
public struct Round: Hashable, Sendable {
    public var series: SeriesKey
    public var kind: ProbeKind
    /// The tick it belongs to, as wall time.
    public var scheduled: WallTime
    /// When the last result was known.
    public var finished: MonotonicTime
    /// How long after its tick the round began: our own scheduling, shown and never part of an RTT.
    public var lateness: Duration
    /// Ticks skipped before this one because we were late; never fired in a burst.
    public var missedTicks: UInt32
    /// One a packet, in order of sending; never empty.
    public var results: [ProbeResult]
    /// Second and later answers to a packet that was already answered.
    public var duplicates: UInt32
    /// Packets that claimed to answer but failed id, nonce, source or question.
    public var foreign: UInt32
    /// How old the address is when the name could not be resolved anew; nil while resolution works.
    public var staleAddressAge: Duration?

    public init(
        series: SeriesKey, kind: ProbeKind, scheduled: WallTime, finished: MonotonicTime, lateness: Duration = .zero,
        missedTicks: UInt32 = 0, results: [ProbeResult], duplicates: UInt32 = 0, foreign: UInt32 = 0,
        staleAddressAge: Duration? = nil
    ) {
        self.series = series
        self.kind = kind
        self.scheduled = scheduled
        self.finished = finished
        self.lateness = lateness
        self.missedTicks = missedTicks
        self.results = results
        self.duplicates = duplicates
        self.foreign = foreign
        self.staleAddressAge = staleAddressAge
    }

    /// Answered if any packet was, failed if none was and one failed, else unknown.
    public var standing: Outcome.Standing {
        var failed = false
        for result in results {
            switch result.outcome.standing {
            case .answered: return .answered
            case .failed: failed = true
            case .unknown: break
            }
        }
        return failed ? .failed : .unknown
    }
}
