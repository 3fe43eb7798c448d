// Buffers for ClientHellos that come in several pieces: a few of fixed size, since a hello is whole after moments.

internal import Wire

/// The pieces of one hello: bytes by their offset in the stream.
struct HelloBuffer: BitwiseCopyable {
    /// Bytes kept: room for a post-quantum key share, a session ticket and an encrypted hello together.
    static var size: Int { 4_096 }
    private static var gaps: Int { 6 }

    /// Who uses the buffer; 0: free.
    var owner: UInt64 = 0
    var lastUsed: Int64 = 0
    /// Runs of bytes that are there, in order, not touching each other.
    var runCount: UInt16 = 0
    var starts: InlineArray<6, UInt16> = InlineArray(repeating: 0)
    var ends: InlineArray<6, UInt16> = InlineArray(repeating: 0)

    /// How many bytes are there from the first on.
    var contiguous: Int { runCount > 0 && starts[0] == 0 ? Int(ends[0]) : 0 }

    /// Whether any byte of `start..<end` is there already.
    func overlaps(_ start: Int, _ end: Int) -> Bool {
        for run in 0..<Int(runCount) where start < Int(ends[run]) && end > Int(starts[run]) { return true }
        return false
    }

    /// Notes that `start..<end` is there; false where there are more holes than can be kept.
    mutating func note(_ start: Int, _ end: Int) -> Bool {
        var first = UInt16(clamping: start)
        var last = UInt16(clamping: end)
        var kept = 0
        let before = self
        // Runs that touch the new one are taken into it.
        for run in 0..<Int(before.runCount) {
            if before.ends[run] >= first, before.starts[run] <= last {
                first = min(first, before.starts[run])
                last = max(last, before.ends[run])
            } else {
                starts[kept] = before.starts[run]
                ends[kept] = before.ends[run]
                kept &+= 1
            }
        }
        guard kept < HelloBuffer.gaps else {
            self = before
            return false
        }
        while kept > 0, starts[kept &- 1] > first {
            starts[kept] = starts[kept &- 1]
            ends[kept] = ends[kept &- 1]
            kept &-= 1
        }
        starts[kept] = first
        ends[kept] = last
        runCount = 0
        var count = 0
        for run in 0..<Int(before.runCount) where !(before.ends[run] >= first && before.starts[run] <= last) {
            count &+= 1
        }
        runCount = UInt16(truncatingIfNeeded: count &+ 1)
        return true
    }
}

/// A fixed number of buffers; the one not used longest gives way.
struct HelloTable: ~Copyable {
    private static var count: Int { 128 }
    /// Nanoseconds after which nobody comes back to a hello.
    private static var patience: Int64 { 30_000_000_000 }

    private var buffers: FixedTable<HelloBuffer> = FixedTable(zeroed: HelloTable.count)
    private var bytes: FixedTable<UInt8> = FixedTable(zeroed: HelloTable.count * HelloBuffer.size)
    /// Buffers taken from a hello that was not whole yet.
    private(set) var evicted: UInt64 = 0

    /// The owner's buffer, made where there is none. Owners are never 0.
    mutating func open(_ owner: UInt64, now: Int64) -> Int {
        var place = 0
        for index in 0..<HelloTable.count {
            if buffers[index].owner == owner {
                buffers[index].lastUsed = now
                return index
            }
            if buffers[index].owner == 0 {
                if buffers[place].owner != 0 { place = index }
            } else if buffers[place].owner != 0, buffers[index].lastUsed < buffers[place].lastUsed {
                place = index
            }
        }
        if buffers[place].owner != 0, now &- buffers[place].lastUsed < HelloTable.patience { evicted &+= 1 }
        buffers[place] = HelloBuffer()
        buffers[place].owner = owner
        buffers[place].lastUsed = now
        return place
    }

    /// Whether the buffer still belongs to the owner.
    func holds(_ index: Int, _ owner: UInt64) -> Bool {
        index >= 0 && index < HelloTable.count && buffers[index].owner == owner
    }

    mutating func close(_ index: Int, _ owner: UInt64) {
        if holds(index, owner) { buffers[index] = HelloBuffer() }
    }

    subscript(index: Int) -> HelloBuffer { buffers[index] }

    /// Adds bytes at an offset of the stream; what lies beyond the buffer is left out. False where that, or too many
    /// holes, keeps the hello from ever being whole.
    mutating func add(_ index: Int, at offset: Int, _ piece: RawSpan) -> Bool {
        guard offset >= 0, offset < HelloBuffer.size else { return false }
        let end = min(offset &+ piece.byteCount, HelloBuffer.size)
        guard end > offset else { return true }
        guard buffers[index].note(offset, end) else { return false }
        let base = index &* HelloBuffer.size
        for position in offset..<end { bytes[base &+ position] = piece.byte(at: position &- offset) }
        return true
    }

    /// Calls `body` with the bytes that are there from the first on.
    func read<Result>(_ index: Int, _ body: (RawSpan) -> Result) -> Result {
        bytes.read(index &* HelloBuffer.size, count: buffers[index].contiguous, body)
    }

    /// Takes the record headers out of what is there from the first byte on, in one pass: a hello may be cut into
    /// records of a byte each.
    mutating func removeRecordHeaders(_ index: Int) {
        let end = buffers[index].contiguous
        let base = index &* HelloBuffer.size
        var source = 0
        var target = 0
        while source < end {
            let next = source
            let length = bytes.read(base, count: end) { TLSHelloFraming.recordLength($0, at: next) }
            if length != nil { source &+= TLSRecord.headerLength }
            // What follows no header is kept as it is.
            let stop = length.map { min(source &+ $0, end) } ?? end
            while source < stop {
                bytes[base &+ target] = bytes[base &+ source]
                target &+= 1
                source &+= 1
            }
        }
        guard end > 0 else { return }
        buffers[index].runCount = 1
        buffers[index].starts[0] = 0
        buffers[index].ends[0] = UInt16(truncatingIfNeeded: target)
    }
}
