// SYN, SYN-ACK, the acknowledgement that ends the handshake, and RST.
//
// Copies of a SYN without timestamps cannot be told apart by the answer: no sample then, only bounds (Karn).

internal import Model

extension TCPConnection {
    /// How far a SYN may lie from the expected sequence number and still be a stray of the running connection.
    private static var strayWindow: Int32 { 1 << 20 }

    /// Nanoseconds that a client waits for the answer to a SYN, at the least (RFC 6298, 2).
    private static var leastPatience: Int64 { 1_000_000_000 }

    /// Nanoseconds after which an acknowledgement no longer tells a handshake's RTT: SYNs are given up before.
    private static var longestHandshake: Int64 { Int64(FlowTable.openingTimeout) * 1_000_000_000 }

    /// A SYN without ACK, whatever other bits are set.
    mutating func observeSyn(_ input: TCPInput, pool: inout SegmentPool, findings: inout TCPFindings) {
        let sender = input.sender
        if has(.synSeen), client == sender, input.sequence == handshake.clientISN, !has(.isClosed) {
            handshake.synCount = handshake.synCount &+ (handshake.synCount < .max ? 1 : 0)
            handshake.synLast = input.time
            handshake.synLastTimestamp = input.timestampValue
            findings.counters.retransmissions &+= 1
            findings.retransmitter = sender
            return
        }
        if has(.answerSeen), !has(.synSeen), !has(.isClosed), client == sender,
            sides[sender].nextSequence == input.sequence &+ 1
        {
            observeLateSyn(input, findings: &findings)
            return
        }
        if has(.answerSeen) || sides[sender].has(.isKnown), !has(.isClosed), isStray(input) { return }
        if has(.hasClient) {
            // The ports are used anew: nothing of the old connection may be matched with the new one.
            reportGivenUp(input, findings: &findings)
            restart(&pool)
            findings.counters.flows &+= 1
            sides[sender].flags.insert(.isSeen)
        }
        setClient(sender)
        keepSyn(input)
        open(sender, isn: input.sequence, input: input)
        guard input.payload > 0 else { return }
        // TCP Fast Open: the data is acknowledged with the SYN or sent again.
        let start = input.sequence &+ 1
        let record = SegmentRecord(
            start: start, end: start &+ input.payload, timestamp: input.timestampValue, time: input.time, flags: 0)
        _ = pool.append(record, to: &sides[sender].queue, limit: SegmentPool.queueLimit)
        sides[sender].nextSequence = start &+ input.payload
    }

    private mutating func keepSyn(_ input: TCPInput) {
        flags.insert(.synSeen)
        handshake.synFirst = input.time
        handshake.synLast = input.time
        handshake.synFirstTimestamp = input.timestampValue
        handshake.synLastTimestamp = input.timestampValue
        handshake.synCount = 1
        handshake.clientISN = input.sequence
        handshake.synPayload = UInt16(clamping: input.payload)
    }

    /// The SYN of a handshake whose answer was seen first: the directions have changed places in the capture, or it is
    /// sent again and the first was missed. Either way it tells no time.
    private mutating func observeLateSyn(_ input: TCPInput, findings: inout TCPFindings) {
        if input.time &- handshake.answerFirst < TCPConnection.captureDisorder {
            findings.counters.reject(.negative)
        } else {
            findings.counters.retransmissions &+= 1
            findings.retransmitter = input.sender
        }
        keepSyn(input)
    }

    /// The client opens anew without an answer to its SYN.
    ///
    /// At once, it may be the same SYN with its number changed on the way (a firewall whose both sides are seen).
    private func reportGivenUp(_ input: TCPInput, findings: inout TCPFindings) {
        guard has(.synSeen), client == input.sender, input.time &- handshake.synLast >= TCPConnection.leastPatience,
            flags.intersection([.answerSeen, .handshakeDone, .isClosed, .isUndeliverable]).isEmpty
        else { return }
        findings.add(
            TCPFinding(
                kind: .tcpHandshake, side: .server, method: .syn, rtt: -1, lower: handshake.synLast,
                upper: Int64(max(handshake.synCount, 1) &- 1), isUnanswered: true, requester: input.sender))
    }

