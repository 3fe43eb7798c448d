// QUIC connections whose handshake was seen: a table of fixed size, found by addresses and ports.

internal import Wire

/// A connection as the capture point sees it.
struct QUICConnection: BitwiseCopyable {
    enum Phase {
        /// The client's Initial waits for an answer.
        static var waiting: UInt8 { 1 }
        /// A Retry or a Version Negotiation was seen; another Initial is due.
        static var restarted: UInt8 { 2 }
        /// The server has answered.
        static var answered: UInt8 { 3 }
    }

    var clientHigh: UInt64 = 0
    var clientLow: UInt64 = 0
    var serverHigh: UInt64 = 0
    var serverLow: UInt64 = 0
    var clientPort: UInt16 = 0
    var serverPort: UInt16 = 0
    /// Interface index; the top bit says IPv6.
    var scope: UInt32 = 0
    var phase: UInt8 = 0
    /// The hello needs no more packets: it was read, or it cannot be.
    var isHelloDone: UInt8 = 0
    var isAfterRetry: UInt8 = 0
    /// An Initial was seen that may be a repetition.
    var isRepeated: UInt8 = 0
    var version: UInt32 = 0
    var service: UInt32 = 0
    var notes: UInt16 = 0
    var isEnded: UInt8 = 0
    /// Of what the server has sent first: 1: only it, 2: an Initial again (its client half is not told).
    var answers: UInt8 = 0
    /// Index of the hello's buffer + 1; 0: none. And the number under which the connection holds it.
    var buffer: UInt32 = 0
    var helloOwner: UInt64 = 0
    /// Seconds of the engine's clock.
    var lastSeen: UInt32 = 0
    /// Initials of the client in this attempt, and those of them whose numbers are known.
    var initials: UInt16 = 0
    var known: UInt16 = 0
    /// When Initials were sent, the first four with a known number.
    var sent: InlineArray<4, Int64> = InlineArray(repeating: 0)
    var numbers: InlineArray<4, UInt8> = InlineArray(repeating: 0)
    var first: Int64 = 0
    var last: Int64 = 0
    /// When the server answered.
    var answered: Int64 = 0
    /// The handshake's halves in nanoseconds; 0: not told.
    var serverHalf: Int64 = 0
    var clientHalf: Int64 = 0
    /// Tells a packet that the capture saw twice: the client's last four Initials; then the server's answer, as the first.
    var fingerprints: InlineArray<4, UInt64> = InlineArray(repeating: 0)
    /// The client's first destination ID, from which the keys follow, and the ID that it chose for itself.
    var original = ConnectionID()
    var client = ConnectionID()
    var spin = SpinTrack()

    /// A bit for each known number of the client's Initials; they are below 64.
    var seenNumbers: UInt64 {
        var bits: UInt64 = 0
        for place in 0..<Int(min(known, 4)) { bits |= 1 &<< UInt64(numbers[place]) }
        return bits
    }
}

/// A set-associative table: eight places a connection. Whoever waits for an answer gives way before whoever has one, so
/// that a flood of Initials pushes out no connection that is under way.
struct QUICTable: ~Copyable {
    private static var ways: Int { 8 }
    private static var count: Int { 8_192 }
    /// Seconds of silence after which a connection that was answered is forgotten.
    private static var idleLimit: UInt32 { 120 }

    /// Keyed hashes of addresses and ports apart from the entries, eight to a cache line; 0: free.
    private var keys: FixedTable<UInt64> = FixedTable(zeroed: QUICTable.count)
    private var entries: FixedTable<QUICConnection> = FixedTable(zeroed: QUICTable.count)
    private var cursor = 0
    private(set) var used = 0
    /// Connections given up for others.
    private(set) var evicted: UInt64 = 0

    subscript(index: Int) -> QUICConnection {
        _read { yield entries[index] }
        _modify { yield &entries[index] }
    }

    private func base(_ key: UInt64) -> Int {
        (Int(truncatingIfNeeded: key &>> 20) & (QUICTable.count / QUICTable.ways - 1)) * QUICTable.ways
    }

    /// The connection's index, or -1.
    @inline(__always)
    func find(_ key: UInt64) -> Int {
        let base = base(key)
        for index in base..<base + QUICTable.ways where keys[index] == key { return index }
        return -1
    }

    /// A fresh entry for a connection that has none.
    mutating func open(_ key: UInt64) -> Int {
        let base = base(key)
        var place = base
        for index in base..<base + QUICTable.ways {
            if keys[index] == 0 {
                place = index
                break
            }
            if rank(index) < rank(place) { place = index }
        }
        if keys[place] != 0 { evicted &+= 1 } else { used &+= 1 }
        keys[place] = key
        entries[place] = QUICConnection()
        return place
    }

    /// Empties a connection's entry for another one with the same ports; one that still waits is given up.
    mutating func restart(_ index: Int) {
        if entries[index].phase == QUICConnection.Phase.waiting { evicted &+= 1 }
        entries[index] = QUICConnection()
    }

    private func rank(_ index: Int) -> UInt64 {
        let isAnswered = entries[index].phase == QUICConnection.Phase.answered
        return (isAnswered ? 1 &<< 32 : 0) | UInt64(entries[index].lastSeen)
    }

    /// Walks `slice` places on: hands over those that have waited for an answer for too long (`limit` in nanoseconds),
    /// and forgets them and the silent ones.
    mutating func expire(now: Int64, seconds: UInt32, limit: Int64, slice: Int, _ body: (QUICConnection) -> Void) {
        guard used > 0 else { return }
        for _ in 0..<min(slice, QUICTable.count) {
            cursor = cursor &+ 1 < QUICTable.count ? cursor &+ 1 : 0
            guard keys[cursor] != 0 else { continue }
            if entries[cursor].phase == QUICConnection.Phase.waiting {
                guard now &- entries[cursor].first > limit else { continue }
                body(entries[cursor])
            } else {
                guard seconds &- entries[cursor].lastSeen > QUICTable.idleLimit, seconds > entries[cursor].lastSeen
                else { continue }
            }
            keys[cursor] = 0
            used &-= 1
        }
    }

    /// Hands over everything that still waits, and forgets all.
    mutating func finish(_ body: (QUICConnection) -> Void) {
        for index in 0..<QUICTable.count where keys[index] != 0 {
            if entries[index].phase == QUICConnection.Phase.waiting { body(entries[index]) }
            keys[index] = 0
        }
        used = 0
    }
}
