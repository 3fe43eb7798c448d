// QUIC in the engine: the client's first Initial to the server's first long header, on any UDP port, told by content.

internal import Model
internal import Wire

extension CaptureEngine {
    /// Initials that are opened in one tick, so that a flood of them costs a bounded part of a core.
    static var openedPerTick: Int { 1_000 }

    /// Bytes of the shortest datagram with a client's first Initial, RFC 9000, 14.1.
    private static var shortestInitial: Int { 1_200 }

    /// Takes a datagram that is neither DNS nor a VPN's; false where it belongs to no QUIC connection.
    mutating func takeQUIC(_ packet: DissectedPacket, _ datagram: borrowing UDPDatagram) -> Bool {
        let payload = datagram.payload
        guard payload.byteCount > 0 else { return false }
        let first = payload.byte(at: 0)
        // Of a short header no more than the connection tells that it is QUIC.
        if first & 0x80 == 0, first & 0x40 == 0 || quic.used == 0 { return false }
        let (key, isClient) = quicKey(packet, datagram.sourcePort, datagram.destinationPort)
        let length = datagram.length == 0 ? payload.byteCount : datagram.length &- UDPDatagram.headerLength
        if first & 0x80 != 0 {
            guard let header = QUICLongHeader(payload) else { return false }
            return takeLong(packet, key: key, lower: isClient, header: header, payload: payload, datagram, length)
        }
        let index = quic.find(key)
        guard index >= 0, let short = QUICShortHeader(payload, length: length) else { return false }
        quic[index].lastSeen = nowSeconds
        if quic[index].phase == QUICConnection.Phase.answered {
            takeSpin(index, isFromServer: !isClientSide(index, packet, datagram.sourcePort), short.spinBit, packet.time)
        }
        return true
    }

    /// A keyed hash of both ends, the same for both directions; and whether the source is the lower end.
    private func quicKey(_ packet: DissectedPacket, _ sourcePort: UInt16, _ destinationPort: UInt16) -> (UInt64, Bool) {
        let source = packet.source
        let destination = packet.destination
        let scope = packet.interface | (source.isIPv6 ? FlowKey.ipv6 : 0)
        let isLower =
            source.high != destination.high
            ? source.high < destination.high
            : source.low != destination.low ? source.low < destination.low : sourcePort <= destinationPort
        let low = isLower ? source : destination
        let high = isLower ? destination : source
        let ports =
            isLower
            ? UInt64(sourcePort) &<< 16 | UInt64(destinationPort)
            : UInt64(destinationPort) &<< 16 | UInt64(sourcePort)
        return (hash.hash(low.high, low.low, high.high, high.low, ports &<< 32 | UInt64(scope)) | 1, isLower)
    }

    private func isClientSide(_ index: Int, _ packet: DissectedPacket, _ port: UInt16) -> Bool {
        quic[index].clientPort == port && quic[index].clientLow == packet.source.low
            && quic[index].clientHigh == packet.source.high
    }

    private mutating func takeLong(
        _ packet: DissectedPacket, key: UInt64, lower: Bool, header: borrowing QUICLongHeader, payload: RawSpan,
        _ datagram: borrowing UDPDatagram, _ length: Int
    ) -> Bool {
        var index = quic.find(key)
        if index >= 0, !isClientSide(index, packet, datagram.sourcePort) {
            quic[index].lastSeen = nowSeconds
            takeServerPacket(index, at: packet.time, header: header, payload: payload)
            return true
        }
        let isOpening =
            header.type == .initial && (header.version.isKnown || header.version.isReserved)
            && header.destinationID.byteCount >= 8 && length >= CaptureEngine.shortestInitial
            && header.protected.map { $0.end <= length } ?? false
        if index < 0 {
            guard isOpening else { return false }
            index = quic.open(key)
            begin(index, packet, datagram.sourcePort, datagram.destinationPort)
        } else if quic[index].phase == QUICConnection.Phase.answered, isOpening,
            !quic[index].client.equals(header.sourceID), !quic[index].original.equals(header.destinationID)
        {
            // The ports were used anew for another connection.
            closeHello(index)
            quic[index] = QUICConnection()
            begin(index, packet, datagram.sourcePort, datagram.destinationPort)
        }
        quic[index].lastSeen = nowSeconds
        if header.type == .zeroRTT { quic[index].notes |= SampleNotes.earlyData.rawValue }
        if quic[index].phase == QUICConnection.Phase.answered {
            takeClientReply(index, at: packet.time, header: header, payload: payload)
        } else if header.type == .initial {
            takeInitial(index, at: packet.time, header: header, payload: payload)
        }
        return true
    }

