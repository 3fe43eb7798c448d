// The writing side: one connection, one thread, one bounded queue.

internal import GRDB
public import LinuxSystem
public import Model
internal import Synchronization

/// The database as the daemon writes it. Nothing but `open`, `flush` and `close` waits for the disk.
///
/// What is appended is committed as a group once per commit interval (the first within a second), notices such as
/// transitions within a second. A crash loses at most what was appended since the last commit. While the disk fails,
/// the queue holds what fits, the rest is dropped and counted, and writing goes on by itself once the disk is well.
public final class Store: Sendable {
    let queue: StoreQueue
    let state: Mutex<Writer?>
    private let thread = Mutex<Thread?>(nil)
    private let isStarted = Atomic(false)
    let lock: Mutex<StateLock?>
    let figures = Mutex(StoreCounters())
    let beat = Heartbeat()
    let files: StateFiles
    let commitInterval: Int64
    let clock: @Sendable () -> WallTime
    /// Nil where nothing is left to be checked.
    let startCheck: StartCheck?
    let news = Mutex<[MonitorEvent]>([])

    init(
        writer: consuming Writer, files: StateFiles, lock: StateLock, queue: StoreQueue,
        startCheck: StartCheck?,
        commitInterval: Duration, clock: @escaping @Sendable () -> WallTime
    ) {
        self.startCheck = startCheck
        state = Mutex(writer)
        self.files = files
        self.lock = Mutex(lock)
        self.queue = queue
        self.commitInterval = max(commitInterval.clampedNanoseconds, 10_000_000)
        self.clock = clock
    }

    /// Opens or makes `tautline.db` in the directory, and records the time since the last run as unknown.
    ///
    /// Starts no thread, so it may be called before privileges are dropped. Throws where another daemon has the
    /// directory, the file is of a newer release or of another program, or cannot be opened; a damaged file is set
    /// aside instead.
    public static func open(
        directory: String, settings: StorageSettings, now: WallTime
    ) throws(StoreError) -> OpenedStore {
        let opening = Opening(files: StateFiles(directory: directory), settings: settings)
        return try open(opening, now: now, limits: StoreQueue.Limits()) { WallTime(nanoseconds: Clock.wall()) }
    }

    static func open(
        _ opening: Opening, now: WallTime, limits: StoreQueue.Limits, clock: @escaping @Sendable () -> WallTime
    ) throws(StoreError) -> OpenedStore {
        try opening.files.makeDirectory()
        let lock = try acquireLock(opening.files.lock)
        let opened = try opening.open(now: now)
        let queue: StoreQueue
        do {
            queue = try StoreQueue(limits: limits)
        } catch {
            throw .failed("\(error)")
        }
        let writer = Writer(files: opening.files, opening: opening, queue: opened.queue)
        let store = Store(
            writer: writer, files: opening.files, lock: lock, queue: queue,
            startCheck: opened.needsCheck
                ? StartCheck(path: opening.files.database, waker: queue.waker) : nil,
            commitInterval: opening.settings.commitInterval, clock: clock)
        store.updateSizes()
        return OpenedStore(store: store, events: opened.events, restored: opened.restored)
    }

    private static func acquireLock(_ path: String) throws(StoreError) -> StateLock {
        do {
            return try StateLock.acquire(path: path)
        } catch {
            switch error {
            case .held(let pid): throw .locked(path: path, pid: pid)
            case .system(let error): throw .cannotOpen(path: path, reason: error.message)
            }
        }
    }

    /// Starts the writer's thread; to be called after privileges are dropped. A second call does nothing, and the first
    /// result that is appended does the same.
    public func start() throws(StoreError) {
        var failure: StoreError?
        thread.withLock { thread in
            guard thread == nil else { return }
            do {
                thread = try Thread.start(name: "store") { self.run() }
                isStarted.store(true, ordering: .relaxed)
                startCheck?.start()
            } catch {
                failure = .failed("\(error)")
            }
        }
        if let failure { throw failure }
    }

    // Appending never waits; what does not fit is counted in `counters`.

    public func append(_ round: Round) { append(.round(round)) }
    public func append(_ summary: PassiveSummary) { append(.passive(summary)) }

    private func append(_ item: StoreItem) {
        // A thread that cannot be had now is asked for again with the next item; until then the queue holds.
        if !isStarted.load(ordering: .relaxed) { try? start() }
        queue.offer(item)
    }

    /// Stores a change of state, and with it the target's verdict.
    public func record(_ transition: Transition) { queue.offer(.transition(transition), isUrgent: true) }
    public func record(_ event: MonitorEvent) { queue.offer(.event(event), isUrgent: true) }
    /// Stores a verdict whose reason or evidence changed while its state did not.
    public func save(_ verdict: Verdict, for target: TargetID) { queue.offer(.verdict(target, verdict)) }
    /// Stores an incident, in place of the one with the same id.
    public func save(_ incident: Incident) { queue.offer(.incident(incident), isUrgent: true) }
    public func save(_ silence: Silence) { queue.offer(.silence(silence), isUrgent: true) }
    public func removeSilence(id: Int64) { queue.offer(.silenceRemoval(id: id), isUrgent: true) }
    /// Says what is watched from now on; targets that are gone stay in the database, marked inactive.
    ///
    /// `site` is the config's name of the place that is watched from, empty where it has none.
    public func sync(targets: [TargetSpec], site: String = "") {
        queue.offer(.targets(targets, site: site), isUrgent: true)
    }

    /// Commits what is queued and waits for it, at most `timeout`. False where it is not on disk by then.
    @discardableResult
    public func flush(timeout: Duration = .seconds(5)) -> Bool {
        guard isStarted.load(ordering: .relaxed) else { return commitOnce() }
        return queue.requestFlush().wait(atMost: timeout)
    }

    /// Commits what is queued, marks the stop as clean and closes the file. Later calls do nothing.
    public func close() {
        guard queue.close() else { return }
        let running = thread.withLock { $0 }
        if let running { running.join() } else { finish() }
    }

    /// What the writer has done so far.
    public var counters: StoreCounters {
        var counters = figures.withLock { $0 }
        let queued = queue.figures
        counters.queued = queued.waiting.samples
        counters.dropped = UInt64(queued.dropped.samples)
        counters.droppedNotices = UInt64(queued.dropped.notices)
        return counters
    }

    /// Sign of life of the writer's thread, for the watchdog; beats at least once a second unless the disk stands still.
    public var heartbeat: Heartbeat { beat }
}
