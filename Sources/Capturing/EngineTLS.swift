// TLS in the engine: ClientHello to ServerHello on any TCP connection, told by content.
//
// The time runs from the segment that makes the ClientHello whole to the first segment of the answer, as they pass the
// capture point: the server's side. Only the hello is put together, and only until it is whole.

internal import Model
internal import Wire

extension CaptureEngine {
    /// Packets of a connection within which a handshake must begin; STARTTLS and proxies talk a little before.
    private static var watchedPackets: UInt16 { 64 }

    /// What the first bytes of a payload are.
    private enum Opening {
        /// A ClientHello that begins at this offset.
        case clientHello(Int)
        case serverHello
        case other
    }

    /// Looks at a segment with payload of a connection whose handshake may still come or is under way.
    mutating func takeTLS(_ index: Int, input: TCPInput, payload: RawSpan) {
        let generation = flows[index].generation
        let state = tls.find(flow: index, generation: generation)
        if state >= 0, tls[state].phase != TLSState.Phase.retried, isContinued(state, input, payload) {
            tls[state].lastSeen = nowSeconds
            if Int(tls[state].client) == input.sender {
                takeHelloSegment(index, state, input: input, payload: payload)
            } else if tls[state].phase == TLSState.Phase.waiting {
                takeAnswer(index, state, input: input, payload: payload)
            } else if isAfter(input.sequence &+ UInt32(truncatingIfNeeded: input.payload), tls[state].answerStart) {
                // Nobody answers half a hello: the capture missed the rest, and what completes it later is not it.
                giveUpHello(index, state, .unseen, isRetried: CaptureEngine.isRetryRequest(payload))
            }
            return
        }
        switch CaptureEngine.opening(payload) {
        case .clientHello(let skip):
            beginHello(index, known: state, input: input, payload: payload, skip: skip)
        case .serverHello where state < 0:
            reportOrphanTLS(index, at: input)
            flows[index].flags.remove(.watchesTLS)
        case .other where CaptureEngine.mayBegin(payload) && (state < 0 || Int(tls[state].client) == input.sender):
            // Too short to tell: the next segment does. The client's second hello may begin so too.
            beginHello(index, known: state, input: input, payload: payload, skip: 0)
        default:
            if state < 0 { watchOn(index) }
        }
    }

    /// A packet of a connection that has not begun a handshake went by.
    @inline(__always)
    mutating func watchOn(_ index: Int) {
        if flows[index].packets >= CaptureEngine.watchedPackets { flows[index].flags.remove(.watchesTLS) }
    }

    /// Whether a hello, or its answer, may begin with these bytes: most payload is told by its first.
    @inline(__always)
    static func mayOpenTLS(_ payload: RawSpan) -> Bool {
        guard payload.byteCount > 0 else { return false }
        let first = payload.byte(at: 0)
        return first == TLSContentType.handshake || first == TLSContentType.changeCipherSpec
    }

    /// False where the client begins another hello: the ports were used anew, or the first one came to nothing.
    private func isContinued(_ state: Int, _ input: TCPInput, _ payload: RawSpan) -> Bool {
        guard Int(tls[state].client) == input.sender, case .clientHello(let skip) = CaptureEngine.opening(payload)
        else { return true }
        let distance = Int32(
            bitPattern: input.sequence &+ UInt32(truncatingIfNeeded: skip) &- tls[state].start)
        return distance >= 0 && distance < Int32(clamping: max(tls[state].length, 1))
    }

    private static func opensHello(_ bytes: RawSpan) -> Bool {
        if case .clientHello = opening(bytes) { return true }
        return false
    }

    private static func opening(_ payload: RawSpan) -> Opening {
        var skip = 0
        if payload.byteCount >= 6, payload.byte(at: 0) == TLSContentType.changeCipherSpec {
            // Sent for the eyes of middleboxes before a second hello (RFC 8446, D.4).
            guard let record = TLSRecord(payload), record.length == 1 else { return .other }
            skip = TLSRecord.headerLength &+ 1
        }
        guard let record = TLSRecord(payload.suffix(from: skip)), record.contentType == TLSContentType.handshake,
            record.fragment.byteCount > 0
        else { return .other }
        // A hello of a record of its own has at least version, random and lengths.
        let type = record.fragment.byte(at: 0)
        if record.fragment.byteCount >= TLSHandshake.headerLength &+ 1,
            record.fragment.byte(at: TLSHandshake.headerLength) != 3
        {
            return .other
        }
        switch type {
        case TLSHandshakeType.clientHello: return .clientHello(skip)
        case TLSHandshakeType.serverHello where skip == 0: return .serverHello
        default: return .other
        }
    }

    /// Whether these few bytes may be the first of a hello's record (RFC 8446, 5.1).
    private static func mayBegin(_ payload: RawSpan) -> Bool {
        guard payload.byteCount < shortestOpening, payload.byteCount > 0,
            payload.byte(at: 0) == TLSContentType.handshake
        else { return false }
        return payload.byteCount < 2 || payload.byte(at: 1) == 3
    }

