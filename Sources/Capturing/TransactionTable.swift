// Requests that wait for a reply: DNS queries and ICMP echoes, in a table of fixed size.

/// One request and what became of it.
struct Transaction: BitwiseCopyable {
    enum State {
        static var free: UInt8 { 0 }
        static var waiting: UInt8 { 1 }
        static var answered: UInt8 { 2 }
    }

    /// A keyed hash of addresses, ports, identifier and question. 64 secret bits stand for the whole key.
    var fingerprint: UInt64 = 0
    var first: Int64 = 0
    var last: Int64 = 0
    var clientHigh: UInt64 = 0
    var clientLow: UInt64 = 0
    var serverHigh: UInt64 = 0
    var serverLow: UInt64 = 0
    var clientPort: UInt16 = 0
    var serverPort: UInt16 = 0
    /// Interface index; the top bit says IPv6.
    var scope: UInt32 = 0
    var retries: UInt16 = 0
    var state: UInt8 = State.free
    var isEcho: UInt8 = 0
    var isOverTCP: UInt8 = 0
    /// A ClientHello: its service and `SampleNotes` are known when it is whole.
    var isTLS: UInt8 = 0
    var notes: UInt16 = 0
    var service: UInt32 = 0
    /// The connection of a ClientHello, to tell at the end whether its answer could have been seen.
    var flow: UInt32 = 0
    var generation: UInt32 = 0
}

/// What a reply is the reply to.
enum TransactionMatch {
    case answered(Transaction)
    /// The request has been answered before.
    case duplicate
    case orphan
}

/// A set-associative table: eight places a request, the oldest gives way (counted where it still waited).
struct TransactionTable: ~Copyable {
    private static var ways: Int { 8 }

    private var entries: FixedTable<Transaction>
    private let setMask: Int
    private var cursor = 0
    private(set) var evicted: UInt64 = 0
    /// Nanoseconds that a reply is waited for.
    let limit: Int64

    /// Room for `count` requests, rounded up to a power of two.
    init(count: Int, limit: Int64) {
        var sets = 16
        while sets * TransactionTable.ways < count { sets *= 2 }
        entries = FixedTable(zeroed: sets * TransactionTable.ways)
        setMask = sets - 1
        self.limit = limit
    }

    private func base(_ fingerprint: UInt64) -> Int {
        (Int(truncatingIfNeeded: fingerprint &>> 20) & setMask) * TransactionTable.ways
    }

    /// Notes a request. The same request again while the first waits is a retry; after its answer, a new one.
    mutating func request(_ transaction: Transaction) {
        let base = base(transaction.fingerprint)
        var place = base
        for way in base..<base + TransactionTable.ways {
            if entries[way].fingerprint == transaction.fingerprint, entries[way].state != Transaction.State.free {
                if entries[way].state == Transaction.State.waiting, !isLate(entries[way], at: transaction.first) {
                    entries[way].last = transaction.first
                    if entries[way].retries < .max { entries[way].retries &+= 1 }
                } else {
                    entries[way] = transaction
                }
                return
            }
            if rank(entries[way]) < rank(entries[place]) { place = way }
        }
        if entries[place].state == Transaction.State.waiting { evicted &+= 1 }
        entries[place] = transaction
    }

    /// Free places first, then answered ones, then waiting ones by age.
    private func rank(_ entry: Transaction) -> Int64 {
        switch entry.state {
        case Transaction.State.free: .min
        case Transaction.State.answered: .min / 2 &+ entry.last / 4
        default: entry.last
        }
    }

    private func isLate(_ entry: Transaction, at now: Int64) -> Bool { now &- entry.first > limit }

    /// Matches a reply seen at `time`.
    mutating func reply(_ fingerprint: UInt64, at time: Int64) -> TransactionMatch {
        let base = base(fingerprint)
        for way in base..<base + TransactionTable.ways
        where entries[way].fingerprint == fingerprint && entries[way].state != Transaction.State.free {
            if entries[way].state == Transaction.State.answered { return .duplicate }
            entries[way].state = Transaction.State.answered
            return .answered(entries[way])
        }
        return .orphan
    }

    /// Notes that a request that waits was sent again; nothing where none waits.
    mutating func repeatRequest(_ copy: Transaction) {
        let base = base(copy.fingerprint)
        for way in base..<base + TransactionTable.ways
        where entries[way].fingerprint == copy.fingerprint && entries[way].state == Transaction.State.waiting {
            entries[way].last = copy.first
            if entries[way].retries < .max { entries[way].retries &+= 1 }
        }
    }

    /// Forgets a request without a word; true where it still waited.
    @discardableResult
    mutating func forget(_ fingerprint: UInt64) -> Bool {
        let base = base(fingerprint)
        for way in base..<base + TransactionTable.ways
        where entries[way].fingerprint == fingerprint && entries[way].state != Transaction.State.free {
            let isWaiting = entries[way].state == Transaction.State.waiting
            entries[way].state = Transaction.State.free
            return isWaiting
        }
        return false
    }

    /// Walks `slice` places on and hands over those that have waited too long; answered ones are forgotten then too.
    mutating func expire(now: Int64, slice: Int, _ body: (Transaction) -> Void) {
        for _ in 0..<min(slice, entries.count) {
            cursor = cursor &+ 1 < entries.count ? cursor &+ 1 : 0
            let entry = entries[cursor]
            guard entry.state != Transaction.State.free, isLate(entry, at: now) else { continue }
            entries[cursor].state = Transaction.State.free
            if entry.state == Transaction.State.waiting { body(entry) }
        }
    }

    /// Hands over everything that still waits, and forgets it.
    mutating func finish(_ body: (Transaction) -> Void) {
        for index in 0..<entries.count {
            if entries[index].state == Transaction.State.waiting { body(entries[index]) }
            entries[index].state = Transaction.State.free
        }
    }
}
