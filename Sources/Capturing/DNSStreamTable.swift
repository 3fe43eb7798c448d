// DNS over TCP: messages behind a length of two bytes, split over segments in any way (RFC 1035, 4.2.2; RFC 7766).
//
// No stream is reassembled as a whole: of each message the first bytes are kept, which hold the question.

internal import Wire

/// The state of one direction of a connection to port 53.
struct DNSStream: BitwiseCopyable {
    static var prefixLength: Int { 320 }

    /// Flow index * 2 + side + 1; 0: free.
    var owner: UInt32 = 0
    var generation: UInt32 = 0
    var lastSeen: UInt32 = 0
    var nextSequence: UInt32 = 0
    /// Bytes of the length field taken: 0...2.
    var lengthBytes: UInt8 = 0
    var isLost: UInt8 = 0
    var messageLength: UInt16 = 0
    var taken: UInt16 = 0
    var prefix: InlineArray<320, UInt8> = InlineArray(repeating: 0)
}

/// A set-associative table of streams; the one idle longest gives way.
struct DNSStreamTable: ~Copyable {
    private static var ways: Int { 4 }
    private static var count: Int { 512 }

    private var streams: FixedTable<DNSStream> = FixedTable(zeroed: DNSStreamTable.count)
    /// Streams in which a hole or a cut lost the message boundaries.
    private(set) var lost: UInt64 = 0

    /// Where a stream lives, with whether it begins with this segment.
    private mutating func open(flow: Int, side: Int, generation: UInt32, now: UInt32) -> (index: Int, isNew: Bool) {
        let owner = UInt32(truncatingIfNeeded: flow &* 2 &+ side &+ 1)
        let base = Int((owner &* 0x9E37_79B1) &>> 16) % (DNSStreamTable.count / DNSStreamTable.ways)
        let first = base * DNSStreamTable.ways
        var place = first
        for index in first..<first + DNSStreamTable.ways {
            if streams[index].owner == owner, streams[index].generation == generation {
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
        return (place, true)
    }

    /// Takes a segment's payload (`length` bytes by the headers, as many as captured in `payload`) and calls `body`
    /// for each message that it completes, with the message's first bytes.
    mutating func take(
        flow: Int, side: Int, generation: UInt32, now: UInt32, sequence: UInt32, length: Int, payload: RawSpan,
        _ body: (RawSpan) -> Void
    ) {
        let (index, isNew) = open(flow: flow, side: side, generation: generation, now: now)
        if isNew { streams[index].nextSequence = sequence }
        guard streams[index].isLost == 0 else { return }
        let skip = Int(Int32(bitPattern: streams[index].nextSequence &- sequence))
        if skip >= length { return }
        if skip < 0 {
            // A segment is missing: the boundaries are lost unless a message begins with this one.
            streams[index].lengthBytes = 0
            streams[index].taken = 0
            guard payload.byteCount >= 2, Int(payload.bigEndian16(at: 0)) == length &- 2 else {
                lose(index)
                return
            }
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
                for position in 0..<max(0, min(count, DNSStream.prefixLength &- taken)) {
                    streams[index].prefix[taken &+ position] = payload.byte(at: offset &+ position)
                }
                streams[index].taken = UInt16(truncatingIfNeeded: taken &+ count)
                offset &+= count
            }
            finishMessage(index, body)
        }
        takeMissing(index, count: length &- max(payload.byteCount, max(skip, 0)), body)
    }

    /// Bytes that the snap length cut off: fine as long as they belong to the present message.
    private mutating func takeMissing(_ index: Int, count: Int, _ body: (RawSpan) -> Void) {
        guard count > 0 else { return }
        let left = Int(streams[index].messageLength) &- Int(streams[index].taken)
        guard streams[index].lengthBytes == 2, count <= left else {
            lose(index)
            return
        }
        let taken = Int(streams[index].taken)
        for position in taken..<max(taken, min(taken &+ count, DNSStream.prefixLength)) {
            streams[index].prefix[position] = 0
        }
        streams[index].taken = UInt16(truncatingIfNeeded: taken &+ count)
        finishMessage(index, body)
    }

    private mutating func finishMessage(_ index: Int, _ body: (RawSpan) -> Void) {
        guard streams[index].lengthBytes == 2, streams[index].taken == streams[index].messageLength else { return }
        let kept = min(Int(streams[index].taken), DNSStream.prefixLength)
        let prefix = streams[index].prefix
        // Every byte of the array is initialized, so its raw bytes may be read.
        unsafe body(prefix.span.bytes.extracting(0..<kept))
        streams[index].lengthBytes = 0
        streams[index].messageLength = 0
        streams[index].taken = 0
    }

    private mutating func lose(_ index: Int) {
        streams[index].isLost = 1
        lost &+= 1
    }
}
