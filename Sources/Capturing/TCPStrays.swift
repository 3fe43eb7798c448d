// Numbers far from where the connection is: a damaged or forged packet, or a connection whose opening was missed.
//
// The receiver drops what lies outside its window (RFC 9293, 3.10.7.4), so one such packet changes nothing here either. A
// second one near the first says that the connection goes on there: ports used anew, or a long hole in the capture.

/// Where the last stray of each side, and of the acknowledgements of each side's data, was seen.
struct TCPStrays: BitwiseCopyable {
    private var edges: InlineArray<4, UInt32> = InlineArray(repeating: 0)
    /// A bit for each edge that holds.
    private var known: UInt32 = 0

    /// Whether the numbers around `edge` were met before; where not, they are noted.
    mutating func isSecond(_ place: Int, _ edge: UInt32) -> Bool {
        let bit: UInt32 = 1 &<< UInt32(truncatingIfNeeded: place & 3)
        let distance = Int32(bitPattern: edge &- edges[place & 3])
        if known & bit != 0, distance.magnitude <= TCPConnection.strayDistance {
            known &= ~bit
            return true
        }
        edges[place & 3] = edge
        known |= bit
        return false
    }
}

extension TCPConnection {
    /// Bytes beyond which a number is taken for a stray. The greatest window is 1 GiB (RFC 7323, 2.3), but next to nothing
    /// has more than this much on its way, and what does is taken up again with the next packet.
    static var strayDistance: UInt32 { 1 << 26 }

    /// Takes a segment that is far off: false where it is to be passed over, true where its side goes on there.
    @inline(never)
    mutating func followFarOff(_ input: TCPInput, pool: inout SegmentPool, findings: inout TCPFindings) -> Bool {
        guard strays.isSecond(input.sender, input.sequence) else {
            findings.counters.reject(.outOfWindow)
            return false
        }
        forgetSent(input.sender, pool: &pool)
        return true
    }

    /// The same for an acknowledgement far above everything that was sent; where it is followed, so are its numbers.
    @inline(never)
    mutating func followFarAcknowledgement(
        _ input: TCPInput, of owner: Int, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        guard strays.isSecond(2 &+ owner, input.acknowledgement) else {
            findings.counters.reject(.outOfWindow)
            return
        }
        pool.removeAll(of: &sides[owner].queue)
        sides[owner].nextSequence = input.acknowledgement
        sides[owner].highestAcknowledged = input.acknowledgement
    }

    /// Begins a side anew, as one that is joined in its middle.
    private mutating func forgetSent(_ side: Int, pool: inout SegmentPool) {
        pool.removeAll(of: &sides[side].queue)
        pool.giveBack(sides[side].copies)
        var fresh = TCPDirection()
        fresh.minimumRTT = sides[side].minimumRTT
        fresh.flags = sides[side].flags.intersection([.isSeen, .isWindowZero])
        sides[side] = fresh
    }
}
