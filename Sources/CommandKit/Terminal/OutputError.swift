// Output that could not be written.

internal import Glibc
internal import LinuxSystem

/// Why write(2) did not take the answer.
struct OutputError: Error, Hashable, CustomStringConvertible {
    /// As in errno(3).
    let code: Int32

    /// Nobody reads any more (`taut … | head`, a closed terminal): an end, not a failure. All else leaves an answer that
    /// looks whole and is not, such as an export to a full disk.
    var isReaderGone: Bool { code == EPIPE || code == ECONNRESET || code == EIO }

    var description: String { "cannot write the answer: \(SystemError.message(of: code))" }
}
