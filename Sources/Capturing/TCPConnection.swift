// One TCP connection as the capture point sees it: five cache lines, of which a packet of an established one needs three.

internal import Model

/// What one side sends, and what the other has acknowledged of it: one cache line.
struct TCPDirection: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt16

        /// `nextSequence` and `highestAcknowledged` hold.
        static var isKnown: Flags { Flags(rawValue: 1) }
        /// Between `lossStart` and `lossEnd` an acknowledgement may be late.
        static var hasLoss: Flags { Flags(rawValue: 2) }
        /// `gapStart..<gapEnd` has not been seen.
        static var hasGap: Flags { Flags(rawValue: 4) }
        /// `newestTimestamp` holds.
        static var hasTimestamp: Flags { Flags(rawValue: 8) }
        /// `newestEcho` holds.
        static var hasEcho: Flags { Flags(rawValue: 16) }
        static var hasPureTimestamp: Flags { Flags(rawValue: 32) }
        static var hasSelective: Flags { Flags(rawValue: 64) }
        /// This side's last window was zero, so what the other sends are probes.
        static var isWindowZero: Flags { Flags(rawValue: 128) }
        /// A keepalive waits for its answer.
        static var awaitsKeepalive: Flags { Flags(rawValue: 256) }
        static var keepaliveRepeated: Flags { Flags(rawValue: 512) }
        static var sentFin: Flags { Flags(rawValue: 1024) }
        /// A packet of this side was seen.
        static var isSeen: Flags { Flags(rawValue: 2048) }
        /// The gap is what lay before the first packet seen, not a hole.
        static var isGapOfJoin: Flags { Flags(rawValue: 4096) }
        /// The gap has been counted as one of the capture.
        static var isGapCounted: Flags { Flags(rawValue: 8192) }
        /// The gap's end is the acknowledgement that told of it: nothing behind it was seen then.
        static var isGapOfAcknowledgement: Flags { Flags(rawValue: 16384) }
        /// Copies of this side's segments have an IP identification of their own.
        static var isRenumbered: Flags { Flags(rawValue: 32768) }
        /// All that is said of the gap.
        static var ofGap: Flags { [.hasGap, .isGapOfJoin, .isGapCounted, .isGapOfAcknowledgement] }
    }

    /// One behind the highest sequence number sent.
    var nextSequence: UInt32 = 0
    var highestAcknowledged: UInt32 = 0
    var lossStart: UInt32 = 0
    var lossEnd: UInt32 = 0
    var gapStart: UInt32 = 0
    var gapEnd: UInt32 = 0
    /// Newest TSval this side has used.
    var newestTimestamp: UInt32 = 0
    /// Newest of this side's TSvals that the other has echoed.
    var newestEcho: UInt32 = 0
    /// Newest TSval first used on a segment without payload.
    var pureTimestamp: UInt32 = 0
    /// Highest right edge the other has selectively acknowledged.
    var newestSelective: UInt32 = 0
    var queue = SegmentQueue()
    /// A chunk with the stamps of retransmitted copies, 0: none.
    var copies: UInt32 = 0
    /// Least RTT between the capture point and the other side, in nanoseconds, clamped to 4.29 s; 0: none yet.
    var minimumRTT: UInt32 = 0
    var flags: Flags = []
    var copyCount: UInt16 = 0

    @inline(__always)
    func has(_ flag: Flags) -> Bool { flags.rawValue & flag.rawValue != 0 }
}

/// Both directions, by which side sends.
///
/// Reading an element of an `InlineArray` by a number that is not constant copies the whole array to the stack first;
/// here it is read where it lies, for which the reader must be allowed to write.
struct TCPSides: BitwiseCopyable {
    private var pair: InlineArray<2, TCPDirection> = InlineArray(repeating: TCPDirection())

    /// 0 or 1; a greater number is taken for its lowest bit.
    @inline(__always)
    subscript(side: Int) -> TCPDirection {
        mutating get {
            // One of two, so inside the pair; a span would look at its alignment each time.
            unsafe withUnsafeBytes(of: &pair) { pair in
                unsafe pair.load(fromByteOffset: (side & 1) &* MemoryLayout<TCPDirection>.stride, as: TCPDirection.self)
            }
        }
        _modify { yield &pair[side & 1] }
    }
}

/// The handshake: one cache line, read until it is over.
struct TCPHandshake: BitwiseCopyable {
    var synFirst: Int64 = 0
    var synLast: Int64 = 0
    var answerFirst: Int64 = 0
    var answerLast: Int64 = 0
    var synFirstTimestamp: UInt32 = 0
    var synLastTimestamp: UInt32 = 0
    var answerFirstTimestamp: UInt32 = 0
    var answerLastTimestamp: UInt32 = 0
    var clientISN: UInt32 = 0
    var serverISN: UInt32 = 0
    var synPayload: UInt16 = 0
    var synCount: UInt8 = 0
    var answerCount: UInt8 = 0
}

