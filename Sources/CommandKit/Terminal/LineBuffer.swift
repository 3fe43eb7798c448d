/// Collects lines and writes them in pieces of 64 KiB: a system call a sample would take longer than the sample.
final class LineBuffer {
    private let console: Console
    private var pending = ""
    private static let limit = 65_536
    /// False once nobody reads any more.
    private(set) var isOpen = true

    init(_ console: Console) { self.console = console }

    func line(_ text: String) {
        pending += text
        pending += "\n"
        if pending.utf8.count >= LineBuffer.limit { flush() }
    }

    func flush() {
        guard isOpen, !pending.isEmpty else { return }
        isOpen = console.write(pending)
        pending = ""
    }
}
