// What came of a hook's run.

internal import Model

/// What came of one run of a hook.
public struct HookRunResult: Hashable, Sendable {
    public enum Ending: Hashable, Sendable {
        /// Exit code 0 is delivery.
        case exited(code: Int32)
        case signalled(Int32)
        /// Still running at its deadline, and killed with its group.
        case timedOut
        /// Not run at all, and why.
        case refused(String)
        /// The daemon stopped while it ran.
        case interrupted
    }

    public var hook: String
    public var ending: Ending
    public var duration: Duration
    /// Standard output and error together, the first 64 KiB of them.
    public var output: [UInt8]
    /// Bytes beyond that, read and thrown away.
    public var discarded: UInt64

    public var isDelivered: Bool { ending == .exited(code: 0) }

    /// One line: `exit code 1: connection refused`.
    public var text: String {
        let tail = Text.sanitised(bytes: output.prefix(200).split(separator: 10).first ?? [])
        let said = tail.isEmpty ? "" : ": \(tail)"
        switch ending {
        case .exited(let code): return "exit code \(code)\(said)"
        case .signalled(let signal): return "ended by signal \(signal)\(said)"
        case .timedOut: return "killed at its deadline\(said)"
        case .refused(let reason): return "refused: \(Text.sanitised(reason))"
        case .interrupted: return "interrupted by the daemon's stop"
        }
    }
}
