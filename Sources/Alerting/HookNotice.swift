// What a hook is told.

public import Model

/// One message for one hook: an incident opened or closed, or a summary of many.
public struct HookNotice: Hashable, Sendable {
    public enum Event: String, Hashable, Sendable, CaseIterable {
        case firing, resolved
        /// Many incidents in one message, so that an outage does not become a thousand messages.
        case summary
        case test
    }

    /// The same for every attempt and after a restart, so that a receiver can tell a repetition.
    public var id: String
    public var hook: String
    public var event: Event
    /// Incidents that this message says have opened, and those it says have closed. One in total, except in a summary.
    public var opened: [Int64]
    public var closed: [Int64]
    public var rule: String
    public var target: TargetID?
    public var title: String
    public var state: TargetState?
    public var severity: Severity
    public var reason: String
    public var site: String
    public var since: WallTime
    public var until: WallTime?
    public var layer: FaultLayer?
    /// Newest first; in a summary a line an incident, at most fifty.
    public var evidence: [String]
    public var suppressed: Int
    public var created: WallTime

    public init(
        id: String, hook: String, event: Event, opened: [Int64] = [], closed: [Int64] = [], rule: String = "",
        target: TargetID? = nil, title: String = "", state: TargetState? = nil, severity: Severity = .info,
        reason: String, site: String = "", since: WallTime, until: WallTime? = nil, layer: FaultLayer? = nil,
        evidence: [String] = [], suppressed: Int = 0, created: WallTime
    ) {
        self.id = id
        self.hook = hook
        self.event = event
        self.opened = opened
        self.closed = closed
        self.rule = rule
        self.target = target
        self.title = title
        self.state = state
        self.severity = severity
        self.reason = reason
        self.site = site
        self.since = since
        self.until = until
        self.layer = layer
        self.evidence = evidence
        self.suppressed = suppressed
        self.created = created
    }

    /// The incident, where the message is of exactly one.
    public var incident: Int64? {
        event == .firing ? opened.first : event == .resolved ? closed.first : nil
    }
}

/// What the daemon must do on behalf of the alert engine, in this order.
public enum AlertAction: Hashable, Sendable {
    /// Store the incident as it is now; comes before the notices that speak of it.
    case save(Incident)
    /// Hand over to `HookDelivery.enqueue`.
    case notify(HookNotice)
}
