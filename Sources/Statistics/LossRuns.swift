// Loss comes in runs; their lengths tell a bad line (many short) from an outage (one long).

/// Counts packets and the runs of losses in a row.
public struct LossRuns: Hashable, Sendable {
    /// Packets that say something: answered or lost.
    public private(set) var packets: UInt64 = 0
    public private(set) var lost: UInt64 = 0
    /// Runs of one or more losses, the open one included.
    public private(set) var runs: UInt64 = 0
    /// The longest run.
    public private(set) var longest: UInt64 = 0
    /// Losses in a row up to now.
    public private(set) var current: UInt64 = 0

    public init() {}

    /// Takes the next packet in order of sending.
    public mutating func record(lost isLost: Bool) {
        packets = packets.addingUpToLimit(1)
        guard isLost else {
            current = 0
            return
        }
        lost = lost.addingUpToLimit(1)
        if current == 0 { runs = runs.addingUpToLimit(1) }
        current = current.addingUpToLimit(1)
        longest = max(longest, current)
    }

    /// Time about which nothing is known ends a run: what was lost before and after it is not one run.
    public mutating func interrupt() { current = 0 }

    /// Share of packets lost, 0...1; nil without packets.
    public var share: Double? { packets == 0 ? nil : Double(lost) / Double(packets) }
    /// Mean length of a run; nil without losses.
    public var meanRun: Double? { runs == 0 ? nil : Double(lost) / Double(runs) }
}
