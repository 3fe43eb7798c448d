// Packets on the way from the ring to the flow table, so that the memory they need is there when they are looked at.
//
// libpcap lends a record until the next one only, so a batch keeps what a segment's header says and a copy of its payload,
// or of the record where it is no segment. What is looked up ahead is a hint: an earlier packet of the batch may open or
// remove the entry, so each packet's key is held against it in its turn.

internal import Glibc
internal import Wire

/// A packet that waits.
struct WaitingPacket: BitwiseCopyable {
    /// What is known of a segment of TCP.
    var segment = PlacedSegment()
    /// The greatest time of packets of no use that came just behind it.
    var clock = Int64.min
    /// Where its bytes lie in those of the batch, and how many: a segment's payload, else the record.
    var start: Int32 = 0
    var count: Int32 = 0
    /// The entry it will probably be found at; -1: none.
    var hint: Int32 = -1
    var isSegment = false
}

/// A few dozen packets and their records.
@safe
struct PacketBatch: ~Copyable {
    static var capacity: Int { 32 }
    /// Bytes of all records together: half of a level-one cache.
    static var byteCapacity: Int { 16_384 }

    var waiting: FixedTable<WaitingPacket> = FixedTable(zeroed: PacketBatch.capacity)
    /// The packets that are no segments, each at its position.
    var others: FixedTable<DissectedPacket> = FixedTable(zeroed: PacketBatch.capacity)
    private var bytes: FixedTable<UInt8> = FixedTable(zeroed: PacketBatch.byteCapacity)
    private var used = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == PacketBatch.capacity }

    @inline(__always)
    func hasRoom(_ size: Int) -> Bool { !isFull && size <= PacketBatch.byteCapacity &- used }

    /// The place behind the packets that wait, which `add` takes for the next one: filled where it lies, so that nothing
    /// is copied. A batch is emptied as soon as it is full, so there always is one.
    @unsafe @inline(__always)
    var next: UnsafeMutablePointer<WaitingPacket> { unsafe waiting.address(count) }

    /// Lets the packet at `next` wait, with a copy of its bytes; the caller has asked `hasRoom`.
    @inline(__always)
    mutating func add(_ bytes: RawSpan, isSegment: Bool) {
        let size = bytes.byteCount
        precondition(hasRoom(size))
        let place = unsafe next
        unsafe place.pointee.start = Int32(truncatingIfNeeded: used)
        unsafe place.pointee.count = Int32(truncatingIfNeeded: size)
        unsafe place.pointee.clock = .min
        unsafe place.pointee.hint = -1
        unsafe place.pointee.isSegment = isSegment
        if size > 0 {
            // `hasRoom` proved that the bytes fit behind `used`.
            unsafe bytes.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                _ = unsafe memcpy(self.bytes.address(used), base, size)
            }
            used &+= size
        }
        count &+= 1
    }

    /// Remembers the time of a packet of no use that comes behind those that wait, of which there is one.
    mutating func note(_ time: Int64) { waiting[count &- 1].clock = max(waiting[count &- 1].clock, time) }

    /// The bytes of a waiting packet; they stay until `removeAll`.
    @inline(__always)
    func kept(_ packet: WaitingPacket) -> UnsafeRawBufferPointer {
        let start = Int(packet.start)
        let size = Int(packet.count)
        precondition(start >= 0 && size >= 0 && start &+ size <= PacketBatch.byteCapacity)
        return unsafe UnsafeRawBufferPointer(start: bytes.address(0) + start, count: size)
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

    /// Whether the entries are too many for the processor's own cache, or packets wait already.
    @inline(__always)
    var isBatched: Bool { flows.counters.active >= batchThreshold || !batch.isEmpty }

    /// Lets a segment wait for its batch, of which it lies in the next place. One that fits no batch is taken at once,
    /// after those that wait.
    @inline(__always)
    mutating func enqueue(_ packet: UnsafeMutablePointer<WaitingPacket>, payload: RawSpan) {
        guard batch.hasRoom(payload.byteCount) else {
            // Its place is another one once the batch is empty.
            let segment = unsafe packet.pointee.segment
            flush()
            let place = unsafe batch.next
            unsafe place.pointee.segment = segment
            if batch.hasRoom(payload.byteCount) {
                batch.add(payload, isSegment: true)
            } else {
                unsafe takeSegment(place, payload: payload, hint: -1)
            }
            return
        }
        unsafe flows.prefetchBucket(packet.pointee.segment.hash)
        batch.add(payload, isSegment: true)
        if batch.isFull { flush() }
    }

    /// Likewise a packet that is no segment.
    mutating func enqueue(_ packet: DissectedPacket, record: RawSpan) {
        if !batch.hasRoom(record.byteCount) {
            flush()
            guard batch.hasRoom(record.byteCount) else {
                take(packet, record: record)
                return
            }
        }
        batch.others[batch.count] = packet
        batch.add(record, isSegment: false)
        if batch.isFull { flush() }
    }

    /// Takes every packet that waits, in the order in which they came.
    @inline(never)
    mutating func flush() {
        let count = batch.count
        guard count > 0 else { return }
        // The batch is emptied behind the loop, and nothing in it adds to it, so packets and bytes stay.
        let packets = unsafe batch.waiting.address(0)
        precondition(count <= PacketBatch.capacity)
        for ahead in 0..<min(CaptureEngine.entryLead, count) { unsafe prefetchEntry(packets + ahead) }
        for ahead in 0..<min(CaptureEngine.segmentLead, count) { unsafe prefetchSegments(packets + ahead) }
        for position in 0..<count {
            let packet = unsafe packets + position
            if position < count &- CaptureEngine.entryLead {
                unsafe prefetchEntry(packet + CaptureEngine.entryLead)
            }
            if position < count &- CaptureEngine.segmentLead {
                unsafe prefetchSegments(packet + CaptureEngine.segmentLead)
            }
            let kept = unsafe batch.kept(packet.pointee)
            if unsafe packet.pointee.isSegment {
                unsafe takeSegment(packet, payload: kept.bytes, hint: Int(packet.pointee.hint))
            } else {
                unsafe take(batch.others[position], record: kept.bytes)
            }
            let clock = unsafe packet.pointee.clock
            if clock > now { advance(to: clock) }
        }
        batch.removeAll()
    }

    @inline(__always)
    private func prefetchEntry(_ packet: UnsafeMutablePointer<WaitingPacket>) {
        guard unsafe packet.pointee.isSegment else { return }
        unsafe packet.pointee.hint = Int32(truncatingIfNeeded: flows.prefetchEntry(packet.pointee.segment.hash))
    }

    /// The chunks that an acknowledgement and a data segment of the sender will look at.
    @inline(__always)
    private mutating func prefetchSegments(_ packet: UnsafeMutablePointer<WaitingPacket>) {
        let index = unsafe Int(packet.pointee.hint)
        guard index >= 0 else { return }
        let sender = unsafe packet.pointee.segment.input.sender
        pool.prefetch(flows[index].sides[1 &- sender].queue.head)
        pool.prefetch(flows[index].sides[sender].queue.tail)
    }
}
