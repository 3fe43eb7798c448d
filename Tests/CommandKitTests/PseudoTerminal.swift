import CLinux
import Foundation
import Glibc
import LinuxSystem

@testable import CommandKit

/// The built `taut` on a terminal of its own, whose every byte is held against `TerminalModel`.
final class PseudoTerminal {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private(set) var screen: TerminalModel
    /// Everything that was written to the terminal.
    private(set) var received: [UInt8] = []
    private var unread: [UInt8] = []
    private let terminal: OwnedDescriptor
    /// Kept open, so that the terminal's settings can be read after the program has ended.
    private let line: OwnedDescriptor
    private let path: String
    private var pid: pid_t = 0
    private(set) var status: Int32?

    /// Where `swift build` puts the programs: beside the test bundle, which runs as a program of its own.
    static let taut = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("taut").path

    init(columns: Int = 80, rows: Int = 24) throws {
        screen = TerminalModel(columns: columns, rows: rows)
        // pty(7) by hand: glibc's functions for it are hidden from Swift's view of <stdlib.h>.
        terminal = try Syscall.descriptor("open") { open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK) }
        var unlocked: Int32 = 0
        var number: UInt32 = 0
        let descriptor = terminal.rawValue
        try Syscall.check("TIOCSPTLCK") { ioctl(descriptor, 0x4004_5431, &unlocked) }
        try Syscall.check("TIOCGPTN") { ioctl(descriptor, 0x8004_5430, &number) }
        let path = "/dev/pts/\(number)"
        self.path = path
        line = try Syscall.descriptor("open") { open(path, O_RDWR | O_NOCTTY | O_CLOEXEC) }
        try setSize(columns: columns, rows: rows)
    }

    deinit {
        if status == nil, pid > 0 {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
    }

    // MARK: The program

    /// Starts a program as the leader of a session whose terminal this is.
    func start(_ command: [String], environment: [String: String] = [:]) throws {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        let newSession: Int32 = 0x80
        posix_spawnattr_setflags(&attributes, Int16(newSession | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var settings = ["TERM": "xterm-256color", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"]
        settings.merge(environment) { $1 }
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = settings.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        let code = posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw Failure(description: "\(command[0]) cannot be started: errno \(code)") }
    }

    /// Runs `taut` to its end and returns its exit code, 128 and the number for a signal.
    @discardableResult
    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Int32 {
        try start([Self.taut] + arguments, environment: environment)
        return try end()
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for the program's end and reads what is left.
    func end(seconds: Double = 30) throws -> Int32 {
        let deadline = Clock.monotonic() + Int64(seconds * 1e9)
        while status == nil {
            guard Clock.monotonic() < deadline else { throw Failure(description: "no end\n\(text)") }
            try pump(milliseconds: 20)
            var raw: Int32 = 0
            if waitpid(pid, &raw, WNOHANG) == pid { status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + raw & 0x7F }
        }
        try pump(milliseconds: 20)
        guard unread.isEmpty else { throw Failure(description: "it ended within a character or a sequence") }
        return status ?? -1
    }

    // MARK: The terminal

    func type(_ text: String) throws {
        let bytes = Array(text.utf8)
        let descriptor = terminal.rawValue
        try Syscall.check("write") { write(descriptor, bytes, bytes.count) }
    }

    /// As a window that is pulled: the program gets SIGWINCH.
    func setSize(columns: Int, rows: Int) throws {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        let descriptor = terminal.rawValue
        try Syscall.check("TIOCSWINSZ") { ioctl(descriptor, UInt(TIOCSWINSZ), &size) }
        screen.resize(columns: columns, rows: rows)
    }

    /// Input, output, control and local modes: what a program changes and must put back.
    var modes: [UInt32] {
        var settings = termios()
        tcgetattr(line.rawValue, &settings)
        return [settings.c_iflag, settings.c_oflag, settings.c_cflag, settings.c_lflag]
    }

    var text: String { screen.lines.joined(separator: "\n") }

    /// Reads until the screen is as wanted.
    func wait(_ what: String, seconds: Double = 30, until isTrue: (TerminalModel) -> Bool) throws {
        let deadline = Clock.monotonic() + Int64(seconds * 1e9)
        while !isTrue(screen) {
            guard Clock.monotonic() < deadline else {
                throw Failure(description: "never: \(what)\n\(text)")
            }
            try pump(milliseconds: 20)
        }
    }

    func wait(for part: String, seconds: Double = 30) throws {
        try wait("“\(part)” on the screen", seconds: seconds) { $0.lines.contains { $0.contains(part) } }
    }

    private func pump(milliseconds: Int32) throws {
        var entry = pollfd(fd: terminal.rawValue, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, milliseconds)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(terminal.rawValue, &chunk, chunk.count)
            guard count > 0 else { break }
            received += chunk.prefix(count)
            unread += chunk.prefix(count)
        }
        let whole = unread.count - Self.unfinished(unread)
        try screen.feed(unread.prefix(whole))
        unread.removeFirst(whole)
    }

    /// Bytes at the end that are the begin of a character or of a sequence.
    static func unfinished(_ bytes: [UInt8]) -> Int {
        let tail = bytes.suffix(24)
        if let escape = tail.lastIndex(of: 0x1B) {
            let rest = tail[(escape + 1)...]
            let isOver = rest.dropFirst().contains { (0x40...0x7E).contains($0) } || (rest.first ?? 0x5B) != 0x5B
            if !isOver { return bytes.endIndex - escape }
        }
        for length in 1...3 {
            guard let lead = bytes.suffix(length).first, bytes.count >= length else { continue }
            if lead & 0xC0 == 0x80 { continue }
            let width = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1
            return width > length ? length : 0
        }
        return 0
    }
}
