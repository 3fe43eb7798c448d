// What hook delivery says of itself.

/// Figures of hook delivery since the start; `pending`, `running` and `owed` are of this moment.
public struct HookCounters: Hashable, Sendable {
    /// Accepted and neither delivered nor given up.
    public var pending = 0
    public var running = 0
    /// Delivered openings whose closing is still to come.
    public var owed = 0
    public var delivered: UInt64 = 0
    /// Runs that failed and will be repeated.
    public var retried: UInt64 = 0
    /// Notices given up after all attempts; they lie in the `failed` folder.
    public var failed: UInt64 = 0
    /// Notices refused because the spool was full, could not be written, or their hook no longer exists.
    public var dropped: UInt64 = 0
    /// Notices that need no delivery: repetitions, openings that closed before anyone was told, and their closings.
    public var superseded: UInt64 = 0
    /// The newest failure, in one line; nil while there was none.
    public var lastError: String?

    public init() {}
}

/// Something about delivery that the operator should see.
public enum HookEvent: Hashable, Sendable {
    case delivered(hook: String, notice: String, attempts: Int)
    case retrying(hook: String, notice: String, attempt: Int, reason: String)
    case gaveUp(hook: String, notice: String, attempts: Int, reason: String)
    case dropped(hook: String, notice: String, reason: String)
    case spoolTrouble(reason: String)

    public var text: String {
        switch self {
        case .delivered(let hook, let notice, let attempts):
            "hook \(hook): delivered \(notice) in \(attempts) attempt\(attempts == 1 ? "" : "s")"
        case .retrying(let hook, let notice, let attempt, let reason):
            "hook \(hook): attempt \(attempt) of \(notice) failed, will retry: \(reason)"
        case .gaveUp(let hook, let notice, let attempts, let reason):
            "hook \(hook): gave up \(notice) after \(attempts) attempt\(attempts == 1 ? "" : "s"): \(reason)"
        case .dropped(let hook, let notice, let reason): "hook \(hook): dropped \(notice): \(reason)"
        case .spoolTrouble(let reason): "hook spool: \(reason)"
        }
    }

    /// Whether something was lost or failed, as against news that all is well.
    public var isFailure: Bool {
        if case .delivered = self { return false }
        return true
    }
}

/// The bounds of hook delivery.
public struct HookLimits: Hashable, Sendable {
    /// Hooks running at once.
    public var concurrency = 4
    /// Runs of one hook at once, so that one that hangs leaves room for others.
    public var perHook = 3
    /// Notices waiting for delivery; closings of delivered openings are accepted up to twice that.
    public var pending = 1_000
    /// Files kept of notices given up.
    public var failed = 200
    /// Openings remembered because their closing is owed.
    public var told = 10_000
    /// The pause after the first failed attempt; doubles each time up to `longestPause`, a quarter either way by chance.
    public var firstPause = Duration.seconds(2)
    public var longestPause = Duration.seconds(300)
    /// Given to running hooks when the daemon stops.
    public var stopPatience = Duration.seconds(2)

    public init() {}
}
