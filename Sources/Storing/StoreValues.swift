// What the store hands out.

public import Model

/// A store that is open for writing, with what opening found.
public struct OpenedStore: Sendable {
    public let store: Store
    /// What opening found out about the time before: gaps, an unclean stop, a file set aside. Already stored.
    public let events: [MonitorEvent]
    public let restored: RestoredState
}

/// What the daemon goes on from after a restart.
public struct RestoredState: Hashable, Sendable {
    /// The last verdict of each target that was active.
    public var verdicts: [TargetID: Verdict] = [:]
    public var openIncidents: [Incident] = []
    /// Silences that have not ended.
    public var silences: [Silence] = []
    /// Above the id of every incident there ever was; at least 1.
    public var nextIncidentID: Int64 = 1
    /// Above the id of every silence there ever was; at least 1.
    public var nextSilenceID: Int64 = 1
    /// When the monitor last wrote; nil in a new database.
    public var lastAlive: WallTime?

    public init() {}
}

/// What the writer has done, from the opening of the store.
public struct StoreCounters: Hashable, Sendable {
    /// Results and passive cells that wait to be committed.
    public var queued = 0
    /// Results and passive cells that were not taken because the queue was full, or could not be stored.
    public var dropped: UInt64 = 0
    /// Transitions, events and incidents that were lost in the same way.
    public var droppedNotices: UInt64 = 0
    /// Results and passive cells that are on disk.
    public var committed: UInt64 = 0
    public var commits: UInt64 = 0
    public var failedCommits: UInt64 = 0
    public var lastCommit: WallTime?
    /// Why the last commit failed; nil after one that succeeded.
    public var lastError: String?
    /// Bytes of the database file and of its write-ahead log.
    public var databaseBytes: Int64 = 0
    public var logBytes: Int64 = 0
    /// Hours that have been rolled up, a series each.
    public var rolledUp: UInt64 = 0
    /// Rows that retention or the size bound removed.
    public var purged: UInt64 = 0

    public init() {}
}

/// A target as the database knows it.
public struct StoredTarget: Hashable, Sendable {
    public var id: TargetID
    public var kind: TargetKind
    public var title: String
    public var site: String?
    public var labels: [String: String]
    public var parents: [TargetID]
    /// The address as configured: an IP address, a name or an interface.
    public var address: String
    public var isDiscovered: Bool
    /// Whether the daemon watched it when it last said what it watches.
    public var isActive: Bool
    /// In the order of the config.
    public var probes: [StoredProbe]
}

/// A probe of a stored target.
public struct StoredProbe: Hashable, Sendable {
    public var id: String
    public var kind: ProbeKind
    public var interval: Duration
    public var timeout: Duration
}

/// One result with the series it belongs to. Times of sending are stored in whole microseconds.
public struct StoredResult: Hashable, Sendable {
    public var series: SeriesKey
    public var kind: ProbeKind
    public var result: ProbeResult
}

/// How many results came to what.
public struct OutcomeCounts: Hashable, Sendable {
    public var ok: UInt64 = 0
    public var late: UInt64 = 0
    public var lost: UInt64 = 0
    public var refused: UInt64 = 0
    public var error: UInt64 = 0
    public var unresolved: UInt64 = 0
    public var indeterminate: UInt64 = 0

    public init() {}

    public var answered: UInt64 { ok &+ late }
    public var failed: UInt64 { lost &+ refused &+ error }
    public var unknown: UInt64 { unresolved &+ indeterminate }

    mutating func add(_ outcome: Outcome) {
        switch outcome {
        case .ok: ok &+= 1
        case .late: late &+= 1
        case .lost: lost &+= 1
        case .refused: refused &+= 1
        case .error: error &+= 1
        case .unresolved: unresolved &+= 1
        case .indeterminate: indeterminate &+= 1
        }
    }

    /// Counts a number of `OutcomeCode`; one that no release has written says nothing.
    mutating func add(code: Int64) {
        switch code {
        case 0: ok &+= 1
        case 1: late &+= 1
        case 2: lost &+= 1
        case 3: refused &+= 1
        case 4: unresolved &+= 1
        case let code: add(OutcomeCode.outcome(code: code, rttNanoseconds: nil))
        }
    }

    mutating func add(_ other: OutcomeCounts) {
        ok &+= other.ok
        late &+= other.late
        lost &+= other.lost
        refused &+= other.refused
        error &+= other.error
        unresolved &+= other.unresolved
        indeterminate &+= other.indeterminate
    }
}

/// How finely the figures of a history were stored.
public enum StorageLevel: String, Hashable, Sendable, CaseIterable {
    /// Single results: percentiles are exact.
    case raw
    /// Hour rows: percentiles are within the histogram's bound.
    case hours
    /// Day rows, of days of UTC: percentiles are within the histogram's bound.
    case days
}

/// Figures of one probe of one target over a window.
public struct History: Hashable, Sendable {
    public var target: TargetID
    public var probe: String
    public var level: StorageLevel
    /// The step used: the one asked for, or a longer one where the level has no finer figures.
    public var step: Duration
    /// Without holes: a bucket without results is there, with zeros.
    public var buckets: [HistoryBucket]
    /// Time in which nobody measured, or the probe was not there; it counts as unknown in each bucket's `gap`.
    public var unmeasured: [TimeSpan] = []
    /// Time whose stored figures are damaged; it counts as unknown in each bucket's `gap`.
    public var damaged: [TimeSpan] = []
}

/// One step of a history. Times are nanoseconds; nil where nothing was answered.
public struct HistoryBucket: Hashable, Sendable {
    public var start: WallTime
    public var counts: OutcomeCounts
    /// Time of the step in which the monitor did not measure: off, suspended, not yet installed; or in which the probe was
    /// not yet or no longer configured.
    public var gap: Duration
    public var minimum: Int64?
    public var p50: Int64?
    public var p95: Int64?
    public var p99: Int64?
    public var maximum: Int64?
    /// RFC 3550 interarrival jitter at the end of the step; nil where it cannot be known from the level.
    public var jitter: Int64?

    /// Results that count for or against the target; unknown ones are apart.
    public var sent: UInt64 { counts.answered &+ counts.failed }
    public var lost: UInt64 { counts.failed }
    /// Results that say nothing about the target.
    public var unknown: UInt64 { counts.unknown }
    /// Share lost of what is known, 0...1; nil where nothing is known.
    public var loss: Double? { sent == 0 ? nil : Double(lost) / Double(sent) }
}

/// The counters of one capture source when it last reported.
public struct StoredCapture: Hashable, Sendable {
    public var source: String
    public var end: WallTime
    public var counters: CaptureCounters
}