    /// Within a running connection's window a SYN with another number is answered by a challenge, not by a connection.
    private mutating func isStray(_ input: TCPInput) -> Bool {
        let side = sides[input.sender]
        guard side.has(.isKnown) else { return false }
        let distance = Int32(bitPattern: input.sequence &- side.nextSequence)
        return has(.answerSeen) && !has(.isClosed) && distance >= 0 && distance < TCPConnection.strayWindow
    }

    /// Whether a SYN-ACK with another number cannot be one of the running connection.
    private mutating func opensAnew(_ input: TCPInput) -> Bool {
        let distance = Int32(bitPattern: input.sequence &- sides[input.sender].nextSequence)
        return has(.isClosed) || distance >= TCPConnection.strayWindow || distance <= -TCPConnection.strayWindow
    }

    private mutating func open(_ side: Int, isn: UInt32, input: TCPInput) {
        sides[side].nextSequence = isn &+ 1
        sides[side].highestAcknowledged = isn &+ 1
        sides[side].flags.insert(.isKnown)
        guard input.timestampValue != 0 else { return }
        sides[side].newestTimestamp = input.timestampValue
        sides[side].flags.insert(.hasTimestamp)
    }

    /// A SYN with ACK: ends the server's half.
    mutating func observeSynAck(_ input: TCPInput, pool: inout SegmentPool, findings: inout TCPFindings) {
        let server = input.sender
        let opener = 1 &- server
        if has(.answerSeen), client == opener {
            guard input.sequence == handshake.serverISN else {
                if !opensAnew(input) { return }
                // The ports are used anew, and the SYN was missed.
                restart(&pool)
                findings.counters.flows &+= 1
                return observeSynAck(input, pool: &pool, findings: &findings)
            }
            handshake.answerCount = handshake.answerCount &+ (handshake.answerCount < .max ? 1 : 0)
            handshake.answerLast = input.time
            handshake.answerLastTimestamp = input.timestampValue
            findings.counters.retransmissions &+= 1
            findings.retransmitter = server
            return
        }
        let hasSyn = has(.synSeen) && client == opener
        let covered = input.acknowledgement &- handshake.clientISN &- 1
        if hasSyn, covered > UInt32(handshake.synPayload) { return }
        // Half a connection that was joined in its middle is not one that has just been opened.
        if !hasSyn, sides[server].has(.isKnown), sides[server].nextSequence != input.sequence &+ 1 { restart(&pool) }
        setClient(opener)
        flags.insert(.answerSeen)
        flags.remove(.handshakeDone)
        noteBothSides(findings: &findings)
        sides[server].flags.insert(.isSeen)
        handshake.answerFirst = input.time
        handshake.answerLast = input.time
        handshake.answerFirstTimestamp = input.timestampValue
        handshake.answerLastTimestamp = input.timestampValue
        handshake.answerCount = 1
        handshake.serverISN = input.sequence
        open(server, isn: input.sequence, input: input)
        sides[server].nextSequence = input.sequence &+ 1 &+ input.payload
        guard hasSyn else {
            sides[opener].nextSequence = input.acknowledgement
            sides[opener].highestAcknowledged = input.acknowledgement
            sides[opener].flags.insert(.isKnown)
            return
        }
        resolve(
            .tcpHandshake, towards: server, requester: opener, input: input,
            copies: Copies(
                count: Int(handshake.synCount), first: handshake.synFirst, last: handshake.synLast,
                firstTimestamp: handshake.synFirstTimestamp, lastTimestamp: handshake.synLastTimestamp),
            findings: &findings)
        if input.timestampEcho != 0 {
            sides[opener].newestEcho = input.timestampEcho
            sides[opener].flags.insert(.hasEcho)
        }
        if handshake.synPayload > 0, covered > 0 {
            takeAcknowledgement(
                input, of: opener, newEcho: isNewEcho(input, of: opener), pool: &pool, findings: &findings)
        }
    }

