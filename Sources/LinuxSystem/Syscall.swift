// The one way into the kernel: errno is read before anything else can change it, interrupted calls are repeated.

internal import Glibc

/// Runs system calls by the rules that every one of them needs.
public enum Syscall {
    /// What a call on a non-blocking descriptor came to.
    @frozen
    public enum Attempt<Number: SignedInteger & Sendable>: Sendable {
        /// The call's own return value, 0 or more.
        case value(Number)
        /// EAGAIN: nothing to do now; not an error.
        case wouldBlock
        /// The error number.
        case failed(Int32)
    }

    /// Runs `body`, repeats it while it is interrupted (EINTR), and keeps would-block apart from failure.
    public static func attempt<Number: SignedInteger & Sendable>(_ body: () -> Number) -> Attempt<Number> {
        while true {
            let result = body()
            if result >= 0 { return .value(result) }
            let code = errno
            switch code {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(code)
            }
        }
    }

    /// Runs `body` until it is not interrupted and returns its value; a value below zero is thrown as its errno.
    ///
    /// `context` says what the call was about and is evaluated on failure only.
    @discardableResult
    public static func check<Number: SignedInteger & Sendable>(
        _ call: StaticString, _ context: @autoclosure () -> String = "", _ body: () -> Number
    ) throws(SystemError) -> Number {
        switch attempt(body) {
        case .value(let number): return number
        case .wouldBlock: throw SystemError(call: call.description, errno: EAGAIN, context: context())
        case .failed(let code): throw SystemError(call: call.description, errno: code, context: context())
        }
    }

    /// The same for calls that return a descriptor: the result owns it.
    public static func descriptor(
        _ call: StaticString, _ context: @autoclosure () -> String = "", _ body: () -> Int32
    ) throws(SystemError) -> OwnedDescriptor {
        OwnedDescriptor(owning: try check(call, context(), body))
    }

    /// Sets a socket option that is an `int`.
    public static func setOption(
        _ descriptor: Int32, level: Int32, name: Int32, to value: Int32
    ) throws(SystemError) {
        var value = value
        try check("setsockopt", "\(level)/\(name)") {
            unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Reads a socket option that is an `int`.
    public static func option(_ descriptor: Int32, level: Int32, name: Int32) throws(SystemError) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try check("getsockopt", "\(level)/\(name)") {
            unsafe getsockopt(descriptor, level, name, &value, &length)
        }
        return value
    }
}
