// What a segment means for its own direction: new, late, sent again, or a probe.

internal import Model

extension TCPConnection {
    /// Segments kept while the other side has never been heard.
    private static var unansweredLimit: Int { 2 * SegmentChunk.capacity }
    /// How much before the first packet seen may still arrive late, in bytes.
    private static var joinWindow: UInt32 { 1 << 20 }
    /// Directions that are received on different processors may change places in the capture by this much, in
    /// nanoseconds.
    static var captureDisorder: Int64 { 1_000_000 }

    /// Takes what the segment carries. SYN and RST do not come here.
    @inline(always)
    mutating func observeData(_ input: TCPInput, pool: inout SegmentPool, findings: inout TCPFindings) {
        let sender = input.sender
        let hasFin = input.has(TCPInput.fin)
        let length = input.payload &+ (hasFin ? 1 : 0)
        let start = input.sequence
        if !sides[sender].has(.isKnown) { join(input, findings: &findings) }
        var distance = Int32(bitPattern: start &- sides[sender].nextSequence)
        if distance.magnitude > TCPConnection.strayDistance {
            guard followFarOff(input, pool: &pool, findings: &findings) else { return }
            join(input, findings: &findings)
            distance = Int32(bitPattern: start &- sides[sender].nextSequence)
        }
        let isStamp = takeTimestamp(input, length: length)
        if length == 0 {
            observeEmpty(input, findings: &findings)
            return
        }
        if distance >= 0 {
            if distance > 0 { openGap(sender, to: start, at: input.time) }
            append(input, end: start &+ length, isStamp: isStamp, pool: &pool, findings: &findings)
            sides[sender].nextSequence = start &+ length
        } else if input.payload == 1, !hasFin, distance == -1,
            sides[sender].highestAcknowledged == sides[sender].nextSequence || sides[1 &- sender].has(.isWindowZero)
        {
            // One byte just below the next: of what is acknowledged already, a keepalive (RFC 9293, 3.8.4); to a closed
            // window, a probe once more (3.8.6.1), of which nothing was lost.
            sendKeepalive(input)
        } else {
            observeOld(input, end: start &+ length, isStamp: isStamp, pool: &pool, findings: &findings)
        }
        if hasFin { finish(sender) }
    }

    /// The first packet of a side that has no SYN.
    private mutating func join(_ input: TCPInput, findings: inout TCPFindings) {
        let sender = input.sender
        var start = input.sequence
        if input.payload <= 1, !input.has(TCPInput.fin), sides[1 &- sender].has(.isSeen),
            sides[sender].highestAcknowledged == start &+ 1
        {
            // A keepalive, since its byte is acknowledged already.
            start = start &+ 1
        }
        sides[sender].nextSequence = start
        // Acknowledgements of the other side may have been seen before, and then they hold.
        if !sides[1 &- sender].has(.isSeen) || isAfter(sides[sender].highestAcknowledged, start)
            || sides[sender].highestAcknowledged == 0
        {
            sides[sender].highestAcknowledged = start
        }
        sides[sender].gapStart = start &- TCPConnection.joinWindow
        sides[sender].gapEnd = start
        sides[sender].flags.insert([.isKnown, .hasGap, .isGapOfJoin])
        noteBothSides(findings: &findings)
    }

    /// Follows the sender's timestamp clock. True where the segment is the first to use its TSval and may be stamped.
    ///
    /// Zero is no timestamp (some stacks send it always), and a connection joined in its middle must show a change
    /// first: its first TSval may have been used before.
    @inline(always)
    private mutating func takeTimestamp(_ input: TCPInput, length: UInt32) -> Bool {
        let value = input.timestampValue
        guard value != 0 else { return false }
        let sender = input.sender
        if !sides[sender].has(.hasTimestamp) {
            sides[sender].newestTimestamp = value
            sides[sender].flags.insert(.hasTimestamp)
            return false
        }
        guard isAfter(value, sides[sender].newestTimestamp) else { return false }
        sides[sender].newestTimestamp = value
        if length == 0 {
            sides[sender].pureTimestamp = value
            sides[sender].flags.insert(.hasPureTimestamp)
        }
        return length > 0
    }

    /// A segment without payload: an acknowledgement, or a keepalive one below the next sequence number.
    @inline(always)
    private mutating func observeEmpty(_ input: TCPInput, findings: inout TCPFindings) {
        let sender = input.sender
        if input.sequence == sides[sender].nextSequence &- 1,
            sides[sender].highestAcknowledged == sides[sender].nextSequence, !sides[sender].has(.isGapOfJoin),
            !sides[sender].has(.sentFin), packets > 3
        {
            sendKeepalive(input)
        }
    }

