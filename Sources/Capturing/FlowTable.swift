// The table of TCP connections: fixed memory, bounded probes, two parts.
//
// Entries lie in one array; an index of buckets, a cache line each, finds them by a keyed hash. A connection of which
// one side only was heard lives in the opening part. That has room of its own and uses what the established part
// leaves free, so that a flood of SYNs recycles flood entries and cannot push out one established connection, and a
// start in the middle of many connections does not forget each before its other side speaks.

/// How many connections there are, and what became of others.
struct FlowTableCounters: BitwiseCopyable {
    var active: UInt64 = 0
    /// Given up while still alive, to make room.
    var evicted: UInt64 = 0
    /// Not taken because there was no room.
    var refused: UInt64 = 0
}

struct FlowTable: ~Copyable {
    /// Entries looked at for the one idle longest.
    private static var evictionSample: Int { 16 }
    /// Seconds of silence after which an entry is given up: opening, closed, established.
    static var openingTimeout: UInt32 { 75 }
    private static var closedTimeout: UInt32 { 10 }
    private static var establishedTimeout: UInt32 { 900 }
    /// The same while half the table is free: an idle connection may be silent for two hours and four minutes
    /// (RFC 5382, 5), and whoever forgets it would take what follows for a new one.
    private static var patientTimeout: UInt32 { 7_440 }

    /// Most established connections.
    let capacity: Int
    /// Opening ones that have room whatever else there is.
    let openingCapacity: Int
    private(set) var entries: FixedTable<TCPConnection>
    private var buckets: FlowIndex
    private let hash: KeyedHash
    private var free: UInt32 = 0
    private var fresh = 0
    /// A generator of places to look at when one must go; never 0.
    private var dice: UInt64
    private var openingCount = 0
    private var establishedCount = 0
    /// Opening entries in order of creation (index + 1, and generation); entries that moved on are passed over.
    private var openings: FixedTable<UInt64>
    private var openingHead = 0
    private var openingLength = 0
    private(set) var counters = FlowTableCounters()

    /// Room for `maxFlows` established connections (clamped to 64...4,194,304) and an eighth more opening ones.
    init(maxFlows: Int, hash: KeyedHash = KeyedHash()) {
        self.hash = hash
        dice = hash.nameSeed | 1
        capacity = min(max(maxFlows, 64), 1 << 22)
        openingCapacity = max(capacity / 8, 64)
        entries = FixedTable(zeroed: capacity + openingCapacity)
        var bucketCount = 16
        while bucketCount * 4 < capacity + openingCapacity { bucketCount *= 2 }
        buckets = FlowIndex(buckets: bucketCount)
        openings = FixedTable(zeroed: capacity + openingCapacity)
    }

    @inline(__always)
    subscript(index: Int) -> TCPConnection {
        _read { yield entries[index] }
        _modify { yield &entries[index] }
    }

    // MARK: Finding

    @inline(__always)
    func hashed(_ key: FlowKey) -> UInt64 {
        // Both addresses of IPv4 fit into one word.
        key.scope & FlowKey.ipv6 == 0
            ? hash.hash(key.low0 &<< 32 | key.low1, key.rest)
            : hash.hash(key.high0, key.low0, key.high1, key.low1, key.rest)
    }

    /// A hint that the key with this hash will be looked up soon.
    @inline(__always)
    func prefetchBucket(_ hash: UInt64) { buckets.prefetch(FlowIndex.bucket(hash)) }

    /// Where the key with this hash is likely to live, or -1. A hint, never an answer: keys are not compared.
    @inline(__always)
    func candidate(_ hash: UInt64) -> Int {
        let bucket = FlowIndex.bucket(hash)
        let slots = buckets.matches(bucket, hash)
        return slots.isEmpty ? -1 : buckets.entry(bucket, slots.first)
    }

    /// The same, and the lines of the entry are asked for; where there is none, what the other bucket needs.
    @inline(__always)
    func prefetchEntry(_ hash: UInt64) -> Int {
        let index = candidate(hash)
        if index >= 0 {
            entries.prefetchLines(index, count: 3)
        } else {
            buckets.prefetch(buckets.alternative(FlowIndex.bucket(hash), hash))
        }
        return index
    }

