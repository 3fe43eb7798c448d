// The composition of the daemon: what is started in which order, reloaded, and stopped in the reverse order.

internal import Alerting
internal import CLinux
internal import Capturing
internal import Configuring
internal import Control
internal import LinuxSystem
internal import Logging
internal import Model
internal import Probing
internal import Storing
internal import Synchronization

/// A running daemon. Made and used by the main thread.
final class Daemon {
    private let paths: DaemonPaths
    private let environment: [String: String]
    private let log: Logger
    private let store: Store
    private let core: Core
    private let engine: ProbeEngine
    private let hooks: HookDelivery
    private let captures: [LiveCapture]
    private let answers: ControlAnswers
    private var control: ControlServer?
    private let notifier: ServiceNotifier
    private let watchdog: Watchdog
    private let network: NetworkWatch
    /// What the daemon was started with: capture settings hold until a restart.
    private let startedWith: Configuration
    private let reloader: Reloader
    private let captureHealth = CaptureHealth()

    init(
        configuration: Configuration, paths: DaemonPaths, environment: [String: String],
        privileged: PrivilegedSources, opened: OpenedStore, log: Logger
    ) throws {
        self.paths = paths
        self.environment = environment
        self.log = log
        store = opened.store
        startedWith = configuration
        captures = privileged.captures
        notifier = try ServiceNotifier(environment: environment)
        watchdog = Watchdog(
            notifier: notifier, interval: notifier.watchdogInterval.map { .nanoseconds($0) }, log: log)
        network = NetworkWatch(log: log)

        let waker = try Waker()
        let mailbox = Mailbox<Core.Message>(capacity: Core.mailboxCapacity) { waker.wake() }
        engine = ProbeEngine(
            sockets: privileged.sockets, resolver: network.resolver,
            onEvent: { mailbox.post(.event($0)) }, onRound: { mailbox.post(.round($0)) })
        hooks = try HookDelivery(
            directory: paths.spoolDirectory, hooks: configuration.hooks, site: configuration.site,
            onEvent: { event in
                // Deliveries are counted; only what went wrong is news.
                guard event.isFailure else { return }
                mailbox.post(.event(MonitorEvent(kind: .hookFailed, start: Core.now, text: event.text)))
            })
        var monitor = Monitor(
            configuration: configuration, network: network.current() ?? NetworkState(),
            resolvers: network.resolvers(), restored: opened.restored, now: Core.now)
        monitor.remember(opened.events)
        core = Core(
            monitor: monitor, waker: waker, mailbox: mailbox,
            parts: Core.Parts(
                store: opened.store, engine: engine, hooks: hooks, watchdog: watchdog, network: network, log: log))
        reloader = Reloader(paths: paths, environment: environment, log: log)
        answers = ControlAnswers(
            core: core, store: opened.store, engine: engine, hooks: hooks, captures: captures,
            failedCaptures: privileged.failedCaptures, captureHealth: captureHealth, watchdog: watchdog,
            started: Core.now,
            startedMonotonic: Core.monotonic, configFile: paths.configFile,
            reload: { _ = kill(getpid(), SIGHUP) })
    }

    /// Starts every loop; to be called after privileges are dropped.
    func start() throws {
        try store.start()
        try hooks.start()
        hooks.reconcile(open: core.read { $0.alerts.openIncidents.map(\.id) })
        if let state = network.current() { engine.networkChanged(state) }
        try engine.start(name: "probe")
        try core.start()
        startCaptures()
        let control = try ControlServer(path: paths.controlSocket, handler: answers.answer)
        self.control = control
        watchdog.watch(
            [
                .init(name: "probe", beat: engine.heartbeat, allowance: .seconds(10)),
                .init(name: "core", beat: core.heartbeat, allowance: .seconds(10)),
                .init(name: "control", beat: control.heartbeat, allowance: .seconds(10)),
                .init(name: "hooks", beat: hooks.heartbeat, allowance: .seconds(60)),
                .init(name: "store", beat: store.heartbeat, allowance: .seconds(120)),
            ] + captures.map { .init(name: "capture \($0.interface)", beat: $0.heartbeat, allowance: .seconds(10)) })
        verifyPrivileges()
        log.notice("tautd \(Version.current) started")
        notifier.ready(status: "watching \(core.read { $0.targets.count }) targets")
    }

    /// Every thread that exists by now must be without capabilities; if one is not, the drop came too late.
    private func verifyPrivileges() {
        do {
            for holder in try Capabilities.verifyAllThreads() { log.critical("a thread holds privileges: \(holder)") }
        } catch {
            log.error("the threads' privileges cannot be checked: \(error)")
        }
    }

    private func startCaptures() {
        let settings = startedWith.capture
        let attribution = AttributionTable(
            networks: startedWith.networks, services: startedWith.services, peerPrefix4: settings.peerPrefix4,
            peerPrefix6: settings.peerPrefix6, keepsNames: settings.keepsNames)
        for capture in captures {
            let (mailbox, health) = (core.mailbox, captureHealth)
            let interface = capture.interface
            do {
                try capture.start(
                    attribution: attribution, interval: settings.interval,
                    onSummary: { mailbox.post(.summary($0)) },
                    onEvent: { event in
                        health.take(event, interface: interface)
                        mailbox.post(.event(MonitorEvent(event, interface: interface, at: Core.now)))
                    })
            } catch {
                log.error("no passive latency from \(interface): \(error)")
            }
        }
    }

    /// Reads the config again; takes it whole or not at all.
    func reload() {
        notifier.reloading()
        switch reloader.load(startedWith: startedWith) {
        case .refused(let findings):
            core.turn { ((), $0.refuse(findings, now: Core.now)) }
        case .accepted(let configuration, let notes):
            hooks.update(hooks: configuration.hooks, site: configuration.site)
            if let resolver = network.reloadResolver() { engine.update(resolver: resolver) }
            let resolvers = network.resolvers()
            core.turn { ((), $0.take(configuration, notes: notes, resolvers: resolvers, now: Core.now)) }
            log.notice("config reloaded: \(core.read { $0.targets.count }) targets")
        }
        notifier.ready(status: "watching \(core.read { $0.targets.count }) targets")
    }

    /// Stops within five seconds: no new work first, then what is under way, the database last.
    func stop() {
        notifier.stopping()
        log.notice("stopping")
        control?.stop()
        engine.stop()
        for capture in captures { capture.stop() }
        core.stop()
        hooks.stop()
        store.close()
        log.notice("stopped")
    }
}
