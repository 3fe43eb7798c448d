// Rules over states and rounds: opens and closes incidents, and says which hooks must know.

public import Model

/// All rules at all targets. A pure value: it reads no clock and does no I/O.
///
/// - An incident opens when its rule has held for `hold`, and closes when the rule has been clear for `hold`. Unknown
///   neither opens (except for a rule on unknown itself) nor closes one.
/// - A loss or RTT rule opens only on an answered round of a target that is up or degraded: silence is the business of
///   state rules, so an outage does not also page for loss.
/// - The built-in rule `uplink` follows `Judge.uplinkFault`: severity critical, hooks of all rules together.
/// - Call `tick` at least once a second: notices leave with it.
public struct AlertEngine: Sendable {
    /// The name of the built-in rule, whose incidents have no target.
    public static let uplinkRule = "uplink"
    /// Most silences held; the oldest goes first.
    public static let maximumSilences = 1_000

    struct Watch: Sendable {
        var spec: TargetSpec
        var tracks: [RuleTrack]
        var mayClose = false
    }

    var rules: [AlertRule]
    var site: String
    var watches: [Watch] = []
    var index: [TargetID: Int] = [:]
    var open: [Int64: Incident] = [:]
    /// Hooks of open incidents whose rule is known; a rule that is gone leaves them here.
    var hooksOf: [Int64: [String]] = [:]
    var allHooks: [String]
    var uplinkIncident: Int64?
    var nextID: Int64
    var batcher = NoticeBatcher()
    /// Watches with a rule that has begun to hold or to clear, so that time alone can decide it.
    var holding: Set<Int> = []
    public private(set) var silences: [Silence]

    /// - Parameters:
    ///   - hooks: names of all configured hooks; where the hooks of a restored incident are no longer known its closing
    ///     goes to all of them, and delivery drops it for those that were never told of its opening.
    ///   - incidents: those open when the last run ended.
    ///   - nextIncidentID: greater than any ever used on this database.
    public init(
        rules: [AlertRule], hooks: [String] = [], site: String = "", targets: [TargetSpec] = [],
        incidents: [Incident] = [], silences: [Silence] = [], nextIncidentID: Int64 = 1
    ) {
        self.rules = rules
        self.site = site
        self.silences = silences
        allHooks = hooks
        nextID = max(nextIncidentID, (incidents.map(\.id).max() ?? 0).addingSaturated(1))
        for incident in incidents where incident.closed == nil { open[incident.id] = incident }
        uplinkIncident = open.values.filter { $0.target == nil }.map(\.id).max()
        install(targets)
    }

    /// Open incidents, oldest first.
    public var openIncidents: [Incident] { open.values.sorted { $0.id < $1.id } }

    /// Notices that went out in summaries instead of singly, and pairs of opening and closing that never had to.
    public var summarisedNotices: UInt64 { batcher.summarised }
    public var cancelledNotices: UInt64 { batcher.cancelled }

    /// Announces restored incidents anew, for the case that the last run ended between storing and spooling. Delivery
    /// drops what was spooled or delivered before, by notice id. Closes those whose rule or target is gone.
    public mutating func start(now: WallTime) -> [AlertAction] {
        let actions = closeOrphans(now: now)
        for incident in openIncidents where !incident.acknowledged && !incident.silenced {
            announce(incident, .firing, state: firingState(incident), now: now)
        }
        return actions
    }

    /// Takes a new configuration. Incidents and holds stay where rule (by name) and target (by id) stay.
    public mutating func update(
        rules: [AlertRule], hooks: [String], site: String, targets: [TargetSpec], now: WallTime
    ) -> [AlertAction] {
        for incident in open.values { hooksOf[incident.id] = self.hooks(of: incident) }
        let old = (watches: watches, index: index, rules: self.rules)
        self.rules = rules
        self.site = site
        allHooks = hooks
        install(targets)
        for slot in watches.indices {
            guard let before = old.index[watches[slot].spec.id] else { continue }
            for track in watches[slot].tracks.indices {
                let rule = rules[watches[slot].tracks[track].rule]
                guard let same = old.watches[before].tracks.first(where: { old.rules[$0.rule] == rule }) else {
                    continue
                }
                watches[slot].tracks[track].takeMemory(of: same, probes: watches[slot].spec.probes)
                if same.breachedSince != nil || same.clearSince != nil { holding.insert(slot) }
            }
        }
        return closeOrphans(now: now)
    }

    /// Marks an incident as seen; nil when none of that id is open. The caller stores what is returned.
    public mutating func acknowledge(_ id: Int64) -> Incident? {
        guard var incident = open[id] else { return nil }
        incident.acknowledged = true
        open[id] = incident
        return incident
    }

    /// Adds a silence; replaces one of the same id.
    public mutating func add(_ silence: Silence) {
        silences.removeAll { $0.id == silence.id }
        silences.append(silence)
        if silences.count > Self.maximumSilences { silences.removeFirst() }
    }

    /// Ends a silence early; false when there is none of that id.
    public mutating func removeSilence(_ id: Int64) -> Bool {
        let before = silences.count
        silences.removeAll { $0.id == id }
        return silences.count != before
    }

    mutating func dropExpiredSilences(now: WallTime) { silences.removeAll { $0.until <= now } }

    private mutating func install(_ targets: [TargetSpec]) {
        watches = []
        index = [:]
        holding = []
        var openByKey: [IncidentKey: Int64] = [:]
        for incident in open.values {
            if let target = incident.target {
                openByKey[IncidentKey(rule: incident.rule, target: target)] = incident.id
            }
        }
        for spec in targets where index[spec.id] == nil {
            var tracks: [RuleTrack] = []
            for (number, rule) in rules.enumerated() where rule.applies(to: spec) {
                let key = IncidentKey(rule: rule.name, target: spec.id)
                tracks.append(RuleTrack(rule: number, incident: openByKey[key]))
            }
            index[spec.id] = watches.count
            watches.append(Watch(spec: spec, tracks: tracks))
        }
    }

    private struct IncidentKey: Hashable {
        var rule: String
        var target: TargetID
    }

    /// Closes incidents that no rule at no target owns any more.
    private mutating func closeOrphans(now: WallTime) -> [AlertAction] {
        let owned = Set(watches.flatMap { $0.tracks.compactMap(\.incident) })
        var actions: [AlertAction] = []
        for incident in openIncidents where !owned.contains(incident.id) && incident.id != uplinkIncident {
            let isGone = incident.target.map { index[$0] == nil } ?? false
            actions += close(incident.id, reason: isGone ? "target removed" : "rule removed", state: nil, now: now)
        }
        return actions
    }
}
