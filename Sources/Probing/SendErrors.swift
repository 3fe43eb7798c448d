// A failed system call on our side says nothing about the target.

internal import Glibc
internal import Model

/// Error numbers of socket calls as reasons.
enum SendErrors {
    /// Why a send, connect or socket call failed. `hasSourceAddress`: one was asked for; the kernel says EINVAL or ENODEV
    /// where it is none of ours.
    static func reason(_ errno: Int32, hasSourceAddress: Bool, noRoute: IndeterminateReason) -> IndeterminateReason {
        switch errno {
        case ENETUNREACH, EHOSTUNREACH: noRoute
        case EINVAL where hasSourceAddress, ENODEV where hasSourceAddress, EADDRNOTAVAIL: .noSourceAddress
        case ENETDOWN, ENODEV, ENXIO: .linkDown
        case EPERM, EACCES: .sendRefused
        case ENOBUFS, ENOMEM, EAGAIN: .sendBufferFull
        case EMFILE, ENFILE: .descriptorsExhausted
        default: .internalError
        }
    }
}