    /// The entry's index, or -1.
    func find(_ key: FlowKey) -> Int { find(key, hash: hashed(key)) }

    /// The same with the hash known.
    @inline(never)
    func find(_ key: FlowKey, hash: UInt64) -> Int {
        let first = FlowIndex.bucket(hash)
        let found = search(first, hash, key: key)
        return found >= 0 ? found : search(buckets.alternative(first, hash), hash, key: key)
    }

    /// The same for a key that is not in the first of its buckets.
    @inline(never)
    func findElsewhere(_ key: FlowKey, hash: UInt64) -> Int {
        search(buckets.alternative(FlowIndex.bucket(hash), hash), hash, key: key)
    }

    @inline(__always)
    private func search(_ bucket: UInt32, _ hash: UInt64, key: FlowKey) -> Int {
        var slots = buckets.matches(bucket, hash)
        while !slots.isEmpty {
            let index = buckets.entry(bucket, slots.first)
            if entries[index].key.equals(key) { return index }
            slots.removeFirst()
        }
        return -1
    }

    // MARK: Coming

    /// A new opening entry, or -1 where there is no room (counted). Entries given up are restarted first.
    mutating func insert(_ key: FlowKey, now: UInt32, pool: inout SegmentPool) -> Int {
        insert(key, hash: hashed(key), now: now, pool: &pool)
    }

    mutating func insert(_ key: FlowKey, hash: UInt64, now: UInt32, pool: inout SegmentPool) -> Int {
        if openingLength == openings.count || openingCount >= openingLimit { giveUpOldestOpening(pool: &pool) }
        guard let place = place(hash, now: now, pool: &pool) else {
            counters.refused &+= 1
            return -1
        }
        let index = takeEntry()
        guard index >= 0 else {
            counters.refused &+= 1
            return -1
        }
        let generation = entries[index].generation &+ 1
        entries.clear(index)
        entries[index].generation = generation
        entries[index].key = key
        entries[index].flags = .inUse
        entries[index].lastSeen = now
        buckets.set(place.bucket, place.slot, hash, entry: index)
        var position = openingHead &+ openingLength
        if position >= openings.count { position &-= openings.count }
        openings[position] = UInt64(generation) &<< 32 | UInt64(UInt32(truncatingIfNeeded: index &+ 1))
        openingLength &+= 1
        openingCount &+= 1
        counters.active &+= 1
        return index
    }

    /// Opening entries may use what the established part leaves free; `openingCapacity` of them is theirs in any case.
    private var openingLimit: Int { entries.count &- establishedCount }

    /// A free slot in the emptier of the two buckets; where both are full, the one idle longest of the same or a
    /// lesser standing gives way.
    private mutating func place(
        _ hash: UInt64, now: UInt32, pool: inout SegmentPool
    ) -> (bucket: UInt32, slot: Int)? {
        let first = FlowIndex.bucket(hash)
        let inFirst = buckets.free(first)
        if inFirst.isMoreThanTwo { return (first, inFirst.first) }
        let second = buckets.alternative(first, hash)
        let inSecond = buckets.free(second)
        let isFirst = inFirst.count >= inSecond.count
        let bucket = isFirst ? first : second
        let free = isFirst ? inFirst : inSecond
        if !free.isEmpty { return (bucket, free.first) }
        var victim = -1
        for slot in 0..<FlowIndex.slotsPerBucket {
            let index = buckets.entry(bucket, slot)
            guard !entries[index].has(.isEstablished) || entries[index].has(.isClosed) else { continue }
            if victim < 0 || entries[index].lastSeen < entries[victim].lastSeen { victim = index }
        }
        guard victim >= 0 else { return nil }
        counters.evicted &+= 1
        remove(victim, pool: &pool)
        let freed = buckets.free(bucket)
        return freed.isEmpty ? nil : (bucket, freed.first)
    }

