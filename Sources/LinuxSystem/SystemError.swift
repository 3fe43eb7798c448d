// A failed system call, as an error.

internal import Glibc

/// A system call that failed, with the error number it left.
public struct SystemError: Error, Hashable, Sendable {
    /// The name of the call: `socket`, `openat`.
    public let call: String
    /// The error number, as in errno(3).
    public let errno: Int32
    /// What it was about: a path, an interface; empty where the call says all.
    public let context: String

    public init(call: String, errno: Int32, context: String = "") {
        self.call = call
        self.errno = errno
        self.context = context
    }

    /// The C library's sentence for the error number.
    public var message: String { Self.message(of: errno) }

    /// The C library's sentence for `errno`, in the C locale.
    public static func message(of errno: Int32) -> String {
        // glibc 2.32 and later keep the text of an unknown number in thread-local storage.
        guard let text = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: text)
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String {
        context.isEmpty ? "\(call): \(message)" : "\(call) \(context): \(message)"
    }
}
