// The thread that owns all judgement.

internal import Alerting
internal import Control
internal import LinuxSystem
internal import Logging
internal import Model
internal import Probing
internal import Storing
internal import Synchronization

/// Takes rounds, summaries and network changes from the other threads, turns the monitor, and hands on what follows.
final class Core: Sendable {
    enum Message: Sendable {
        case round(Round)
        case summary(PassiveSummary)
        case event(MonitorEvent)
        case networkChanged
    }

    /// Messages waiting at most; 5,000 targets at one result a second fill it in half a minute of stall.
    static let mailboxCapacity = 131_072

    /// What the core acts on.
    struct Parts: Sendable {
        var store: Store
        var engine: ProbeEngine
        var hooks: HookDelivery
        var watchdog: Watchdog
        var network: NetworkWatch
        var log: Logger
    }

    let heartbeat = Heartbeat()
    let mailbox: Mailbox<Message>
    private let waker: Waker
    private let monitor: Mutex<Monitor>
    private let parts: Parts
    private let isStopping = Atomic(false)
    private let thread = Mutex<LinuxSystem.Thread?>(nil)
    /// When the files of the resolver and the tables of the kernel are looked at again, unasked; the core's thread only.
    private let nextLooks = Mutex<(resolver: Int64, tables: Int64)>((0, 0))
    /// Held for a turn and what follows from it; the monitor's own lock is for the turn alone, so that readers need not wait.
    private let order = Mutex(())
    private let reportedDrops = Atomic<UInt64>(0)
    /// What the log says of the storage at present.
    private let reportedStorage = Mutex<String?>(nil)

    init(monitor: consuming sending Monitor, waker: Waker, mailbox: Mailbox<Message>, parts: Parts) {
        self.waker = waker
        self.mailbox = mailbox
        self.monitor = Mutex(monitor)
        self.parts = parts
    }

    func start() throws(SystemError) {
        let loop = try EventLoopBox(waker: waker)
        let started = try LinuxSystem.Thread.start(name: "core") { [self] in run(loop) }
        thread.withLock { $0 = started }
    }

