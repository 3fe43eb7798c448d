// Packets on the way from the ring to the flow table, so that the memory they need is there when they are looked at.
//
// libpcap lends a record until the next one only, so a batch keeps a copy of it. What is looked up ahead is a hint: an
// earlier packet of the batch may open or remove the entry, so each packet is looked up again in its turn.

internal import Glibc
internal import Wire

/// Where a segment belongs: the canonical key of its connection, the key's hash, and which side sent it.
struct FlowPlace: BitwiseCopyable {
    var key = FlowKey()
    /// 0 or 1.
    var sender = 0
    var hash: UInt64 = 0
}

/// A packet that waits.
struct WaitingPacket: BitwiseCopyable {
    /// What is known of a segment that has a place.
    var segment = PlacedSegment()
    /// The greatest time of packets of no use that came just behind it.
    var clock = Int64.min
    /// Where its bytes lie in those of the batch, and how many: a segment's from the TCP header on, else the record's.
    var start: Int32 = 0
    var count: Int32 = 0
    /// The entry it will probably be found at; -1: none.
    var hint: Int32 = -1
    var isPlaced = false
}

/// A few dozen packets and their records.
@safe
struct PacketBatch: ~Copyable {
    static var capacity: Int { 32 }
    /// Bytes of all records together: half of a level-one cache.
    static var byteCapacity: Int { 16_384 }
    private static var alignment: Int { 16 }

    var waiting: FixedTable<WaitingPacket> = FixedTable(zeroed: PacketBatch.capacity)
    /// The packets without a place, each at its position.
    var others: FixedTable<DissectedPacket> = FixedTable(zeroed: PacketBatch.capacity)
    private var bytes: FixedTable<UInt8> = FixedTable(zeroed: PacketBatch.byteCapacity)
    private var used = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == PacketBatch.capacity }

    @inline(__always)
    func hasRoom(_ size: Int) -> Bool { !isFull && size <= PacketBatch.byteCapacity &- used }

    /// Keeps a copy of a packet's bytes; the caller has asked `hasRoom`. Returns its position.
    @inline(__always)
    mutating func add(_ record: RawSpan) -> Int {
        let size = record.byteCount
        precondition(hasRoom(size))
        waiting[count].start = Int32(truncatingIfNeeded: used)
        waiting[count].count = Int32(truncatingIfNeeded: size)
        waiting[count].clock = .min
        waiting[count].hint = -1
        waiting[count].isPlaced = false
        if size > 0 {
            // `hasRoom` proved that the bytes fit behind `used`.
            unsafe record.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                _ = unsafe memcpy(bytes.address(used), base, size)
            }
        }
        used = min(
            (used &+ size &+ PacketBatch.alignment &- 1) & ~(PacketBatch.alignment &- 1), PacketBatch.byteCapacity)
        count &+= 1
        return count &- 1
    }

    /// Remembers the time of a packet of no use that comes behind those that wait, of which there is one.
    mutating func note(_ time: Int64) { waiting[count &- 1].clock = max(waiting[count &- 1].clock, time) }

    /// The bytes of a waiting packet; they stay until `removeAll`.
    @inline(__always)
    func record(_ position: Int) -> UnsafeRawBufferPointer {
        let start = Int(waiting[position].start)
        let size = Int(waiting[position].count)
        precondition(start >= 0 && size >= 0 && start &+ size <= PacketBatch.byteCapacity)
        return unsafe UnsafeRawBufferPointer(start: bytes.address(start), count: size)
    }

    @inline(__always)
    mutating func removeAll() {
        count = 0
        used = 0
    }
}

extension CaptureEngine {
    /// Packets between asking for an entry and looking at it, and for its outstanding segments. A processor waits for a
    /// dozen lines at a time, so they are asked for along the way, not all at once.
    private static var entryLead: Int { 10 }
    private static var segmentLead: Int { 4 }

    /// Lets a segment wait for its batch. One that fits no batch is taken at once, after those that wait.
    @inline(never)
    mutating func enqueue(_ segment: PlacedSegment, bytes: RawSpan) {
        if !batch.hasRoom(bytes.byteCount) {
            flush()
            guard batch.hasRoom(bytes.byteCount) else {
                takeRareTCP(segment, bytes: bytes)
                return
            }
        }
        let position = batch.add(bytes)
        batch.waiting[position].segment = segment
        batch.waiting[position].isPlaced = true
        flows.prefetchBucket(segment.place.hash)
        if batch.isFull { flush() }
    }

    /// Likewise any other packet.
    mutating func enqueue(_ packet: DissectedPacket, record: RawSpan) {
        if !batch.hasRoom(record.byteCount) {
            flush()
            guard batch.hasRoom(record.byteCount) else {
                take(packet, record: record)
                return
            }
        }
        let position = batch.add(record)
        batch.others[position] = packet
        if batch.isFull { flush() }
    }

    /// Takes every packet that waits, in the order in which they came.
    mutating func flush() {
        guard !batch.isEmpty else { return }
        for position in 0..<CaptureEngine.entryLead { prefetchEntry(position) }
        for position in 0..<CaptureEngine.segmentLead { prefetchSegments(position) }
        for position in 0..<batch.count {
            prefetchEntry(position &+ CaptureEngine.entryLead)
            prefetchSegments(position &+ CaptureEngine.segmentLead)
            // The batch is emptied behind the loop, and nothing in it adds to it, so the bytes stay.
            let record = unsafe batch.record(position)
            if batch.waiting[position].isPlaced {
                let segment = batch.waiting[position].segment
                if segment.time > now { advance(to: segment.time) }
                unsafe takeTCP(segment, bytes: record.bytes, hint: Int(batch.waiting[position].hint))
            } else {
                unsafe take(batch.others[position], record: record.bytes)
            }
            if batch.waiting[position].clock > now { advance(to: batch.waiting[position].clock) }
        }
        batch.removeAll()
    }

    @inline(__always)
    private mutating func prefetchEntry(_ position: Int) {
        guard position < batch.count, batch.waiting[position].isPlaced else { return }
        batch.waiting[position].hint = Int32(
            truncatingIfNeeded: flows.prefetchEntry(batch.waiting[position].segment.place.hash))
    }

    /// The chunks that an acknowledgement and a data segment of the sender will look at.
    @inline(__always)
    private mutating func prefetchSegments(_ position: Int) {
        guard position < batch.count, batch.waiting[position].hint >= 0 else { return }
        let index = Int(batch.waiting[position].hint)
        let sender = batch.waiting[position].segment.place.sender
        pool.prefetch(flows[index].sides[1 &- sender].queue.head)
        pool.prefetch(flows[index].sides[sender].queue.tail)
    }
}
