// Outstanding segments of all flows: short queues in one pool of fixed size.

/// A segment that was sent and whose acknowledgement is waited for.
struct SegmentRecord: BitwiseCopyable {
    /// Sent more than once, so an acknowledgement says nothing about either copy (Karn).
    static var retransmitted: UInt32 { 1 << 24 }
    /// Has given its sample or must not give one.
    static var spent: UInt32 { 1 << 25 }
    /// First use of its TSval, so the first echo of it may be matched.
    static var stamped: UInt32 { 1 << 26 }
    private static var timeMask: UInt64 { (1 << 56) &- 1 }

    var start: UInt32 = 0
    var end: UInt32 = 0
    var timestamp: UInt32 = 0
    private var timeLow: UInt32 = 0
    /// The high 24 bits of the time, and flags above.
    private var timeHigh: UInt32 = 0

    init() {}

    init(start: UInt32, end: UInt32, timestamp: UInt32, time: Int64, flags: UInt32) {
        self.start = start
        self.end = end
        self.timestamp = timestamp
        let bits = UInt64(bitPattern: time)
        timeLow = UInt32(truncatingIfNeeded: bits)
        timeHigh = UInt32(truncatingIfNeeded: bits &>> 32) & 0xFF_FFFF | flags
    }

    @inline(__always)
    func has(_ flag: UInt32) -> Bool { timeHigh & flag != 0 }
    @inline(__always)
    mutating func set(_ flag: UInt32) { timeHigh |= flag }
    mutating func remove(_ flag: UInt32) { timeHigh &= ~flag }

    /// Nanoseconds from when the segment was seen until `now`; wrong beyond 2^55 ns (417 days).
    @inline(__always)
    func age(at now: Int64) -> Int64 {
        let then = UInt64(timeHigh & 0xFF_FFFF) &<< 32 | UInt64(timeLow)
        let distance = (UInt64(bitPattern: now) &- then) & SegmentRecord.timeMask
        // Bit 55 is the sign of a 56-bit number.
        return Int64(bitPattern: distance &<< 8) &>> 8
    }
}

/// Three records and the index of the next chunk: one cache line.
struct SegmentChunk: BitwiseCopyable {
    static var capacity: Int { 3 }

    var records: InlineArray<3, SegmentRecord> = InlineArray(repeating: SegmentRecord())
    var next: UInt32 = 0
}

/// A first-in first-out queue of records; the records live in the pool. All zero is an empty queue.
struct SegmentQueue: BitwiseCopyable {
    var head: UInt32 = 0
    var tail: UInt32 = 0
    var headSlot: UInt8 = 0
    /// The slot behind the last record in the tail chunk.
    var tailSlot: UInt8 = 0
    var count: UInt16 = 0

    var isEmpty: Bool { count == 0 }
}

/// The chunks of all flows. Chunk 0 stands for none.
struct SegmentPool: ~Copyable {
    /// Most records one direction of a flow may hold while the pool has room.
    static var queueLimit: Int { 1_024 }
    /// Most records it may hold once half the pool is taken, so that a few flows cannot take it all.
    static var scarceQueueLimit: Int { 48 }

    private var chunks: FixedTable<SegmentChunk>
    private var free: UInt32 = 0
    private var fresh: UInt32 = 1
    private(set) var chunksInUse = 0

    init(chunks count: Int) {
        chunks = FixedTable(zeroed: count + 1)
    }

    @inline(__always)
    func prefetch(_ chunk: UInt32) { chunks.prefetch(Int(chunk)) }

    /// A chunk of its own, 0 where none is left.
    mutating func takeChunk() -> UInt32 {
        let index: UInt32
        if free != 0 {
            index = free
            free = chunks[Int(index)].next
        } else if Int(fresh) < chunks.count {
            index = fresh
            fresh &+= 1
        } else {
            return 0
        }
        chunks[Int(index)].next = 0
        chunksInUse &+= 1
        return index
    }

    mutating func giveBack(_ index: UInt32) {
        guard index != 0 else { return }
        chunks[Int(index)].next = free
        free = index
        chunksInUse &-= 1
    }

    @inline(__always)
    func record(_ chunk: UInt32, _ slot: Int) -> SegmentRecord { chunks[Int(chunk)].records[slot] }

    @inline(__always)
    mutating func setRecord(_ chunk: UInt32, _ slot: Int, _ record: SegmentRecord) {
        chunks[Int(chunk)].records[slot] = record
    }

    /// False where the queue or the pool is full.
    @inline(__always)
    mutating func append(_ record: SegmentRecord, to queue: inout SegmentQueue, limit: Int) -> Bool {
        guard Int(queue.count) < limit,
            chunksInUse &* 2 < chunks.count || Int(queue.count) < SegmentPool.scarceQueueLimit
        else { return false }
        if queue.count == 0 || Int(queue.tailSlot) == SegmentChunk.capacity {
            let chunk = takeChunk()
            guard chunk != 0 else { return false }
            if queue.count == 0 {
                queue.head = chunk
                queue.headSlot = 0
            } else {
                chunks[Int(queue.tail)].next = chunk
            }
            queue.tail = chunk
            queue.tailSlot = 0
        }
        chunks[Int(queue.tail)].records[Int(queue.tailSlot)] = record
        queue.tailSlot &+= 1
        queue.count &+= 1
        return true
    }

    /// The same in the record's place by sequence number.
    @inline(never)
    mutating func insert(_ record: SegmentRecord, into queue: inout SegmentQueue, limit: Int) -> Bool {
        guard append(record, to: &queue, limit: limit) else { return false }
        var carried = record
        var isBehind = false
        forEach(in: queue) { other in
            isBehind = isBehind || isAfter(other.start, record.start)
            if isBehind { swap(&other, &carried) }
            return true
        }
        return true
    }

    /// The oldest record; the queue is not empty.
    @inline(__always)
    func first(of queue: SegmentQueue) -> SegmentRecord { chunks[Int(queue.head)].records[Int(queue.headSlot)] }

    @inline(__always)
    mutating func setFirst(of queue: SegmentQueue, flag: UInt32) {
        chunks[Int(queue.head)].records[Int(queue.headSlot)].set(flag)
    }

    /// Removes the oldest record; the queue is not empty.
    @inline(__always)
    mutating func removeFirst(of queue: inout SegmentQueue) {
        queue.headSlot &+= 1
        queue.count &-= 1
        guard Int(queue.headSlot) == SegmentChunk.capacity || queue.count == 0 else { return }
        let chunk = queue.head
        queue.head = chunks[Int(chunk)].next
        queue.headSlot = 0
        giveBack(chunk)
        if queue.count == 0 {
            queue.head = 0
            queue.tail = 0
            queue.tailSlot = 0
        }
    }

    /// Empties a queue.
    mutating func removeAll(of queue: inout SegmentQueue) {
        var chunk = queue.head
        while chunk != 0 {
            let next = chunks[Int(chunk)].next
            giveBack(chunk)
            chunk = next
        }
        queue = SegmentQueue()
    }

    /// Calls `body` with each record, oldest first, until it returns false. At most `queueLimit` records.
    @inline(__always)
    mutating func forEach(in queue: SegmentQueue, _ body: (inout SegmentRecord) -> Bool) {
        var chunk = queue.head
        var slot = Int(queue.headSlot)
        var left = Int(queue.count)
        while left > 0, chunk != 0 {
            guard body(&chunks[Int(chunk)].records[slot]) else { return }
            left &-= 1
            slot &+= 1
            if slot == SegmentChunk.capacity {
                chunk = chunks[Int(chunk)].next
                slot = 0
            }
        }
    }
}
