// What a capture did not see, or left out: what its figures rest on.

/// What was seen and what was not over some time; two of them add up.
public struct CaptureLoss: Hashable, Sendable {
    /// Packets that were handed to us.
    public var packets: UInt64 = 0
    /// Packets that matched the filter and that the kernel dropped since the ring was full (`ps_drop`).
    public var kernelDrops: UInt64 = 0
    /// Packets that the interface dropped (`ps_ifdrop`).
    public var interfaceDrops: UInt64 = 0
    /// TCP acknowledgements of something new that could be held against the data seen.
    public var acknowledgements: UInt64 = 0
    /// Those of them that acknowledge data which the capture never held: it had arrived, so it was no network loss.
    public var gaps: UInt64 = 0
    /// Packets left out on purpose, by flow, while the kernel was dropping others.
    public var shed: UInt64 = 0

    public init() {}

    /// Share of acknowledgements that tell of a hole in the capture, 0...1; nil where none could be judged.
    public var gapShare: Double? { acknowledgements == 0 ? nil : Double(gaps) / Double(acknowledgements) }

    /// Whether anything is missing.
    public var isAny: Bool { kernelDrops > 0 || interfaceDrops > 0 || gaps > 0 || shed > 0 }

    public static func += (a: inout CaptureLoss, b: CaptureLoss) {
        a.packets = a.packets.addingSaturated(b.packets)
        a.kernelDrops = a.kernelDrops.addingSaturated(b.kernelDrops)
        a.interfaceDrops = a.interfaceDrops.addingSaturated(b.interfaceDrops)
        a.acknowledgements = a.acknowledgements.addingSaturated(b.acknowledgements)
        a.gaps = a.gaps.addingSaturated(b.gaps)
        a.shed = a.shed.addingSaturated(b.shed)
    }

    /// What came since the earlier of two running totals; never below zero.
    public static func - (a: CaptureLoss, b: CaptureLoss) -> CaptureLoss {
        var difference = CaptureLoss()
        difference.packets = a.packets.subtractingToZero(b.packets)
        difference.kernelDrops = a.kernelDrops.subtractingToZero(b.kernelDrops)
        difference.interfaceDrops = a.interfaceDrops.subtractingToZero(b.interfaceDrops)
        difference.acknowledgements = a.acknowledgements.subtractingToZero(b.acknowledgements)
        difference.gaps = a.gaps.subtractingToZero(b.gaps)
        difference.shed = a.shed.subtractingToZero(b.shed)
        return difference
    }
}

extension UInt64 {
    fileprivate func subtractingToZero(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}

extension CaptureCounters {
    /// The same as running totals from the start of the source.
    public var loss: CaptureLoss {
        var loss = CaptureLoss()
        loss.packets = packets
        loss.kernelDrops = kernelDrops
        loss.interfaceDrops = interfaceDrops
        loss.acknowledgements = acknowledgements
        loss.gaps = captureGaps
        loss.shed = drops["shed"] ?? 0
        return loss
    }
}
