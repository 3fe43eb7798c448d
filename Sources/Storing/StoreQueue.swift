// The bounded queue between the threads that measure and the one that writes.

internal import Dispatch
internal import LinuxSystem
internal import Model
internal import Synchronization

/// Somebody waits for a commit.
final class FlushRequest: Sendable {
    private let answered = DispatchSemaphore(value: 0)
    private let succeeded = Atomic(false)

    func answer(_ isStored: Bool) {
        succeeded.store(isStored, ordering: .releasing)
        answered.signal()
    }

    /// Whether all that was queued before is on disk; false where that is not known in time.
    func wait(atMost timeout: Duration) -> Bool {
        let deadline = DispatchTime.now() + .nanoseconds(Int(timeout.clampedNanoseconds))
        return answered.wait(timeout: deadline) == .success && succeeded.load(ordering: .acquiring)
    }
}

/// Takes items from any thread without waiting; what does not fit is counted.
final class StoreQueue: Sendable {
    /// Bounds of what waits: about 20 MB of results.
    struct Limits: Sendable {
        var samples = 65_536
        var notices = 8192
    }

    /// What the writer should do now.
    struct Signals: Sendable {
        var isEmpty: Bool
        var isUrgent: Bool
        var isFlushing: Bool
        var isClosing: Bool
    }

    fileprivate struct State {
        var items: [StoreItem] = []
        /// Waiting and in the writer's hands.
        var load = StoreLoad()
        var dropped = StoreLoad()
        /// When dropping began and what has been dropped since; nil while nothing is.
        var firstDrop: WallTime?
        var droppedSince = 0
        var isUrgent = false
        var isClosing = false
        var flushes: [FlushRequest] = []
    }

    let waker: Waker
    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits = Limits()) throws(SystemError) {
        self.limits = limits
        waker = try Waker()
    }

    /// Takes an item, or counts it as dropped. Never waits for the disk.
    func offer(_ item: StoreItem, isUrgent: Bool = false) {
        let load = item.load
        let accepted = state.withLock { state -> Bool in
            guard !state.isClosing, state.load.samples + load.samples <= limits.samples,
                state.load.notices + load.notices <= limits.notices
            else {
                state.note(dropped: load)
                return false
            }
            state.items.append(item)
            state.load += load
            state.isUrgent = state.isUrgent || isUrgent
            return true
        }
        if accepted && isUrgent { waker.wake() }
    }

    /// Counts what could not be stored.
    func drop(_ load: StoreLoad) { state.withLock { $0.note(dropped: load) } }

    /// What waits, in order; its load counts until `release`.
    func take() -> [StoreItem] {
        state.withLock { state in
            let items = state.items
            state.items = []
            state.isUrgent = false
            return items
        }
    }

    /// Makes room: the items of this load are stored or dropped.
    func release(_ load: StoreLoad) { state.withLock { $0.load -= load } }

    var signals: Signals {
        state.withLock {
            Signals(
                isEmpty: $0.items.isEmpty, isUrgent: $0.isUrgent, isFlushing: !$0.flushes.isEmpty,
                isClosing: $0.isClosing)
        }
    }

    /// What waits or is being written, and what was dropped from the start.
    var figures: (waiting: StoreLoad, dropped: StoreLoad) { state.withLock { ($0.load, $0.dropped) } }

    /// The span in which samples or notices were dropped, once; nil where none were since the last call.
    func takeDrops() -> (since: WallTime, count: Int)? {
        state.withLock { state in
            guard let since = state.firstDrop else { return nil }
            let count = state.droppedSince
            state.firstDrop = nil
            state.droppedSince = 0
            return (since, count)
        }
    }

    /// Asks for a commit; the request is answered when it has been tried, and refused once the queue is closed.
    func requestFlush() -> FlushRequest {
        let request = FlushRequest()
        let isClosing = state.withLock { state in
            if !state.isClosing { state.flushes.append(request) }
            return state.isClosing
        }
        if isClosing { request.answer(false) }
        waker.wake()
        return request
    }

    /// The flushes that the next commit answers.
    func takeFlushes() -> [FlushRequest] {
        state.withLock { state in
            let flushes = state.flushes
            state.flushes = []
            return flushes
        }
    }

    /// Refuses further items. False if it was closed already.
    func close() -> Bool {
        let first = state.withLock { state in
            defer { state.isClosing = true }
            return !state.isClosing
        }
        waker.wake()
        return first
    }
}

extension StoreQueue.State {
    fileprivate mutating func note(dropped load: StoreLoad) {
        dropped += load
        droppedSince += load.samples + load.notices
        if firstDrop == nil { firstDrop = WallTime(nanoseconds: Clock.wall()) }
    }
}