    private mutating func sendKeepalive(_ input: TCPInput) {
        let sender = input.sender
        // To a closed window it is a probe, which the other side may answer when it likes.
        if sides[1 &- sender].has(.isWindowZero) { return }
        if sides[sender].has(.awaitsKeepalive) {
            sides[sender].flags.insert(.keepaliveRepeated)
            return
        }
        sides[sender].flags.insert(.awaitsKeepalive)
        sides[sender].flags.remove(.keepaliveRepeated)
        keepaliveSent[sender] = input.time
    }

    /// A jump over what was not seen: lost before the capture point, late, or missed by the capture.
    private mutating func openGap(_ sender: Int, to start: UInt32, at time: Int64) {
        if !sides[sender].has(.hasGap) || sides[sender].has(.isGapOfJoin) || sides[sender].has(.isGapCounted)
            || !isAfter(sides[sender].gapEnd, sides[sender].highestAcknowledged)
        {
            sides[sender].gapStart = sides[sender].nextSequence
            gapOpened[sender] = time
        }
        sides[sender].gapEnd = start
        sides[sender].flags.remove(TCPDirection.Flags.ofGap)
        sides[sender].flags.insert(.hasGap)
    }

    /// How many segments of a side may wait: few where nobody was heard who could acknowledge them.
    @inline(always)
    private mutating func mostWaiting(_ sender: Int) -> Int {
        sides[1 &- sender].has(.isSeen) ? SegmentPool.queueLimit : TCPConnection.unansweredLimit
    }

    /// Keeps a new segment until it is acknowledged.
    @inline(always)
    private mutating func append(
        _ input: TCPInput, end: UInt32, isStamp: Bool, flags extra: UInt32 = 0, pool: inout SegmentPool,
        findings: inout TCPFindings
    ) {
        let sender = input.sender
        let peer = 1 &- sender
        var recordFlags = extra | (isStamp ? SegmentRecord.stamped : 0)
        if sides[peer].has(.isWindowZero) {
            recordFlags |= SegmentRecord.spent
            findings.counters.reject(.windowProbe)
        }
        let record = SegmentRecord(
            start: input.sequence, end: end, timestamp: input.timestampValue, time: input.time, flags: recordFlags)
        if !pool.append(record, to: &sides[sender].queue, limit: mostWaiting(sender)) {
            findings.counters.reject(.noRoom)
        }
    }

    /// A segment that begins below the next sequence number: late, or sent again.
    private mutating func observeOld(
        _ input: TCPInput, end: UInt32, isStamp: Bool, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        let sender = input.sender
        let start = input.sequence
        if !isStamp, input.timestampValue != 0 { forgetStamps(input, pool: &pool) }
        if let late = lateness(input, end: end, pool: &pool) {
            fillGap(input, end: end, late: late, pool: &pool, findings: &findings)
        } else {
            markRetransmitted(input, end: end, isStamp: isStamp, pool: &pool, findings: &findings)
        }
        if isAfter(end, sides[sender].nextSequence) {
            append(
                input, end: end, isStamp: false, flags: SegmentRecord.retransmitted, pool: &pool, findings: &findings)
            sides[sender].nextSequence = end
        }
        noteLoss(sender, from: start)
    }

    /// How long the segment has been missing, in nanoseconds; nil where it lies in no hole, or some of it was seen.
    ///
    /// Between the gap's ends there may be several holes, so what waits to be acknowledged is asked too. A hole shows
    /// when the first segment behind it is seen.
    private mutating func lateness(_ input: TCPInput, end: UInt32, pool: inout SegmentPool) -> Int64? {
        let sender = input.sender
        let start = input.sequence
        guard sides[sender].has(.hasGap), !isAfter(sides[sender].gapStart, start), isAfter(sides[sender].gapEnd, start)
        else { return nil }
        let sinceOpened = input.time &- gapOpened[sender]
        if sides[sender].has(.isGapOfAcknowledgement) {
            return sinceOpened < TCPConnection.captureDisorder ? sinceOpened : nil
        }
        var isSeen = false
        var late: Int64?
        pool.forEach(in: sides[sender].queue) { record in
            if !isAfter(end, record.start) {
                late = max(late ?? .min, record.age(at: input.time))
            } else if isAfter(record.end, start) {
                isSeen = true
            }
            return !isSeen
        }
        return isSeen ? nil : late ?? sinceOpened
    }

    /// A hole is filled: reordering, or a loss before the capture point that was sent again.
    private mutating func fillGap(
        _ input: TCPInput, end: UInt32, late: Int64, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        let sender = input.sender
        findings.counters.outOfOrder &+= 1
        if sides[sender].has(.isGapOfAcknowledgement) {
            // The data stood behind its acknowledgement in the capture only: nothing is missing.
            if sides[sender].has(.isGapCounted), findings.counters.captureGaps > 0 {
                findings.counters.captureGaps &-= 1
            }
            sides[sender].flags.remove(.isGapCounted)
        } else if !sides[sender].has(.isGapOfJoin), late > max(leastRoundTrip(sender), 1) {
            findings.counters.upstreamLosses &+= 1
        }
        if sides[sender].has(.isGapOfJoin) { return }
        let isKept = isAfter(end, sides[sender].highestAcknowledged) && keepLate(input, end: end, pool: &pool)
        if input.sequence == sides[sender].gapStart {
            sides[sender].gapStart = end
        } else if !isKept || !isAfter(sides[sender].gapEnd, end) {
            sides[sender].gapEnd = input.sequence
        }
        narrowGap(sender, pool: &pool)
    }

