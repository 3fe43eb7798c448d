// QUIC in the engine: the client's first Initial to the server's first long header, on any UDP port, told by content.

internal import Model
internal import Wire

extension CaptureEngine {
    /// Bytes of the shortest datagram with a client's first Initial, RFC 9000, 14.1.
    private static var shortestInitial: Int { 1_200 }

    /// Takes a datagram that is neither DNS nor a VPN's; false where it belongs to no QUIC connection.
    mutating func takeQUIC(_ packet: DissectedPacket, _ datagram: borrowing UDPDatagram) -> Bool {
        let payload = datagram.payload
        guard payload.byteCount > 0 else { return false }
        let first = payload.byte(at: 0)
        // Of a short header no more than the connection tells that it is QUIC.
        if first & 0x80 == 0, first & 0x40 == 0 || quic.used == 0 { return false }
        let key = quicKey(packet, datagram.sourcePort, datagram.destinationPort)
        let length = datagram.length == 0 ? payload.byteCount : datagram.length &- UDPDatagram.headerLength
        if first & 0x80 != 0 {
            guard let header = QUICLongHeader(payload) else { return false }
            return takeLong(packet, key: key, header: header, payload: payload, datagram, length)
        }
        let index = quic.find(key)
        guard index >= 0, let short = QUICShortHeader(payload, length: length) else { return false }
        quic[index].lastSeen = nowSeconds
        let isFromServer = !isClientSide(index, packet, datagram.sourcePort)
        // A server may send data before its Initial comes by, a client only after it has it.
        if quic[index].phase == QUICConnection.Phase.waiting, !isFromServer { noteUnseenAnswer(index) }
        if quic[index].phase == QUICConnection.Phase.answered {
            if !isFromServer, quic[index].isEnded == 0, quic[index].answers < 2 {
                // The client is done with the handshake: its first reply passed unseen, and a later one is not it.
                findings.counters.reject(.unseen)
                quic[index].isEnded = 1
            }
            takeSpin(index, isFromServer: isFromServer, short.spinBit, packet.time)
        }
        return true
    }

    /// A keyed hash of both ends, the same for both directions.
    private func quicKey(_ packet: DissectedPacket, _ sourcePort: UInt16, _ destinationPort: UInt16) -> UInt64 {
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
        return hash.hash(low.high, low.low, high.high, high.low, ports &<< 32 | UInt64(scope)) | 1
    }

    private func isClientSide(_ index: Int, _ packet: DissectedPacket, _ port: UInt16) -> Bool {
        quic[index].clientPort == port && quic[index].clientLow == packet.source.low
            && quic[index].clientHigh == packet.source.high
    }

    private mutating func takeLong(
        _ packet: DissectedPacket, key: UInt64, header: borrowing QUICLongHeader, payload: RawSpan,
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
        var opened = OpenedInitial.untried
        if index < 0 {
            guard isOpening else { return false }
            opened = openInitial(header, payload, ConnectionID(header.destinationID))
            guard mayBeFirst(opened, header, datagram) else { return false }
            index = quic.open(key)
            begin(index, packet, datagram.sourcePort, datagram.destinationPort)
        } else if isOpening, header.version.isKnown, quic[index].phase == QUICConnection.Phase.waiting,
            quic[index].version != header.version.rawValue
        {
            // A client begins anew with another version only where the server has named it; where the server has gone
            // over to another (RFC 9368), the keys still follow from the first ID.
            let first = openInitial(header, payload, ConnectionID(header.destinationID))
            if !first.isForeign {
                opened = first
                restart(index, isRetried: true)
                begin(index, packet, datagram.sourcePort, datagram.destinationPort)
            }
        } else if quic[index].phase != QUICConnection.Phase.restarted, isOpening,
            !quic[index].original.equals(header.destinationID)
        {
            // The ports may be used for another connection; of those that share them, the newest is followed.
            let isSame = quic[index].client.equals(header.sourceID)
            if isSame { opened = openInitial(header, payload, quic[index].original) }
            if !isSame || opened.isForeign {
                // Many clients have no name for themselves, but only a first flight has the keys of its own ID.
                let first = openInitial(header, payload, ConnectionID(header.destinationID))
                if first.isRead || !isSame && !first.isForeign {
                    opened = first
                    let isRetried = isSame && (header.protected?.tokenLength ?? 0) > 0
                    restart(index, isRetried: isRetried)
                    begin(index, packet, datagram.sourcePort, datagram.destinationPort)
                }
            }
        }
        quic[index].lastSeen = nowSeconds
        if header.type == .zeroRTT { quic[index].notes |= SampleNotes.earlyData.rawValue }
        if quic[index].phase == QUICConnection.Phase.answered {
            takeClientReply(index, at: packet.time, header: header, payload: payload, opened: opened)
        } else if header.type == .handshake, quic[index].phase == QUICConnection.Phase.waiting {
            noteUnseenAnswer(index)
        } else if header.type == .initial {
            takeInitial(index, at: packet.time, header: header, payload: payload, opened: opened)
        }
        return true
    }

