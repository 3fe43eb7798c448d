// Priority for the threads that make the lab's truth.

import CLinux
import Glibc

/// Keeps what the lab does apart from what else the host is busy with.
enum RealTimePriority {
    /// The far side's services: below the emulator, above everything that is measured or that builds beside it.
    static let service: Int32 = 10
    static let emulator: Int32 = 20

    /// Moves the calling thread to SCHED_FIFO at `priority`. Best effort: without the right to it the lab is as punctual
    /// as the host's load allows.
    static func take(_ priority: Int32) {
        var parameters = sched_param(sched_priority: priority)
        _ = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters)
    }
}
