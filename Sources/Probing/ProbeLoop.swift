// One turn after the other: wait, read, decide, send. All of probing on one thread.

internal import LinuxSystem
internal import Model
internal import Wire

/// The probe thread's own work.
///
/// A turn reads what has come in before it looks at timers, so that after a stall an answer with the kernel's stamp still
/// counts and is not taken for lost because our own clock ran on.
final class ProbeLoop {
    private let loop: EventLoop
    private let shared: SharedState
    private let heartbeat: Heartbeat
    private let onEvent: (MonitorEvent) -> Void
    private let context: ProbeContext
    private let echo4: EchoProber?
    private let echo6: EchoProber?
    private let connects: ConnectProber
    private let questions: DNSClient
    private let resolver: NameResolver
    private let starter: RoundStarter
    private var registry: ProbeRegistry
    private var watch: LoopWatch
    private var lateness = LatenessMeter()
    private var published: Int64 = 0
    private var checkedDrops: Int64 = 0

    /// Tokens of the ICMP sockets; those of sessions count on from there, even and odd.
    private static let token4: UInt64 = 1
    private static let token6: UInt64 = 2

    init(
        loop: EventLoop, sockets: ProbeSockets, shared: SharedState, heartbeat: Heartbeat,
        tuning: ProbeTuning = ProbeTuning(),
        onEvent: @escaping (MonitorEvent) -> Void, onRound: @escaping (Round) -> Void
    ) {
        self.loop = loop
        self.shared = shared
        self.heartbeat = heartbeat
        self.onEvent = onEvent
        let context = ProbeContext(loop: loop, tuning: tuning, onRound: onRound)
        self.context = context
        echo4 = sockets.socket4.map { EchoProber(context: context, socket: $0) }
        echo6 = sockets.socket6.map { EchoProber(context: context, socket: $0) }
        connects = ConnectProber(context: context, attempts: (first: 16, step: 2))
        questions = DNSClient(context: context, exchanges: (first: 17, step: 2))
        resolver = NameResolver(context: context, client: questions, configuration: shared.initialResolver)
        starter = RoundStarter(
            context: context, echo4: echo4, echo6: echo6, connects: connects, questions: questions, resolver: resolver)
        registry = ProbeRegistry()
        watch = LoopWatch(stallBound: tuning.stallBound)
    }

    /// Runs until it is told to stop.
    func run() {
        prepare()
        while turn() {}
        finish()
    }

    /// Runs until `isDone` says so after a turn, or it is told to stop.
    func run(until isDone: (ProbeLoop) -> Bool) {
        prepare()
        while turn(), !isDone(self) {}
        finish()
    }

    /// Rounds that are begun and not delivered, and ticks that wait for a name.
    var hasOpenWork: Bool { context.openRounds > 0 || starter.hasWaiting }

    /// Whether each probe has begun `count` rounds.
    func hasBegun(rounds count: Int) -> Bool { registry.entries.values.allSatisfy { $0.ticks >= count } }

    var counters: ProbeCounters { snapshot() }

    private func prepare() {
        context.network = NetworkView()
        // Without this picture a dead link of our own cannot be told from a dead target until `networkChanged` comes.
        if let state = try? NetworkState.current() { context.network.update(state) }
        for (echo, token) in [(echo4, Self.token4), (echo6, Self.token6)] {
            guard let echo else { continue }
            do {
                try loop.add(echo.socket.descriptor.rawValue, for: .readable, token: token)
            } catch {
                report(.stall, "ICMP replies cannot be awaited: \(error)")
            }
        }
        heartbeat.beat()
    }

    private func finish() {
        connects.closeAll()
        questions.closeAll()
        for echo in [echo4, echo6] {
            if let echo { loop.remove(echo.socket.descriptor.rawValue) }
        }
        shared.publish(snapshot())
    }

    // MARK: A turn

    /// False once the loop shall end.
    private func turn() -> Bool {
        let now = Clock.monotonic()
        let deadline = nextDeadline(now: now)
        if let finding = watch.willWait(at: now, until: deadline) { take(finding) }
        var ready: [(UInt64, Readiness)] = []
        do {
            try loop.wait(until: deadline) { ready.append(($0, $1)) }
        } catch {
            report(.stall, "the event loop failed: \(error)")
            return false
        }
        context.clock = ClockPair.now()
        let findings = watch.didWake(context.clock, boottime: Clock.boottime())
        context.stall = watch.lateness
        for finding in findings { take(finding) }
        heartbeat.beat(at: context.clock.monotonic)

        for (token, readiness) in ready { handle(token, readiness) }
        if findings.isEmpty == false || context.clock.monotonic - checkedDrops >= 1_000_000_000 {
            readAll()
            checkedDrops = context.clock.monotonic
        }
        guard obey(shared.take()) else { return false }
        fireTimers()
        takeTicks()
        echo4?.flush()
        echo6?.flush()
        if context.clock.monotonic - published >= 250_000_000 {
            published = context.clock.monotonic
            shared.publish(snapshot())
        }
        return true
    }