    private mutating func begin(_ index: Int, _ packet: DissectedPacket, _ source: UInt16, _ destination: UInt16) {
        quic[index].clientHigh = packet.source.high
        quic[index].clientLow = packet.source.low
        quic[index].serverHigh = packet.destination.high
        quic[index].serverLow = packet.destination.low
        quic[index].clientPort = source
        quic[index].serverPort = destination
        quic[index].scope = packet.interface | (packet.source.isIPv6 ? FlowKey.ipv6 : 0)
        quic[index].phase = QUICConnection.Phase.restarted
        // Apart from the numbers of TCP connections, whose top bit is clear.
        helloOwners &+= 1
        quic[index].helloOwner = helloOwners | 1 &<< 63
    }

    // MARK: The client's Initials

    /// An Initial of the client while no answer was seen.
    private mutating func takeInitial(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan
    ) {
        if quic[index].phase == QUICConnection.Phase.restarted {
            // A copy of what the server has sent back already: not the new attempt.
            if quic[index].isAfterRetry != 0, !quic[index].original.equals(header.destinationID) { return }
            if quic[index].isAfterRetry == 0, header.version.rawValue == quic[index].version { return }
            quic[index].phase = QUICConnection.Phase.waiting
            quic[index].first = time
            quic[index].initials = 0
            quic[index].known = 0
            quic[index].isRepeated = 0
            quic[index].fingerprint = 0
            quic[index].version = header.version.rawValue
            quic[index].original = ConnectionID(header.destinationID)
            quic[index].client = ConnectionID(header.sourceID)
        }
        // No two packets of a connection are protected alike, so equal bytes are one packet seen twice.
        let fingerprint = packetFingerprint(header, payload)
        if fingerprint != 0, fingerprint == quic[index].fingerprint {
            duplicatePackets &+= 1
            return
        }
        quic[index].fingerprint = fingerprint
        quic[index].last = time
        if quic[index].initials < .max { quic[index].initials &+= 1 }
        guard quicBudget > 0 else {
            quicUnread &+= 1
            return noteUnread(index)
        }
        quicBudget &-= 1
        guard let place = header.protected, quic[index].isHelloDone == 0 || quic[index].initials < 5,
            let keys = cipher.keys(header.version, quic[index].original, ofServer: false)
        else {
            noteUnread(index)
            return
        }
        guard let content = openInitial(index, payload, place, keys, time: time) else { return noteUnread(index) }
        noteNumber(index, content.number, at: time)
        if !content.bringsNews, quic[index].initials > 1 { quic[index].isRepeated = 1 }
        if content.isMalformed { quic[index].isHelloDone = 1 }
        if quic[index].isHelloDone == 0, content.hasCrypto { readHello(index) }
    }

    /// A packet that could not be read may be a repetition, where it is not the first.
    private mutating func noteUnread(_ index: Int) {
        if quic[index].initials > 1 { quic[index].isRepeated = 1 }
    }

    private func packetFingerprint(_ header: borrowing QUICLongHeader, _ payload: RawSpan) -> UInt64 {
        guard let place = header.protected, place.numberOffset &+ 20 <= payload.byteCount else { return 0 }
        return hash.hash(
            payload.bigEndian64(at: place.numberOffset), payload.bigEndian64(at: place.numberOffset &+ 8),
            UInt64(truncatingIfNeeded: place.end)) | 1
    }

    private mutating func noteNumber(_ index: Int, _ number: UInt64, at time: Int64) {
        let known = Int(quic[index].known)
        guard number < 64, known < 4 else { return }
        quic[index].sent[known] = time
        quic[index].numbers[known] = UInt8(truncatingIfNeeded: number)
        quic[index].known &+= 1
    }

