// DNS over TCP: messages behind a length of two bytes, split over segments in any way (RFC 1035, 4.2.2; RFC 7766).
//
// No stream is reassembled as a whole: of each message the first bytes are kept, which hold the question, and the answers
// that names are learned from.

internal import Wire

/// The first bytes of a message.
struct DNSPrefix: BitwiseCopyable {
    static var length: Int { 1_024 }

    private(set) var count: UInt16 = 0
    private var content: InlineArray<1_024, UInt8> = InlineArray(repeating: 0)

    /// Puts a byte at a place of the message; those beyond what is kept are let go.
    mutating func put(_ byte: UInt8, at place: Int) {
        guard place >= 0, place < DNSPrefix.length else { return }
        content[place] = byte
    }

    /// Ends a message of this many bytes.
    mutating func end(at length: Int) { count = UInt16(clamping: min(max(length, 0), DNSPrefix.length)) }

    /// Every byte of the array is initialized, so its raw bytes may be read.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        borrowing get { unsafe content.span.bytes.extracting(first: Int(count)) }
    }
}

/// The state of one direction of a connection to port 53.
struct DNSStream: BitwiseCopyable {
    /// Flow index * 2 + side + 1; 0: free.
    var owner: UInt32 = 0
    var generation: UInt32 = 0
    var lastSeen: UInt32 = 0
    var nextSequence: UInt32 = 0
    /// Where the side's data begins by its SYN; nil where that was not seen. Ports used anew begin elsewhere.
    var origin: UInt32?
    /// Bytes of the length field taken: 0...2.
    var lengthBytes: UInt8 = 0
    /// Where messages begin is not known until a segment shows it.
    var isLost: UInt8 = 0
    var messageLength: UInt16 = 0
    var taken: UInt16 = 0
    var prefix = DNSPrefix()
}

/// A set-associative table of streams; the one idle longest gives way.
struct DNSStreamTable: ~Copyable {
    private static var ways: Int { 4 }
    private static var count: Int { 512 }
    /// Messages that one segment may complete: as many as can stand in one of usual size.
    private static var messageLimit: Int { 64 }
    /// A power of two.
    private static var holeCount: Int { 4_096 }

    private var streams: FixedTable<DNSStream> = FixedTable(zeroed: DNSStreamTable.count)
    /// Streams in which a hole or a cut lost the message boundaries.
    private(set) var lost: UInt64 = 0
    /// What the last segment completed.
    private var messages: FixedTable<DNSPrefix> = FixedTable(zeroed: DNSStreamTable.messageLimit)
    private(set) var messageCount = 0
    /// Whether messages may have been missed before the last segment, or with it.
    private(set) var hasHole = false
    /// When that was last so of a connection whose key has this place, in seconds; 0: never.
    private var holes: FixedTable<UInt32> = FixedTable(zeroed: DNSStreamTable.holeCount)
    /// Messages let go because a segment completed more than that.
    private(set) var letGo: UInt64 = 0

    /// A message that the last segment completed, below `messageCount`.
    func message(_ position: Int) -> DNSPrefix { messages[position] }

    private static func hole(_ connection: UInt64) -> Int {
        Int(truncatingIfNeeded: connection &>> 40) & (holeCount &- 1)
    }

    /// Notes that messages of a connection may have been missed.
    mutating func noteHole(_ connection: UInt64, at seconds: UInt32) {
        holes[DNSStreamTable.hole(connection)] = seconds | 1
    }

    /// Whether messages of a connection may have been missed within a minute of then.
    func hasHole(_ connection: UInt64, near time: Int64) -> Bool {
        let noted = holes[DNSStreamTable.hole(connection)]
        let seconds = UInt32(truncatingIfNeeded: max(time, 0) / 1_000_000_000)
        return noted != 0 && abs(Int64(Int32(bitPattern: noted &- seconds))) <= 60
    }

    /// Where a stream lives, with whether it begins with this segment.
    private mutating func open(
        flow: Int, side: Int, generation: UInt32, origin: UInt32?, now: UInt32
    ) -> (index: Int, isNew: Bool) {
        let owner = UInt32(truncatingIfNeeded: flow &* 2 &+ side &+ 1)
        let base = Int((owner &* 0x9E37_79B1) &>> 16) % (DNSStreamTable.count / DNSStreamTable.ways)
        let first = base * DNSStreamTable.ways
        var place = first
        for index in first..<first + DNSStreamTable.ways {
            if streams[index].owner == owner, streams[index].generation == generation {
                guard streams[index].origin == origin else {
                    place = index
                    break
                }
                streams[index].lastSeen = now
                return (index, false)
            }
            if streams[index].owner == 0 {
                place = index
            } else if streams[place].owner != 0, streams[index].lastSeen < streams[place].lastSeen {
                place = index
            }
        }
        streams[place] = DNSStream()
        streams[place].owner = owner
        streams[place].generation = generation
        streams[place].lastSeen = now
        streams[place].origin = origin
        return (place, true)
    }

