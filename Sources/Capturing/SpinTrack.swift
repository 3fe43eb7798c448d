// The spin bit of QUIC, RFC 9000, 17.4 and RFC 9312, 3.8.2: the client turns it once a round trip, the server echoes it.
//
// A turn of the client's packets and then of the server's is the server's half; the server's turn and then the
// client's next is the client's half. One connection in sixteen has the bit switched off, some send it at random, and
// reordering makes turns that are none. So nothing is believed until the pattern has shown itself: a turn must hold, the
// sides must take turns, and no half may be much shorter than in the handshake.

/// One direction's spin bit.
struct SpinDirection: BitwiseCopyable {
    /// 0: nothing seen; else the settled value + 1.
    var value: UInt8 = 0
    /// Whether packets with the other value were seen, not yet for long enough.
    var isTurning: UInt8 = 0
    /// Packets since the turn began, with the new value and with the old one.
    var forward: UInt16 = 0
    var back: UInt16 = 0
    /// Turns that held.
    var turns: UInt32 = 0
    /// When the first packet of the present turn was seen.
    var turning: Int64 = 0
    /// The last turn that held, and the silence before it.
    var turned: Int64 = 0
    var silence: Int64 = 0
    var pendingSilence: Int64 = 0
    var lastPacket: Int64 = 0
}

/// A half round trip told by two turns.
struct SpinFinding: BitwiseCopyable {
    /// Whether it lies between capture point and server.
    var isServerHalf = false
    /// Nanoseconds.
    var rtt: Int64 = 0
    /// When the second turn was seen.
    var time: Int64 = 0
    /// The pattern has proved itself, and the half is not one of silence.
    var isProved = false
    var isIdle = false
}

struct SpinTrack: BitwiseCopyable {
    /// Turns of each direction before a sample is believed.
    private static var leastTurns: UInt32 { 4 }
    /// Faults after which the bit is not looked at any more, unless four times as many turns were good.
    private static var faultLimit: UInt32 { 8 }

    /// Of the client and of the server.
    var directions: InlineArray<2, SpinDirection> = InlineArray(repeating: SpinDirection())
    /// Which side turned last: 0: none; 1: the client; 2: the server.
    private var lastTurned: UInt8 = 0
    /// What contradicts the pattern: turns that did not hold, turns out of order, halves that are too short.
    private(set) var faults: UInt32 = 0
    private var good: UInt32 = 0

    /// The bit is random, or set without a pattern.
    var isSuppressed: Bool { faults >= SpinTrack.faultLimit && faults > good / 4 }

    /// Takes the bit of a packet. `hold` is how long a turn must last (half of the handshake's RTT, in nanoseconds);
    /// `server` and `client` are the handshake's halves, 0 where not known.
    mutating func take(
        fromServer: Bool, bit: Bool, at time: Int64, hold: Int64, server: Int64, client: Int64
    ) -> Findings {
        let side = fromServer ? 1 : 0
        let before = directions[side].lastPacket
        guard directions[side].value != 0, before <= time else {
            // The first packet, or a clock that stepped back: begin anew.
            directions[side] = SpinDirection()
            directions[side].value = bit ? 2 : 1
            directions[side].lastPacket = time
            lastTurned = 0
            return Findings()
        }
        directions[side].lastPacket = time
        let isNew = (directions[side].value == 2) != bit
        if directions[side].isTurning == 0 {
            if isNew { begin(side, at: time, silence: time &- before) }
            return Findings()
        }
        guard time &- directions[side].turning >= hold else {
            if !isNew {
                if directions[side].back < .max { directions[side].back &+= 1 }
            } else if directions[side].back > directions[side].forward {
                // What began the turn was a stray packet; this one is the turn.
                faults &+= 1
                begin(side, at: time, silence: time &- before)
            } else if directions[side].forward < .max {
                directions[side].forward &+= 1
            }
            return Findings()
        }
        if UInt32(directions[side].back) &* 4 > UInt32(directions[side].forward) { faults &+= 1 }
        guard directions[side].forward > directions[side].back else {
            directions[side].isTurning = 0
            if isNew { begin(side, at: time, silence: time &- before) }
            return Findings()
        }
        let findings = settle(side, server: server, client: client)
        if !isNew {
            // The value that this packet has is the next turn already.
            begin(side, at: time, silence: time &- before)
        }
        return findings
    }

    private mutating func begin(_ side: Int, at time: Int64, silence: Int64) {
        directions[side].isTurning = 1
        directions[side].forward = 1
        directions[side].back = 0
        directions[side].turning = time
        directions[side].pendingSilence = silence
    }

    /// A turn has held. Where it answers one of the other side that is still to hold, that one is proved by it.
    private mutating func settle(_ side: Int, server: Int64, client: Int64) -> Findings {
        let other = 1 - side
        var findings = Findings()
        let isAnswer = (directions[side].value == directions[other].value) == (side == 1)
        if directions[other].isTurning != 0, directions[other].forward > directions[other].back, isAnswer,
            directions[other].turning <= directions[side].turning
        {
            findings.first = accept(other, server: server, client: client)
        }
        findings.second = accept(side, server: server, client: client)
        return findings
    }

    private mutating func accept(_ side: Int, server: Int64, client: Int64) -> SpinFinding? {
        directions[side].isTurning = 0
        directions[side].value = directions[side].value == 2 ? 1 : 2
        directions[side].turns = directions[side].turns &+ 1
        directions[side].turned = directions[side].turning
        directions[side].silence = directions[side].pendingSilence
        return turned(side, server: server, client: client)
    }

    /// What one packet can tell: its own side's turn, and one of the other side that it proves.
    struct Findings {
        var first: SpinFinding?
        var second: SpinFinding?
    }

    /// A turn has held: with the other side's turn before it, it tells a half.
    private mutating func turned(_ side: Int, server: Int64, client: Int64) -> SpinFinding? {
        let other = 1 - side
        let before = directions[other]
        defer { lastTurned = UInt8(side + 1) }
        guard before.turns > 0, before.isTurning == 0 || before.turning > directions[side].turned else { return nil }
        guard lastTurned != UInt8(side + 1), before.turned <= directions[side].turned,
            // The server has the client's value when it turns; the client has the other when it does.
            (directions[side].value == before.value) == (side == 1)
        else {
            if lastTurned != 0 { faults &+= 1 }
            return nil
        }
        let rtt = directions[side].turned &- before.turned
        let floor = side == 1 ? server : client
        guard rtt >= floor / 2 else {
            faults &+= 1
            return nil
        }
        good &+= 1
        var finding = SpinFinding()
        finding.isServerHalf = side == 1
        finding.rtt = rtt
        finding.time = directions[side].turned
        let isSilence = directions[side].silence >= rtt / 2
        finding.isIdle = isSilence && (rtt &- 1) / 4 >= max(floor, 1)
        finding.isProved =
            floor > 0 && !isSuppressed && directions[0].turns >= SpinTrack.leastTurns
            && directions[1].turns >= SpinTrack.leastTurns
        return finding
    }
}