    private func nextDeadline(now: Int64) -> Int64 {
        let deadlines = [
            registry.scheduler.nextDeadline, echo4?.nextDeadline, echo6?.nextDeadline, connects.nextDeadline,
            questions.nextDeadline, resolver.nextDeadline, context.budget.nextDeadline,
        ]
        var next = now + 250_000_000
        for deadline in deadlines { if let deadline { next = min(next, deadline) } }
        let grid = context.tuning.gatherGrid
        guard registry.scheduler.count >= context.tuning.gatherFrom, grid > 1, next > now else { return next }
        return (next / grid + 1) * grid
    }

    private func handle(_ token: UInt64, _ readiness: Readiness) {
        switch token {
        case Self.token4: echo4?.receive()
        case Self.token6: echo6?.receive()
        default:
            if !connects.handle(token, readiness) { _ = questions.handle(token, readiness) }
        }
    }

    /// Reads what has come in and looks for packets that the kernel had to drop.
    private func readAll() {
        echo4?.receive()
        echo6?.receive()
        echo4?.checkDrops(thorough: true)
        echo6?.checkDrops(thorough: true)
    }

    private func fireTimers() {
        let now = context.clock.monotonic
        context.budget.fire(now: now)
        echo4?.fire(now: now)
        echo6?.fire(now: now)
        connects.fire(now: now)
        questions.fire(now: now)
        resolver.fire(now: now)
        let changed = resolver.takeChanges()
        if !changed.isEmpty { starter.resume(changed) }
    }

    private func takeTicks() {
        // Bounded, so that input is read again before a long row of ticks ends; the rest comes with the next turn.
        for _ in 0..<512 {
            guard let tick = registry.scheduler.takeTick(now: context.clock.monotonic) else { return }
            guard let entry = registry.entries[tick.probe] else { continue }
            lateness.record(tick.lateness, at: context.clock.monotonic)
            entry.ticks += 1
            starter.begin(entry, tick)
        }
    }

    // MARK: Wishes and findings

    private func obey(_ wishes: SharedState.Wishes) -> Bool {
        if wishes.isStopping { return false }
        if let network = wishes.network { context.network.update(network) }
        if let configuration = wishes.resolver { resolver.update(configuration) }
        if let targets = wishes.targets {
            registry.update(targets, now: context.clock.monotonic, starter: starter)
        }
        return true
    }

    /// Schedules each probe with its first tick at once; for commands that do not wait for a phase.
    func schedule(_ targets: [TargetSpec]) {
        context.clock = ClockPair.now()
        registry.update(targets, now: context.clock.monotonic, starter: starter, startsAtOnce: true)
    }

    /// Ends the schedule of every probe that has begun `count` rounds.
    func limit(rounds count: Int) {
        for (id, entry) in registry.entries where entry.ticks >= count { registry.scheduler.remove(id) }
    }

    private func take(_ finding: LoopWatch.Finding) {
        let now = Clock.monotonic()
        switch finding {
        case .stall(let time):
            context.counters.stalls += 1
            context.interruptions.stalled(until: now)
            report(.stall, "probing stood still for \(time / 1_000_000) ms", lasting: time)
        case .suspension(let time):
            context.interruptions.suspended(until: now)
            report(.suspended, "the host slept for \(time / 1_000_000_000) s", lasting: time)
        case .clockStep(let step):
            report(.clockStep, "the clock was set by \(step / 1_000_000) ms")
        }
    }

    private func report(_ kind: MonitorEvent.Kind, _ text: String, lasting time: Int64 = 0) {
        let end = WallTime(nanoseconds: Clock.wall())
        onEvent(MonitorEvent(kind: kind, start: end - .nanoseconds(time), end: time > 0 ? end : nil, text: text))
    }

    private func snapshot() -> ProbeCounters {
        var counters = context.counters
        counters.missedTicks = registry.scheduler.totalMissed
        counters.probes = registry.entries.count
        counters.outstanding = context.openRounds
        counters.descriptorsInUse = context.budget.inUse
        counters.descriptorsAwaited = context.budget.awaited
        lateness.write(to: &counters)
        return counters
    }
}
