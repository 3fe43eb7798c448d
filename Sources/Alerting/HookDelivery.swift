// The thread that runs hooks: never in the way of a probe, never more than a few children, nothing lost on a stop.

internal import CLinux
internal import Glibc
public import LinuxSystem
public import Model
internal import Synchronization

/// Delivers notices to hooks from an on-disk spool, at least once and in order per incident and target.
///
/// `enqueue` may be called from any thread and only appends to a list in memory; the delivery thread writes it to the
/// spool (with fsync) and `stop` does not return before that is done for everything accepted. What is accepted in the
/// last moment before a crash can be lost; `AlertEngine.start` announces open incidents again and `reconcile` owes the
/// closings, so that nothing stays untold.
public final class HookDelivery: Sendable {
    struct TestRun: Sendable {
        var hook: String
        var continuation: CheckedContinuation<HookRunResult, Never>
    }

    struct ReplayWish: Sendable {
        /// Of the notice; nil: all of them.
        var id: String?
        var open: Set<Int64>
        var continuation: CheckedContinuation<HookReplay?, Never>
    }

    struct Inbox: Sendable {
        var notices: [HookNotice] = []
        var tests: [TestRun] = []
        var replays: [ReplayWish] = []
        var hooks: [HookSpec]?
        var site: String
        var open: Set<Int64>?
        var isStopping = false
        var hasEnded = false
        var overflow: UInt64 = 0
        var counters = HookCounters()
    }

    /// Notices accepted and not yet on the disk; more are dropped and counted.
    static let inboxLimit = 10_000

    let inbox: Mutex<Inbox>
    let wake: OwnedDescriptor
    let limits: HookLimits
    let spool: HookSpool
    private let onEvent: @Sendable (HookEvent) -> Void
    private let thread = Mutex<LinuxSystem.Thread?>(nil)
    public let heartbeat = Heartbeat()

    /// - Parameters:
    ///   - directory: made if missing, mode 0700; its parent must exist.
    ///   - onEvent: called on the delivery thread; must be quick.
    /// - Throws: the call that failed when the spool's folders cannot be made.
    public init(
        directory: String, hooks: [HookSpec], site: String = "", limits: HookLimits = HookLimits(),
        onEvent: @escaping @Sendable (HookEvent) -> Void = { _ in }
    ) throws(SystemError) {
        spool = try HookSpool(directory: directory)
        wake = try Syscall.descriptor("eventfd") { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
        inbox = Mutex(Inbox(hooks: hooks, site: site))
        self.limits = limits
        self.onEvent = onEvent
    }

    /// Starts the delivery thread; what lies in the spool goes out first.
    public func start() throws(SystemError) {
        let started = try LinuxSystem.Thread.start(name: "hooks") {
            var worker = HookWorker(self)
            worker.run()
        }
        thread.withLock { $0 = started }
    }

    /// Accepts a notice. Never blocks on a hook or on the disk.
    public func enqueue(_ notice: HookNotice) {
        inbox.withLock { inbox in
            guard inbox.notices.count < Self.inboxLimit, !inbox.hasEnded else {
                inbox.overflow &+= 1
                return
            }
            inbox.notices.append(notice)
        }
        ring()
    }

    /// Takes a new configuration; runs under way end by the old one.
    public func update(hooks: [HookSpec], site: String) {
        inbox.withLock {
            $0.hooks = hooks
            $0.site = site
        }
        ring()
    }

    /// Says which incidents are open at the start; hooks that were told of others get their closing.
    public func reconcile(open incidents: some Sequence<Int64>) {
        let open = Set(incidents)
        inbox.withLock { $0.open = open }
        ring()
    }

    /// Runs a configured hook once with a test message, outside the spool and its order.
    public func test(hook name: String) async -> HookRunResult {
        await withCheckedContinuation { continuation in
            let isAccepted = inbox.withLock { inbox in
                guard !inbox.isStopping, inbox.tests.count < 16 else { return false }
                inbox.tests.append(TestRun(hook: name, continuation: continuation))
                return true
            }
            guard isAccepted else {
                continuation.resume(returning: .refused(hook: name, "too many tests at once, or stopping"))
                return
            }
            ring()
        }
    }

    /// Puts a notice that was given up (all of them where `id` is nil) back in line; nil while stopping or with many such
    /// wishes at once.
    ///
    /// - Parameter open: the incidents that are open now.
    public func replay(_ id: String?, open: some Sequence<Int64>) async -> HookReplay? {
        let open = Set(open)
        return await withCheckedContinuation { continuation in
            let isAccepted = inbox.withLock { inbox in
                guard !inbox.isStopping, inbox.replays.count < 16 else { return false }
                inbox.replays.append(ReplayWish(id: id, open: open, continuation: continuation))
                return true
            }
            guard isAccepted else { return continuation.resume(returning: nil) }
            ring()
        }
    }

    /// Stops: writes everything accepted to the spool, ends running hooks (SIGTERM, then SIGKILL after
    /// `HookLimits.stopPatience`; their notices stay in the spool) and waits for the thread.
    public func stop() {
        inbox.withLock { $0.isStopping = true }
        ring()
        if let started = thread.withLock({ $0 }) {
            started.join()
        } else if !inbox.withLock({ $0.hasEnded }) {
            var worker = HookWorker(self)
            worker.run()
        }
    }

    /// Accepted and neither delivered nor given up.
    public var pending: Int { inbox.withLock { $0.notices.count + $0.counters.pending } }

    public var counters: HookCounters {
        inbox.withLock { inbox in
            var counters = inbox.counters
            counters.pending += inbox.notices.count
            counters.dropped &+= inbox.overflow
            return counters
        }
    }

    func report(_ event: HookEvent) { onEvent(event) }

    private func ring() {
        var one: UInt64 = 1
        // Full counter: the thread is due to wake anyway.
        _ = unsafe write(wake.rawValue, &one, 8)
    }
}

extension HookRunResult {
    static func refused(hook: String, _ reason: String) -> HookRunResult {
        HookRunResult(hook: hook, ending: .refused(reason), duration: .zero, output: [], discarded: 0)
    }
}
