// What the TCP state machine says of one packet.

internal import Model

/// Why a match was refused. The raw value indexes counters; `name` is the key in JSON.
enum RejectReason: Int, CaseIterable {
    /// The segment, SYN or query was sent more than once.
    case ambiguous
    /// Something below the acknowledged segment was retransmitted or late.
    case postLoss
    /// Covered by a cumulative acknowledgement together with a newer segment.
    case cumulative
    /// The echoed TSval was first used on a segment without payload.
    case pureAckEcho
    /// The acknowledgement ends in data that was not seen or not kept.
    case unseen
    /// The segment has given its sample before (an acknowledgement inside it, or SACK).
    case alreadySampled
    /// The capture clock stepped back between the two packets.
    case negative
    /// No room to keep the segment or the request.
    case noRoom
    /// A probe of a closed window.
    case windowProbe
    /// The spin bit turned after a silence that is longer than the way: the application had nothing to say.
    case idle
    /// The spin bit turned without the pattern that a round trip makes: random, reordered or switched off.
    case spinPattern
    /// The numbers lie far from where the connection is: damaged, forged, or of another connection with the same ports.
    case outOfWindow
    /// Request or reply may have been left out while load was shed, so that it was missed says nothing.
    case shed

    var name: String {
        switch self {
        case .ambiguous: "ambiguous"
        case .postLoss: "post_loss"
        case .cumulative: "cumulative"
        case .pureAckEcho: "pure_ack_echo"
        case .unseen: "unseen"
        case .alreadySampled: "already_sampled"
        case .negative: "negative"
        case .noRoom: "no_room"
        case .windowProbe: "window_probe"
        case .idle: "idle"
        case .spinPattern: "spin_pattern"
        case .outOfWindow: "out_of_window"
        case .shed: "shed"
        }
    }
}

/// What is worth saying beside a figure.
struct SampleNotes: OptionSet, BitwiseCopyable {
    let rawValue: UInt16

    static var oneSided: SampleNotes { SampleNotes(rawValue: 1) }
    static var spurious: SampleNotes { SampleNotes(rawValue: 2) }
    static var truncated: SampleNotes { SampleNotes(rawValue: 4) }
    static var noData: SampleNotes { SampleNotes(rawValue: 8) }
    static var overTCP: SampleNotes { SampleNotes(rawValue: 16) }
    /// The handshake came after a Retry, a Version Negotiation or a HelloRetryRequest.
    static var afterRetry: SampleNotes { SampleNotes(rawValue: 32) }
    /// The ClientHello carried an encrypted one, true or for show.
    static var encryptedHello: SampleNotes { SampleNotes(rawValue: 64) }
    static var earlyData: SampleNotes { SampleNotes(rawValue: 128) }
    /// The server answered with a TLS alert.
    static var alert: SampleNotes { SampleNotes(rawValue: 256) }
    /// The server answered the ClientHello with something that is not TLS.
    static var notTLS: SampleNotes { SampleNotes(rawValue: 512) }
}

/// One finding of the TCP state machine.
struct TCPFinding {
    var kind: PassiveKind
    var side: PassiveSide
    var method: PassiveMethod
    /// Nanoseconds; -1 where the copies cannot be told apart, with the bounds beside, or where no answer came.
    var rtt: Int64
    /// Where no answer came, the time of the last copy, and how many came before it.
    var lower: Int64 = 0
    var upper: Int64 = 0
    var notes: SampleNotes = []
    var isUnanswered = false
    /// Which side of the flow sent what was timed, 0 or 1.
    var requester: Int
}

/// Counters that the state machine keeps over all flows.
struct TCPCounters: BitwiseCopyable {
    var retransmissions: UInt64 = 0
    var outOfOrder: UInt64 = 0
    var upstreamLosses: UInt64 = 0
    var spurious: UInt64 = 0
    var oneSidedFlows: UInt64 = 0
    var flows: UInt64 = 0
    /// Acknowledgements of something new from a side whose peer is seen, and those of what was not seen.
    var acknowledgements: UInt64 = 0
    var captureGaps: UInt64 = 0
    var rejected: InlineArray<13, UInt64> = InlineArray(repeating: 0)

    @inline(__always)
    mutating func reject(_ reason: RejectReason, _ count: Int = 1) {
        rejected[reason.rawValue] &+= UInt64(truncatingIfNeeded: count)
    }
}

/// The findings of one packet: a handful at most.
struct TCPFindings {
    private static var empty: TCPFinding {
        TCPFinding(kind: .tcpData, side: .server, method: .seq, rtt: -1, requester: 0)
    }

    private(set) var count = 0
    private var list: InlineArray<4, TCPFinding> = InlineArray(repeating: TCPFindings.empty)
    var counters = TCPCounters()
    /// The side whose retransmission this packet is; -1: none.
    var retransmitter = -1

    @inline(__always)
    mutating func reset() {
        count = 0
        retransmitter = -1
    }

    /// Constant places, since a place that is not constant would copy the list.
    subscript(index: Int) -> TCPFinding {
        switch index {
        case 0: list[0]
        case 1: list[1]
        case 2: list[2]
        default: list[3]
        }
    }

    /// One packet cannot cause more than four; a fifth would be lost, which the capacity test would show.
    @inline(__always)
    mutating func add(_ finding: TCPFinding) {
        guard count < 4 else { return }
        list[count] = finding
        count &+= 1
    }
}

/// What the state machine needs of a TCP segment.
struct TCPInput: BitwiseCopyable {
    /// Record time in nanoseconds.
    var time: Int64 = 0
    var sequence: UInt32 = 0
    var acknowledgement: UInt32 = 0
    /// Bytes by the IP header, whatever was captured.
    var payload: UInt32 = 0
    /// The control bits, and two more above them.
    var flags: UInt16 = 0
    /// TSval and TSecr; 0 where there are none, as some stacks send it.
    var timestampValue: UInt32 = 0
    var timestampEcho: UInt32 = 0
    /// The first block of SACK, with `selectiveBlock` among the flags.
    var selectiveLeft: UInt32 = 0
    var selectiveRight: UInt32 = 0
    /// Which side of the flow sent it, 0 or 1.
    var sender = 0

    static var fin: UInt16 { 0x01 }
    static var syn: UInt16 { 0x02 }
    static var rst: UInt16 { 0x04 }
    static var ack: UInt16 { 0x10 }
    static var selectiveBlock: UInt16 { 0x100 }
    static var zeroWindow: UInt16 { 0x200 }

    @inline(__always)
    func has(_ flag: UInt16) -> Bool { flags & flag != 0 }

    /// Whether it takes up no sequence number.
    @inline(__always)
    var isBare: Bool { payload == 0 && flags & (TCPInput.syn | TCPInput.fin) == 0 }
}

/// Modular comparison of sequence numbers and timestamps, RFC 9293, 3.4 and RFC 7323, 5.2.
@inline(__always)
func isAfter(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: a &- b) > 0 }
