/// Collects lines and writes them in pieces of 64 KiB: a system call a sample would take longer than the sample.
final class LineBuffer {
    private let console: Console
    private var pending = ""
    private static let limit = 65_536
    /// Why nothing more is written.
    private(set) var problem: OutputError?

    init(_ console: Console) { self.console = console }

    func line(_ text: String) {
        pending += text
        pending += "\n"
        if pending.utf8.count >= LineBuffer.limit { flush() }
    }

    func flush() {
        guard problem == nil, !pending.isEmpty else { return }
        problem = console.write(pending)
        pending = ""
    }
}