    /// Header of a record, and the type of the message in it.
    private static var shortestOpening: Int { TLSRecord.headerLength &+ 1 }

    // MARK: The ClientHello

    private mutating func beginHello(_ index: Int, known: Int, input: TCPInput, payload: RawSpan, skip: Int) {
        let generation = flows[index].generation
        let isAfterRetry = known >= 0 && tls[known].phase == TLSState.Phase.retried
        if known >= 0 {
            hellos.close(Int(tls[known].buffer) &- 1, tls[known].key)
            tls.close(known)
        }
        let (state, lost) = tls.open(flow: index, generation: generation, now: nowSeconds)
        if lost != 0 { transactions.forget(lost) }
        flows[index].flags.insert(.hasHello)
        tls[state].phase = TLSState.Phase.collecting
        tls[state].client = UInt8(truncatingIfNeeded: input.sender)
        tls[state].start = input.sequence &+ UInt32(truncatingIfNeeded: skip)
        tls[state].isAfterRetry = isAfterRetry ? 1 : 0
        expectAnswer(index, state, from: input.acknowledgement)
        takeHelloSegment(index, state, input: input, payload: payload)
    }

    /// A segment of the client: a part of the hello, the same again, or what comes behind it.
    private mutating func takeHelloSegment(_ index: Int, _ state: Int, input: TCPInput, payload: RawSpan) {
        let offset = Int(Int32(bitPattern: input.sequence &- tls[state].start))
        let isRepeated = findings.retransmitter == input.sender
        guard tls[state].phase == TLSState.Phase.collecting else {
            if isRepeated, offset < Int(tls[state].length), tls[state].fingerprint != 0 {
                // Sent again before the answer: which copy it answers cannot be told (Karn).
                repeatHello(index, state, at: input.time)
            }
            return
        }
        let piece = payload.suffix(from: max(0, -offset))
        if tls[state].buffer == 0, offset <= 0, let whole = TLSHelloFraming.length(piece),
            whole <= piece.byteCount
        {
            // The usual case: all of it in one segment, in one record; nothing is copied.
            tls[state].length = UInt32(truncatingIfNeeded: whole)
            if let record = TLSRecord(piece), record.length &+ TLSRecord.headerLength >= whole {
                finishHello(
                    index, state, at: input.time,
                    facts: HelloFacts(message: piece.suffix(from: TLSRecord.headerLength), hash: hash))
                return
            }
        }
        gather(state, piece: piece, offset: max(offset, 0), time: input.time)
        guard tls[state].length > 0, isWhole(index, state) else { return }
        // A segment that was sent again completes what was complete before without being known to be.
        if isRepeated { return giveUpHello(index, state, .ambiguous, isRetried: false) }
        finishHello(index, state, at: input.time, facts: gatheredFacts(state))
    }

    /// Notes where the server's data goes on; where nothing of the server was seen, the client tells.
    private mutating func expectAnswer(_ index: Int, _ state: Int, from acknowledged: UInt32) {
        let server = flows[index].sides[1 &- Int(tls[state].client)]
        tls[state].answerStart = server.has(.isKnown) ? server.nextSequence : acknowledged
        tls[state].hasHole = 0
    }

    /// A hello of which nobody can tell when it was whole. After a HelloRetryRequest another is due.
    private mutating func giveUpHello(_ index: Int, _ state: Int, _ reason: RejectReason, isRetried: Bool) {
        findings.counters.reject(reason)
        hellos.close(Int(tls[state].buffer) &- 1, tls[state].key)
        tls[state].buffer = 0
        if isRetried { tls[state].phase = TLSState.Phase.retried } else { endTLS(index, state) }
    }

    /// Adds a piece to the buffer and learns the hello's length as soon as its headers are there.
    private mutating func gather(_ state: Int, piece: RawSpan, offset: Int, time: Int64) {
        let owner = tls[state].key
        var buffer = Int(tls[state].buffer) &- 1
        if buffer < 0, offset == 0 || tls[state].length == 0 {
            buffer = hellos.open(owner, now: time)
            tls[state].buffer = UInt32(truncatingIfNeeded: buffer &+ 1)
        }
        guard hellos.holds(buffer, owner) else { return }
        _ = hellos.add(buffer, at: offset, piece)
        if tls[state].length == 0 {
            // What began with too few bytes may turn out to be something else.
            if hellos[buffer].contiguous >= CaptureEngine.shortestOpening,
                !hellos.read(buffer, { CaptureEngine.opensHello($0) })
            {
                hellos.close(buffer, owner)
                tls.close(state)
                return
            }
            tls[state].length = UInt32(
                truncatingIfNeeded: hellos.read(buffer) { TLSHelloFraming.length($0) ?? 0 })
        }
    }

