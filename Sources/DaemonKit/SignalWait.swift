// Signals as values, taken by the main thread and by no other.

internal import CLinux
internal import Glibc

/// What a signal asks of the daemon.
enum SignalRequest: Hashable, Sendable {
    case reload, stop
}

/// Blocks the daemon's signals for the whole process and takes them one by one.
struct SignalWait {
    private var set = sigset_t()

    /// To be called on the main thread before any other thread exists, so that all of them inherit the mask.
    init() {
        unsafe sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&set, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        // A reader that went away is an error of write(2), not the end of the monitor.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the next signal; several SIGHUPs that are pending at once count as one.
    mutating func next() -> SignalRequest {
        while true {
            let number = unsafe sigwaitinfo(&set, nil)
            switch number {
            case SIGHUP: return .reload
            case SIGTERM, SIGINT: return .stop
            default: continue  // EINTR: a debugger or a stop and continue.
            }
        }
    }
}
