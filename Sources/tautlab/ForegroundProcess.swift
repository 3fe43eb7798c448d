// A child that keeps the terminal.

import Glibc
import TestSupport

/// A child process in our own process group with our own standard streams, so that it may use the terminal.
final class ForegroundProcess {
    private let pid: pid_t
    private var hasEnded = false

    init(_ command: [String]) throws {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid = pid_t()
        guard let program = command.first, posix_spawn(&pid, program, nil, nil, &arguments, environ) == 0 else {
            throw CommandError(command: command, status: 127, output: "cannot be started")
        }
        self.pid = pid
    }

    var isRunning: Bool {
        if hasEnded { return false }
        var status: Int32 = 0
        hasEnded = waitpid(pid, &status, WNOHANG) != 0
        return !hasEnded
    }

    func signal(_ number: Int32) {
        if !hasEnded { kill(pid, number) }
    }
}
