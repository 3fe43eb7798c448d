// Signals as values, taken by the main thread and by no other.

internal import CLinux
internal import Glibc
internal import LinuxSystem

/// What a signal asks of the daemon.
enum SignalRequest: Hashable, Sendable {
    case reload, stop
}

/// Blocks the daemon's signals for the whole process and takes them one by one.
struct SignalWait {
    /// Two reloads are at least this far apart, in nanoseconds: a reload reads files and writes an event to the database, and
    /// a script that sends SIGHUP in a loop must fill neither the disk nor the log.
    private static let reloadSpacing: Int64 = 1_000_000_000

    private var all = sigset_t()
    private var stops = sigset_t()
    /// On the monotonic clock; nil before the first.
    private var lastReload: Int64?

    /// To be called on the main thread before any other thread exists, so that all of them inherit the mask.
    init() {
        unsafe sigemptyset(&all)
        unsafe sigemptyset(&stops)
        for signal in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&all, signal) }
        for signal in [SIGTERM, SIGINT] { unsafe sigaddset(&stops, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
        // A reader that went away is an error of write(2), not the end of the monitor.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the next signal; SIGHUPs that come within a second of a reload are one more reload at its end.
    ///
    /// A stop goes before any number of reloads: the kernel would give SIGHUP first, since its number is lower.
    mutating func next() -> SignalRequest {
        while true {
            let number = unsafe sigwaitinfo(&all, nil)
            switch number {
            case SIGHUP: return spacedReload()
            case SIGTERM, SIGINT: return .stop
            default: continue  // EINTR: a debugger or a stop and continue.
            }
        }
    }

    private mutating func spacedReload() -> SignalRequest {
        let due = lastReload.map { $0 + Self.reloadSpacing } ?? 0
        while true {
            let now = Clock.monotonic()
            let left = max(0, due - now)
            var timeout = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
            if unsafe sigtimedwait(&stops, nil, &timeout) > 0 { return .stop }
            if errno != EINTR {
                lastReload = now + left
                break
            }
        }
        // What came in the meantime is answered by the same reload.
        var hangUp = sigset_t()
        unsafe sigemptyset(&hangUp)
        unsafe sigaddset(&hangUp, SIGHUP)
        var none = timespec()
        _ = unsafe sigtimedwait(&hangUp, nil, &none)
        return .reload
    }
}