    /// Keeps a late segment in its place, so that it is known when it comes once more; it gives no sample.
    private mutating func keepLate(_ input: TCPInput, end: UInt32, pool: inout SegmentPool) -> Bool {
        let sender = input.sender
        // What is beyond the newest is kept by the caller.
        let known = isAfter(end, sides[sender].nextSequence) ? sides[sender].nextSequence : end
        let record = SegmentRecord(
            start: input.sequence, end: known, timestamp: input.timestampValue, time: input.time,
            flags: SegmentRecord.retransmitted)
        return pool.insert(record, into: &sides[sender].queue, limit: mostWaiting(sender))
    }

    /// Lets the gap begin with its first byte that was not seen; ends it where there is none.
    mutating func narrowGap(_ side: Int, pool: inout SegmentPool) {
        var missing = sides[side].gapStart
        pool.forEach(in: sides[side].queue) { record in
            guard !isAfter(record.start, missing) else { return false }
            if isAfter(record.end, missing) { missing = record.end }
            return true
        }
        sides[side].gapStart = missing
        if !isAfter(sides[side].gapEnd, missing) { sides[side].flags.remove(TCPDirection.Flags.ofGap) }
    }

    private mutating func markRetransmitted(
        _ input: TCPInput, end: UInt32, isStamp: Bool, pool: inout SegmentPool, findings: inout TCPFindings
    ) {
        let sender = input.sender
        findings.counters.retransmissions &+= 1
        findings.retransmitter = sender
        pool.forEach(in: sides[sender].queue) { record in
            if isAfter(end, record.start), isAfter(record.end, input.sequence) {
                record.set(SegmentRecord.retransmitted)
            }
            return isAfter(end, record.end)
        }
        guard isStamp else { return }
        keepCopy(
            SegmentRecord(
                start: input.sequence, end: end, timestamp: input.timestampValue, time: input.time,
                flags: SegmentRecord.stamped | SegmentRecord.retransmitted),
            of: sender, pool: &pool)
    }

    /// Everything from here to the highest sequence number may be acknowledged late.
    private mutating func noteLoss(_ sender: Int, from start: UInt32) {
        let end = sides[sender].nextSequence
        if !sides[sender].has(.hasLoss) || isAfter(sides[sender].lossStart, start) {
            sides[sender].lossStart = start
        }
        sides[sender].lossEnd = end
        sides[sender].flags.insert(.hasLoss)
    }

    private mutating func finish(_ sender: Int) {
        sides[sender].flags.insert(.sentFin)
        if sides[1 &- sender].has(.sentFin) { flags.insert(.isClosed) }
    }

    // MARK: Stamps

    /// A TSval that a late or repeated segment uses too (a coarse clock) does not tell which of them an echo answers:
    /// the receiver echoes the one that filled the hole (RFC 7323, 4.3).
    private mutating func forgetStamps(_ input: TCPInput, pool: inout SegmentPool) {
        pool.forEach(in: sides[input.sender].queue) { record in
            if record.timestamp == input.timestampValue { record.remove(SegmentRecord.stamped) }
            return true
        }
    }

    /// Keeps when a copy with a TSval of its own was sent; the oldest of three gives way.
    private mutating func keepCopy(_ record: SegmentRecord, of side: Int, pool: inout SegmentPool) {
        if sides[side].copies == 0 {
            sides[side].copies = pool.takeChunk()
            sides[side].copyCount = 0
            guard sides[side].copies != 0 else { return }
        }
        let slot = Int(sides[side].copyCount) % SegmentChunk.capacity
        pool.setRecord(sides[side].copies, slot, record)
        sides[side].copyCount = sides[side].copyCount &+ 1
    }

    /// The age of the copy whose TSval is echoed; nil where it is none of those kept.
    mutating func copyAge(of side: Int, input: TCPInput, pool: inout SegmentPool) -> Int64? {
        guard sides[side].copies != 0 else { return nil }
        for slot in 0..<min(Int(sides[side].copyCount), SegmentChunk.capacity) {
            let record = pool.record(sides[side].copies, slot)
            if record.timestamp == input.timestampEcho, !isAfter(record.start, input.acknowledgement) {
                return record.age(at: input.time)
            }
        }
        return nil
    }

    mutating func dropCopies(of side: Int, pool: inout SegmentPool) {
        pool.giveBack(sides[side].copies)
        sides[side].copies = 0
        sides[side].copyCount = 0
    }
}
