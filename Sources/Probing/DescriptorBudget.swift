// Sockets of probes are rationed, so that database, control socket and hooks always get theirs.

internal import LinuxSystem

/// Hands out the right to open a descriptor; who finds none free waits in line until a deadline.
final class DescriptorBudget {
    private final class Waiter {
        let granted: () -> Void
        let expired: () -> Void
        var isDone = false

        init(granted: @escaping () -> Void, expired: @escaping () -> Void) {
            self.granted = granted
            self.expired = expired
        }
    }

    let limit: Int
    private(set) var inUse = 0
    /// Attempts in line; bounded by the rounds that are open.
    private(set) var awaited = 0
    private var line: [Waiter] = []
    private var head = 0
    private var isServing = false
    private var deadlines = TimerHeap<Waiter>()

    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    /// What a process with this limit on descriptors leaves to probes: all but 64 or half, the smaller of the two.
    static func limit(forProcessLimit processLimit: Int) -> Int {
        max(processLimit - min(64, processLimit / 2), 1)
    }

    var nextDeadline: Int64? { deadlines.nextDeadline }

    /// Calls `granted` now or when a descriptor is given back, or `expired` once `deadline` has passed.
    func acquire(until deadline: Int64, granted: @escaping () -> Void, expired: @escaping () -> Void) {
        guard inUse >= limit || awaited > 0 else {
            inUse += 1
            granted()
            return
        }
        let waiter = Waiter(granted: granted, expired: expired)
        awaited += 1
        line.append(waiter)
        deadlines.push(waiter, at: deadline)
    }

    /// Gives one back, to whoever has waited longest.
    ///
    /// Whoever is granted one may fail and give it back at once; that is served by the loop here, not by recursion,
    /// which would be as deep as the line is long.
    func release() {
        inUse -= 1
        guard !isServing else { return }
        isServing = true
        defer { isServing = false }
        while inUse < limit, let next = takeFirst() {
            inUse += 1
            next.granted()
        }
    }

    func fire(now: Int64) {
        while let (_, waiter) = deadlines.popDue(at: now) {
            guard !waiter.isDone else { continue }
            waiter.isDone = true
            awaited -= 1
            waiter.expired()
        }
    }

    private func takeFirst() -> Waiter? {
        while head < line.count {
            let waiter = line[head]
            head += 1
            if head > 1_024, head * 2 > line.count {
                line.removeFirst(head)
                head = 0
            }
            if waiter.isDone { continue }
            waiter.isDone = true
            awaited -= 1
            return waiter
        }
        line.removeAll(keepingCapacity: true)
        head = 0
        return nil
    }
}
