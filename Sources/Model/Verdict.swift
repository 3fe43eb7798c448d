// What is said about a target, and the changes of it.

/// The four states. Unknown is neither up nor down and stays out of availability and alerts.
public enum TargetState: String, Hashable, Sendable, CaseIterable, Comparable {
    case up, degraded, unknown, down

    /// Worse is greater, so that `max` is the state of a whole.
    public static func < (a: TargetState, b: TargetState) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .up: 0
        case .unknown: 1
        case .degraded: 2
        case .down: 3
        }
    }
}

/// The layer at fault, from our own host outwards.
public enum FaultLayer: String, Hashable, Sendable, CaseIterable {
    /// Our own process or host: stall, clock, descriptors.
    case monitor
    case link, gateway, uplink, resolver, path, target, service
}

/// The judgement of one target, with its evidence.
public struct Verdict: Hashable, Sendable {
    public var state: TargetState
    /// When this state began.
    public var since: WallTime
    /// One line for a service desk: "no answer to 3 of 3 rounds of icmp".
    public var reason: String
    public var layer: FaultLayer?
    /// What it rests on, a line each, newest first; at most 16 lines.
    public var evidence: [String]

    public init(
        state: TargetState, since: WallTime, reason: String, layer: FaultLayer? = nil, evidence: [String] = []
    ) {
        self.state = state
        self.since = since
        self.reason = reason
        self.layer = layer
        self.evidence = evidence
    }
}

/// A change of a target's state.
public struct Transition: Hashable, Sendable {
    public var target: TargetID
    public var from: TargetState
    public var verdict: Verdict

    public init(target: TargetID, from: TargetState, verdict: Verdict) {
        self.target = target
        self.from = from
        self.verdict = verdict
    }
}

/// Something that happened to the monitor itself: a gap, an unclean stop, a clock step, a refused reload.
public struct MonitorEvent: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case started, stopped, uncleanStop = "unclean-stop", gap, clockStep = "clock-step", suspended
        case reloaded, reloadRefused = "reload-refused", databaseSetAside = "database-set-aside"
        case databaseChecked = "database-checked"
        case storageDropped = "storage-dropped", captureLost = "capture-lost", captureResumed = "capture-resumed"
        case captureShedding = "capture-shedding"
        case linkDown = "link-down", linkUp = "link-up", stall, hookFailed = "hook-failed"
    }

    public var kind: Kind
    public var start: WallTime
    /// The end where it spans time; nil for a moment.
    public var end: WallTime?
    public var text: String

    public init(kind: Kind, start: WallTime, end: WallTime? = nil, text: String) {
        self.kind = kind
        self.start = start
        self.end = end
        self.text = text
    }
}
