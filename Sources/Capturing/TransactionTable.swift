// Requests that wait for a reply: DNS queries, ICMP echoes, handshakes of VPNs, in a table of fixed size.

internal import Wire

/// What a reply is the reply to.
enum TransactionMatch {
    case answered(Transaction)
    /// The request has been answered before.
    case duplicate
    case orphan
    /// Perhaps that of a request that gave way to others, which was counted then.
    case forgotten
    /// One part of a reply of which others are still to come.
    case part
}

/// What a request was found to be.
enum RequestMatch {
    case new
    /// Sent again while the first still waits.
    case again
    /// The same packet once more: a mirror port, a bridge.
    case duplicate
    /// Another part of a request that is known.
    case part
    /// New, in the place of one that had waited too long and was not told of yet.
    case late(Transaction)
    /// New, and the sender must have had an answer to the one before it that was not seen.
    case following
}

/// A set-associative table: eight places a request, the oldest gives way (counted where it still waited).
struct TransactionTable: ~Copyable {
    private static var ways: Int { 8 }
    /// Nanoseconds within which the same request again is a copy made on the way: no sender repeats itself so soon.
    private static var copyWindow: Int64 { 20_000_000 }
    /// Nanoseconds after which a part of a request is of its repetition; they are sent at once, and again after 500 ms
    /// and more.
    private static var partWindow: Int64 { 250_000_000 }
    /// Nanoseconds after which an echo request is none of those sent before under the same numbers.
    private static var roundWindow: Int64 { 5_000_000_000 }

    private var entries: FixedTable<Transaction>
    /// When a request last gave way whose fingerprint has this place, in seconds; 0: never. Its reply is no orphan.
    private var forgotten: FixedTable<UInt32>
    private let setMask: Int
    private var cursor = 0
    /// No request was ever noted, so there is nothing to walk over.
    private var isUntouched = true
    /// Requests that gave way while they waited, unreported.
    private(set) var evicted: UInt64 = 0
    /// Nanoseconds that a reply is waited for.
    let limit: Int64

    /// Room for `count` requests, rounded up to a power of two.
    init(count: Int, limit: Int64) {
        var sets = 16
        while sets * TransactionTable.ways < count { sets *= 2 }
        entries = FixedTable(zeroed: sets * TransactionTable.ways)
        forgotten = FixedTable(zeroed: sets * TransactionTable.ways * 8)
        setMask = sets - 1
        self.limit = limit
    }

    /// The bits of a fingerprint that say in which set a request lives; those of a DNS query leave its question out.
    static var setBits: UInt64 { 0xFFFF_FFFF &<< 20 }

    private func base(_ fingerprint: UInt64) -> Int {
        (Int(truncatingIfNeeded: fingerprint &>> 20) & setMask) * TransactionTable.ways
    }

    /// Notes a request. The same request again while the first waits is a retry; after its answer, a new one.
    @discardableResult
    mutating func request(_ transaction: Transaction) -> RequestMatch {
        let base = base(transaction.fingerprint)
        var place = base
        isUntouched = false
        for way in base..<base + TransactionTable.ways {
            if entries[way].fingerprint == transaction.fingerprint, entries[way].state != Transaction.State.free {
                // The answer, or an error, may be quicker than the copy.
                if transaction.kind != .tls,
                    entries[way].state != Transaction.State.waiting || isOther(way, transaction),
                    isCopy(way, transaction), isKnown(way, transaction)
                {
                    return .duplicate
                }
                guard entries[way].state == Transaction.State.waiting else { return follow(way, transaction) }
                if isOther(way, transaction) {
                    _ = follow(way, transaction)
                    return .following
                }
                if isLate(entries[way], at: transaction.first) { return replace(way, transaction) }
                if hasGoneRound(way, transaction) {
                    let old = entries[way]
                    entries[way] = transaction
                    return .late(old)
                }
                return repeatRequest(way, transaction)
            }
            if rank(entries[way]) < rank(entries[place]) { place = way }
        }
        return replace(place, transaction)
    }