    /// The first acknowledgement from the client ends its half; alone, it tells the full RTT.
    mutating func observeHandshakeEnd(_ input: TCPInput, findings: inout TCPFindings) {
        guard has(.synSeen) || has(.answerSeen), input.sender == client else {
            // Data of the server before its SYN-ACK was seen: the handshake is past.
            if !has(.answerSeen) { flags.insert(.handshakeDone) }
            return
        }
        let opener = input.sender
        let server = 1 &- opener
        if has(.answerSeen) {
            let beyond = Int32(bitPattern: input.acknowledgement &- handshake.serverISN)
            guard beyond > 0 else { return }
            flags.insert(.handshakeDone)
            guard beyond == 1, input.isBare else {
                // The acknowledgement of the SYN itself was not seen; this one, or what carries it, may be much later.
                findings.counters.reject(.unseen)
                return
            }
            resolve(
                .tcpHandshake, towards: opener, requester: opener, input: input,
                copies: Copies(
                    count: Int(handshake.answerCount), first: handshake.answerFirst, last: handshake.answerLast,
                    firstTimestamp: handshake.answerFirstTimestamp,
                    lastTimestamp: handshake.answerLastTimestamp),
                findings: &findings)
            return
        }
        // A FIN after a SYN that nobody answered is the client giving up.
        if input.has(TCPInput.fin) { return }
        flags.insert(.handshakeDone)
        guard !sides[server].has(.isSeen), input.isBare,
            input.sequence &- handshake.clientISN &- 1 <= UInt32(handshake.synPayload)
        else { return }
        flags.insert(.isOneSided)
        findings.counters.oneSidedFlows &+= 1
        let rtt = input.time &- handshake.synFirst
        guard handshake.synCount == 1, rtt >= 0, rtt <= TCPConnection.longestHandshake else {
            findings.counters.reject(rtt < 0 ? .negative : .ambiguous)
            return
        }
        findings.add(
            TCPFinding(
                kind: .tcpHandshake, side: .full, method: .syn, rtt: rtt, notes: .oneSided, requester: opener))
    }

    /// The copies of a SYN or SYN-ACK that an answer may belong to.
    private struct Copies {
        var count: Int
        var first: Int64
        var last: Int64
        var firstTimestamp: UInt32
        var lastTimestamp: UInt32
    }

    private mutating func resolve(
        _ kind: PassiveKind, towards peer: Int, requester: Int, input: TCPInput, copies: Copies,
        findings: inout TCPFindings
    ) {
        if copies.count == 1 {
            sample(
                kind, towards: peer, method: .syn, rtt: input.time &- copies.first, requester: requester,
                findings: &findings)
            return
        }
        // The echo of the first tells nothing: its answer may have been lost before it came here, and what is repeated
        // for the second copy, or after a second of silence, echoes the first again (RFC 7323, 4.3; Linux does).
        if input.timestampEcho == copies.lastTimestamp, copies.firstTimestamp != copies.lastTimestamp,
            copies.lastTimestamp != 0
        {
            sample(
                kind, towards: peer, method: .timestamp, rtt: input.time &- copies.last, requester: requester,
                findings: &findings)
            return
        }
        findings.counters.reject(.ambiguous)
        findings.add(
            TCPFinding(
                kind: kind, side: side(towards: peer), method: .syn, rtt: -1, lower: input.time &- copies.last,
                upper: input.time &- copies.first, requester: requester))
    }

    /// RST ends the connection; only as the answer to a SYN does it tell an RTT.
    mutating func observeReset(_ input: TCPInput, findings: inout TCPFindings) {
        let sender = input.sender
        let opener = 1 &- sender
        if has(.synSeen), !has(.answerSeen), !has(.isClosed), client == opener, input.has(TCPInput.ack),
            input.acknowledgement &- handshake.clientISN &- 1 <= UInt32(handshake.synPayload)
        {
            resolve(
                .tcpRefused, towards: sender, requester: opener, input: input,
                copies: Copies(
                    count: Int(handshake.synCount), first: handshake.synFirst, last: handshake.synLast,
                    firstTimestamp: 0, lastTimestamp: 0),
                findings: &findings)
        }
        flags.insert(.isClosed)
        flags.insert(.handshakeDone)
    }
}
