// What the emulated wide area does to packets of one direction, and what it has really done.

/// How one direction of a path treats packets.
public struct PathConditions: Hashable, Sendable {
    /// One way.
    public var delay: Duration
    /// Uniform in ±`jitter` around `delay`, packet by packet; order is kept.
    public var jitter: Duration
    /// Share of packets that vanish, 0...1.
    public var loss: Double
    /// Share of packets that are held for `reorderHold` more, so that later ones overtake them.
    public var reordering: Double
    public var reorderHold: Duration
    /// Share of packets that arrive twice.
    public var duplication: Double
    /// IP packets longer than this vanish without a word: an MTU black hole.
    public var maximumLength: Int?
    /// Nothing passes.
    public var isCut: Bool

    public init(
        delay: Duration = .zero, jitter: Duration = .zero, loss: Double = 0, reordering: Double = 0,
        reorderHold: Duration = .milliseconds(5), duplication: Double = 0, maximumLength: Int? = nil,
        isCut: Bool = false
    ) {
        self.delay = delay
        self.jitter = jitter
        self.loss = loss
        self.reordering = reordering
        self.reorderHold = reorderHold
        self.duplication = duplication
        self.maximumLength = maximumLength
        self.isCut = isCut
    }
}

/// What one direction of a path has done to the packets so far: the truth that a test compares with.
public struct PathTruth: Hashable, Sendable {
    /// Packets that came.
    public var packets: UInt64 = 0
    /// Packets handed on, duplicates not counted.
    public var delivered: UInt64 = 0
    /// Packets that vanished by `loss`.
    public var lost: UInt64 = 0
    public var blackHoled: UInt64 = 0
    /// Packets that came while the path was cut.
    public var cut: UInt64 = 0
    public var duplicated: UInt64 = 0
    public var reordered: UInt64 = 0
    /// Packets that the other end's device did not take, or that found too many others on their way.
    public var refused: UInt64 = 0
    /// Nanoseconds between taking a packet and handing it on: the sum, and the bounds.
    public var delaySum: Int64 = 0
    public var delayMinimum: Int64?
    public var delayMaximum: Int64?
    /// How much later than due packets were handed on, in nanoseconds, summed; and the worst.
    public var latenessSum: Int64 = 0
    public var latenessMaximum: Int64 = 0

    public init() {}

    /// Mean of the real delay in nanoseconds; nil where nothing was delivered.
    public var meanDelay: Double? { delivered == 0 ? nil : Double(delaySum) / Double(delivered) }

    mutating func record(delay: Int64, lateness: Int64) {
        delivered += 1
        delaySum += delay
        delayMinimum = min(delayMinimum ?? delay, delay)
        delayMaximum = max(delayMaximum ?? delay, delay)
        latenessSum += lateness
        latenessMaximum = max(latenessMaximum, lateness)
    }
}

/// A small generator with a seed, so that a run can be repeated: SplitMix64.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
