// TLS handshakes on TCP connections: where the ClientHello begins and ends, and where the answer must begin.

/// The handshake of one connection, 64 bytes.
struct TLSState: BitwiseCopyable {
    enum Phase {
        /// The ClientHello is not whole.
        static var collecting: UInt8 { 1 }
        /// The answer is due.
        static var waiting: UInt8 { 2 }
        /// A HelloRetryRequest was seen; another ClientHello is due.
        static var retried: UInt8 { 3 }
    }

    /// Flow index + 1; 0: free.
    var owner: UInt32 = 0
    var generation: UInt32 = 0
    var lastSeen: UInt32 = 0
    var phase: UInt8 = 0
    /// Which side sent the ClientHello.
    var client: UInt8 = 0
    /// Bytes of the answer were missed.
    var hasHole: UInt8 = 0
    var isAfterRetry: UInt8 = 0
    /// Sequence number of the ClientHello's first byte, and how many bytes of the stream it takes (0: not known yet).
    var start: UInt32 = 0
    var length: UInt32 = 0
    /// Sequence number of the answer's first byte.
    var answerStart: UInt32 = 0
    /// Index of the buffer + 1; 0: none, because the hello came in one piece or there was no room.
    var buffer: UInt32 = 0
    /// When the ClientHello was whole.
    var completed: Int64 = 0
    /// Of the transaction that waits; 0: none does.
    var fingerprint: UInt64 = 0

    var key: UInt64 { UInt64(owner) &<< 32 | UInt64(generation) }
}

/// A set-associative table: four places a connection, the one idle longest gives way.
struct TLSTable: ~Copyable {
    private static var ways: Int { 4 }
    private static var count: Int { 4_096 }

    private var states: FixedTable<TLSState> = FixedTable(zeroed: TLSTable.count)
    /// The key of each state, 0 where it is free: most connections that are looked for are not there, and the keys of
    /// their four places lie side by side.
    private var keys: FixedTable<UInt64> = FixedTable(zeroed: TLSTable.count)
    /// Handshakes given up for others.
    private(set) var evicted: UInt64 = 0

    subscript(index: Int) -> TLSState {
        _read { yield states[index] }
        _modify { yield &states[index] }
    }

    private func first(_ owner: UInt32) -> Int {
        Int((owner &* 0x9E37_79B1) &>> 16) % (TLSTable.count / TLSTable.ways) * TLSTable.ways
    }

    /// The connection's handshake, or -1.
    func find(flow: Int, generation: UInt32) -> Int {
        let owner = UInt32(truncatingIfNeeded: flow &+ 1)
        let key = UInt64(owner) &<< 32 | UInt64(generation)
        let first = first(owner)
        for index in first..<first + TLSTable.ways where keys[index] == key { return index }
        return -1
    }

    /// A place for a connection that has none, and the transaction of the handshake that gave way (0: none).
    mutating func open(flow: Int, generation: UInt32, now: UInt32) -> (index: Int, lost: UInt64) {
        let owner = UInt32(truncatingIfNeeded: flow &+ 1)
        let first = first(owner)
        var place = first
        for index in first..<first + TLSTable.ways {
            // An earlier connection of the same entry is gone.
            if states[index].owner == 0 || states[index].owner == owner {
                place = index
                break
            }
            if states[index].lastSeen < states[place].lastSeen { place = index }
        }
        let lost = states[place].owner != owner ? states[place].fingerprint : 0
        if states[place].owner != 0, states[place].owner != owner { evicted &+= 1 }
        states[place] = TLSState()
        states[place].owner = owner
        states[place].generation = generation
        states[place].lastSeen = now
        keys[place] = states[place].key
        return (place, lost)
    }

    mutating func close(_ index: Int) {
        states[index] = TLSState()
        keys[index] = 0
    }
}
