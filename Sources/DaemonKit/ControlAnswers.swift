// What the daemon says when `taut` asks.

internal import Alerting
internal import CLinux
internal import Capturing
internal import Control
internal import LinuxSystem
internal import Model
internal import Probing
internal import Storing

/// Answers control requests from the daemon's live memory. Runs on the control thread.
struct ControlAnswers: Sendable {
    let core: Core
    let store: Store
    let engine: ProbeEngine
    let hooks: HookDelivery
    let captures: [LiveCapture]
    let failedCaptures: [String: String]
    let captureHealth: CaptureHealth
    let watchdog: Watchdog
    let started: WallTime
    let startedMonotonic: MonotonicTime
    let configFile: String
    /// Asks the main thread to read the config again.
    let reload: @Sendable () -> Void

    func answer(_ request: ControlRequest, peer: ControlPeer, responder: ControlResponder) {
        switch request {
        case .status: responder.reply(.status(status()))
        case .flows(let grouping): replyFlows(grouping, responder)
        case .stat: responder.reply(.stat(stat()))
        case .reload:
            reload()
            responder.reply(.done("reload asked for; `taut status` shows a refusal"))
        case .hooksTest(let name): testHook(name, responder)
        case .hooksReplay(let id): replayHook(id, responder)
        case .ack(let id): responder.reply(acknowledge(id))
        case .silence(let match, let duration, let reason):
            responder.reply(silence(match, duration, reason))
        case .silences:
            responder.reply(.silences(core.read { $0.alerts.silences }.map { SilenceReport($0) }))
        case .unsilence(let id):
            let done = core.turn { monitor in
                monitor.unsilence(id).map { (true, $0) } ?? (false, [])
            }
            responder.reply(
                done ? .done("silence \(id) ended") : .failed(.notFound, "there is no silence \(id) in force"))
        }
    }

    // MARK: Reports

    private func status() -> StatusReport {
        let now = Core.now
        let daemon = daemonPart(now: now)
        return core.read { monitor in
            let bySeries = Dictionary(grouping: monitor.window.series, by: \.key.target)
            let targets = monitor.targets.map { spec in
                let series = (bySeries[spec.id] ?? []).map { key, value in
                    StatusReport.ProbeSeries(
                        probe: key.probe, kind: value.kind, address: key.address, results: value.results,
                        staleAddressAge: value.staleAddressAge)
                }
                return StatusReport.Target(
                    StatusReport.Subject(spec), verdict: monitor.judge.verdict(for: spec.id), series: series, now: now,
                    isLive: true)
            }
            return StatusReport(
                generated: now, site: monitor.configuration.site.isEmpty ? nil : monitor.configuration.site,
                daemon: daemon, targets: targets,
                incidentsOpen: monitor.alerts.openIncidents.reversed().map { StatusReport.OpenIncident($0) },
                notices: monitor.notices.map { StatusReport.Notice($0) })
        }
    }

    private func daemonPart(now: WallTime) -> StatusReport.Daemon {
        let counters = store.counters
        let probing = engine.counters
        let delivery = hooks.counters
        let (last, refused) = core.read { ($0.lastResult, $0.refusedConfiguration) }
        return StatusReport.Daemon(
            running: true, pid: getpid(), version: Version.current, started: started,
            dataAge: last.map { max(now - $0, .zero) }, configRefused: refused,
            storage: StatusReport.Storage(
                databaseBytes: counters.databaseBytes, queued: counters.queued, dropped: counters.dropped,
                committed: counters.committed, lastCommit: counters.lastCommit, lastError: counters.lastError),
            capture: captureParts(),
            hooks: StatusReport.Hooks(
                pending: delivery.pending, failed: Int(clamping: delivery.failed),
                delivered: Int(clamping: delivery.delivered)),
            probing: StatusReport.Probing(
                sent: probing.sent, missedTicks: probing.missedTicks, duplicates: probing.duplicates,
                foreign: probing.foreign, latenessP99: probing.latenessP99))
    }

    private func captureParts() -> [StatusReport.Capture] {
        captures.map { capture in
            let condition = captureHealth.condition(of: capture.interface)
            return StatusReport.Capture(
                source: capture.interface, running: condition.isRunning, problem: condition.problem,
                counters: capture.counters)
        }
            + failedCaptures.sorted { $0.key < $1.key }.map {
                StatusReport.Capture(source: $0.key, running: false, problem: $0.value)
            }
    }

    /// The window of intervals that have ended, with the running one of each source: a sample shows at once.
    private func replyFlows(_ grouping: FlowsReport.Grouping, _ responder: ControlResponder) {
        let answers = self
        Task.detached {
            var running: [PassiveSummary] = []
            for capture in answers.captures {
                if let figures = await capture.currentFigures() { running.append(figures) }
            }
            // An interval that ended meanwhile is in the window.
            let window = answers.core.read { $0.passive }
            var whole = window
            for figures in running where !window.hasEnded(figures) { whole.add(figures) }
            let merged = whole.merged()
            responder.reply(
                .flows(
                    FlowsReport(
                        generated: Core.now, since: merged?.start, until: merged?.end, by: grouping,
                        cells: (merged?.cells ?? [:]).map { ($0.key, $0.value) }, capture: answers.captureParts(),
                        losses: whole.losses())))
        }
    }

