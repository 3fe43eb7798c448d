// The alternate screen for `taut watch`: entered, drawn over without flicker, and always left as it was found.

internal import CLinux
internal import Glibc

/// Owns the terminal while it lives: raw keys, alternate screen, no cursor. Ends are polled, never caught half-way: the
/// signals that would kill us are blocked and waited for, so that the terminal is restored on each of them.
struct LiveScreen: ~Copyable {
    private let saved: termios?
    private let signals: sigset_t

    enum Event: Hashable, Sendable { case tick, quit, redraw }

    init() {
        var settings = termios()
        if isatty(STDIN_FILENO) == 1, unsafe tcgetattr(STDIN_FILENO, &settings) == 0 {
            saved = settings
            // ISIG stays off, so that Ctrl-C is a key like q.
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        } else {
            saved = nil
        }
        signals = LiveScreen.endingSignals()
        var set = signals
        _ = unsafe sigprocmask(SIG_BLOCK, &set, nil)
        LiveScreen.put("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J")
    }

    deinit {
        LiveScreen.put("\u{1B}[?25h\u{1B}[?1049l")
        if var saved { _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved) }
        var set = signals
        _ = unsafe sigprocmask(SIG_UNBLOCK, &set, nil)
    }

    /// Replaces the screen's content; longer content is cut at the last row.
    func draw(_ lines: [String], rows: Int) {
        var text = "\u{1B}[H"
        for (index, line) in lines.prefix(max(1, rows)).enumerated() {
            text += (index == 0 ? "" : "\r\n") + line + "\u{1B}[K"
        }
        LiveScreen.put(text + "\u{1B}[J")
    }

    /// Waits up to `milliseconds` for a key, a change of the size, or an ending signal.
    func wait(milliseconds: Int, size: TerminalSize?) -> Event {
        var remaining = milliseconds
        while remaining > 0 {
            let slice = min(remaining, 100)
            remaining -= slice
            if readsQuit(milliseconds: slice) || hasEndingSignal() { return .quit }
            if TerminalSize.current(STDOUT_FILENO) != size { return .redraw }
        }
        return .tick
    }

    private func readsQuit(milliseconds: Int) -> Bool {
        guard saved != nil else {
            _ = usleep(UInt32(milliseconds) * 1_000)
            return false
        }
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&descriptor, 1, Int32(milliseconds)) > 0 else { return false }
        var keys = [UInt8](repeating: 0, count: 64)
        let count = unsafe keys.withUnsafeMutableBytes { unsafe read(STDIN_FILENO, $0.baseAddress, $0.count) }
        // The terminal is gone: nobody watches.
        guard count > 0 else { return true }
        return keys.prefix(count).contains { [0x03, 0x04, UInt8(ascii: "q"), UInt8(ascii: "Q")].contains($0) }
    }

    private func hasEndingSignal() -> Bool {
        var set = signals
        var immediately = timespec(tv_sec: 0, tv_nsec: 0)
        return unsafe sigtimedwait(&set, nil, &immediately) > 0
    }

    private static func endingSignals() -> sigset_t {
        var set = sigset_t()
        _ = unsafe sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { _ = unsafe sigaddset(&set, signal) }
        return set
    }

    private static func put(_ text: String) {
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes[start...].withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR, errno != EAGAIN { return }
            start += max(0, count)
        }
    }
}
