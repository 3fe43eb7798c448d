// What the writer's thread does.

internal import GRDB
internal import Glibc
internal import LinuxSystem
internal import Model
internal import Synchronization

extension Store {
    /// What the loop remembers between its turns; times are CLOCK_MONOTONIC.
    struct Turn {
        /// Taken from the queue but not stored, because commits fail.
        var kept: [StoreItem] = []
        var keptLoad = StoreLoad()
        var nextCommit: Int64
        var lastAttempt: Int64 = .min / 2
        var nextChores: Int64
        var hasCommitted = false
        var failures = 0
    }

    private static let second: Int64 = 1_000_000_000

    /// Runs until the queue is closed, then commits what is left and closes the file.
    func run() {
        let loop = try? EventLoop(batch: 1, waker: queue.waker)
        let start = Clock.monotonic()
        var turn = Turn(nextCommit: start + commitInterval, nextChores: start + 2 * Store.second)
        while true {
            beat.beat()
            let now = Clock.monotonic()
            heedCheck()
            let signals = queue.signals
            if signals.isClosing { break }
            if !turn.hasCommitted && !signals.isEmpty {
                turn.nextCommit = min(turn.nextCommit, now + Store.second / 2)
            }
            let urgent = signals.isUrgent && turn.failures == 0 && now >= turn.lastAttempt + Store.second / 2
            if urgent || signals.isFlushing || now >= turn.nextCommit {
                commit(&turn)
            } else if now >= turn.nextChores && turn.failures == 0 {
                let hasMore = doChores()
                turn.nextChores = Clock.monotonic() + (hasMore ? Store.second / 10 : 5 * Store.second)
            }
            // Short naps until the first commit, so that a new installation shows data at once.
            let nap = turn.hasCommitted ? Store.second : Store.second / 4
            let pending = signals.isUrgent && !urgent && turn.failures == 0 ? Store.second / 4 : nap
            let deadline = min(
                turn.nextCommit, turn.failures == 0 ? turn.nextChores : .max, Clock.monotonic() + pending)
            if let loop { try? loop.wait(until: deadline) { _, _ in } } else { Store.sleep(until: deadline) }
        }
        startCheck?.cancel()
        finish(kept: turn.kept, load: turn.keptLoad)
    }

    /// One group commit. What fails for the disk's sake is kept for the next.
    private func commit(_ turn: inout Turn) {
        let flushes = queue.takeFlushes()
        let items = queue.take()
        for item in items { turn.keptLoad += item.load }
        turn.kept.append(contentsOf: items)
        turn.lastAttempt = Clock.monotonic()
        let stored = attempt(turn.kept, load: turn.keptLoad)
        if stored {
            turn.kept = []
            turn.keptLoad = StoreLoad()
            turn.failures = 0
            turn.hasCommitted = turn.hasCommitted || !items.isEmpty
            reportDrops()
        } else {
            turn.failures += 1
        }
        for flush in flushes { flush.answer(stored) }
        let pause = stored ? commitInterval : min(Store.second << Int64(min(turn.failures, 3)), commitInterval)
        turn.nextCommit = turn.lastAttempt + pause
    }

    /// Tries to store the items; true when they are stored or found to be unstorable.
    private func attempt(_ items: [StoreItem], load: StoreLoad) -> Bool {
        let now = clock()
        do {
            try state.withLock { writer in
                guard writer != nil else { throw StoreError.failed("the store is closed") }
                try writer?.commit(items, now: now)
            }
        } catch {
            return repair(after: error, items: items, load: load, now: now)
        }
        queue.release(load)
        noteCommit(load, at: now)
        return true
    }

    /// After a failed commit: makes room, starts anew or sorts out what cannot be stored.
    private func repair(after error: any Error, items: [StoreItem], load: StoreLoad, now: WallTime) -> Bool {
        noteFailure(error)
        var refused = StoreLoad()
        do {
            if Writer.isLasting(error) {
                try state.withLock { refused = try $0?.commitSeparately(items, now: now) ?? load }
                queue.drop(refused)
                queue.release(load)
                var stored = load
                stored -= refused
                noteCommit(stored, at: now)
                return true
            }
            if Writer.isDamage(error) {
                setAside(reason: "\(error)", now: now)
            } else if Writer.isFull(error) {
                _ = try state.withLock { try $0?.relieve() }
            }
        } catch {
            noteFailure(error)
        }
        return false
    }

    /// One slice of housekeeping; true where the next should come soon.
    private func doChores() -> Bool {
        var hasMore = false
        do {
            let chores = try state.withLock { try $0?.housekeep(now: clock(), monotonic: Clock.monotonic()) }
            figures.withLock {
                $0.rolledUp += UInt64(chores?.rolledUp ?? 0)
                $0.purged += UInt64(chores?.purged ?? 0)
            }
            hasMore = chores?.hasMore ?? false
        } catch {
            noteFailure(error)
            if Writer.isFull(error) { try? state.withLock { try $0?.relieve() } }
            if Writer.isDamage(error) { setAside(reason: "\(error)", now: clock()) }
        }
        updateSizes()
        return hasMore
    }

    /// One commit on the caller's thread, for a store whose thread has not been started.
    func commitOnce() -> Bool {
        var turn = Turn(nextCommit: 0, nextChores: 0)
        commit(&turn)
        guard turn.failures > 0 else { return true }
        queue.drop(turn.keptLoad)
        queue.release(turn.keptLoad)
        return false
    }

    /// The last commit, with the mark of a clean stop.
    func finish(kept: [StoreItem] = [], load: StoreLoad = StoreLoad()) {
        var isStored = false
        let items = queue.take()
        var load = load
        for item in items { load += item.load }
        let now = clock()
        do {
            try state.withLock { writer in
                defer { writer = nil }
                try writer?.close(kept + items, now: now)
            }
            noteCommit(load, at: now)
            isStored = true
        } catch {
            noteFailure(error)
            queue.drop(load)
        }
        queue.release(load)
        lock.withLock { $0 = nil }
        for flush in queue.takeFlushes() { flush.answer(isStored) }
    }

    /// Says once in the database what was dropped and since when; readers take that time as unknown.
    private func reportDrops() {
        guard let drops = queue.takeDrops() else { return }
        let text = "\(drops.count) results or notices were dropped because the database could not take them"
        let end = max(clock(), drops.since)
        queue.offer(.event(MonitorEvent(kind: .storageDropped, start: drops.since, end: end, text: text)))
    }

    private func noteCommit(_ load: StoreLoad, at now: WallTime) {
        figures.withLock {
            $0.committed += UInt64(max(load.samples, 0))
            $0.commits += 1
            $0.lastCommit = now
            $0.lastError = nil
        }
        updateSizes()
    }

    func noteFailure(_ error: any Error) {
        let reason = "\(Connection.storeError(error, path: files.database))"
        figures.withLock {
            $0.failedCommits += 1
            $0.lastError = reason
        }
    }

    func updateSizes() {
        let sizes = files.sizes
        figures.withLock {
            $0.databaseBytes = sizes.database
            $0.logBytes = sizes.log
        }
    }

    /// For a host without descriptors left for an event loop: the writer goes on, in steps.
    private static func sleep(until deadline: Int64) {
        let pause = min(max(deadline - Clock.monotonic(), 0), second / 4)
        var time = timespec(tv_sec: 0, tv_nsec: Int(pause))
        unsafe nanosleep(&time, nil)
    }
}
