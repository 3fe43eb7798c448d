// Answers that are longer than the terminal go through a pager.

internal import CLinux
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// Holds an answer back until it is known to be short, which is then written as ever, or longer than the screen: then
/// the pager is started, and gets it all.
final class PagedOutput: Sendable {
    private struct State {
        var held = ""
        var rows = 0
        var pager: Pager?
        /// Nobody reads any more, or the pager would not start.
        var isOver = false
        var notes: [String] = []
    }

    private let command: PagerCommand
    private let columns: Int
    private let rows: Int
    /// The terminal itself.
    private let direct: @Sendable (String) -> OutputError?
    private let state = Mutex(State())

    init(command: PagerCommand, columns: Int, rows: Int, direct: @escaping @Sendable (String) -> OutputError?) {
        self.command = command
        self.columns = max(1, columns)
        self.rows = rows
        self.direct = direct
    }

    /// For standard output; nil where it is no terminal, or no pager is wanted.
    static func standard(environment: [String: String]) -> PagedOutput? {
        guard environment["TERM"] != "dumb", let size = TerminalSize.current(STDOUT_FILENO),
            let command = PagerCommand(environment, isElevated: PagerCommand.isElevated(environment))
        else { return nil }
        return PagedOutput(command: command, columns: size.columns, rows: size.rows) {
            Console.put($0, to: STDOUT_FILENO)
        }
    }

    /// A pager that was closed has seen enough, and is no error: the verb goes on to its own exit code.
    func write(_ text: String) -> OutputError? {
        state.withLock { state in
            if let pager = state.pager {
                if !state.isOver { state.isOver = Console.put(text, to: pager.input) != nil }
                return nil
            }
            if state.isOver { return direct(text) }
            state.held += text
            for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                state.rows += max(1, (StyledText.width(String(line)) + columns - 1) / columns)
            }
            // One row is the prompt's.
            guard state.rows >= rows else { return nil }
            state.pager = Pager(command)
            let held = state.held
            state.held = ""
            guard let pager = state.pager else {
                state.isOver = true
                return direct(held)
            }
            state.isOver = Console.put(held, to: pager.input) != nil
            return nil
        }
    }

    /// A note while the pager has the screen waits for its end; false where it may be written now.
    func holds(note: String) -> Bool {
        state.withLock { state in
            guard state.pager != nil else { return false }
            state.notes.append(note)
            return true
        }
    }

    /// Writes what was short, or waits until the pager is closed. Returns the notes that waited.
    func finish() -> [String] {
        let (held, pager) = state.withLock { state in
            defer { (state.held, state.pager) = ("", nil) }
            return (state.held, state.pager)
        }
        if !held.isEmpty { _ = direct(held) }
        pager?.close()
        return state.withLock { state in
            defer { state.notes = [] }
            return state.notes
        }
    }
}

/// A running pager. While it runs, Ctrl-C is its key and not our end.
private struct Pager: Sendable {
    /// Closed by `close`, exactly once.
    let input: Int32
    private let pid: pid_t

    /// nil where it cannot be started.
    init?(_ command: PagerCommand) {
        var ends: [Int32] = [-1, -1]
        guard unsafe ends.withUnsafeMutableBufferPointer({ unsafe pipe2($0.baseAddress, O_CLOEXEC) }) == 0 else {
            return nil
        }
        let reading = OwnedDescriptor(owning: ends[0])
        guard let pid = Self.spawn(command, input: reading.rawValue) else {
            _ = Glibc.close(ends[1])
            return nil
        }
        (input, self.pid) = (ends[1], pid)
        for number in [SIGINT, SIGQUIT] { _ = signal(number, SIG_IGN) }
    }

    /// Tells the pager that this is all, and waits until its user is done.
    func close() {
        _ = Glibc.close(input)
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        for number in [SIGINT, SIGQUIT] { _ = signal(number, SIG_DFL) }
    }

    private static func spawn(_ command: PagerCommand, input: Int32) -> pid_t? {
        guard let program = command.arguments.first else { return nil }
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        // What we ignore, it must not.
        var standard = sigset_t()
        unsafe sigemptyset(&standard)
        for number in [SIGPIPE, SIGINT, SIGQUIT] { unsafe sigaddset(&standard, number) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &standard)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        // Both lists end with nil, and live until the child has them.
        var arguments = unsafe command.arguments.map { unsafe strdup($0) } + [nil]
        var environment = unsafe command.environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
        var pid = pid_t()
        let code = unsafe posix_spawnp(&pid, program, &actions, &attributes, &arguments, &environment)
        return code == 0 ? pid : nil
    }
}