    /// Whether an Initial of no known connection may be the first of one, and not the server's or a later one of a
    /// connection whose first was missed.
    private func mayBeFirst(
        _ opened: OpenedInitial, _ header: borrowing QUICLongHeader, _ datagram: borrowing UDPDatagram
    ) -> Bool {
        if opened.isRead || header.version.isReserved { return true }
        // What cannot be read is told by the ports: the server's is the lower.
        return !opened.isForeign && datagram.sourcePort >= datagram.destinationPort
    }

    /// Empties the entry for another connection, or for another attempt (`isRetried`) of one whose answer passed unseen.
    private mutating func restart(_ index: Int, isRetried: Bool) {
        closeHello(index)
        if isRetried, quic[index].phase == QUICConnection.Phase.waiting {
            findings.counters.reject(.unseen)
            quic[index].phase = QUICConnection.Phase.restarted
        }
        quic.restart(index)
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

    // MARK: The server's answer

    private mutating func takeServerPacket(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan
    ) {
        guard quic[index].client.equals(header.destinationID) else { return }
        if quic[index].phase == QUICConnection.Phase.answered {
            // A second Initial: what the client then says may answer either.
            guard header.type == .initial, quic[index].clientHalf == 0, time > quic[index].answered else { return }
            if packetFingerprint(header, payload) == quic[index].fingerprints[0] {
                duplicatePackets &+= 1
            } else {
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
        let answered = answeredRequest(index, header: header, payload: payload)
        var request: Int64?
        if case .sent(let at) = answered { request = at }
        let rtt = time &- (request ?? quic[index].first)
        if rtt < 0 || time < quic[index].first {
            findings.counters.reject(.negative)
        } else if rtt > transactions.limit {
            emitQUIC(quic[index], kind: kind, side: .server, time: time, rtt: -1, outcome: .timeout)
        } else if case .unseen = answered {
            findings.counters.reject(.unseen)
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
            quic[index].fingerprints[0] = packetFingerprint(header, payload)
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

    /// Packets that only a client with an answer can send: the answer passed elsewhere, so nothing is said of it.
    mutating func noteUnseenAnswer(_ index: Int) {
        findings.counters.reject(.unseen)
        quic[index].phase = QUICConnection.Phase.answered
        quic[index].isEnded = 1
        closeHello(index)
    }

    /// What a packet of the server answers.
    private enum AnsweredRequest {
        /// The Initial that was sent then.
        case sent(Int64)
        /// One of several.
        case unclear
        /// One that was sent before those that were seen.
        case unseen
    }

    /// Which Initial a packet of the server answers.
    ///
    /// The pieces of one hello are sent together, and the first of them counts. Where one was sent again, only the
    /// numbers that the server acknowledges tell, and only where they name one packet. Where the first that was seen may
    /// not be the first that was sent, they tell that.
    private mutating func answeredRequest(
        _ index: Int, header: borrowing QUICLongHeader, payload: RawSpan
    ) -> AnsweredRequest {
        let isRepeated = quic[index].initials > 1 && quic[index].isRepeated != 0
        let otherwise = isRepeated ? AnsweredRequest.unclear : .sent(quic[index].first)
        let numbers = quic[index].seenNumbers
        guard Int(quic[index].known) == Int(quic[index].initials), isRepeated || numbers & 1 == 0,
            header.type == .initial, let place = header.protected, isRepeated || mayOpen(),
            let keys = cipher.keys(header.version, quic[index].original, ofServer: true)
        else { return otherwise }
        let content = cipher.open(payload, place, keys: keys) { CaptureEngine.collect($0, $1).content }
        guard let content, content.hasAcknowledgement else { return otherwise }
        // Below the lowest number that was seen.
        let lowest = numbers & (0 &- numbers)
        if content.acknowledged & (lowest &- 1) != 0 { return .unseen }
        guard isRepeated, content.acknowledged & ~numbers == 0, content.acknowledged.nonzeroBitCount == 1 else {
            return otherwise
        }
        for known in 0..<Int(quic[index].known)
        where content.acknowledged & 1 &<< UInt64(quic[index].numbers[known]) != 0 {
            return .sent(quic[index].sent[known])
        }
        return otherwise
    }

    /// The client's first packet that shows that it has the server's first: the client's half.
    private mutating func takeClientReply(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan, opened: OpenedInitial
    ) {
        guard quic[index].clientHalf == 0, quic[index].answers < 2, quic[index].isEnded == 0 else { return }
        var isProof = header.type == .handshake
        if header.type == .initial {
            let initial = opened.isTried ? opened : openInitial(header, payload, quic[index].original)
            isProof = initial.pieces?.content.hasAcknowledgement ?? false
            // It may have been the proof, so that a later one is not.
            if initial.isDenied { quic[index].isEnded = 1 }
        }
        guard isProof else { return }
        quic[index].isEnded = 1
        // Whoever goes on has said its hello: a piece that was missed does not come any more.
        closeHello(index)
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
