// The terminal of `taut watch`: alternate screen, raw keys, signals as values; always left as it was found.

internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Owns the terminal while it lives. The signals that would end or stop us are blocked and read from a descriptor, so
/// that the terminal is restored before any of them has its way.
struct LiveScreen: ~Copyable {
    /// Where keys come from; nil where there is no terminal to read from.
    let keys: Int32?
    private let opened: OwnedDescriptor?
    private let signalDescriptor: OwnedDescriptor
    private var saved: termios?
    private var isEntered = false
    /// The SIGCONT that ended our own stop is still to be read; it tells nothing new.
    private var expectsResume = false
    /// The picture on the terminal; nil where it is not known.
    private var shown: [String]?

    /// What arrived from outside.
    enum Signal: Hashable, Sendable { case end, stop, resume, resize }

    init() throws(SystemError) {
        if isatty(STDIN_FILENO) == 1 {
            keys = STDIN_FILENO
            opened = nil
        } else {
            // Standard input is a file or a pipe: keys come from the controlling terminal, as with a pager.
            let number = unsafe open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY)
            keys = number < 0 ? nil : number
            opened = number < 0 ? nil : OwnedDescriptor(owning: number)
        }
        var set = Self.signals(Self.taken)
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        signalDescriptor = try Syscall.descriptor("signalfd") {
            unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        }
        enter()
    }

    deinit {
        // `leave` is not callable on a value that ends; the few lines of it that matter are.
        if isEntered { Self.restore(keys, saved) }
        var set = Self.signals(Self.taken)
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    var signalNumber: Int32 { signalDescriptor.rawValue }

    // MARK: Drawing

    /// Replaces the picture; only lines that differ are written.
    mutating func draw(_ lines: [String], columns: Int) {
        Self.put(ScreenDiff.update(from: shown, to: lines, columns: columns))
        shown = lines
    }

    /// The next picture is drawn whole.
    mutating func forget() { shown = nil }

    // MARK: Keys and signals

    /// The bytes that wait to be read; nil where the terminal is gone.
    func readKeys() -> [UInt8]? {
        guard let keys else { return nil }
        var bytes = [UInt8](repeating: 0, count: 256)
        switch Syscall.attempt({ unsafe bytes.withUnsafeMutableBytes { unsafe read(keys, $0.baseAddress, $0.count) } })
        {
        case .value(let count): return count > 0 ? Array(bytes.prefix(count)) : nil
        case .wouldBlock: return []
        case .failed: return nil
        }
    }

    mutating func readSignals() -> [Signal] {
        var found: [Signal] = []
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while unsafe read(signalDescriptor.rawValue, &info, size) == size {
            switch Int32(info.ssi_signo) {
            case SIGTSTP: found.append(.stop)
            case SIGCONT:
                if !expectsResume { found.append(.resume) }
                expectsResume = false
            case SIGWINCH: found.append(.resize)
            default: found.append(.end)
            }
        }
        return found
    }

    // MARK: Coming and going

    /// Gives the terminal back and stops, as Ctrl-Z does; goes on where it was when continued.
    ///
    /// - Parameter wholeGroup: the key was pressed, which without raw keys stops every process of the job.
    mutating func suspend(wholeGroup: Bool) {
        leave()
        var stop = Self.signals([SIGTSTP])
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &stop, nil)
        _ = kill(wholeGroup ? 0 : getpid(), SIGTSTP)
        _ = unsafe pthread_sigmask(SIG_BLOCK, &stop, nil)
        expectsResume = true
        enter()
    }

    /// Takes the terminal, or takes it again after somebody else had it.
    mutating func enter() {
        if let keys {
            var settings = termios()
            if !isEntered, unsafe tcgetattr(keys, &settings) == 0 { saved = settings }
            if var raw = saved {
                // Without ISIG, Ctrl-C and Ctrl-Z are keys like q; without IXON, Ctrl-S does not freeze the picture.
                raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
                raw.c_iflag &= ~tcflag_t(IXON)
                _ = unsafe tcsetattr(keys, TCSANOW, &raw)
            }
        }
        guardTerminal()
        // Somebody stopped us without asking: the terminal may be in either screen, and is put into a known one.
        if isEntered { Self.put("\u{1B}[?1049l") }
        isEntered = true
        shown = nil
        // No wrapping: a character that is wider than we think must not push the rest down.
        Self.put("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
    }

    /// A crash has its way, but not with the terminal: SIGKILL alone leaves it raw.
    private func guardTerminal() {
        guard let keys, var saved else { return }
        let text = Array(Self.farewell.utf8)
        // Both pointers live for the call, which copies what they point to.
        unsafe text.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe taut_guard_terminal(keys, &saved, start, bytes.count)
        }
    }

    private mutating func leave() {
        guard isEntered else { return }
        isEntered = false
        Self.restore(keys, saved)
    }

    private static func restore(_ keys: Int32?, _ saved: termios?) {
        taut_release_terminal()
        // From the background the terminal is another's; and nothing may stop us half-way.
        let descriptor = keys ?? STDOUT_FILENO
        guard tcgetpgrp(descriptor) == getpgrp() || tcgetpgrp(descriptor) < 0 else { return }
        var output = signals([SIGTTOU])
        _ = unsafe pthread_sigmask(SIG_BLOCK, &output, nil)
        put(farewell)
        if let keys, var saved {
            _ = tcflush(keys, TCIFLUSH)
            _ = unsafe tcsetattr(keys, TCSANOW, &saved)
        }
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &output, nil)
    }

    /// Plain colours, wrapping, the cursor, and the screen of before.
    private static let farewell = "\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    private static let taken = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH]

    private static func signals(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        _ = unsafe sigemptyset(&set)
        for number in numbers { _ = unsafe sigaddset(&set, number) }
        return set
    }

    private static func put(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let result = Syscall.attempt {
                // The pointer lives for the call, and the count is that of its bytes.
                unsafe bytes.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            }
            switch result {
            case .value(let count): bytes = bytes.dropFirst(count)
            case .failed: return
            case .wouldBlock:
                var ready = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                // A terminal that takes nothing for this long is not worth hanging for.
                guard unsafe poll(&ready, 1, 2_000) > 0 else { return }
            }
        }
    }
}