    private func stat() -> DaemonStat {
        var counters: [String: UInt64] = ["core.dropped": core.mailbox.dropped]
        let probing = engine.counters
        counters["probe.sent"] = probing.sent
        counters["probe.late"] = probing.late
        counters["probe.too_late"] = probing.tooLate
        counters["probe.stalls"] = probing.stalls
        counters["probe.missed_ticks"] = probing.missedTicks
        counters["probe.receive_drops"] = probing.receiveDrops
        counters["probe.unstamped"] = probing.unstamped
        for (reason, count) in probing.indeterminate { counters["probe.indeterminate.\(reason.rawValue)"] = count }
        let storage = store.counters
        counters["store.dropped"] = storage.dropped
        counters["store.committed"] = storage.committed
        counters["store.commits"] = storage.commits
        counters["store.failed_commits"] = storage.failedCommits
        counters["alerts.summarised"] = core.read { $0.alerts.summarisedNotices }
        counters["alerts.stray_rounds"] = core.read { $0.judge.strayRounds }
        return DaemonStat(
            generated: Core.now, pid: getpid(), started: started, uptime: Core.monotonic - startedMonotonic,
            configFile: configFile, configRefused: core.read { $0.refusedConfiguration } ?? [],
            heartbeats: watchdog.ages.map {
                DaemonStat.Heartbeat(loop: $0.name, age: .nanoseconds($0.age), isLate: $0.isLate)
            }, counters: counters)
    }

    // MARK: Changes

    private func acknowledge(_ id: Int64) -> ControlReply {
        let done = core.turn { monitor in monitor.acknowledge(id).map { (true, $0) } ?? (false, []) }
        return done
            ? .done("incident \(id) acknowledged") : .failed(.notFound, "there is no open incident \(id)")
    }

    private func silence(_ match: String, _ duration: Duration, _ reason: String) -> ControlReply {
        guard !match.isEmpty, match.utf8.count <= 128 else {
            return .failed(.refused, "a silence matches a target id or a glob of 1 to 128 characters")
        }
        let silence = core.turn { $0.silence(match: match, duration: duration, reason: reason, now: Core.now) }
        return .silences([SilenceReport(silence)])
    }

    private func testHook(_ name: String, _ responder: ControlResponder) {
        guard let hook = core.read({ $0.configuration.hooks.first { $0.name == name } }) else {
            responder.reply(.failed(.notFound, "there is no hook named \(Text.sanitised(name)) in the config"))
            return
        }
        let hooks = hooks
        Task.detached {
            let run = await hooks.test(hook: name)
            responder.reply(.hookRun(Self.report(run, of: hook)))
        }
    }

    /// The output goes as it came: whoever shows it does so line by line, and makes each line harmless.
    static func report(_ run: HookRunResult, of hook: HookSpec) -> HookRunReport {
        HookRunReport(
            hook: run.hook, command: hook.command, succeeded: run.isDelivered, result: run.text,
            duration: run.duration, output: String(decoding: run.output, as: UTF8.self))
    }

    /// `all` is every notice that was given up.
    private func replayHook(_ id: String, _ responder: ControlResponder) {
        let open = core.read { $0.alerts.openIncidents.map(\.id) }
        let hooks = hooks
        Task.detached {
            guard let result = await hooks.replay(id == "all" ? nil : id, open: open) else {
                responder.reply(.failed(.refused, "the daemon is stopping, or has too many such requests"))
                return
            }
            responder.reply(Self.text(of: result, id: id))
        }
    }

    private static func text(of result: HookReplay, id: String) -> ControlReply {
        func list(_ ids: [String]) -> String {
            let shown = ids.suffix(20).map { Text.sanitised($0) }.joined(separator: ", ")
            return ids.count > 20 ? "\(shown) (the latest 20 of \(ids.count))" : shown
        }
        guard id == "all" || result.known.contains(id) else {
            let hint = result.known.isEmpty ? "none was given up" : "given up: \(list(result.known))"
            return .failed(.notFound, "no delivery \"\(Text.sanitised(id))\" was given up; \(hint)")
        }
        var sentences: [String] = []
        if !result.queued.isEmpty { sentences.append("queued again: \(list(result.queued))") }
        if !result.over.isEmpty {
            sentences.append("not queued, the incident is over: \(list(result.over))")
        }
        if !result.refused.isEmpty { sentences.append("not queued, no room in the spool: \(list(result.refused))") }
        guard !sentences.isEmpty else { return .done("no delivery was given up") }
        let text = sentences.joined(separator: "; ")
        return result.queued.isEmpty ? .failed(.refused, text) : .done(text)
    }
}
