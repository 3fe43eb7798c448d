// Output that could not be written.

internal import Glibc
internal import LinuxSystem

/// Why write(2) did not take the answer.
struct OutputError: Error, Hashable, CustomStringConvertible {
    /// As in errno(3).
    let code: Int32
    /// Nobody reads any more (`taut … | head`, a closed terminal): an end, not a failure. All else leaves an answer that
    /// looks whole and is not, such as an export to a full disk.
    let isReaderGone: Bool

    /// - Parameter isDevice: it went to a character device: a terminal that hung up says EIO, and so does a broken disk.
    init(code: Int32, isDevice: Bool = false) {
        self.code = code
        isReaderGone = code == EPIPE || code == ECONNRESET || (code == EIO && isDevice)
    }

    /// The failure of a write to `descriptor`.
    init(code: Int32, writingTo descriptor: Int32) {
        var facts = stat()
        let isKnown = unsafe fstat(descriptor, &facts) == 0
        self.init(code: code, isDevice: isKnown && facts.st_mode & S_IFMT == S_IFCHR)
    }

    var description: String { "cannot write the answer: \(SystemError.message(of: code))" }
}
