// Deadlines in order: a binary heap, pure, so that it is tested without a clock.

/// A queue of payloads by deadline; equal deadlines leave in the order in which they came.
///
/// There is no removal from the middle: an owner that gives up a deadline leaves it in and ignores it when it comes,
/// which costs nothing on the path where deadlines are kept.
public struct TimerHeap<Payload> {
    fileprivate struct Entry {
        let deadline: Int64
        let order: UInt64
        let payload: Payload

        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : order < other.order
        }
    }

    private var entries: [Entry] = []
    private var nextOrder: UInt64 = 0

    public init() {}

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }

    /// The earliest deadline.
    public var nextDeadline: Int64? { entries.first?.deadline }

    /// Adds `payload`, due at `deadline`. O(log n).
    public mutating func push(_ payload: Payload, at deadline: Int64) {
        entries.append(Entry(deadline: deadline, order: nextOrder, payload: payload))
        nextOrder &+= 1
        var index = entries.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard entries[index].isBefore(entries[parent]) else { return }
            entries.swapAt(index, parent)
            index = parent
        }
    }

    /// Takes the earliest payload if it is due at `now`. O(log n).
    public mutating func popDue(at now: Int64) -> (deadline: Int64, payload: Payload)? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return (first.deadline, first.payload)
    }

    public mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
    }

    private mutating func sink() {
        var index = 0
        while true {
            let left = 2 * index + 1
            guard left < entries.count else { return }
            let right = left + 1
            let child = right < entries.count && entries[right].isBefore(entries[left]) ? right : left
            guard entries[child].isBefore(entries[index]) else { return }
            entries.swapAt(index, child)
            index = child
        }
    }
}

extension TimerHeap: Sendable where Payload: Sendable {}
extension TimerHeap.Entry: Sendable where Payload: Sendable {}
