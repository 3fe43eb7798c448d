// All that the daemon knows and judges, as one value that only the core changes.

internal import Alerting
internal import Control
internal import LinuxSystem
internal import Model
internal import Storing
internal import Wire

/// The daemon's state: targets, verdicts, alert rules, and the newest results. Does no I/O and reads no clock; what must
/// be done is returned.
struct Monitor {
    /// What the core must do, in this order.
    enum Effect: Sendable {
        case store(Round)
        case storeSummary(PassiveSummary)
        case storeTransition(Transition)
        case storeEvent(MonitorEvent)
        case saveIncident(Incident)
        case saveSilence(Silence)
        case removeSilence(Int64)
        case syncTargets([TargetSpec], site: String)
        case probe([TargetSpec])
        case notify(HookNotice)
    }

    /// Events shown by `taut status`, newest first.
    static let noticesShown = 16

    private(set) var configuration: Configuration
    private(set) var targets: [TargetSpec]
    private(set) var judge: Judge
    private(set) var alerts: AlertEngine
    private(set) var window = LiveWindow()
    private(set) var passive = PassiveWindow()
    private(set) var notices: [MonitorEvent] = []
    private(set) var network: NetworkState
    private(set) var lastResult: WallTime?
    private(set) var refusedConfiguration: [String]?
    private(set) var nextSilence: Int64 = 1
    private var resolvers: [IPAddress]

    init(
        configuration: Configuration, network: NetworkState, resolvers: [IPAddress], restored: RestoredState,
        now: WallTime
    ) {
        self.configuration = configuration
        self.network = network
        self.resolvers = resolvers
        targets = TargetDiscovery(configuration: configuration, network: network, resolvers: resolvers).targets()
        judge = Judge(targets: targets, restored: restored.verdicts, started: now)
        alerts = AlertEngine(
            rules: configuration.rules, hooks: configuration.hooks.map(\.name), site: configuration.site,
            targets: targets, incidents: restored.openIncidents, silences: restored.silences,
            nextIncidentID: restored.nextIncidentID)
        nextSilence = max(restored.nextSilenceID, (restored.silences.map(\.id).max() ?? 0).addingSaturated(1))
    }

    /// What must be done once at the start: incidents of the last run are taken up again.
    mutating func begin(now: WallTime) -> [Effect] {
        [.syncTargets(targets, site: configuration.site), .probe(targets)] + effects(alerts.start(now: now))
    }

    // MARK: What comes in

    mutating func observe(_ round: Round, now: WallTime) -> [Effect] {
        guard judge.state(of: round.series.target) != nil else {
            return []  // The target went away with a reload while its last round was under way.
        }
        window.add(round)
        lastResult = max(lastResult ?? .init(nanoseconds: .min), round.results.last?.sent ?? round.scheduled)
        let transitions = judge.observe(round, now: now)
        var result: [Effect] = [.store(round)] + transitions.map { .storeTransition($0) }
        result += effects(alerts.observe(round, transitions: transitions, judge: judge, now: now))
        return result
    }

    mutating func observe(_ summary: PassiveSummary) -> [Effect] {
        passive.add(summary)
        return [.storeSummary(summary)]
    }

    mutating func note(_ event: MonitorEvent) -> [Effect] {
        notices.insert(event, at: 0)
        if notices.count > Self.noticesShown { notices.removeLast() }
        return [.storeEvent(event)]
    }

    /// Events that are stored already, such as the gap found when the database was opened.
    mutating func remember(_ events: [MonitorEvent]) {
        for event in events { _ = note(event) }
    }

    mutating func tick(now: WallTime, monotonic: MonotonicTime) -> [Effect] {
        let transitions = judge.tick(now: now, monotonic: monotonic)
        return transitions.map { .storeTransition($0) }
            + effects(alerts.tick(transitions: transitions, judge: judge, now: now, monotonic: monotonic))
    }

    /// The last notices of a clean stop.
    mutating func drain(now: WallTime, monotonic: MonotonicTime) -> [Effect] {
        effects(alerts.drain(now: now, monotonic: monotonic))
    }

