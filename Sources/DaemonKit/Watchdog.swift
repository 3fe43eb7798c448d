// Tells systemd that every loop is alive, and only while that is true.

internal import LinuxSystem
internal import Logging
internal import Model
internal import Synchronization

/// Reads the heartbeats of all loops; pings the service manager only while none is overdue.
final class Watchdog: Sendable {
    struct Loop: Sendable {
        var name: String
        var beat: Heartbeat
        /// Overdue after this; the writer may wait for a slow disk longer than a network loop may for anything.
        var allowance: Duration
    }

    private struct State {
        var loops: [Loop] = []
        var lastPing: Int64 = 0
        var overdue: Set<String> = []
    }
    private let state = Mutex(State())
    private let notifier: ServiceNotifier?
    private let interval: Duration?
    private let log: Logger

    /// - Parameter interval: systemd's WATCHDOG_USEC; pings go out at a third of it. nil: none are asked for.
    init(notifier: ServiceNotifier?, interval: Duration?, log: Logger) {
        self.notifier = notifier
        self.interval = interval
        self.log = log
    }

    func watch(_ loops: [Loop]) { state.withLock { $0.loops += loops } }

    /// How long ago each loop was seen alive, in nanoseconds.
    var ages: [(name: String, age: Int64, isLate: Bool)] {
        let now = Clock.monotonic()
        return state.withLock { state in
            state.loops.map { loop in
                let age = loop.beat.age(at: now)
                return (loop.name, age, age > loop.allowance.clampedNanoseconds)
            }
        }
    }

    /// Called by the core at least once a second; the core's own life is proved by the call.
    func check() {
        let now = Clock.monotonic()
        let (late, new, shouldPing) = state.withLock { state -> (Set<String>, Set<String>, Bool) in
            let late = Set(state.loops.filter { $0.beat.age(at: now) > $0.allowance.clampedNanoseconds }.map(\.name))
            let new = late.subtracting(state.overdue)
            state.overdue = late
            guard let interval, late.isEmpty, now &- state.lastPing >= interval.clampedNanoseconds / 3 else {
                return (late, new, false)
            }
            state.lastPing = now
            return (late, new, true)
        }
        for name in new.sorted() {
            log.error("the \(name) loop shows no sign of life; the watchdog is not answered until it does")
        }
        if shouldPing, late.isEmpty { notifier?.watchdog() }
    }
}
