// A file descriptor with exactly one owner.

internal import Glibc

/// A file descriptor that is closed when its one owner goes.
///
/// Not copyable, so that a descriptor cannot be closed twice, which would close somebody else's.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number to hand to system calls while this value lives.
    public let rawValue: Int32

    /// Takes over `rawValue`, which nobody else may close from here on.
    public init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        // Not retried on EINTR: Linux has freed the number by then, see close(2).
        _ = close(rawValue)
    }

    /// Gives the number to the caller, who closes it.
    public consuming func release() -> Int32 {
        let number = rawValue
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec.
    public func duplicate() throws(SystemError) -> OwnedDescriptor {
        let number = rawValue
        return OwnedDescriptor(owning: try Syscall.check("fcntl") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
    }
}