/// The canonical key of a connection: side 0 is the one with the lower (address, port).
struct FlowKey: BitwiseCopyable {
    var high0: UInt64 = 0
    var low0: UInt64 = 0
    var high1: UInt64 = 0
    var low1: UInt64 = 0
    /// `ports` above `scope`: written and compared at once.
    var rest: UInt64 = 0

    static var ipv6: UInt32 { 1 << 31 }

    /// That of side 0 above that of side 1.
    var ports: UInt32 { UInt32(truncatingIfNeeded: rest &>> 32) }
    /// Interface index, 0 where the link type does not tell; the top bit says IPv6.
    var scope: UInt32 { UInt32(truncatingIfNeeded: rest) }

    @inline(__always)
    func equals(_ other: FlowKey) -> Bool {
        // One after the other, as they were written: two at once would have to wait until both are in the cache.
        low0 == other.low0 && low1 == other.low1 && rest == other.rest && high0 == other.high0 && high1 == other.high1
    }
}

/// An entry of the flow table. All zero is a free entry.
struct TCPConnection: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt16

        static var inUse: Flags { Flags(rawValue: 1) }
        /// Which side opened the connection is known (or guessed from the ports).
        static var hasClient: Flags { Flags(rawValue: 2) }
        static var clientIsSide1: Flags { Flags(rawValue: 4) }
        static var synSeen: Flags { Flags(rawValue: 8) }
        static var answerSeen: Flags { Flags(rawValue: 16) }
        static var handshakeDone: Flags { Flags(rawValue: 32) }
        static var isClosed: Flags { Flags(rawValue: 64) }
        /// Both sides were heard, or one for long: belongs to the table's established part.
        static var isEstablished: Flags { Flags(rawValue: 128) }
        static var isOneSided: Flags { Flags(rawValue: 256) }
        static var isDNS: Flags { Flags(rawValue: 512) }
        static var hasService: Flags { Flags(rawValue: 1024) }
        /// The first bytes of both directions have been looked at, or cannot be any more.
        static var isPastOpening: Flags { Flags(rawValue: 2048) }
        /// The client's first bytes were a reset of OpenVPN.
        static var awaitsReset: Flags { Flags(rawValue: 4096) }
        /// A TLS handshake may still come: the payload is looked at.
        static var watchesTLS: Flags { Flags(rawValue: 8192) }
        /// An ICMP error about the SYN was told of as the failure that it is.
        static var isUndeliverable: Flags { Flags(rawValue: 16384) }
        /// A ClientHello was seen to begin.
        static var hasHello: Flags { Flags(rawValue: 32768) }

        /// Whether the payload may hold something that is looked for.
        @inline(__always)
        var wantsPayload: Bool {
            let wanted = Flags.isDNS.rawValue | Flags.watchesTLS.rawValue | Flags.isPastOpening.rawValue
            return rawValue & wanted != Flags.isPastOpening.rawValue
        }

        /// Whether it is wanted for a ClientHello that has yet to begin, and for nothing else.
        @inline(__always)
        var awaitsHelloOnly: Bool {
            let awaited = Flags.watchesTLS.rawValue | Flags.isPastOpening.rawValue
            return rawValue & (awaited | Flags.isDNS.rawValue | Flags.hasHello.rawValue) == awaited
        }
    }

    var key = FlowKey()
    /// Seconds of the engine's clock.
    var lastSeen: UInt32 = 0
    /// Counts up when the entry is used anew.
    var generation: UInt32 = 0
    var service: UInt32 = 0
    var flags: Flags = []
    /// Stays at its greatest value once reached.
    var packets: UInt16 = 0
    /// The free list, and the bucket that holds the entry.
    var link: UInt32 = 0
    var spare: UInt32 = 0
    var sides = TCPSides()
    var handshake = TCPHandshake()
    /// When the present gap of each side was first noticed.
    var gapOpened: InlineArray<2, Int64> = InlineArray(repeating: 0)
    var keepaliveSent: InlineArray<2, Int64> = InlineArray(repeating: 0)
    var strays = TCPStrays()
    /// Fills the fifth line: an entry that began in the middle of one would need four lines a packet in place of three.
    private var filler: UInt64 = 0

    @inline(__always)
    func has(_ flag: Flags) -> Bool { flags.rawValue & flag.rawValue != 0 }

    /// The side that opened the connection.
    @inline(__always)
    var client: Int { has(.clientIsSide1) ? 1 : 0 }

    @inline(__always)
    mutating func setClient(_ side: Int) {
        flags.insert(.hasClient)
        if side == 1 { flags.insert(.clientIsSide1) } else { flags.remove(.clientIsSide1) }
    }

    /// What an RTT between the capture point and `peer` is called.
    @inline(__always)
    func side(towards peer: Int) -> PassiveSide { peer == client ? .client : .server }

    /// Returns every chunk of an entry that goes; what else it holds is overwritten when it is used anew.
    mutating func giveBackChunks(_ pool: inout SegmentPool) {
        for side in 0..<2 {
            pool.removeAll(of: &sides[side].queue)
            pool.giveBack(sides[side].copies)
            sides[side].copies = 0
        }
    }

    /// Returns every chunk and forgets everything but key, generation and place in the table.
    mutating func restart(_ pool: inout SegmentPool) {
        for side in 0..<2 {
            pool.removeAll(of: &sides[side].queue)
            pool.giveBack(sides[side].copies)
            sides[side] = TCPDirection()
        }
        handshake = TCPHandshake()
        strays = TCPStrays()
        flags = flags.intersection([.inUse, .isEstablished, .isDNS, .hasHello])
        if !has(.isDNS) { flags.insert(.watchesTLS) }
        packets = 0
    }
}