    private mutating func takeEntry() -> Int {
        if free != 0 {
            let index = Int(free) &- 1
            free = entries[index].link
            return index
        }
        guard fresh < entries.count else { return -1 }
        fresh &+= 1
        return fresh &- 1
    }

    /// Moves an opening entry to the established part; where that is full, the one idle longest of a sample goes.
    mutating func establish(_ index: Int, pool: inout SegmentPool) {
        guard !entries[index].has(.isEstablished) else { return }
        if establishedCount >= capacity { giveUpIdlest(besides: index, pool: &pool) }
        entries[index].flags.insert(.isEstablished)
        openingCount &-= 1
        establishedCount &+= 1
    }

    // MARK: Going

    private mutating func giveUpOldestOpening(pool: inout SegmentPool) {
        while openingLength > 0 {
            let value = openings[openingHead]
            openingHead = openingHead &+ 1 < openings.count ? openingHead &+ 1 : 0
            openingLength &-= 1
            let index = Int(UInt32(truncatingIfNeeded: value)) &- 1
            guard entries[index].generation == UInt32(truncatingIfNeeded: value &>> 32),
                entries[index].has(.inUse), !entries[index].has(.isEstablished)
            else {
                if openingCount < openingLimit { return }
                continue
            }
            counters.evicted &+= 1
            remove(index, pool: &pool)
            return
        }
    }

    private mutating func giveUpIdlest(besides kept: Int, pool: inout SegmentPool) {
        var victim = -1
        var seen = 0
        // Entries in use are dense when the table is full, so the walk ends soon; it is bounded in any case. Places are
        // drawn at random: neighbours came at the same time and would all be young, or all old.
        for _ in 0..<(4 * FlowTable.evictionSample) where seen < FlowTable.evictionSample {
            dice ^= dice &<< 13
            dice ^= dice &>> 7
            dice ^= dice &<< 17
            let index = Int(truncatingIfNeeded: (dice &>> 32).multipliedFullWidth(by: UInt64(fresh) &<< 32).high)
            guard index != kept, entries[index].has(.isEstablished) else { continue }
            seen &+= 1
            if entries[index].has(.isClosed) {
                victim = index
                break
            }
            if victim < 0 || entries[index].lastSeen < entries[victim].lastSeen { victim = index }
        }
        guard victim >= 0 else { return }
        counters.evicted &+= 1
        remove(victim, pool: &pool)
    }

    /// Frees an entry and everything it holds.
    mutating func remove(_ index: Int, pool: inout SegmentPool) {
        guard entries[index].has(.inUse) else { return }
        if entries[index].has(.isEstablished) { establishedCount &-= 1 } else { openingCount &-= 1 }
        let hash = hashed(entries[index].key)
        let first = FlowIndex.bucket(hash)
        if !buckets.remove(first, hash, entry: index) {
            _ = buckets.remove(buckets.alternative(first, hash), hash, entry: index)
        }
        entries[index].giveBackChunks(&pool)
        entries[index].flags = []
        entries[index].link = free
        free = UInt32(truncatingIfNeeded: index &+ 1)
        counters.active &-= 1
    }

    /// The next entry of a walk over the table that has been silent too long; -1 after `slice` entries without one.
    ///
    /// The caller reports what it was waiting for and then removes it.
    mutating func nextExpired(now: UInt32, slice: inout Int, cursor: inout Int) -> Int {
        while slice > 0 {
            slice &-= 1
            cursor = cursor &+ 1 < fresh ? cursor &+ 1 : 0
            guard cursor < fresh, entries[cursor].has(.inUse) else { continue }
            let idle = Int64(now) &- Int64(entries[cursor].lastSeen)
            let limit: UInt32
            if entries[cursor].has(.isClosed) {
                limit = FlowTable.closedTimeout
            } else if entries[cursor].has(.isEstablished) {
                limit =
                    establishedCount &* 2 < capacity ? FlowTable.patientTimeout : FlowTable.establishedTimeout
            } else {
                limit = FlowTable.openingTimeout
            }
            if idle > Int64(limit) { return cursor }
        }
        return -1
    }

    /// How many entries were ever used; a walk over 0..<used sees all.
    var used: Int { fresh }
}
