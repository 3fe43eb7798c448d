// One run of one hook: a child in a session of its own, watched by descriptor, ended by group.

internal import CLinux
internal import Foundation
internal import Glibc
internal import LinuxSystem
internal import Model

/// Why a hook was not run.
struct HookRefusal: Error {
    var reason: String
}

/// A running hook. Confined to the thread that started it, which must outlive it (the child dies with that thread).
final class HookProcess {
    /// Kept of what it prints, in bytes.
    static let outputLimit = 64 << 10
    /// Between SIGTERM and SIGKILL.
    static let grace = Duration.seconds(5)
    /// Read of its output before anything else has a turn, in bytes.
    private static let readAtOnce = 1 << 20

    let hook: HookSpec
    let pid: pid_t
    private let pidfd: OwnedDescriptor
    /// The reading end of its standard output and error; -1 once it is at its end.
    private var pipe: Int32
    private var output: [UInt8] = []
    private var discarded: UInt64 = 0
    private let token: String
    private let began = SuspendingClock.now
    private let deadline: SuspendingClock.Instant
    private var killAt: SuspendingClock.Instant?
    private var isInterrupted = false

    /// Starts the hook with the message on its standard input. Throws the reason when it may not or cannot run.
    init(_ hook: HookSpec, message: HookMessage) throws(HookRefusal) {
        guard let path = hook.command.first else { throw HookRefusal(reason: "hook \(hook.name) has no command") }
        if let refusal = SafePath.refusal(path) { throw HookRefusal(reason: refusal) }
        self.hook = hook
        token = UUID().uuidString
        deadline = began.advanced(by: hook.timeout)
        var environment = message.environment(hook)
        // Found again in /proc in what the hook leaves behind, whatever session that is in.
        environment["TAUTLINE_RUN"] = token
        do {
            let input = try SpawnDescriptors.file(holding: message.json())
            let ends = try SpawnDescriptors.pipe()
            let child = try SpawnDescriptors.spawn(
                hook.command, environment: environment, input: input.rawValue, output: ends.write.rawValue)
            pid = child.pid
            pidfd = OwnedDescriptor(owning: child.pidfd)
            pipe = try ends.read.duplicate().release()
        } catch {
            throw HookRefusal(reason: error.description)
        }
    }

    deinit {
        if pipe >= 0 { close(pipe) }
    }

    /// The descriptors to poll for reading: the end of the process, and its output while that is open.
    var descriptors: [Int32] { pipe >= 0 ? [pidfd.rawValue, pipe] : [pidfd.rawValue] }

    /// When `advance` wants to be called even if no descriptor is ready.
    var wakeUp: SuspendingClock.Instant { killAt ?? deadline }

    /// Reads what it printed, enforces its deadline, and returns the result once it has ended.
    func advance(now: SuspendingClock.Instant = .now) -> HookRunResult? {
        drain()
        if hasEnded {
            // Nothing that it started may stay: first its group, while its number is still held by the zombie.
            kill(-pid, SIGKILL)
            let ending = reap()
            LeftBehind.kill(environmentEntry: "TAUTLINE_RUN=\(token)")
            drain()
            return HookRunResult(
                hook: hook.name, ending: isInterrupted ? .interrupted : killAt != nil ? .timedOut : ending,
                duration: .now - began, output: output, discarded: discarded)
        }
        if let killAt, now >= killAt {
            kill(-pid, SIGKILL)
            self.killAt = now.advanced(by: .seconds(1))
        } else if killAt == nil, now >= deadline {
            kill(-pid, SIGTERM)
            killAt = now.advanced(by: Self.grace)
        }
        return nil
    }

    /// Ends it because the daemon stops; SIGKILL follows after `patience`.
    func interrupt(patience: Duration) {
        guard !isInterrupted else { return }
        isInterrupted = true
        kill(-pid, SIGTERM)
        killAt = .now.advanced(by: patience)
    }

    /// A pidfd is readable once the process is a zombie; it stays one, and its number ours, until `reap`.
    private var hasEnded: Bool {
        var poll = pollfd(fd: pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&poll, 1, 0) == 1
    }

    private func reap() -> HookRunResult.Ending {
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0 {
            if errno != EINTR { return .signalled(0) }
        }
        // wait(2): the low seven bits are the signal, the second byte the exit code.
        let signal = status & 0x7F
        return signal == 0 ? .exited(code: (status >> 8) & 0xFF) : .signalled(signal)
    }

    private func drain() {
        guard pipe >= 0 else { return }
        var total = 0
        while total < Self.readAtOnce {
            let wanted = 64 << 10
            var count = 0
            let descriptor = pipe
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
                count = unsafe read(descriptor, buffer.baseAddress, wanted)
                initialized = max(0, count)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else {
                close(pipe)
                pipe = -1
                return
            }
            total += count
            let kept = min(count, Self.outputLimit - output.count)
            output.append(contentsOf: chunk.prefix(kept))
            discarded &+= UInt64(count - kept)
        }
    }
}