extension TCPConnection {
    /// Takes one segment of the connection. Total: any values in any order.
    @inline(always)
    mutating func observe(_ input: TCPInput, pool: inout SegmentPool, findings: inout TCPFindings) {
        let sender = input.sender
        if packets < .max { packets &+= 1 }
        if input.flags & (TCPInput.syn | TCPInput.rst) != 0 {
            sides[sender].flags.insert(.isSeen)
            if input.has(TCPInput.rst) {
                observeReset(input, findings: &findings)
            } else if input.has(TCPInput.ack) {
                observeSynAck(input, pool: &pool, findings: &findings)
            } else {
                observeSyn(input, pool: &pool, findings: &findings)
            }
            return
        }
        if !has(.hasClient) { guessClient(sender: sender) }
        if input.has(TCPInput.ack) {
            if !has(.handshakeDone) { observeHandshakeEnd(input, findings: &findings) }
            observeAcknowledgement(input, pool: &pool, findings: &findings)
        }
        sides[sender].flags.insert(.isSeen)
        if input.has(TCPInput.zeroWindow) {
            sides[sender].flags.insert(.isWindowZero)
        } else {
            sides[sender].flags.remove(.isWindowZero)
        }
        observeData(input, pool: &pool, findings: &findings)
    }

    /// Without a handshake, the lower port is taken for the server's; where they are equal, the first to speak opens.
    private mutating func guessClient(sender: Int) {
        let port0 = key.ports >> 16
        let port1 = key.ports & 0xFFFF
        setClient(port0 == port1 ? sender : port0 > port1 ? 0 : 1)
        flags.insert(.handshakeDone)
    }

    /// Nanoseconds after which an acknowledgement tells no RTT: until then its segment would have been sent again
    /// (RFC 6298, 2.4), so an earlier acknowledgement was missed, or the clock stepped.
    private static var longestRTT: Int64 { 60_000_000_000 }

    /// What a sender needs at the least to hear of a loss and to send again, in nanoseconds; 0: not known.
    @inline(__always)
    mutating func leastRoundTrip(_ sender: Int) -> Int64 {
        let near = Int64(sides[sender].minimumRTT)
        return near == 0 ? 0 : near &+ Int64(sides[1 &- sender].minimumRTT)
    }

    /// Takes note that both sides were heard after all.
    mutating func noteBothSides(findings: inout TCPFindings) {
        guard has(.isOneSided) else { return }
        flags.remove(.isOneSided)
        if findings.counters.oneSidedFlows > 0 { findings.counters.oneSidedFlows &-= 1 }
    }

    /// A sample of the RTT between the capture point and `peer`, or its refusal where the clock stepped.
    @inline(__always)
    mutating func sample(
        _ kind: PassiveKind, towards peer: Int, method: PassiveMethod, rtt: Int64, notes: SampleNotes = [],
        requester: Int, findings: inout TCPFindings
    ) {
        guard UInt64(bitPattern: rtt) <= UInt64(TCPConnection.longestRTT) else {
            findings.counters.reject(rtt < 0 ? .negative : .unseen)
            return
        }
        let clamped = UInt32(clamping: max(rtt, 1))
        let least = sides[1 &- peer].minimumRTT
        if least == 0 || clamped < least { sides[1 &- peer].minimumRTT = clamped }
        findings.add(
            TCPFinding(
                kind: kind, side: side(towards: peer), method: method, rtt: rtt, notes: notes, requester: requester))
    }
}
