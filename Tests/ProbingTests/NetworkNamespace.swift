import CLinux
import Glibc
import LinuxSystem
import Synchronization

/// A network of its own for one test: a thread that leaves the host's network namespace; the namespace goes with it.
enum NetworkNamespace {
    /// Network namespaces need root. Tests that use them are skipped without.
    static let isPermitted = getuid() == 0 && (try? run("true") {}) != nil

    /// Runs `body` on a thread in a new, empty network namespace, after the shell commands in `setup`.
    static func run<Result: Sendable>(
        _ setup: String, _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let outcome = Mutex<Swift.Result<Result, any Error>?>(nil)
        let box = Transferred(outcome: outcome)
        let thread = try Thread.start(name: "netns") {
            let result = Swift.Result {
                guard taut_unshare(Int32(CLONE_NEWNET)) == 0 else { throw SystemError(call: "unshare", errno: errno) }
                try shell(setup)
                return try body()
            }
            box.outcome.withLock { $0 = result }
        }
        thread.join()
        guard let result = box.outcome.withLock({ $0 }) else { throw SystemError(call: "netns", errno: EIO) }
        return try result.get()
    }

    /// Runs a shell command in the namespace of the calling thread; throws where it fails.
    static func shell(_ command: String) throws {
        var pid = pid_t()
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sh"), strdup("-ec"), strdup(command), nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        guard posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, &environment) == 0 else {
            throw SystemError(call: "posix_spawn", errno: errno)
        }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        guard status == 0 else { throw SystemError(call: "sh", errno: EINVAL, context: command) }
    }

    private final class Transferred<Value: Sendable>: Sendable {
        let outcome: Mutex<Swift.Result<Value, any Error>?>

        init(outcome: consuming Mutex<Swift.Result<Value, any Error>?>) { self.outcome = outcome }
    }
}