    /// Puts a new request in another's place.
    private mutating func replace(_ place: Int, _ transaction: Transaction) -> RequestMatch {
        let old = entries[place]
        entries[place] = transaction
        guard old.state != Transaction.State.free else { return .new }
        let isWaiting = old.state == Transaction.State.waiting
        if isLate(old, at: transaction.first) { return isWaiting ? .late(old) : .new }
        forgotten[mark(old.fingerprint)] = seconds(transaction.first)
        if isWaiting { evicted &+= 1 }
        return .new
    }

    /// Whether this is not the request of the entry, for all that it has the same number: IKE asks again with the cookie,
    /// or the group, that the answer held (RFC 7296, 1.2 and 2.6).
    private func isOther(_ way: Int, _ transaction: Transaction) -> Bool {
        entries[way].identifier != transaction.identifier
    }

    /// Whether it is the entry's request or the one before that.
    private func isKnown(_ way: Int, _ transaction: Transaction) -> Bool {
        !isOther(way, transaction) || entries[way].priorIdentifier == transaction.identifier
    }

    /// Puts a new request in the place of one under the same number.
    private mutating func follow(_ way: Int, _ transaction: Transaction) -> RequestMatch {
        let prior = entries[way]
        entries[way] = transaction
        if isOther(way, prior) {
            entries[way].priorIdentifier = prior.identifier
            entries[way].rejection = prior.rejection
        }
        return .new
    }

    private func mark(_ fingerprint: UInt64) -> Int {
        Int(truncatingIfNeeded: (fingerprint &* 0x9E37_79B9_7F4A_7C15) &>> 40) & (forgotten.count &- 1)
    }

    private func seconds(_ time: Int64) -> UInt32 { UInt32(truncatingIfNeeded: time / 1_000_000_000) | 1 }

    /// Whether a request that this may be the reply to has given way while it could still be answered.
    private func mayBeForgotten(_ fingerprint: UInt64, at time: Int64) -> Bool {
        let since = forgotten[mark(fingerprint)]
        let distance = Int64(Int32(bitPattern: seconds(time) &- since))
        return since != 0 && abs(distance) <= limit / 1_000_000_000 &+ 2
    }

    private mutating func repeatRequest(_ way: Int, _ transaction: Transaction) -> RequestMatch {
        if transaction.requestParts != 0, entries[way].requestParts & transaction.requestParts == 0,
            transaction.first &- entries[way].last < TransactionTable.partWindow
        {
            entries[way].requestParts |= transaction.requestParts
            return .part
        }
        if isCopy(way, transaction) { return .duplicate }
        entries[way].last = transaction.first
        entries[way].requestParts = transaction.requestParts
        if entries[way].retries < .max { entries[way].retries &+= 1 }
        return .again
    }

    private func isCopy(_ way: Int, _ transaction: Transaction) -> Bool {
        let distance = transaction.first &- entries[way].last
        return distance >= 0 && distance < TransactionTable.copyWindow
    }

    /// Whether an echo request is another one than that which waits under its numbers: 16 bits of sequence number are
    /// gone through in seconds where many are sent.
    private func hasGoneRound(_ way: Int, _ transaction: Transaction) -> Bool {
        transaction.kind == .echo && transaction.first &- entries[way].last >= TransactionTable.roundWindow
    }

    /// Free places first, then answered ones, then waiting ones by age.
    private func rank(_ entry: Transaction) -> Int64 {
        switch entry.state {
        case Transaction.State.free: .min
        case Transaction.State.answered, Transaction.State.failed: .min / 2 &+ entry.last / 4
        default: entry.last
        }
    }

    private func isLate(_ entry: Transaction, at now: Int64) -> Bool { now &- entry.first > limit }