    /// What was inside an Initial.
    private struct InitialContent {
        var number: UInt64 = 0
        var hasCrypto = false
        /// A piece of the hello that was not there before.
        var bringsNews = false
        var isMalformed = false
        var acknowledged: UInt64 = 0
        var hasAcknowledgement = false
    }

    /// Opens a client's Initial and puts the pieces of its hello into the connection's buffer.
    private mutating func openInitial(
        _ index: Int, _ payload: RawSpan, _ place: QUICProtectedPacket, _ keys: InitialKeys, time: Int64
    ) -> InitialContent? {
        let owner = quic[index].helloOwner
        let needsHello = quic[index].isHelloDone == 0
        var buffer = Int(quic[index].buffer) &- 1
        if needsHello, !hellos.holds(buffer, owner) {
            buffer = hellos.open(owner, now: time)
            quic[index].buffer = UInt32(truncatingIfNeeded: buffer &+ 1)
        }
        // The cipher and the buffers are taken apart from the engine for the call.
        let pieces = cipher.open(payload, place, keys: keys) { number, plain in
            CaptureEngine.collect(number, plain)
        }
        guard var content = pieces?.content, let pieces else { return nil }
        guard needsHello else {
            content.bringsNews = false
            return content
        }
        for piece in 0..<pieces.count {
            let start = Int(clamping: pieces.offsets[piece])
            let count = Int(pieces.counts[piece])
            if !hellos[buffer].overlaps(start, start &+ count) { content.bringsNews = true }
            let isKept = cipher.readPlain(at: Int(pieces.starts[piece]), count: count) {
                hellos.add(buffer, at: start, $0)
            }
            if !isKept { quic[index].isHelloDone = 1 }
        }
        return content
    }

    /// The places of CRYPTO frames in an opened packet.
    private struct CryptoPieces {
        var content = InitialContent()
        var count = 0
        var offsets: InlineArray<16, UInt64> = InlineArray(repeating: 0)
        var starts: InlineArray<16, UInt16> = InlineArray(repeating: 0)
        var counts: InlineArray<16, UInt16> = InlineArray(repeating: 0)
    }

    private static func collect(_ number: UInt64, _ plain: RawSpan) -> CryptoPieces {
        var pieces = CryptoPieces()
        pieces.content.number = number
        var frames = QUICFrames(plain)
        while let frame = frames.next() {
            switch frame {
            case .crypto(let offset, let start, let count):
                pieces.content.hasCrypto = true
                guard pieces.count < 16 else { continue }
                pieces.offsets[pieces.count] = offset
                pieces.starts[pieces.count] = UInt16(clamping: start)
                pieces.counts[pieces.count] = UInt16(clamping: count)
                pieces.count += 1
            case .acknowledgement(let numbers):
                pieces.content.hasAcknowledgement = true
                pieces.content.acknowledged |= numbers
            case .ping, .close: continue
            }
        }
        pieces.content.isMalformed = frames.isMalformed
        return pieces
    }

    /// Reads the hello as soon as it is whole.
    private mutating func readHello(_ index: Int) {
        let buffer = Int(quic[index].buffer) &- 1
        let hash = hash
        let (isWhole, facts): (Bool, HelloFacts?) = hellos.read(buffer) { bytes in
            guard let handshake = TLSHandshake(bytes), handshake.isWhole else { return (false, nil) }
            return (true, HelloFacts(message: bytes, hash: hash))
        }
        guard isWhole else { return }
        quic[index].isHelloDone = 1
        closeHello(index)
        guard let facts else { return }
        if facts.hasEncryptedHello { quic[index].notes |= SampleNotes.encryptedHello.rawValue }
        if facts.hasEarlyData { quic[index].notes |= SampleNotes.earlyData.rawValue }
        let server = quicAddress(index, isServer: true)
        if let service = service(facts, at: server, port: quic[index].serverPort) {
            quic[index].service = service.rawValue
        }
    }

    private mutating func closeHello(_ index: Int) {
        hellos.close(Int(quic[index].buffer) &- 1, quic[index].helloOwner)
        quic[index].buffer = 0
    }

    // MARK: The server's answer

