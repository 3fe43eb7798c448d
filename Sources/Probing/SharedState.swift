// What other threads ask of the probe thread, and what it tells them.

internal import LinuxSystem
internal import Model
internal import Synchronization

/// The mailbox of the probe thread. Newer wishes replace older ones, so it cannot grow.
final class SharedState: Sendable {
    struct Wishes: Sendable {
        var targets: [TargetSpec]?
        var resolver: ResolverConfiguration?
        var network: NetworkState?
        var isStopping = false
    }

    /// The settings that the loop begins with.
    let initialResolver: ResolverConfiguration
    private let wishes: Mutex<Wishes>
    private let waker = Mutex<Waker?>(nil)
    private let published = Mutex(ProbeCounters())

    init(resolver: ResolverConfiguration) {
        initialResolver = resolver
        wishes = Mutex(Wishes())
    }

    func attach(_ waker: Waker) {
        self.waker.withLock { $0 = waker }
        waker.wake()
    }

    func post(_ change: (inout Wishes) -> Void) {
        wishes.withLock { change(&$0) }
        waker.withLock { $0 }?.wake()
    }

    /// Takes the wishes; stopping stays.
    func take() -> Wishes {
        wishes.withLock { wishes in
            let taken = wishes
            wishes = Wishes(isStopping: taken.isStopping)
            return taken
        }
    }

    func publish(_ counters: ProbeCounters) {
        published.withLock { $0 = counters }
    }

    var counters: ProbeCounters { published.withLock { $0 } }
}