    /// Ends the thread after everything that was posted has been handled, and hands on the last notices.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        waker.wake()
        thread.withLock { $0 }?.join()
        turn { $0.drain(now: Self.now, monotonic: Self.monotonic) }
    }

    /// Runs `body` on the monitor and does what it says must be done; from any thread.
    ///
    /// What follows is done before the next turn, so that a change and what undoes it, both stored and told by different
    /// threads, keep their order. Nothing that is done comes back here: it is queued for others, who answer by mail.
    func turn<Value>(_ body: (inout Monitor) -> (Value, [Monitor.Effect])) -> Value {
        order.withLock { _ in
            let (value, effects) = monitor.withLock { body(&$0) }
            perform(effects)
            return value
        }
    }

    /// Reads the monitor; from any thread.
    func read<Value: Sendable>(_ body: (borrowing Monitor) -> Value) -> Value {
        monitor.withLock { body($0) }
    }

    private func turn(_ body: (inout Monitor) -> [Monitor.Effect]) { turn { ((), body(&$0)) } }

    // MARK: The loop

    private func run(_ box: EventLoopBox) {
        let loop = box.loop
        var nextTick = Clock.monotonic()
        parts.network.join(loop, token: 1)
        turn { $0.begin(now: Self.now) }
        while true {
            var networkReady = false
            do {
                try loop.wait(until: nextTick) { token, _ in if token == 1 { networkReady = true } }
            } catch {
                parts.log.critical("the core cannot wait for events: \(error)")
                return
            }
            heartbeat.beat()
            if networkReady, parts.network.drain() { mailbox.post(.networkChanged) }
            for message in mailbox.takeAll() { handle(message) }
            if isStopping.load(ordering: .relaxed) {
                for message in mailbox.takeAll() { handle(message) }
                return
            }
            if Clock.monotonic() >= nextTick {
                tick()
                nextTick = Clock.monotonic() + 500_000_000
            }
        }
    }

    private func handle(_ message: Message) {
        switch message {
        case .round(let round): turn { $0.observe(round, now: Self.now) }
        case .summary(let summary): turn { $0.observe(summary) }
        case .event(let event):
            parts.log.notice("\(event.text)", metadata: ["event": "\(event.kind.rawValue)"])
            turn { $0.note(event) }
        case .networkChanged: networkChanged()
        }
    }

    private func networkChanged() {
        guard let state = parts.network.current() else { return }
        parts.engine.networkChanged(state)
        let resolvers = parts.network.resolvers()
        turn { $0.take(network: state, resolvers: resolvers, now: Self.now) }
    }

    private func tick() {
        turn { $0.tick(now: Self.now, monotonic: Self.monotonic) }
        parts.watchdog.check()
        lookAround()
        for event in parts.store.takeNews() {
            parts.log.notice("\(event.text)", metadata: ["event": "\(event.kind.rawValue)"])
            monitor.withLock { $0.remember([event]) }
        }
        reportStorage()
        let dropped = mailbox.dropped
        if dropped > reportedDrops.exchange(dropped, ordering: .relaxed) {
            parts.log.error("the core is overrun: \(dropped) messages dropped since the start")
        }
    }

    /// Nobody tells of a resolv.conf that was written anew, and netlink may be missing or overrun.
    private func lookAround() {
        let now = Clock.monotonic()
        let (readsFiles, readsTables) = nextLooks.withLock { next in
            let due = (now >= next.resolver, now >= next.tables)
            if due.0 { next.resolver = now + 5_000_000_000 }
            if due.1 { next.tables = now + 60_000_000_000 }
            return due
        }
        var hasChanged = readsTables
        if readsFiles, let resolver = parts.network.settledResolver() {
            parts.engine.update(resolver: resolver)
            parts.log.notice(
                "resolv.conf or the hosts file has changed",
                metadata: ["servers": "\(resolver.servers.map(\.description).joined(separator: " "))"])
            hasChanged = true
        }
        if hasChanged { networkChanged() }
    }

    /// A full disk is shown by `taut status`; whoever reads the log later looks for it there.
    private func reportStorage() {
        let problem = parts.store.counters.lastError
        let before = reportedStorage.withLock { shown in
            defer { shown = problem }
            return shown
        }
        guard problem != before else { return }
        if let problem {
            parts.log.error("results are not stored: \(problem)")
        } else {
            parts.log.notice("results are stored again")
        }
    }

    // MARK: What follows

    private func perform(_ effects: [Monitor.Effect]) {
        for effect in effects {
            switch effect {
            case .store(let round): parts.store.append(round)
            case .storeSummary(let summary): parts.store.append(summary)
            case .storeTransition(let transition):
                parts.store.record(transition)
                parts.log.notice(
                    "\(transition.target) is \(transition.verdict.state.rawValue): \(transition.verdict.reason)",
                    metadata: ["was": "\(transition.from.rawValue)"])
            case .storeEvent(let event): parts.store.record(event)
            case .saveIncident(let incident): parts.store.save(incident)
            case .saveSilence(let silence): parts.store.save(silence)
            case .removeSilence(let id): parts.store.removeSilence(id: id)
            case .syncTargets(let targets, let site): parts.store.sync(targets: targets, site: site)
            case .probe(let targets): parts.engine.update(targets: targets)
            case .notify(let notice): parts.hooks.enqueue(notice)
            }
        }
    }

    static var now: WallTime { WallTime(nanoseconds: Clock.wall()) }
    static var monotonic: MonotonicTime { MonotonicTime(nanoseconds: Clock.monotonic()) }
}

/// Carries an event loop to the thread that will own it.
private final class EventLoopBox: @unchecked Sendable {
    // Unchecked: made on one thread, used on the one it is handed to, never by both.
    let loop: EventLoop

    init(waker: Waker) throws(SystemError) {
        loop = try EventLoop(waker: waker)
    }
}