    private mutating func takeServerPacket(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan
    ) {
        guard quic[index].client.equals(header.destinationID) else { return }
        if quic[index].phase == QUICConnection.Phase.answered {
            // A second Initial: what the client then says may answer either.
            if header.type == .initial, quic[index].clientHalf == 0, time > quic[index].answered {
                quic[index].answers = 2
            }
            return
        }
        guard quic[index].phase == QUICConnection.Phase.waiting else { return }
        let kind: PassiveKind
        switch header.type {
        case .versionNegotiation:
            // A client takes one of each, and none after another answer (RFC 9000, 6.2 and 17.2.5.2).
            guard quic[index].original.equals(header.sourceID),
                quic[index].notes & SampleNotes.afterRetry.rawValue == 0
            else { return }
            kind = .quicVersion
        case .retry:
            guard quic[index].isAfterRetry == 0 else { return }
            kind = .quicRetry
        case .initial, .handshake: kind = .quicHandshake
        case .zeroRTT: return
        }
        let request = answeredRequest(index, at: time, header: header, payload: payload)
        let rtt = time &- (request ?? quic[index].first)
        if rtt < 0 || time < quic[index].first {
            findings.counters.reject(.negative)
        } else if rtt > transactions.limit {
            emitQUIC(quic[index], kind: kind, side: .server, time: time, rtt: -1, outcome: .timeout)
        } else if request == nil {
            findings.counters.reject(.ambiguous)
            emitQUIC(
                quic[index], kind: kind, side: .server, time: time, rtt: -1, outcome: .ambiguous,
                lower: max(0, time &- quic[index].last), upper: rtt)
        } else {
            emitQUIC(quic[index], kind: kind, side: .server, time: time, rtt: rtt)
            if kind == .quicHandshake { quic[index].serverHalf = max(rtt, 1) }
        }
        if kind == .quicHandshake {
            quic[index].phase = QUICConnection.Phase.answered
            quic[index].answered = time
            if quic[index].isHelloDone != 0 { closeHello(index) }
        } else {
            quic[index].phase = QUICConnection.Phase.restarted
            quic[index].notes |= SampleNotes.afterRetry.rawValue
            // Keys follow from the next Initial's connection ID, and the hello comes again.
            closeHello(index)
            quic[index].isHelloDone = 0
            if kind == .quicRetry {
                quic[index].isAfterRetry = 1
                quic[index].original = ConnectionID(header.sourceID)
            }
        }
    }

    /// When the Initial was sent that a packet of the server answers; nil where several may be meant.
    ///
    /// The pieces of one hello are sent together, and the first of them counts. Where one was sent again, only the
    /// numbers that the server acknowledges tell, and only where they name one packet.
    private mutating func answeredRequest(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan
    ) -> Int64? {
        if quic[index].initials <= 1 || quic[index].isRepeated == 0 { return quic[index].first }
        guard header.type == .initial, Int(quic[index].known) == Int(quic[index].initials),
            let place = header.protected,
            let keys = cipher.keys(header.version, quic[index].original, ofServer: true)
        else { return nil }
        let content = cipher.open(payload, place, keys: keys) { CaptureEngine.collect($0, $1).content }
        guard let content, content.hasAcknowledgement else { return nil }
        var request: Int64?
        for known in 0..<Int(quic[index].known)
        where content.acknowledged & 1 &<< UInt64(quic[index].numbers[known]) != 0 {
            if request != nil { return nil }
            request = quic[index].sent[known]
        }
        return request
    }

    /// The client's first packet that shows that it has the server's first: the client's half.
    private mutating func takeClientReply(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan
    ) {
        guard quic[index].clientHalf == 0, quic[index].answers < 2, quic[index].isEnded == 0 else { return }
        var isProof = header.type == .handshake
        if header.type == .initial, let place = header.protected,
            let keys = cipher.keys(header.version, quic[index].original, ofServer: false)
        {
            let content = cipher.open(payload, place, keys: keys) { CaptureEngine.collect($0, $1).content }
            isProof = content?.hasAcknowledgement ?? false
        }
        guard isProof else { return }
        quic[index].isEnded = 1
        let rtt = time &- quic[index].answered
        guard rtt >= 0 else { return findings.counters.reject(.negative) }
        quic[index].clientHalf = max(rtt, 1)
        emitQUIC(quic[index], kind: .quicHandshake, side: .client, time: time, rtt: rtt)
    }

