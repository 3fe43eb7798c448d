// The client's Initials in the engine: opened for packet numbers, and for the hello whose pieces they carry.

internal import Model
internal import Wire

extension CaptureEngine {
    /// Initials that are opened in one tick, so that a flood of them costs a bounded part of a core.
    static var openedPerTick: Int { 1_000 }

    /// An Initial of the client while no answer was seen.
    mutating func takeInitial(
        _ index: Int, at time: Int64, header: borrowing QUICLongHeader, payload: RawSpan, opened: OpenedInitial
    ) {
        if quic[index].phase == QUICConnection.Phase.restarted {
            // A copy of what the server has sent back already: not the new attempt.
            if quic[index].isAfterRetry != 0, !quic[index].original.equals(header.destinationID) { return }
            if quic[index].isAfterRetry == 0, header.version.rawValue == quic[index].version { return }
            quic[index].phase = QUICConnection.Phase.waiting
            quic[index].first = time
            quic[index].last = time
            quic[index].initials = 0
            quic[index].known = 0
            quic[index].isRepeated = 0
            quic[index].fingerprints = InlineArray(repeating: 0)
            quic[index].version = header.version.rawValue
            quic[index].original = ConnectionID(header.destinationID)
            quic[index].client = ConnectionID(header.sourceID)
        }
        // No two packets of a connection are protected alike, so equal bytes are one packet seen twice.
        let fingerprint = packetFingerprint(header, payload)
        for place in 0..<4 where fingerprint != 0 && fingerprint == quic[index].fingerprints[place] {
            duplicatePackets &+= 1
            return
        }
        quic[index].fingerprints[Int(quic[index].initials & 3)] = fingerprint
        // A copy may be older than the first where the clock has stepped back.
        quic[index].last = max(quic[index].last, time)
        if quic[index].initials < .max { quic[index].initials &+= 1 }
        var opened = opened
        if !opened.isTried, quic[index].isHelloDone == 0 || quic[index].initials < 5 {
            opened = openInitial(header, payload, quic[index].original)
        }
        guard let pieces = opened.pieces else { return noteUnread(index) }
        if pieces.content.hasAcknowledgement {
            // The client has an answer that passed unseen.
            return noteUnseenAnswer(index)
        }
        let content = takePieces(index, pieces, time: time)
        noteNumber(index, content.number, at: time)
        if !content.bringsNews, quic[index].initials > 1 { quic[index].isRepeated = 1 }
        if content.isMalformed { quic[index].isHelloDone = 1 }
        if quic[index].isHelloDone == 0, content.hasCrypto { readHello(index) }
    }

    /// Whether this tick has room for opening one more Initial; counted where it has none.
    mutating func mayOpen() -> Bool {
        guard quicBudget > 0 else {
            quicUnread &+= 1
            return false
        }
        quicBudget &-= 1
        return true
    }

    /// A packet that could not be read may be a repetition, where it is not the first.
    private mutating func noteUnread(_ index: Int) {
        if quic[index].initials > 1 { quic[index].isRepeated = 1 }
    }

    func packetFingerprint(_ header: borrowing QUICLongHeader, _ payload: RawSpan) -> UInt64 {
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
    struct InitialContent {
        var number: UInt64 = 0
        var hasCrypto = false
        /// A piece of the hello that was not there before.
        var bringsNews = false
        var isMalformed = false
        var acknowledged: UInt64 = 0
        var hasAcknowledgement = false
    }

    /// What came of opening a client's Initial.
    struct OpenedInitial {
        static var untried: OpenedInitial { OpenedInitial() }

        var pieces: CryptoPieces?
        var isTried = false
        /// There was no room for it in this tick.
        var isDenied = false
        /// All of it was there and it is not authentic: it belongs to another connection, or the server has sent it.
        var isForeign = false

        var isRead: Bool { pieces != nil }
    }

    /// Opens an Initial under the client's keys that follow from an ID; `readPlain` is of it until another is opened.
    mutating func openInitial(
        _ header: borrowing QUICLongHeader, _ payload: RawSpan, _ id: ConnectionID
    ) -> OpenedInitial {
        var opened = OpenedInitial()
        opened.isTried = true
        guard header.version.isKnown, let place = header.protected, place.end <= payload.byteCount,
            place.end <= InitialCipher.longestPacket
        else { return opened }
        guard mayOpen() else {
            opened.isDenied = true
            return opened
        }
        guard let keys = cipher.keys(header.version, id, ofServer: false) else { return opened }
        opened.pieces = cipher.open(payload, place, keys: keys) { CaptureEngine.collect($0, $1) }
        opened.isForeign = opened.pieces == nil
        return opened
    }

    /// Puts the pieces of the hello of the Initial that was opened last into the connection's buffer.
    private mutating func takePieces(_ index: Int, _ pieces: CryptoPieces, time: Int64) -> InitialContent {
        var content = pieces.content
        guard quic[index].isHelloDone == 0 else { return content }
        let owner = quic[index].helloOwner
        var buffer = Int(quic[index].buffer) &- 1
        if !hellos.holds(buffer, owner) {
            buffer = hellos.open(owner, now: time)
            quic[index].buffer = UInt32(truncatingIfNeeded: buffer &+ 1)
        }
        if pieces.left > 0 { findings.counters.reject(.noRoom, pieces.left) }
        for piece in 0..<pieces.count {
            let start = Int(clamping: pieces.offsets[piece])
            let count = Int(pieces.counts[piece])
            if !hellos[buffer].overlaps(start, start &+ count) { content.bringsNews = true }
            let isKept = cipher.readPlain(at: Int(pieces.starts[piece]), count: count) {
                hellos.add(buffer, at: start, $0)
            }
            if !isKept {
                findings.counters.reject(.noRoom)
                quic[index].isHelloDone = 1
            }
        }
        return content
    }

    /// The places of CRYPTO frames in an opened packet: as many as a client has reason to make.
    struct CryptoPieces {
        var content = InitialContent()
        var count = 0
        /// Frames beyond those, which are not looked at.
        var left = 0
        var offsets: InlineArray<16, UInt64> = InlineArray(repeating: 0)
        var starts: InlineArray<16, UInt16> = InlineArray(repeating: 0)
        var counts: InlineArray<16, UInt16> = InlineArray(repeating: 0)
    }

    static func collect(_ number: UInt64, _ plain: RawSpan) -> CryptoPieces {
        var pieces = CryptoPieces()
        pieces.content.number = number
        var frames = QUICFrames(plain)
        while let frame = frames.next() {
            switch frame {
            case .crypto(let offset, let start, let count):
                pieces.content.hasCrypto = true
                guard pieces.count < 16 else {
                    pieces.left &+= 1
                    continue
                }
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
        let server = quic[index].serverAddress
        if let service = service(facts, at: server, port: quic[index].serverPort) {
            quic[index].service = service.rawValue
        }
    }

    mutating func closeHello(_ index: Int) {
        hellos.close(Int(quic[index].buffer) &- 1, quic[index].helloOwner)
        quic[index].buffer = 0
    }
}
