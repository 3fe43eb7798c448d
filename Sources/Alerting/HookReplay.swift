/// What became of a wish to try given-up notices again; ids of notices, oldest first.
public struct HookReplay: Hashable, Sendable {
    /// They wait for their hook again.
    public var queued: [String] = []
    /// Openings of incidents that are no longer open: telling of them now would be false.
    public var over: [String] = []
    /// No room in the spool, or the disk refused.
    public var refused: [String] = []
    /// All that were given up and kept, at most `HookLimits.failed`.
    public var known: [String] = []

    public init() {}
}
