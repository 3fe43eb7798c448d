// Continuous RTT: segments, acknowledgements, SACK, keepalives.
//
// SEQ/ACK with the rules of tcptrace: a sample only from an acknowledgement that ends in a segment sent once, with
// nothing below it retransmitted or late. Timestamps (RFC 7323) settle what that leaves open.

internal import Model

extension TCPConnection {
    // MARK: Acknowledgements

    /// What a segment with ACK says of the other side's data.
    @inline(always)
    mutating func observeAcknowledgement(
        _ input: TCPInput, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        let owner = 1 &- input.sender
        guard sides[owner].has(.isKnown) else {
            sides[owner].nextSequence = input.acknowledgement
            sides[owner].highestAcknowledged = input.acknowledgement
            return
        }
        let advance = Int32(bitPattern: input.acknowledgement &- sides[owner].highestAcknowledged)
        let newEcho = isNewEcho(input, of: owner)
        if advance > 0 {
            takeAcknowledgement(input, of: owner, newEcho: newEcho, pool: &pool, findings: &findings)
        } else if advance == 0, newEcho || input.has(TCPInput.selectiveBlock) || sides[owner].has(.awaitsKeepalive) {
            takeRepeatedAcknowledgement(input, of: owner, newEcho: newEcho, pool: &pool, findings: &findings)
        }
        guard newEcho else { return }
        sides[owner].newestEcho = input.timestampEcho
        sides[owner].flags.insert(.hasEcho)
    }

    /// Whether the segment is the first to echo a newer TSval.
    @inline(always)
    mutating func isNewEcho(_ input: TCPInput, of owner: Int) -> Bool {
        input.timestampEcho != 0
            && (!sides[owner].has(.hasEcho) || isAfter(input.timestampEcho, sides[owner].newestEcho))
    }

    /// An acknowledgement of something new.
    mutating func takeAcknowledgement(
        _ input: TCPInput, of owner: Int, newEcho: Bool, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        let acknowledgement = input.acknowledgement
        let ahead = Int32(bitPattern: acknowledgement &- sides[owner].nextSequence)
        if ahead > 0, ahead.magnitude > TCPConnection.strayDistance {
            followFarAcknowledgement(input, of: owner, pool: &pool, findings: &findings)
            return
        }
        if sides[owner].has(.isSeen) {
            findings.counters.acknowledgements &+= 1
            if ahead > 0 || sides[owner].has(.hasGap) { noteMissing(input, of: owner, findings: &findings) }
        }
        var covered = 0
        var newest: SegmentRecord?
        var stamped: Int64?
        var stampedWasRepeated = false
        while !sides[owner].queue.isEmpty {
            let record = pool.first(of: sides[owner].queue)
            guard isAfter(acknowledgement, record.start) else { break }
            if newEcho, record.has(SegmentRecord.stamped), record.timestamp == input.timestampEcho {
                stamped = record.age(at: input.time)
                stampedWasRepeated = record.has(SegmentRecord.retransmitted)
            }
            covered &+= 1
            newest = record
            if isAfter(record.end, acknowledgement) {
                // Inside a segment (receive offload): its sample is given now, the rest is not sampled again.
                pool.setFirst(of: sides[owner].queue, flag: SegmentRecord.spent)
                break
            }
            pool.removeFirst(of: &sides[owner].queue)
        }
        if covered > 1 { findings.counters.reject(.cumulative, covered &- 1) }
        if let newest {
            let reason = refusal(of: newest, acknowledgement: acknowledgement, owner: owner)
            if let reason {
                settle(
                    reason, input: input, owner: owner, newEcho: newEcho, stamped: stamped,
                    wasRepeated: stampedWasRepeated, pool: &pool, findings: &findings)
            } else {
                sample(
                    .tcpData, towards: input.sender, method: .seq, rtt: newest.age(at: input.time), requester: owner,
                    findings: &findings)
                if sides[owner].copies != 0 { dropCopies(of: owner, pool: &pool) }
            }
        }
        if newEcho { countPureEcho(input, owner: owner, findings: &findings) }
        if input.has(TCPInput.selectiveBlock) {
            // After a loss the block may be an old one whose own report was lost (RFC 2018, 4): noted, not timed.
            takeSelective(
                input, of: owner, isTimed: !sides[owner].has(.hasLoss), pool: &pool, findings: &findings)
        }
        finishAcknowledgement(acknowledgement, owner: owner, pool: &pool)
    }

    /// Why SEQ/ACK alone gives no sample here; nil where it does.
    @inline(always)
    private mutating func refusal(of record: SegmentRecord, acknowledgement: UInt32, owner: Int) -> RejectReason? {
        if record.has(SegmentRecord.retransmitted) { return .ambiguous }
        if isAfter(acknowledgement, record.end) { return .unseen }
        if sides[owner].has(.hasLoss), isAfter(record.end, sides[owner].lossStart),
            !isAfter(record.end, sides[owner].lossEnd)
        {
            return .postLoss
        }
        return record.has(SegmentRecord.spent) ? .alreadySampled : nil
    }

