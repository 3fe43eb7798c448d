// Ctrl-C as a wish to stop and sum up.

internal import CLinux
internal import Glibc
internal import LinuxSystem
internal import Probing
internal import Synchronization

/// While it lives, the first SIGINT or SIGTERM cancels; a second one ends the program at once.
final class InterruptWait: Sendable {
    private let isOver: OverFlag
    private let thread: LinuxSystem.Thread?

    private final class OverFlag: Sendable {
        let flag = Atomic(false)
    }

    init(_ cancel: CancelFlag) {
        let over = OverFlag()
        isOver = over
        var set = InterruptWait.signals()
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        thread = try? LinuxSystem.Thread.start(name: "interrupt") {
            var set = InterruptWait.signals()
            while !over.flag.load(ordering: .relaxed) {
                var slice = timespec(tv_sec: 0, tv_nsec: 50_000_000)
                guard unsafe sigtimedwait(&set, nil, &slice) > 0 else { continue }
                if cancel.isCancelled { _exit(130) }
                cancel.cancel()
            }
        }
        // Without the thread nobody takes the signals: let them kill as ever.
        if thread == nil { _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    }

    func end() {
        isOver.flag.store(true, ordering: .relaxed)
        thread?.join()
        var set = InterruptWait.signals()
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    private static func signals() -> sigset_t {
        var set = sigset_t()
        _ = unsafe sigemptyset(&set)
        for signal in [SIGINT, SIGTERM] { _ = unsafe sigaddset(&set, signal) }
        return set
    }
}
