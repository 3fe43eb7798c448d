// Where output goes: standard output with what is known about it.

internal import Glibc

/// Writes lines, and knows whether people look at them.
struct Console: Sendable {
    var palette: Palette
    /// Columns to draw in; nil where lines may be of any length.
    var width: Int?
    var height: Int?
    var isTerminal: Bool
    /// Takes text as it is; false once nobody reads any more.
    var write: @Sendable (String) -> Bool
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

    /// One line of output.
    func line(_ text: String = "") throws {
        guard write(text + "\n") else { throw ReaderGone() }
    }

    func lines(_ lines: [String]) throws {
        guard !lines.isEmpty else { return }
        guard write(lines.joined(separator: "\n") + "\n") else { throw ReaderGone() }
    }

    func json(_ value: JSONValue) throws { try line(value.text(pretty: true)) }

    /// Nobody reads what we write (`taut … | head`): an end, not a failure.
    struct ReaderGone: Error {}

    private static func put(_ text: String, to descriptor: Int32) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            // The pointer lives for the call, and the count is that of its bytes.
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                return false
            }
            bytes = bytes.dropFirst(written)
        }
        return true
    }
}
