// The thread of a live capture: ring → engine, seconds, intervals, and what becomes of the interface.

internal import Glibc
internal import LinuxSystem
internal import Model
internal import Wire

/// The thread's own state. It wakes at least five times a second.
@safe
struct CaptureLoop: ~Copyable {
    /// Packets read before the clock is looked at again.
    private static let batch = 4_096
    /// Longest sleep, in milliseconds: the heart beats and the interval ends on time.
    private static let longestWait: Int32 = 200
    /// Wakes without a packet in a row, after which the loop sleeps in between.
    private static let emptyWakeLimit = 16
    /// Nanoseconds between attempts to read from a source that failed for another reason than its interface.
    private static let retryInterval: Int64 = 1_000_000_000

    private let capture: LiveCapture
    private let onSummary: @Sendable (PassiveSummary) -> Void
    private let onEvent: @Sendable (CaptureEvent) -> Void
    private var source: PacketSource
    private let engine: UnsafeMutablePointer<CaptureEngine>
    private var clock: IntervalClock

    private var isLost: Bool
    private var retryAt: Int64 = 0
    private var emptyWakes = 0
    private var kernelDrops = DropTally()
    private var interfaceDrops = DropTally()
    private var shedder = LoadShedder()
    /// Totals when the last second and the last interval ended.
    private var lastSecond = CaptureLoss()
    private var lastInterval = CaptureLoss()

    init(
        capture: LiveCapture, source: consuming PacketSource, attribution: AttributionTable, interval: Duration,
        onSummary: @escaping @Sendable (PassiveSummary) -> Void, onEvent: @escaping @Sendable (CaptureEvent) -> Void
    ) {
        var limits = EngineLimits()
        limits.maxFlows = capture.maxFlows
        unsafe engine = .allocate(capacity: 1)
        unsafe engine.initialize(
            to: CaptureEngine(
                link: source.link.layer, attribution: attribution, limits: limits, keepsSamples: false))
        isLost = source.isWaiting
        self.capture = capture
        self.source = source
        self.onSummary = onSummary
        self.onEvent = onEvent
        clock = IntervalClock(interval: interval)
    }

    deinit {
        unsafe engine.deinitialize(count: 1)
        unsafe engine.deallocate()
    }

    /// Runs until the capture is told to stop.
    consuming func run() {
        if isLost { onEvent(.lost("the interface does not exist yet")) }
        while !capture.mustStop {
            let isReady = wait(for: isLost ? -1 : source.descriptor)
            let now = Clock.monotonic()
            capture.heartbeat.beat(at: now)
            if isLost { recover(now) } else { read(isReady: isReady, now) }
            if !isReady { unsafe engine.pointee.advance(to: Clock.wall()) }
            if clock.secondHasPassed(now) { endSecond() }
            if let number = capture.snapshotWanted { publishSnapshot(number) }
            if clock.isDue(now) { endInterval(now) }
        }
        endInterval(Clock.monotonic())
    }

    // MARK: Reading

    /// Sleeps until a packet or the longest wait; true where there may be packets.
    private func wait(for descriptor: Int32) -> Bool {
        // A negative descriptor is passed over by poll, which then only sleeps.
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&wait, 1, CaptureLoop.longestWait) > 0
    }

    private mutating func read(isReady: Bool, _ now: Int64) {
        guard isReady || !source.hasMoved else {
            // The kernel tells of the end of an interface once, when it goes down, and it may be there still by then.
            follow(nil, now)
            return
        }
        switch unsafe source.read(CaptureLoop.batch, into: engine) {
        case .packets:
            emptyWakes = 0
            return
        case .failed(let reason): follow(reason, now)
        case .endOfFile, .interrupted: break
        }
        // An interface that is down may stay ready without packets; that must not become a busy loop.
        emptyWakes = isReady ? emptyWakes + 1 : 0
        if emptyWakes > CaptureLoop.emptyWakeLimit { _ = wait(for: -1) }
    }

    /// Looks for the interface where reading failed for this reason, or may only seem to go on.
    private mutating func follow(_ reason: String?, _ now: Int64) {
        switch source.follow() {
        case .attached:
            if let reason, !source.hasMoved { lose(reason, now) }
        case .gone(let reason): lose(reason, now)
        case .reattached:
            lose("the interface was deleted and made anew", now)
            isLost = false
            onEvent(.resumed)
        }
    }

    private mutating func lose(_ reason: String, _ now: Int64) {
        onEvent(.lost(CaptureError(.other, source: "", reason: reason).reason))
        isLost = true
        retryAt = now + CaptureLoop.retryInterval
    }

    /// Looks whether the interface is there again, or whether what else was wrong has passed.
    private mutating func recover(_ now: Int64) {
        switch source.follow() {
        case .gone: return
        case .reattached: break
        case .attached:
            guard now >= retryAt else { return }
            retryAt = now + CaptureLoop.retryInterval
            if case .failed = unsafe source.read(CaptureLoop.batch, into: engine) { return }
        }
        isLost = false
        emptyWakes = 0
        onEvent(.resumed)
    }

    // MARK: Seconds and intervals

    private mutating func endSecond() {
        let counters = counters()
        capture.publish(counters)
        let second = counters.loss - lastSecond
        lastSecond = counters.loss
        guard capture.shedding == .auto, shedder.observe(packets: second.packets, drops: second.kernelDrops)
        else { return }
        unsafe engine.pointee.sampleFlows(shift: shedder.shift)
        onEvent(.shedding(oneIn: 1 << shedder.shift))
    }

    private mutating func counters() -> CaptureCounters {
        if let statistics = source.statistics {
            kernelDrops.read(statistics.kernelDrops)
            interfaceDrops.read(statistics.interfaceDrops)
        }
        var counters = unsafe engine.pointee.counters
        counters.kernelDrops = kernelDrops.total
        counters.interfaceDrops = interfaceDrops.total
        return counters
    }

    private mutating func endInterval(_ now: Int64) {
        var names = InterfaceNames(unnumbered: capture.interface)
        let cells = unsafe engine.pointee.drainSummary { names[$0] }
        let counters = counters()
        capture.publish(counters)
        let span = clock.turn(now)
        onSummary(
            PassiveSummary(
                source: capture.interface, start: span.start, end: span.end, cells: cells, counters: counters,
                loss: counters.loss - lastInterval))
        lastInterval = counters.loss
    }

    private mutating func publishSnapshot(_ number: UInt64) {
        var names = InterfaceNames(unnumbered: capture.interface)
        let cells = unsafe engine.pointee.copySummary { names[$0] }
        let counters = counters()
        capture.publish(
            PassiveSummary(
                source: capture.interface, start: clock.start,
                end: max(clock.start, WallTime(nanoseconds: Clock.wall())), cells: cells, counters: counters,
                loss: counters.loss - lastInterval), number: number)
    }
}

/// Names of interfaces by index, each looked up once.
private struct InterfaceNames {
    /// For packets whose link type does not tell.
    let unnumbered: String
    private var known: [UInt32: String] = [:]

    init(unnumbered: String) { self.unnumbered = unnumbered }

    subscript(index: UInt32) -> String {
        mutating get {
            guard index != 0 else { return unnumbered }
            if let name = known[index] { return name }
            let name = InterfaceNames.name(of: index)
            known[index] = name
            return name
        }
    }

    private static func name(of index: UInt32) -> String {
        var buffer = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard unsafe if_indextoname(index, &buffer) != nil else { return "if\(index)" }
        return Text.sanitised(bytes: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }
}
