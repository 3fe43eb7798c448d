// Alert rules, the incidents they open, and the hooks that carry the news.

/// How bad; the order is the sort order.
public enum Severity: String, Hashable, Sendable, CaseIterable, Comparable {
    case info, warning, critical

    public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }
    private var rank: Int { self == .info ? 0 : self == .warning ? 1 : 2 }
}

/// One rule of the config: when it holds for a target, an incident opens; when it no longer holds, it closes.
public struct AlertRule: Hashable, Sendable {
    public enum Condition: Hashable, Sendable {
        /// The target's state is this one (`down`, `degraded` or `unknown`).
        case state(TargetState)
        /// Loss over the window above `above`; clears below `clear`. Shares, 0...1.
        case loss(above: Double, clear: Double)
        /// The RTT percentile (0...100) over the window above `above`; clears below `clear`.
        case rtt(percentile: Double, above: Duration, clear: Duration)
    }

    public var name: String
    public var condition: Condition
    /// Of the last `of` rounds, `needed` must breach; 1 <= needed <= of <= 1,000. Does not apply to `state`.
    public var needed: Int
    public var of: Int
    /// The breach (and the clearance) must last this long.
    public var hold: Duration
    public var severity: Severity
    /// Names of hooks; empty: the incident is recorded only.
    public var hooks: [String]
    /// Targets it applies to: ids or globs with `*`; empty: all but interfaces.
    public var targets: [String]
    /// Target kinds it applies to; empty: all.
    public var kinds: [TargetKind]

    public init(
        name: String, condition: Condition, needed: Int = 1, of: Int = 1, hold: Duration = .zero,
        severity: Severity = .critical, hooks: [String] = [], targets: [String] = [], kinds: [TargetKind] = []
    ) {
        self.name = name
        self.condition = condition
        self.needed = needed
        self.of = of
        self.hold = hold
        self.severity = severity
        self.hooks = hooks
        self.targets = targets
        self.kinds = kinds
    }
}

/// A program that is told of incidents.
public struct HookSpec: Hashable, Sendable {
    public var name: String
    /// argv; the first is an absolute path. Values of an event are never put in.
    public var command: [String]
    /// SIGTERM to its group after this, SIGKILL five seconds later.
    public var timeout: Duration
    /// Attempts of one delivery, 1...100, with growing pauses.
    public var attempts: Int
    /// Extra environment, fixed text of the config.
    public var environment: [String: String]

    public init(
        name: String, command: [String], timeout: Duration = .seconds(30), attempts: Int = 8,
        environment: [String: String] = [:]
    ) {
        self.name = name
        self.command = command
        self.timeout = timeout
        self.attempts = attempts
        self.environment = environment
    }
}

/// A rule that holds, or held, for a target.
public struct Incident: Hashable, Sendable {
    /// Unique for ever on this database; counts up from 1.
    public var id: Int64
    public var rule: String
    /// nil for an incident of the monitor's own uplink.
    public var target: TargetID?
    public var severity: Severity
    public var opened: WallTime
    public var closed: WallTime?
    public var reason: String
    public var layer: FaultLayer?
    public var evidence: [String]
    public var acknowledged: Bool
    /// Hidden from hooks by a silence when it opened.
    public var silenced: Bool
    /// Targets whose own alert was held back because of this one.
    public var suppressed: Int

    public init(
        id: Int64, rule: String, target: TargetID?, severity: Severity, opened: WallTime, closed: WallTime? = nil,
        reason: String, layer: FaultLayer? = nil, evidence: [String] = [], acknowledged: Bool = false,
        silenced: Bool = false, suppressed: Int = 0
    ) {
        self.id = id
        self.rule = rule
        self.target = target
        self.severity = severity
        self.opened = opened
        self.closed = closed
        self.reason = reason
        self.layer = layer
        self.evidence = evidence
        self.acknowledged = acknowledged
        self.silenced = silenced
        self.suppressed = suppressed
    }
}

/// Hooks stay quiet for what matches until it ends.
public struct Silence: Hashable, Sendable {
    public var id: Int64
    /// A target id or a glob with `*`.
    public var match: String
    public var from: WallTime
    public var until: WallTime
    public var reason: String

    public init(id: Int64, match: String, from: WallTime, until: WallTime, reason: String) {
        self.id = id
        self.match = match
        self.from = from
        self.until = until
        self.reason = reason
    }
}
