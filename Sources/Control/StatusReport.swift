// The answer to "how is it?", as one value: what `taut status --json` prints and the control socket carries.

public import Foundation
public import Model

/// The state of everything watched, of the daemon, and what is known to be wrong (`taut/status/1`).
///
/// Built by the same code from the daemon's live memory and from rows of the database.
public struct StatusReport: Codable, Hashable, Sendable {
    public static let schema = "taut/status/1"
    /// Results of a probe that the figures of a report are taken over, at most.
    public static let window = 60
    /// Points of a sparkline, at most.
    public static let sparkLength = 24

    public var schema: String
    public var generated: ReportTime
    /// One line for the whole, worst first.
    public var verdict: String
    /// The worst target's state: `up`, `degraded`, `unknown` or `down`; `unknown` where nothing is watched.
    public var state: String
    /// The name of this vantage point; null where none is configured.
    @OrNull public var site: String?
    public var daemon: Daemon
    public var targets: [Target]
    /// Incidents that are open, newest first.
    public var incidentsOpen: [OpenIncident]
    /// What happened to the monitor itself, newest first: gaps, refused reloads, lost captures.
    public var notices: [Notice]

    private enum CodingKeys: String, CodingKey {
        case schema, generated, verdict, state, site, daemon, targets, notices
        case incidentsOpen = "incidents_open"
    }

    /// - Parameters:
    ///   - targets: in the order they are to be shown.
    ///   - timeZone: in which the verdict names times.
    public init(
        generated: WallTime, site: String? = nil, daemon: Daemon, targets: [Target],
        incidentsOpen: [OpenIncident] = [], notices: [Notice] = [],
        timeZone: TimeZone = .current
    ) {
        schema = StatusReport.schema
        self.generated = ReportTime(generated)
        self.site = site
        self.daemon = daemon
        self.targets = targets
        self.incidentsOpen = incidentsOpen
        self.notices = notices
        let headline = Headline(targets: targets, clock: LocalClock(now: generated, timeZone: timeZone))
        verdict = headline.text
        state = headline.state.rawValue
    }

    /// An incident that has not closed.
    public struct OpenIncident: Codable, Hashable, Sendable {
        public var id: Int64
        public var rule: String
        /// null for an incident of the monitor's own uplink.
        @OrNull public var target: String?
        public var severity: String
        public var opened: ReportTime
        public var reason: String
        @OrNull public var layer: String?
        public var acknowledged: Bool
        public var silenced: Bool
        /// Targets whose own alert was held back because of this one.
        public var suppressed: Int

        public init(_ incident: Incident) {
            id = incident.id
            rule = incident.rule
            target = incident.target?.rawValue
            severity = incident.severity.rawValue
            opened = ReportTime(incident.opened)
            reason = incident.reason
            layer = incident.layer?.rawValue
            acknowledged = incident.acknowledged
            silenced = incident.silenced
            suppressed = incident.suppressed
        }
    }

    /// Something that happened to the monitor itself.
    public struct Notice: Codable, Hashable, Sendable {
        public var kind: String
        public var start: ReportTime
        @OrNull public var end: ReportTime?
        public var text: String

        public init(_ event: MonitorEvent) {
            kind = event.kind.rawValue
            start = ReportTime(event.start)
            end = ReportTime(event.end)
            text = event.text
        }
    }
}
