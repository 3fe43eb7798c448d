// The probe thread as the rest of the daemon sees it.

public import LinuxSystem
public import Model
internal import Synchronization

/// Runs all probes on one thread of its own and hands over rounds.
///
/// Rounds of a series are delivered in the order of their ticks. A round is delivered when every packet of it has a
/// result, at the latest timeout + grace after its last packet; the grace is half of the smaller of timeout and
/// interval, one second at most. An answer within the grace is `late`; one after it is counted (`tooLate`) while the
/// packet stays `lost`. So a slow target is told from a dead one, and an alert waits for at most half an interval.
public final class ProbeEngine: Sendable {
    public let heartbeat = Heartbeat()

    private let sockets: ProbeSockets
    private let onRound: @Sendable (Round) -> Void
    private let onEvent: @Sendable (MonitorEvent) -> Void
    private let shared: SharedState
    private let thread = Mutex<Thread?>(nil)

    /// `onRound` is called on the probe thread and must be quick; `onEvent` too, with stalls, suspensions and clock
    /// steps that the engine noticed.
    public init(
        sockets: ProbeSockets, resolver: ResolverConfiguration,
        onEvent: @escaping @Sendable (MonitorEvent) -> Void = { _ in },
        onRound: @escaping @Sendable (Round) -> Void
    ) {
        self.sockets = sockets
        self.onRound = onRound
        self.onEvent = onEvent
        shared = SharedState(resolver: resolver)
    }

    /// Starts the thread; does nothing where it runs already. Throws where the kernel gives no thread or descriptor.
    ///
    /// An engine that was stopped stays stopped.
    public func start(name: String = "probes") throws(SystemError) {
        guard thread.withLock({ $0 == nil }) else { return }
        let waker = try Waker()
        let loop = Transfer(try EventLoop(waker: waker))
        let (sockets, heartbeat, onRound, onEvent, shared) = (sockets, heartbeat, onRound, onEvent, shared)
        let started = try Thread.start(name: name) {
            let probeLoop = ProbeLoop(
                loop: loop.value, sockets: sockets, shared: shared, heartbeat: heartbeat, onEvent: onEvent,
                onRound: onRound)
            probeLoop.run()
        }
        shared.attach(waker)
        thread.withLock { $0 = started }
    }

    /// Replaces the set of targets, from any thread. Probes whose target and id stay keep phase, sequence and history;
    /// those that are gone end without a last round.
    public func update(targets: [TargetSpec]) {
        shared.post { $0.targets = targets }
    }

    /// Replaces the resolver's settings, from any thread.
    public func update(resolver: ResolverConfiguration) {
        shared.post { $0.resolver = resolver }
    }

    /// Tells the engine what the host knows of its own network, from any thread: probes that cannot leave become
    /// `indeterminate` instead of being counted against their targets, and link probes report their interface.
    public func networkChanged(_ state: NetworkState) {
        shared.post { $0.network = state }
    }

    /// Ends the thread and waits for it. Outstanding probes are dropped without a round.
    public func stop() {
        shared.post { $0.isStopping = true }
        thread.withLock { $0.take() }?.join()
    }

    /// The counters as of at most a quarter of a second ago.
    public var counters: ProbeCounters { shared.counters }
}

/// Hands a value that is not Sendable to the one thread that will use it.
struct Transfer<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