    /// Where SEQ/ACK is ambiguous, the echoed timestamp may tell which copy was acknowledged.
    private mutating func settle(
        _ reason: RejectReason, input: TCPInput, owner: Int, newEcho: Bool, stamped: Int64?, wasRepeated: Bool,
        pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        guard reason == .ambiguous || reason == .postLoss else {
            findings.counters.reject(reason)
            return
        }
        if let stamped {
            if wasRepeated { findings.counters.spurious &+= 1 }
            sample(
                .tcpData, towards: input.sender, method: .timestamp, rtt: stamped,
                notes: wasRepeated ? .spurious : [], requester: owner, findings: &findings)
        } else if newEcho, let age = copyAge(of: owner, input: input, pool: &pool) {
            sample(
                .tcpData, towards: input.sender, method: .timestamp, rtt: age, requester: owner, findings: &findings)
        } else {
            findings.counters.reject(reason)
        }
    }

    @inline(always)
    private mutating func countPureEcho(_ input: TCPInput, owner: Int, findings: inout TCPFindings) {
        if sides[owner].has(.hasPureTimestamp), sides[owner].pureTimestamp == input.timestampEcho {
            findings.counters.reject(.pureAckEcho)
        }
    }

    @inline(always)
    private mutating func finishAcknowledgement(_ acknowledgement: UInt32, owner: Int, pool: inout SegmentPool) {
        sides[owner].highestAcknowledged = acknowledgement
        if isAfter(acknowledgement, sides[owner].nextSequence) {
            sides[owner].nextSequence = acknowledgement
        }
        guard
            sides[owner].flags.rawValue
                & (TCPDirection.Flags.hasLoss.rawValue | TCPDirection.Flags.hasGap.rawValue
                    | TCPDirection.Flags.awaitsKeepalive.rawValue | TCPDirection.Flags.hasSelective.rawValue) != 0
        else { return }
        sides[owner].flags.remove(.awaitsKeepalive)
        // An edge that was acknowledged would seem to lie ahead once the numbers have gone half round.
        if sides[owner].has(.hasSelective), !isAfter(sides[owner].newestSelective, acknowledgement) {
            sides[owner].flags.remove(.hasSelective)
        }
        if sides[owner].has(.hasLoss), !isAfter(sides[owner].lossEnd, acknowledgement) {
            sides[owner].flags.remove(.hasLoss)
        }
        if sides[owner].has(.hasGap) { shortenGap(acknowledgement, owner: owner, pool: &pool) }
    }

    /// What was acknowledged has arrived: if it comes by again, it is a retransmission.
    private mutating func shortenGap(_ acknowledgement: UInt32, owner: Int, pool: inout SegmentPool) {
        if sides[owner].has(.isGapOfAcknowledgement), sides[owner].gapEnd == acknowledgement { return }
        guard isAfter(sides[owner].gapEnd, acknowledgement) else {
            sides[owner].flags.remove(TCPDirection.Flags.ofGap)
            return
        }
        guard isAfter(acknowledgement, sides[owner].gapStart), !sides[owner].has(.isGapOfJoin) else { return }
        // The next hole is one of its own.
        sides[owner].gapStart = acknowledgement
        sides[owner].flags.remove(.isGapCounted)
        narrowGap(owner, pool: &pool)
    }

    /// An acknowledgement of nothing new: SACK, the echo of a second copy, a keepalive's answer.
    private mutating func takeRepeatedAcknowledgement(
        _ input: TCPInput, of owner: Int, newEcho: Bool, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        if input.has(TCPInput.selectiveBlock) {
            takeSelective(input, of: owner, isTimed: true, pool: &pool, findings: &findings)
        }
        if newEcho {
            if sides[owner].copies != 0, let age = copyAge(of: owner, input: input, pool: &pool) {
                sample(
                    .tcpData, towards: input.sender, method: .timestamp, rtt: age, requester: owner,
                    findings: &findings)
            }
            countPureEcho(input, owner: owner, findings: &findings)
        }
        guard sides[owner].has(.awaitsKeepalive), input.payload == 0,
            input.acknowledgement == sides[owner].nextSequence, !input.has(TCPInput.fin)
        else { return }
        sides[owner].flags.remove(.awaitsKeepalive)
        if sides[owner].has(.keepaliveRepeated) {
            findings.counters.reject(.ambiguous)
        } else if input.has(TCPInput.zeroWindow) {
            findings.counters.reject(.windowProbe)
        } else {
            sample(
                .tcpKeepalive, towards: input.sender, method: .seq, rtt: input.time &- keepaliveSent[owner],
                requester: owner, findings: &findings)
        }
    }

    /// The first block holds the segment that caused it; only a new right edge above the acknowledgement counts. One
    /// that is not timed gives no sample later either, when it is told of once more.
    private mutating func takeSelective(
        _ input: TCPInput, of owner: Int, isTimed: Bool, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        let right = input.selectiveRight
        guard isAfter(input.selectiveLeft, input.acknowledgement), isAfter(right, input.selectiveLeft),
            !sides[owner].has(.hasSelective) || isAfter(right, sides[owner].newestSelective)
        else { return }
        sides[owner].newestSelective = right
        sides[owner].flags.insert(.hasSelective)
        var age: Int64?
        pool.forEach(in: sides[owner].queue) { record in
            guard record.end == right else { return isAfter(right, record.end) }
            if !record.has(SegmentRecord.retransmitted | SegmentRecord.spent) { age = record.age(at: input.time) }
            record.set(SegmentRecord.spent)
            return false
        }
        if let age, isTimed {
            sample(
                .tcpData, towards: input.sender, method: .sack, rtt: age, requester: owner, findings: &findings)
        }
    }
}
