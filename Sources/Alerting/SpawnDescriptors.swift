// What a hook is born with, and what it must not leave behind.

internal import CLinux
internal import Foundation
internal import Glibc
internal import LinuxSystem

/// The descriptors of a new process, and the spawn itself.
enum SpawnDescriptors {
    struct Ends: ~Copyable {
        let read: OwnedDescriptor
        let write: OwnedDescriptor
    }

    /// A pipe whose reading end does not block; the writing end, the child's, does.
    static func pipe() throws(SystemError) -> Ends {
        var numbers: [Int32] = [-1, -1]
        try Syscall.check("pipe2") { unsafe pipe2(&numbers, O_CLOEXEC) }
        let read = OwnedDescriptor(owning: numbers[0])
        let write = OwnedDescriptor(owning: numbers[1])
        let number = read.rawValue
        try Syscall.check("fcntl") { fcntl(number, F_SETFL, O_NONBLOCK) }
        return Ends(read: read, write: write)
    }

    /// An anonymous file that holds `bytes`, to be read from its beginning: unlike a pipe it can neither block the
    /// writer nor raise SIGPIPE when the hook does not read.
    static func file(holding bytes: [UInt8]) throws(SystemError) -> OwnedDescriptor {
        let file = try Syscall.descriptor("memfd_create") {
            unsafe memfd_create("tautline-notice", UInt32(MFD_CLOEXEC))
        }
        let number = file.rawValue
        var written = 0
        while written < bytes.count {
            written += try Syscall.check("write", "memfd") {
                unsafe bytes.withUnsafeBytes {
                    unsafe write(number, $0.baseAddress?.advanced(by: written), $0.count - written)
                }
            }
        }
        try Syscall.check("lseek") { lseek(number, 0, SEEK_SET) }
        return file
    }

    /// Starts the program; on success the caller owns `pidfd`.
    static func spawn(
        _ command: [String], environment: [String: String], input: Int32, output: Int32
    ) throws(SystemError) -> (pid: pid_t, pidfd: Int32) {
        // Numbers 0 to 2 are about to be replaced in the child, so both must lie above.
        let safeInput = try Syscall.descriptor("fcntl") { fcntl(input, F_DUPFD_CLOEXEC, 3) }
        let safeOutput = try Syscall.descriptor("fcntl") { fcntl(output, F_DUPFD_CLOEXEC, 3) }
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var pid: pid_t = 0
        var pidfd: Int32 = -1
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] = unsafe variables.map { unsafe strdup($0) } + [nil]
        defer {
            unsafe arguments.forEach { unsafe free($0) }
            unsafe settings.forEach { unsafe free($0) }
        }
        let path = command.first ?? ""
        var code: Int32 = 0
        for _ in 0..<4 {
            code = unsafe taut_spawn(
                path, &arguments, &settings, safeInput.rawValue, safeOutput.rawValue, &pid, &pidfd)
            // Somebody has it open for writing, perhaps only because a fork of ours has just inherited that.
            guard code == ETXTBSY else { break }
            usleep(20_000)
        }
        guard code == 0 else { throw SystemError(call: "execve", errno: code, context: path) }
        return (pid, pidfd)
    }
}

/// Processes that outlived a hook in a session of their own.
enum LeftBehind {
    /// Kills every process whose environment holds `entry`, as far as we may see it.
    static func kill(environmentEntry entry: String) {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc") else { return }
        let entry = Array(entry.utf8)
        for name in names {
            guard let pid = pid_t(name), pid != getpid(), environment(of: pid, holds: entry) else { continue }
            let number = taut_pidfd_open(pid)
            guard number >= 0 else { continue }
            let pidfd = OwnedDescriptor(owning: number)
            // Looked at again now that the descriptor pins the process: the number may have been used anew.
            if environment(of: pid, holds: entry) { _ = taut_pidfd_signal(pidfd.rawValue, SIGKILL) }
        }
    }

    /// - Complexity: the environment is read up to 256 KiB.
    private static func environment(of pid: pid_t, holds entry: [UInt8]) -> Bool {
        guard let file = FileHandle(forReadingAtPath: "/proc/\(pid)/environ") else { return false }
        defer { try? file.close() }
        guard let bytes = try? file.read(upToCount: 256 << 10) else { return false }
        return bytes.split(separator: 0).contains { $0.elementsEqual(entry) }
    }
}
