internal import CLinux
internal import Glibc

/// Columns and rows of a terminal, ioctl_tty(2) TIOCGWINSZ.
struct TerminalSize: Hashable, Sendable {
    var columns: Int
    var rows: Int

    /// nil where `descriptor` is no terminal or does not know its size.
    static func current(_ descriptor: Int32) -> TerminalSize? {
        var size = winsize()
        // The kernel fills exactly one winsize.
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return nil
        }
        return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }
}
