// One live capture source: its libpcap handle and its thread.

public import LinuxSystem
public import Model
internal import Synchronization

/// A change in the fortune of a source.
public enum CaptureEvent: Hashable, Sendable {
    /// The interface went away or down; the reason in one line.
    case lost(String)
    /// Packets can be read again.
    case resumed
    /// One flow in this many is measured from now on, since the kernel kept dropping packets; 1: all of them again.
    case shedding(oneIn: Int)
}

/// A capture on one interface or on all of them.
///
/// Opened while the process has CAP_NET_RAW, started after it has given that up. The thread wakes at least five times
/// a second, beats its heart, and hands one summary over per interval.
public final class LiveCapture: Sendable {
    /// The interface's name, or `any`.
    public let interface: String
    public let heartbeat = Heartbeat()

    private let settings: CaptureSettings
    private let source: Mutex<PacketSource?>
    private let isStopping = Atomic(false)
    /// Snapshots asked for, and the newest with the number of the last request that it answers.
    private let snapshotsWanted = Atomic<UInt64>(0)
    private let newest = Mutex<(number: UInt64, summary: PassiveSummary)?>(nil)
    private let shared = Mutex(CaptureCounters())
    private let thread = Mutex<Thread?>(nil)

    private init(interface: String, settings: CaptureSettings, source: consuming PacketSource) {
        self.interface = interface
        self.settings = settings
        self.source = Mutex(source)
    }

    /// Opens the source; needs CAP_NET_RAW, so it is called before privileges are dropped.
    ///
    /// Throws where the interface is missing, the permission is, the filter does not compile, or the link type is none
    /// that can be read. With `isAwaited` the interface may be missing: the source begins as lost, and resumes once the
    /// interface is made.
    public static func open(
        interface: String, settings: CaptureSettings, isAwaited: Bool = false
    ) throws(CaptureError) -> LiveCapture {
        let source = try PacketSource.open(
            interface: interface, snapLength: min(max(settings.snapLength, 64), 65_535),
            ringSize: settings.ringSize, filters: CaptureFilter.expressions(narrowedBy: settings.filter),
            whole: CaptureFilter.whole(narrowedBy: settings.filter), isAwaited: isAwaited)
        let link = source.link
        guard link.layer != .unreadable else {
            throw CaptureError(.linkType, source: interface, reason: "\(link.name) packets cannot be read")
        }
        return LiveCapture(interface: interface, settings: settings, source: source)
    }

    /// Starts the source's own thread; a second call does nothing. `onSummary` and `onEvent` are called on it and must
    /// be quick. `interval` is clamped to a second or more.
    public func start(
        attribution: AttributionTable, interval: Duration,
        onSummary: @escaping @Sendable (PassiveSummary) -> Void,
        onEvent: @escaping @Sendable (CaptureEvent) -> Void = { _ in }
    ) throws(CaptureError) {
        let failure: String? = thread.withLock { running in
            guard running == nil else { return nil }
            do {
                running = try Thread.start(name: "capture-\(interface)") { [self] in
                    guard let source = source.withLock({ $0.take() }) else { return }
                    CaptureLoop(
                        capture: self, source: source, attribution: attribution, interval: max(interval, .seconds(1)),
                        onSummary: onSummary, onEvent: onEvent
                    ).run()
                }
                return nil
            } catch {
                return "\(error)"
            }
        }
        if let failure { throw CaptureError(.other, source: interface, reason: failure) }
    }

    /// Ends the thread after a last summary and waits for it, a fifth of a second as a rule.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        let running = thread.withLock { $0 }
        running?.join()
    }

    /// When the loop was last seen alive; at least five times a second.
    public var lastBeat: MonotonicTime { MonotonicTime(nanoseconds: heartbeat.lastBeat) }

    /// The counters as of at most a second ago.
    public var counters: CaptureCounters { shared.withLock { $0 } }

    // MARK: The running interval

    /// The figures of the interval under way, however long it is; nil where the thread does not answer within a second.
    public func currentFigures() async -> PassiveSummary? {
        let number = snapshotsWanted.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
        for _ in 0..<50 {
            if let newest = newest.withLock({ $0 }), newest.number >= number { return newest.summary }
            guard !mustStop, (try? await Task.sleep(for: .milliseconds(20))) != nil else { return nil }
        }
        return nil
    }

    // MARK: For the thread

    var mustStop: Bool { isStopping.load(ordering: .acquiring) }
    var maxFlows: Int { settings.maxFlows }
    var shedding: CaptureSettings.Shedding { settings.shed }

    func publish(_ counters: CaptureCounters) { shared.withLock { $0 = counters } }

    /// The number of the newest request for a snapshot that has not been answered; nil where there is none.
    var snapshotWanted: UInt64? {
        let wanted = snapshotsWanted.load(ordering: .acquiring)
        return newest.withLock { ($0?.number ?? 0) < wanted ? wanted : nil }
    }

    func publish(_ snapshot: PassiveSummary, number: UInt64) { newest.withLock { $0 = (number, snapshot) } }
}