    // MARK: What changes

    /// Takes a configuration that was checked; `notes` say what of it waits for a restart.
    mutating func take(
        _ new: Configuration, notes: [String], resolvers: [IPAddress]? = nil, now: WallTime
    ) -> [Effect] {
        configuration = new
        if let resolvers { self.resolvers = resolvers }
        refusedConfiguration = nil
        let effects = rediscover(now: now, force: true)
        let text = (["config reloaded: \(targets.count) targets"] + notes).joined(separator: "; ")
        return effects + note(MonitorEvent(kind: .reloaded, start: now, text: text))
    }

    /// Keeps the configuration in force, and shows why the new one was refused until one is accepted.
    mutating func refuse(_ findings: [String], now: WallTime) -> [Effect] {
        refusedConfiguration = Array(findings.prefix(100))
        let first = findings.first ?? "unknown error"
        let text = "reload refused, the old config stays in force: \(first)"
        return note(MonitorEvent(kind: .reloadRefused, start: now, text: text))
    }

    mutating func take(network: NetworkState, resolvers: [IPAddress], now: WallTime) -> [Effect] {
        self.network = network
        self.resolvers = resolvers
        return rediscover(now: now, force: false)
    }

    private mutating func rediscover(now: WallTime, force: Bool) -> [Effect] {
        var found = TargetDiscovery(configuration: configuration, network: network, resolvers: resolvers).targets()
        if !force { found = withVanished(found) }
        guard force || found != targets else { return [] }
        targets = found
        judge.update(targets: targets, now: now)
        window.keep(targets: Set(targets.map(\.id)))
        let actions = alerts.update(
            rules: configuration.rules, hooks: configuration.hooks.map(\.name), site: configuration.site,
            targets: targets, now: now)
        return [.syncTargets(targets, site: configuration.site), .probe(targets)] + effects(actions)
    }

    /// A link that goes down takes its addresses and routes along; the gateway behind it must not vanish from the
    /// table just when it is missed. Discovered targets stay until the next reload, unless their successor has come.
    private func withVanished(_ found: [TargetSpec]) -> [TargetSpec] {
        let present = Set(found.map(\.id))
        let gone = targets.filter { $0.isDiscovered && !present.contains($0.id) }
        let kept = gone.filter { old in
            switch old.kind {
            case .gateway, .interface: true
            // resolv.conf says what is used now: an old resolver is of no interest to anybody.
            default: false
            }
        }
        guard !kept.isEmpty else { return found }
        var result = found + kept.prefix(TargetDiscovery.maximumInterfaces)
        // With its default route gone a target has no parent by routing: the one it had still explains its silence.
        let before = Dictionary(targets.map { ($0.id, $0.parents) }, uniquingKeysWith: { first, _ in first })
        let ids = Set(result.map(\.id))
        for index in result.indices where result[index].parents.isEmpty {
            result[index].parents = (before[result[index].id] ?? []).filter { ids.contains($0) }
        }
        return result
    }

    // MARK: What people ask for

    mutating func acknowledge(_ id: Int64) -> [Effect]? {
        alerts.acknowledge(id).map { [.saveIncident($0)] }
    }

    mutating func silence(match: String, duration: Duration, reason: String, now: WallTime) -> (Silence, [Effect]) {
        let silence = Silence(
            id: nextSilence, match: match, from: now, until: now + duration, reason: Text.sanitised(reason))
        nextSilence = nextSilence.addingSaturated(1)
        alerts.add(silence)
        return (silence, [.saveSilence(silence)])
    }

    mutating func unsilence(_ id: Int64) -> [Effect]? {
        alerts.removeSilence(id) ? [.removeSilence(id)] : nil
    }

    private func effects(_ actions: [AlertAction]) -> [Effect] {
        actions.map { action in
            switch action {
            case .save(let incident): .saveIncident(incident)
            case .notify(let notice): .notify(notice)
            }
        }
    }
}
