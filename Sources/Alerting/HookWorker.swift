// The loop of the delivery thread.

internal import CLinux
internal import Glibc
internal import LinuxSystem
internal import Model
internal import Synchronization

/// Everything the delivery thread owns.
struct HookWorker {
    private struct Run {
        var process: HookProcess
        /// Place in the spool; nil for a test.
        var sequence: UInt64?
        var notice: HookNotice
        var attempt: Int
        var continuation: CheckedContinuation<HookRunResult, Never>?
    }

    private let owner: HookDelivery
    private var hooks: [String: HookSpec] = [:]
    private var site = ""
    private var queue: DeliveryQueue
    private var runs: [Run] = []
    private var counters = HookCounters()
    private var isStopping = false

    init(_ owner: HookDelivery) {
        self.owner = owner
        queue = DeliveryQueue(spool: owner.spool, limits: owner.limits, now: .now)
    }

    /// Runs until `HookDelivery.stop`.
    mutating func run() {
        while true {
            owner.heartbeat.beat()
            takeInbox()
            if isStopping {
                for run in runs { run.process.interrupt(patience: owner.limits.stopPatience) }
            } else {
                startRuns()
            }
            publish()
            if isStopping, runs.isEmpty { break }
            wait()
            advanceRuns()
        }
        end()
    }

    private mutating func takeInbox() {
        // A chunk at a time: each notice costs an fsync, and deadlines of running hooks must be looked at in between.
        let taken = owner.inbox.withLock { inbox in
            let chunk = inbox.isStopping ? inbox.notices.count : min(32, inbox.notices.count)
            let result = (
                notices: Array(inbox.notices.prefix(chunk)), tests: inbox.tests, replays: inbox.replays,
                hooks: inbox.hooks, site: inbox.site, open: inbox.open, isStopping: inbox.isStopping
            )
            inbox.notices.removeFirst(chunk)
            inbox.tests = []
            inbox.replays = []
            inbox.hooks = nil
            inbox.open = nil
            // Counted here until the queue's own figure is published, so that `pending` never reads too low.
            inbox.counters.pending += chunk
            return result
        }
        isStopping = taken.isStopping
        site = taken.site
        if let specs = taken.hooks {
            hooks = Dictionary(specs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        for notice in taken.notices { queue.accept(notice, now: .now) }
        if let open = taken.open { queue.reconcile(open: open, wall: wall, now: .now) }
        for wish in taken.replays {
            wish.continuation.resume(returning: queue.replay(wish.id, open: wish.open, now: .now))
        }
        for test in taken.tests { startTest(test) }
    }

    private var wall: WallTime { WallTime(nanoseconds: Clock.wall()) }

    // MARK: - Runs

    private mutating func startRuns() {
        while runs.count < owner.limits.concurrency, let message = queue.next(now: .now) {
            let notice = message.notice
            guard let hook = hooks[notice.hook] else {
                queue.abandon(message.sequence, reason: "no hook of this name is configured")
                continue
            }
            do {
                let process = try HookProcess(hook, message: message)
                runs.append(
                    Run(process: process, sequence: message.sequence, notice: notice, attempt: message.attempt))
            } catch {
                failed(message.sequence, notice, attempt: message.attempt, .refused(hook: hook.name, error.reason))
            }
        }
    }

    private mutating func startTest(_ test: HookDelivery.TestRun) {
        guard let hook = hooks[test.hook] else {
            test.continuation.resume(returning: .refused(hook: test.hook, "no hook of this name is configured"))
            return
        }
        let notice = HookNotice.test(hook: hook.name, site: site, now: wall)
        do {
            let process = try HookProcess(hook, message: HookMessage(notice))
            runs.append(Run(process: process, notice: notice, attempt: 1, continuation: test.continuation))
        } catch {
            test.continuation.resume(returning: .refused(hook: hook.name, error.reason))
        }
    }

    private mutating func advanceRuns() {
        var index = 0
        while index < runs.count {
            guard let result = runs[index].process.advance() else {
                index += 1
                continue
            }
            let run = runs.remove(at: index)
            run.continuation?.resume(returning: result)
            guard let sequence = run.sequence else { continue }
            if result.isDelivered {
                counters.delivered &+= 1
                queue.delivered(sequence)
                owner.report(.delivered(hook: result.hook, notice: run.notice.id, attempts: run.attempt))
            } else if result.ending == .interrupted {
                queue.interrupted(sequence)
            } else {
                failed(sequence, run.notice, attempt: run.attempt, result)
            }
        }
    }

    private mutating func failed(_ sequence: UInt64, _ notice: HookNotice, attempt: Int, _ result: HookRunResult) {
        let wasRun: Bool
        if case .refused = result.ending { wasRun = false } else { wasRun = true }
        let willRetry = queue.failed(
            sequence, reason: result.text, attempts: hooks[notice.hook]?.attempts ?? 1, mayKnow: wasRun, now: .now)
        counters.lastError = "hook \(notice.hook): \(result.text)"
        if willRetry {
            counters.retried &+= 1
            owner.report(.retrying(hook: notice.hook, notice: notice.id, attempt: attempt, reason: result.text))
        } else {
            counters.failed &+= 1
            owner.report(.gaveUp(hook: notice.hook, notice: notice.id, attempts: attempt, reason: result.text))
        }
    }

    // MARK: - Waiting

    private mutating func wait() {
        var descriptors = [pollfd(fd: owner.wake.rawValue, events: Int16(POLLIN), revents: 0)]
        for run in runs {
            for number in run.process.descriptors {
                descriptors.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0))
            }
        }
        let now = SuspendingClock.now
        var pause = Duration.seconds(1)
        for run in runs { pause = min(pause, run.process.wakeUp - now) }
        let hasRoom = runs.count < owner.limits.concurrency && !isStopping
        // A notice that is due but blocked by another waits for that one's end, which wakes the loop by itself.
        if hasRoom, let next = queue.nextWake, next > now { pause = min(pause, next - now) }
        if owner.inbox.withLock({ !$0.notices.isEmpty }) { pause = .zero }
        let milliseconds = Int32(clamping: max(0, pause.clampedNanoseconds.addingSaturated(999_999) / 1_000_000))
        _ = unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        var count: UInt64 = 0
        _ = unsafe read(owner.wake.rawValue, &count, 8)
    }

    private mutating func publish() {
        counters.pending = queue.entries.count
        counters.running = runs.count
        counters.owed = queue.owed
        counters.superseded = queue.superseded
        counters.dropped = queue.dropped
        for event in queue.events {
            if event.isFailure { counters.lastError = event.text }
            owner.report(event)
        }
        queue.events = []
        let counters = self.counters
        owner.inbox.withLock { $0.counters = counters }
    }

    private mutating func end() {
        let late = owner.inbox.withLock { inbox in
            inbox.hasEnded = true
            let late = (notices: inbox.notices, tests: inbox.tests, replays: inbox.replays)
            inbox.notices = []
            inbox.tests = []
            inbox.replays = []
            return late
        }
        for notice in late.notices { queue.accept(notice, now: .now) }
        for test in late.tests { test.continuation.resume(returning: .refused(hook: test.hook, "stopping")) }
        for wish in late.replays { wish.continuation.resume(returning: nil) }
        publish()
    }
}

extension HookNotice {
    static func test(hook: String, site: String, now: WallTime) -> HookNotice {
        HookNotice(
            id: "test-\(now.nanoseconds)-\(hook)", hook: hook, event: .test, rule: "test", title: "test message",
            reason: "this is a test of hook \(hook); nothing is wrong", site: site, since: now, created: now)
    }
}
