// What other threads tell the core: bounded, counted when full, never blocking the teller.

internal import LinuxSystem
internal import Synchronization

/// A bounded queue into one event loop; the loop is woken once for any number of messages.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var dropped: UInt64 = 0
    }
    private let state = Mutex(State())
    private let capacity: Int
    private let wake: @Sendable () -> Void

    init(capacity: Int, wake: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.wake = wake
    }

    /// False where the queue was full and the message was dropped (and counted).
    @discardableResult
    func post(_ message: Message) -> Bool {
        let (accepted, first) = state.withLock { state -> (Bool, Bool) in
            guard state.messages.count < capacity else {
                state.dropped &+= 1
                return (false, false)
            }
            state.messages.append(message)
            return (true, state.messages.count == 1)
        }
        if first { wake() }
        return accepted
    }

    /// Everything that has been posted since the last call, oldest first.
    func takeAll() -> [Message] {
        state.withLock { state in
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Messages dropped because the queue was full, since the start.
    var dropped: UInt64 { state.withLock { $0.dropped } }
}