    /// By the sequence numbers, which tell it even where the capture cut the payload.
    private mutating func isWhole(_ index: Int, _ state: Int) -> Bool {
        let side = flows[index].sides[Int(tls[state].client)]
        let end = tls[state].start &+ tls[state].length
        if isAfter(end, side.nextSequence) { return false }
        return !side.has(.hasGap) || side.has(.isGapOfJoin) || !isAfter(end, side.gapStart)
            || !isAfter(side.gapEnd, tls[state].start)
    }

    private mutating func gatheredFacts(_ state: Int) -> HelloFacts? {
        let owner = tls[state].key
        let buffer = Int(tls[state].buffer) &- 1
        guard hellos.holds(buffer, owner) else { return nil }
        defer {
            hellos.close(buffer, owner)
            tls[state].buffer = 0
        }
        // Record headers are taken out, so that the message lies in one piece.
        hellos.removeRecordHeaders(buffer)
        let hash = hash
        return hellos.read(buffer) { HelloFacts(message: $0, hash: hash) }
    }

    /// The hello is whole: its server name counts from now on, and its answer is due.
    private mutating func finishHello(_ index: Int, _ state: Int, at time: Int64, facts: HelloFacts?) {
        let client = Int(tls[state].client)
        let server = 1 &- client
        if !flows[index].has(.synSeen), !flows[index].has(.answerSeen), flows[index].client != client {
            // Without an opening, the ports were a guess; the hello tells.
            flows[index].setClient(client)
            flows[index].flags.remove(.hasService)
        }
        var parties = parties(of: index)
        var notes: SampleNotes = tls[state].isAfterRetry != 0 ? .afterRetry : []
        if let facts {
            if facts.hasEncryptedHello { notes.insert(.encryptedHello) }
            if facts.hasEarlyData { notes.insert(.earlyData) }
            if let service = service(facts, at: address(server, of: index), port: port(server, of: index)) {
                flows[index].service = service.rawValue
                parties.service = service
            }
        }
        tls[state].phase = TLSState.Phase.waiting
        tls[state].completed = time
        expectAnswer(index, state, from: tls[state].answerStart)
        var transaction = Transaction()
        transaction.kind = .tls
        transaction.clientPort = port(client, of: index)
        transaction.serverPort = port(server, of: index)
        fill(
            &transaction, client: address(client, of: index), server: address(server, of: index),
            scope: flows[index].key.scope, time: time)
        transaction.notes = notes.rawValue
        transaction.service = parties.service.rawValue
        transaction.flow = tls[state].owner
        transaction.generation = tls[state].generation
        transaction.fingerprint = hash.hash(tls[state].key, UInt64(tls[state].start), 1 &<< 41)
        tls[state].fingerprint = transaction.fingerprint
        takeRequest(transaction)
    }

    private mutating func repeatHello(_ index: Int, _ state: Int, at time: Int64) {
        var copy = Transaction()
        copy.fingerprint = tls[state].fingerprint
        copy.first = time
        copy.last = time
        transactions.repeatRequest(copy)
    }

    // MARK: The answer

    /// A segment of the server while its answer is due.
    private mutating func takeAnswer(_ index: Int, _ state: Int, input: TCPInput, payload: RawSpan) {
        let offset = Int(Int32(bitPattern: input.sequence &- tls[state].answerStart))
        if offset > 0 {
            tls[state].hasHole = 1
            return
        }
        guard offset &+ Int(input.payload) > 0 else { return }
        let answer = payload.suffix(from: -offset)
        guard case .answered(let request) = transactions.reply(tls[state].fingerprint, at: input.time) else {
            endTLS(index, state)
            return
        }
        var notes: SampleNotes = []
        var kind = PassiveKind.tls
        if let record = TLSRecord(answer) {
            switch record.contentType {
            case TLSContentType.handshake: if CaptureEngine.isRetryRequest(answer) { kind = .tlsRetry }
            case TLSContentType.alert: notes = .alert
            default: notes = .notTLS
            }
        } else if answer.byteCount >= TLSRecord.headerLength {
            notes = .notTLS
        }
        let rtt = input.time &- tls[state].completed
        if tls[state].hasHole == 1 || findings.retransmitter == input.sender {
            findings.counters.reject(.postLoss)
        } else if rtt < 0 {
            findings.counters.reject(.negative)
        } else {
            if request.retries > 0 { findings.counters.reject(.ambiguous) }
            emitTLS(
                request, outcome: request.retries > 0 ? .ambiguous : nil, time: input.time, rtt: rtt, kind: kind,
                notes: notes)
        }
        if kind == .tlsRetry {
            tls[state].phase = TLSState.Phase.retried
            tls[state].fingerprint = 0
        } else {
            endTLS(index, state)
        }
    }

    private static func isRetryRequest(_ answer: RawSpan) -> Bool {
        guard let record = TLSRecord(answer), record.contentType == TLSContentType.handshake,
            let handshake = TLSHandshake(record.fragment), let hello = TLSServerHello(handshake.body)
        else { return false }
        return hello.isRetryRequest
    }

    private mutating func endTLS(_ index: Int, _ state: Int) {
        tls.close(state)
        flows[index].flags.remove(.watchesTLS)
    }
}
