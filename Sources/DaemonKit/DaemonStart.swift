// From the command line to a running daemon: synchronous, and without a second thread, until privileges are dropped.

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

/// The start of the daemon, step by step; `run` returns the exit status.
struct DaemonStart {
    /// Exit statuses of sysexits.h that the service manager is told not to try again after.
    static let notPermitted: Int32 = 77
    static let badConfiguration: Int32 = 78

    var config: String?
    var stateDirectory: String?
    var runtimeDirectory: String?
    var checkOnly: Bool
    var logLevel: Logger.Level?

    func run() -> Int32 {
        let environment = ProcessEnvironment.current()
        let paths = DaemonPaths(
            config: config, state: stateDirectory, runtime: runtimeDirectory, environment: environment)
        let loaded = ConfigurationLoader.load(
            file: paths.configFile, confDirectory: paths.configDirectory, environment: environment)
        for finding in loaded.diagnostics { StandardStream.error.write("\(finding)\n") }
        guard let configuration = loaded.configuration else { return Self.badConfiguration }
        if checkOnly {
            StandardStream.output.write("\(paths.configFile): ok\n")
            return 0
        }
        let log = makeLog(configuration, environment: environment)
        var signals = SignalWait()
        umask(0o027)

        let privileged = openPrivileged(configuration, log: log)
        guard privileged.canMeasure(configuration) else {
            log.critical("nothing can be measured without CAP_NET_RAW: no ICMP socket, no capture, no other probe")
            return Self.notPermitted
        }
        do {
            try Capabilities.dropAll()
            let holders = try Capabilities.verifyAllThreads()
            guard holders.isEmpty else {
                log.critical("privileges could not be dropped: \(holders.joined(separator: ", "))")
                return Self.notPermitted
            }
        } catch {
            log.critical("privileges could not be dropped: \(error)")
            return Self.notPermitted
        }
        return serve(
            configuration, paths: paths, environment: environment, privileged: privileged, signals: &signals, log: log)
    }

    private func serve(
        _ configuration: Configuration, paths: DaemonPaths, environment: [String: String],
        privileged: PrivilegedSources, signals: inout SignalWait, log: Logger
    ) -> Int32 {
        let opened: OpenedStore
        do {
            opened = try Store.open(
                directory: paths.stateDirectory, settings: configuration.storage, now: Core.now)
        } catch {
            log.critical("\(error)")
            return error.exitStatus
        }
        // A database that was set aside, a gap: what anybody looks for in the log after a bad night.
        for event in opened.events where event.kind != .started {
            log.notice("\(event.text)", metadata: ["event": "\(event.kind.rawValue)"])
        }
        let daemon: Daemon
        do {
            daemon = try Daemon(
                configuration: configuration, paths: paths, environment: environment, privileged: privileged,
                opened: opened, log: log)
            try daemon.start()
        } catch {
            log.critical("cannot start: \(error)")
            opened.store.close()
            return 1
        }
        while signals.next() == .reload { daemon.reload() }
        daemon.stop()
        return 0
    }

    private func makeLog(_ configuration: Configuration, environment: [String: String]) -> Logger {
        let level = logLevel ?? Logger.Level(rawValue: configuration.logLevel) ?? .info
        let toJournal = environment["JOURNAL_STREAM"] != nil
        let budget = LogBudget()
        return Logger(label: "tautd") { _ in LogOutput(logLevel: level, toJournal: toJournal, budget: budget) }
    }

    /// Opens all that needs CAP_NET_RAW. What cannot be opened is said, and the rest works.
    private func openPrivileged(_ configuration: Configuration, log: Logger) -> PrivilegedSources {
        let (sockets, problems) = ProbeSockets.open()
        for problem in problems { log.warning("\(problem)") }
        var sources = PrivilegedSources(sockets: sockets)
        guard configuration.capture.isEnabled else { return sources }
        for interface in configuration.capture.interfaces {
            do {
                sources.captures.append(try openCapture(interface, configuration.capture, log: log))
            } catch {
                log.warning("no passive latency from \(interface): \(error)")
                sources.failedCaptures[interface] = "\(error)"
            }
        }
        return sources
    }

    /// Opens an interface, or a source that waits for it: tunnels come up later than the daemon.
    private func openCapture(
        _ interface: String, _ settings: CaptureSettings, log: Logger
    ) throws(CaptureError) -> LiveCapture {
        do {
            return try LiveCapture.open(interface: interface, settings: settings)
        } catch {
            guard error.kind == .noInterface else { throw error }
            log.warning("no passive latency from \(interface) until it is there: \(error)")
            return try LiveCapture.open(interface: interface, settings: settings, isAwaited: true)
        }
    }
}

/// What was opened while there were privileges.
struct PrivilegedSources: Sendable {
    var sockets: ProbeSockets
    var captures: [LiveCapture] = []
    /// Why an interface is not captured.
    var failedCaptures: [String: String] = [:]

    /// TCP, DNS and link probes need no privilege; ICMP alone without a socket is nothing.
    func canMeasure(_ configuration: Configuration) -> Bool {
        if !captures.isEmpty || sockets.kind4 != .unavailable || sockets.kind6 != .unavailable { return true }
        let kinds = configuration.targets.flatMap(\.probes).map(\.kind)
        return kinds.contains { $0 == .tcp || $0 == .dns } || configuration.discovery.resolvers
    }
}
