// Where output goes: standard output with what is known about it.

internal import Glibc

/// Writes lines, and knows whether people look at them.
struct Console: Sendable {
    var palette: Palette
    /// Columns to draw in; nil where lines may be of any length.
    var width: Int?
    var height: Int?
    var isTerminal: Bool
    /// Takes text as it is; nil where all of it was written.
    var write: @Sendable (String) -> OutputError?
    /// For what is not the answer: warnings, progress, the resolved range of a CSV.
    var note: @Sendable (String) -> Void
    /// Replaces the line of progress, an empty text removes it; nil where nobody watches standard error.
    var progress: (@Sendable (String) -> Void)?

    /// Standard output and error. Colour needs a terminal, no `NO_COLOR` (no-color.org: any non-empty value), a `TERM`
    /// other than `dumb`, and no `--no-color`.
    static func standard(noColour: Bool, environment: [String: String]) -> Console {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let isRefused = noColour || !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        let size = isTerminal ? TerminalSize.current(STDOUT_FILENO) : nil
        var console = Console(
            palette: Palette(isColoured: isTerminal && !isRefused), width: size?.columns, height: size?.rows,
            isTerminal: isTerminal, write: { text in Console.put(text, to: STDOUT_FILENO) },
            note: { text in _ = Console.put(text + "\n", to: STDERR_FILENO) })
        if isatty(STDERR_FILENO) == 1 {
            console.progress = { text in _ = Console.put("\r\(text)\u{1B}[K", to: STDERR_FILENO) }
        }
        return console
    }

    /// Output as it is.
    func put(_ text: String) throws {
        if let error = write(text) { throw error }
    }

    /// One line of output.
    func line(_ text: String = "") throws {
        try put(text + "\n")
    }

    func lines(_ lines: [String]) throws {
        guard !lines.isEmpty else { return }
        try put(lines.joined(separator: "\n") + "\n")
    }

    func json(_ value: JSONValue) throws { try line(value.text(pretty: true)) }

    /// Writes all of `text`; nil where that was done.
    static func put(_ text: String, to descriptor: Int32) -> OutputError? {
        put(Array(text.utf8), to: descriptor)
    }

    static func put(_ bytes: [UInt8], to descriptor: Int32) -> OutputError? {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            // The pointer lives for the call, and the count is that of its bytes.
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                let code = errno
                if code == EINTR { continue }
                guard code == EAGAIN else { return OutputError(code: code, writingTo: descriptor) }
                // Somebody made the descriptor non-blocking; what fails shows at the next write.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&ready, 1, -1)
                continue
            }
            bytes = bytes.dropFirst(written)
        }
        return nil
    }
}