    // MARK: Spin bit

    private mutating func takeSpin(_ index: Int, isFromServer: Bool, _ bit: Bool, _ time: Int64) {
        let server = quic[index].serverHalf
        guard server > 0, !quic[index].spin.isSuppressed else { return }
        let client = quic[index].clientHalf
        let found = quic[index].spin.take(
            fromServer: isFromServer, bit: bit, at: time, hold: (server &+ client) / 2, server: server, client: client)
        if quic[index].spin.isSuppressed { findings.counters.reject(.spinPattern) }
        report(index, found.first)
        report(index, found.second)
    }

    private mutating func report(_ index: Int, _ found: SpinFinding?) {
        guard let found, found.isProved else { return }
        if found.isIdle { return findings.counters.reject(.idle) }
        emitQUIC(
            quic[index], kind: .quicSpin, side: found.isServerHalf ? .server : .client, time: found.time,
            rtt: found.rtt,
            method: .spin)
    }

    // MARK: Samples

    private func quicAddress(_ index: Int, isServer: Bool) -> IPAddress {
        isServer ? quic[index].serverAddress : quic[index].clientAddress
    }

    private mutating func emitQUIC(
        _ connection: QUICConnection, kind: PassiveKind, side: PassiveSide, time: Int64, rtt: Int64,
        outcome: PassiveOutcome? = nil, method: PassiveMethod = .transaction, lower: Int64 = 0, upper: Int64 = 0
    ) {
        let client = connection.clientAddress
        let server = connection.serverAddress
        let known = ServiceReference(rawValue: connection.service)
        let parties = Parties(
            client: client, server: server, interface: connection.scope & ~FlowKey.ipv6,
            service: known == .none ? service(at: server, port: connection.serverPort) : known, peer: peer(of: client))
        var sample = EngineSample(
            time: time, kind: kind, side: side, method: method, rtt: rtt, outcome: outcome, source: client,
            sourcePort: connection.clientPort, destination: server, destinationPort: connection.serverPort,
            interface: parties.interface, service: parties.service)
        if kind == .quicHandshake, side == .server {
            sample.notes = SampleNotes(rawValue: connection.notes)
            if connection.isRepeated != 0, connection.initials > 1 { sample.retries = connection.initials &- 1 }
        }
        sample.lower = outcome == nil && sample.retries > 0 ? max(0, time &- connection.last) : lower
        sample.upper = upper
        emit(sample, parties: parties, failures: outcome == .timeout ? 1 : 0)
    }

    private mutating func emitTimeout(_ connection: QUICConnection) {
        hellos.close(Int(connection.buffer) &- 1, connection.helloOwner)
        emitQUIC(
            connection, kind: .quicHandshake, side: .server, time: connection.last, rtt: -1, outcome: .timeout)
    }

    /// One part of the table.
    mutating func sweepQUIC() {
        quicBudget = CaptureEngine.openedPerTick
        guard quic.used > 0 else { return }
        var expired = ExpiredConnections()
        quic.expire(now: now, seconds: nowSeconds, limit: transactions.limit, slice: ExpiredConnections.slice) {
            expired.add($0)
        }
        for position in 0..<expired.count { emitTimeout(expired.list[position]) }
    }

    mutating func finishQUIC() {
        guard quic.used > 0 else { return }
        var waiting: [QUICConnection] = []
        quic.finish { waiting.append($0) }
        for connection in waiting.sorted(by: { $0.first < $1.first }) { emitTimeout(connection) }
    }
}

extension QUICConnection {
    var serverAddress: IPAddress { address(serverHigh, serverLow) }
    var clientAddress: IPAddress { address(clientHigh, clientLow) }

    private func address(_ high: UInt64, _ low: UInt64) -> IPAddress {
        scope & FlowKey.ipv6 != 0
            ? IPAddress(v6High: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
    }
}

/// Connections of one sweep that nobody answered; a sweep looks at no more than it can hold.
private struct ExpiredConnections {
    static var slice: Int { 64 }

    var list: InlineArray<64, QUICConnection> = InlineArray(repeating: QUICConnection())
    var count = 0

    mutating func add(_ connection: QUICConnection) {
        guard count < 64 else { return }
        list[count] = connection
        count += 1
    }
}
