// Holes in the capture itself, told apart from losses of the network.
//
// Whoever acknowledges data has received it. Data that was acknowledged and never came by was therefore lost on the way to
// us (a full ring, a mirror port that takes less than it should), not on the network. A hole that is filled by a
// retransmission before it is acknowledged is the network's.

extension TCPConnection {
    /// Takes an acknowledgement of something new, by a side whose peer has been seen, where some of it may be missing.
    mutating func noteMissing(_ input: TCPInput, of owner: Int, findings: inout TCPFindings) {
        let acknowledgement = input.acknowledgement
        let seen = sides[owner].nextSequence
        if sides[owner].has(.isGapOfJoin), sides[owner].gapEnd == seen, acknowledgement == seen &+ 1 {
            // Of a side that has sent no data yet: the answer to its keepalive (RFC 9293, 3.8.4).
            return
        }
        // What lay before the first packet seen is nobody's loss.
        let hasHole =
            sides[owner].has(.hasGap) && !sides[owner].has(.isGapOfJoin) && !sides[owner].has(.isGapCounted)
            && isAfter(acknowledgement, sides[owner].gapStart)
        if hasHole { sides[owner].flags.insert(.isGapCounted) }
        if isAfter(acknowledgement, seen) {
            // Remembered, since the data may stand just behind its acknowledgement.
            sides[owner].gapStart = seen
            sides[owner].gapEnd = acknowledgement
            sides[owner].flags.remove(.isGapOfJoin)
            sides[owner].flags.insert([.hasGap, .isGapCounted, .isGapOfAcknowledgement])
            gapOpened[owner] = input.time
        } else if !hasHole {
            return
        }
        findings.counters.captureGaps &+= 1
    }
}