    /// Matches a reply. One that comes in parts is complete when each bit of `all` has been seen in a `part`.
    ///
    /// `rejection` is what stands in place of an answer, of IKE. A copy of that which the request before this one was
    /// answered with may come when this one waits already.
    mutating func reply(
        _ fingerprint: UInt64, at time: Int64, part: UInt32 = 0, all: UInt32 = 0, rejection: UInt16 = 0
    ) -> TransactionMatch {
        guard let way = find(fingerprint) else {
            return mayBeForgotten(fingerprint, at: time) ? .forgotten : .orphan
        }
        if entries[way].state == Transaction.State.answered {
            // Only of a reply that came without its request.
            let isNewPart = entries[way].replyParts & part != part
            entries[way].replyParts |= part
            return isNewPart ? .part : .duplicate
        }
        if rejection != 0, rejection == entries[way].rejection, entries[way].priorIdentifier != 0,
            time &- entries[way].first < TransactionTable.copyWindow
        {
            return .duplicate
        }
        if all != 0 {
            entries[way].replyParts |= part
            guard entries[way].replyParts & all == all else { return .part }
        }
        entries[way].state = Transaction.State.answered
        entries[way].rejection = rejection
        return .answered(entries[way])
    }

    /// Notes a reply without a request as if that had been there, so that its copy is one; where no request has to give way.
    mutating func noteOrphan(_ reply: Transaction, part: UInt32) {
        let base = base(reply.fingerprint)
        var place = base
        for way in base..<base + TransactionTable.ways where rank(entries[way]) < rank(entries[place]) { place = way }
        guard entries[place].state != Transaction.State.waiting else { return }
        isUntouched = false
        entries[place] = reply
        entries[place].state = Transaction.State.answered
        entries[place].replyParts = part
    }

    /// The request that still waits becomes one that failed; nil where none waits.
    mutating func fail(_ fingerprint: UInt64, cause: FailureCause) -> Transaction? {
        guard let way = find(fingerprint), entries[way].state == Transaction.State.waiting else { return nil }
        entries[way].state = Transaction.State.failed
        entries[way].cause = cause
        return entries[way]
    }

    /// Notes what may become the reason why a request stays without an answer; false where none waits.
    mutating func note(_ fingerprint: UInt64, cause: FailureCause) -> Bool {
        guard let way = find(fingerprint), entries[way].state == Transaction.State.waiting else { return false }
        entries[way].cause = cause
        return true
    }

    /// Whether a request is there, waiting or not.
    func knows(_ fingerprint: UInt64) -> Bool { find(fingerprint) != nil }

    private func find(_ fingerprint: UInt64) -> Int? {
        let base = base(fingerprint)
        for way in base..<base + TransactionTable.ways
        where entries[way].fingerprint == fingerprint && entries[way].state != Transaction.State.free {
            return way
        }
        return nil
    }

    /// The fingerprint of the DNS query that an answer without its question belongs to (`reply`, as its query would have
    /// been noted); nil where more than one waits, or none and none has been answered.
    func query(answeredBy reply: Transaction) -> UInt64? {
        let base = base(reply.fingerprint)
        var waiting: UInt64?
        var answered: UInt64?
        for way in base..<base + TransactionTable.ways
        where entries[way].state != Transaction.State.free && entries[way].isDNS(like: reply) {
            if entries[way].state != Transaction.State.waiting {
                answered = entries[way].fingerprint
            } else if waiting != nil {
                return nil
            } else {
                waiting = entries[way].fingerprint
            }
        }
        return waiting ?? answered
    }

    /// Notes that a request that waits was sent again; nothing where none waits.
    mutating func repeatRequest(_ copy: Transaction) {
        guard let way = find(copy.fingerprint), entries[way].state == Transaction.State.waiting else { return }
        entries[way].last = copy.first
        if entries[way].retries < .max { entries[way].retries &+= 1 }
    }

    /// Forgets a request without a word; true where it still waited.
    @discardableResult
    mutating func forget(_ fingerprint: UInt64) -> Bool {
        guard let way = find(fingerprint) else { return false }
        let isWaiting = entries[way].state == Transaction.State.waiting
        entries[way].state = Transaction.State.free
        return isWaiting
    }

    /// Walks `slice` places on and hands over those that have waited too long; answered ones are forgotten then too.
    mutating func expire(now: Int64, slice: Int, _ body: (Transaction) -> Void) {
        if isUntouched { return }
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
        if isUntouched { return }
        for index in 0..<entries.count {
            if entries[index].state == Transaction.State.waiting { body(entries[index]) }
            entries[index].state = Transaction.State.free
        }
    }
}