    /// Whether a message is likely to begin with these bytes: one of this direction, with one question.
    ///
    /// A stream that is joined in its middle, or lost, begins anywhere in a message. Of a length field that was sent
    /// alone nothing more can be asked.
    private static func mayBegin(_ payload: RawSpan, isFromServer: Bool) -> Bool {
        guard payload.byteCount >= 2, Int(payload.bigEndian16(at: 0)) >= DNSMessage.headerLength else { return false }
        guard payload.byteCount > 2 else { return true }
        guard let message = DNSMessage(payload.suffix(from: 2)) else { return false }
        return message.isResponse == isFromServer && message.opcode == 0 && message.questionCount == 1
    }

    /// Takes a segment's payload (`length` bytes by the headers, as many as captured in `payload`); the messages that it
    /// completes are `message(_:)` until the next segment.
    mutating func take(
        flow: Int, side: Int, generation: UInt32, origin: UInt32?, isFromServer: Bool, now: UInt32, sequence: UInt32,
        length: Int, payload: RawSpan
    ) {
        messageCount = 0
        hasHole = false
        let (index, isNew) = open(flow: flow, side: side, generation: generation, origin: origin, now: now)
        if isNew {
            streams[index].nextSequence = origin ?? sequence
            streams[index].isLost = origin == nil ? 1 : 0
        }
        let skip = Int(Int32(bitPattern: streams[index].nextSequence &- sequence))
        if skip >= length { return }
        if skip < 0 || streams[index].isLost != 0 {
            hasHole = skip < 0
            // A segment is missing: the boundaries are lost unless a message begins with this one.
            guard skip <= 0, DNSStreamTable.mayBegin(payload, isFromServer: isFromServer) else {
                hasHole = true
                if streams[index].isLost == 0 { lose(index) }
                streams[index].nextSequence = sequence &+ UInt32(truncatingIfNeeded: length)
                return
            }
            streams[index].isLost = 0
            streams[index].lengthBytes = 0
            streams[index].messageLength = 0
            streams[index].taken = 0
        }
        streams[index].nextSequence = sequence &+ UInt32(truncatingIfNeeded: length)
        var offset = max(skip, 0)
        while offset < payload.byteCount {
            if streams[index].lengthBytes < 2 {
                streams[index].messageLength =
                    streams[index].messageLength &<< 8 | UInt16(payload.byte(at: offset))
                streams[index].lengthBytes &+= 1
                offset &+= 1
            } else {
                let taken = Int(streams[index].taken)
                let count = min(payload.byteCount &- offset, Int(streams[index].messageLength) &- taken)
                for position in 0..<max(0, min(count, DNSPrefix.length &- taken)) {
                    streams[index].prefix.put(payload.byte(at: offset &+ position), at: taken &+ position)
                }
                streams[index].taken = UInt16(truncatingIfNeeded: taken &+ count)
                offset &+= count
            }
            finishMessage(index)
        }
        takeMissing(index, count: length &- max(payload.byteCount, max(skip, 0)))
    }

    /// Bytes that the snap length cut off: fine as long as they belong to the present message.
    private mutating func takeMissing(_ index: Int, count: Int) {
        guard count > 0 else { return }
        let left = Int(streams[index].messageLength) &- Int(streams[index].taken)
        guard streams[index].lengthBytes == 2, count <= left else {
            lose(index)
            return
        }
        let taken = Int(streams[index].taken)
        for position in taken..<max(taken, min(taken &+ count, DNSPrefix.length)) {
            streams[index].prefix.put(0, at: position)
        }
        streams[index].taken = UInt16(truncatingIfNeeded: taken &+ count)
        finishMessage(index)
    }

    private mutating func finishMessage(_ index: Int) {
        guard streams[index].lengthBytes == 2, streams[index].taken == streams[index].messageLength else { return }
        if messageCount < DNSStreamTable.messageLimit {
            messages[messageCount] = streams[index].prefix
            messages[messageCount].end(at: Int(streams[index].taken))
            messageCount &+= 1
        } else {
            letGo &+= 1
        }
        streams[index].lengthBytes = 0
        streams[index].messageLength = 0
        streams[index].taken = 0
    }

    private mutating func lose(_ index: Int) {
        streams[index].isLost = 1
        hasHole = true
        lost &+= 1
    }
}
