// One live capture source: its libpcap handle and its thread.

internal import Glibc
public import LinuxSystem
public import Model
internal import Statistics
internal import Synchronization
internal import Wire

/// A change in the fortune of a source.
public enum CaptureEvent: Hashable, Sendable {
    /// The interface went away or down; the reason in one line.
    case lost(String)
    /// Packets can be read again.
    case resumed
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
    /// that can be read.
    public static func open(interface: String, settings: CaptureSettings) throws(CaptureError) -> LiveCapture {
        let source = try PacketSource.open(
            interface: interface, snapLength: min(max(settings.snapLength, 64), 65_535),
            ringSize: settings.ringSize, filters: CaptureFilter.expressions(narrowedBy: settings.filter))
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
                    let loop = CaptureLoop(
                        capture: self, attribution: attribution, interval: max(interval, .seconds(1)),
                        onSummary: onSummary, onEvent: onEvent)
                    loop.run(source)
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

    fileprivate var mustStop: Bool { isStopping.load(ordering: .acquiring) }
    fileprivate func publish(_ counters: CaptureCounters) { shared.withLock { $0 = counters } }
    fileprivate var maxFlows: Int { settings.maxFlows }
}

/// The thread's own state and loop.
private struct CaptureLoop {
    /// Packets read before the clock is looked at again.
    private static let batch = 4_096
    /// Longest sleep, in milliseconds: the heart beats and the interval ends on time.
    private static let longestWait: Int32 = 200
    /// Wakes without a packet in a row, after which the loop sleeps in between.
    private static let emptyWakeLimit = 16
    /// Nanoseconds between attempts to read from a lost interface.
    private static let retryInterval: Int64 = 1_000_000_000

    let capture: LiveCapture
    let attribution: AttributionTable
    let interval: Duration
    let onSummary: @Sendable (PassiveSummary) -> Void
    let onEvent: @Sendable (CaptureEvent) -> Void

    func run(_ source: consuming PacketSource) {
        let engine = UnsafeMutablePointer<CaptureEngine>.allocate(capacity: 1)
        var limits = EngineLimits()
        limits.maxFlows = capture.maxFlows
        unsafe engine.initialize(
            to: CaptureEngine(
                link: source.link.layer, attribution: attribution, limits: limits, keepsSamples: false))
        defer {
            unsafe engine.deinitialize(count: 1)
            unsafe engine.deallocate()
        }
        var clock = IntervalClock(interval: interval)
        var lost = false
        var retryAt: Int64 = 0
        var emptyWakes = 0
        while !capture.mustStop {
            let ready = wait(for: lost ? -1 : source.descriptor)
            let now = Clock.monotonic()
            capture.heartbeat.beat(at: now)
            if !lost || now >= retryAt {
                switch unsafe source.read(CaptureLoop.batch, into: engine) {
                case .failed(let reason):
                    if !lost { onEvent(.lost(CaptureError(.other, source: "", reason: reason).reason)) }
                    lost = true
                    retryAt = now + CaptureLoop.retryInterval
                case .packets:
                    emptyWakes = 0
                    if lost { onEvent(.resumed) }
                    lost = false
                default:
                    if lost { onEvent(.resumed) }
                    lost = false
                    // An interface that is down may stay ready without packets; that must not become a busy loop.
                    emptyWakes = ready ? emptyWakes + 1 : 0
                    if emptyWakes > CaptureLoop.emptyWakeLimit { _ = wait(for: -1) }
                }
            }
            if !ready { unsafe engine.pointee.advance(to: Clock.wall()) }
            if clock.secondHasPassed(now) { capture.publish(unsafe counters(engine.pointee, source)) }
            if clock.isDue(now) { unsafe handOver(&engine.pointee, source, &clock, now) }
        }
        unsafe handOver(&engine.pointee, source, &clock, Clock.monotonic())
    }

    /// Sleeps until a packet or the longest wait; true where there may be packets.
    private func wait(for descriptor: Int32) -> Bool {
        // A negative descriptor is passed over by poll, which then only sleeps.
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&wait, 1, CaptureLoop.longestWait) > 0
    }

    private func counters(_ engine: borrowing CaptureEngine, _ source: borrowing PacketSource) -> CaptureCounters {
        var counters = engine.counters
        if let statistics = source.statistics {
            counters.kernelDrops = statistics.kernelDrops
            counters.interfaceDrops = statistics.interfaceDrops
        }
        return counters
    }

    private func handOver(
        _ engine: inout CaptureEngine, _ source: borrowing PacketSource, _ clock: inout IntervalClock, _ now: Int64
    ) {
        var names: [UInt32: String] = [:]
        let cells = engine.drainSummary { index in
            if let name = names[index] { return name }
            let name = interfaceName(index)
            names[index] = name
            return name
        }
        let counters = counters(engine, source)
        capture.publish(counters)
        let span = clock.turn(now)
        onSummary(
            PassiveSummary(
                source: capture.interface, start: span.start, end: span.end, cells: cells, counters: counters))
    }

    private func interfaceName(_ index: UInt32) -> String {
        guard index != 0 else { return capture.interface }
        var buffer = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard unsafe if_indextoname(index, &buffer) != nil else { return "if\(index)" }
        return Text.sanitised(bytes: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }
}

/// When an interval ends, by the monotonic clock, and its labels on the wall clock.
private struct IntervalClock {
    private let length: Int64
    private var due: Int64
    private var nextSecond: Int64
    private var start: WallTime

    init(interval: Duration) {
        length = interval.clampedNanoseconds
        let now = Clock.monotonic()
        due = now.addingSaturated(length)
        nextSecond = now
        start = WallTime(nanoseconds: Clock.wall())
    }

    func isDue(_ now: Int64) -> Bool { now >= due }

    mutating func secondHasPassed(_ now: Int64) -> Bool {
        guard now >= nextSecond else { return false }
        nextSecond = now + 1_000_000_000
        return true
    }

    /// Ends the interval; one that was missed is not made up for.
    mutating func turn(_ now: Int64) -> (start: WallTime, end: WallTime) {
        let end = WallTime(nanoseconds: Clock.wall())
        defer { start = end }
        due = due.addingSaturated(length)
        if due <= now { due = now.addingSaturated(length) }
        return (start, max(start, end))
    }
}
