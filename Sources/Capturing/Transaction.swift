// A request and what became of it.

internal import Wire

/// What a request asks for. The first stands for all zero.
enum TransactionKind: UInt8, BitwiseCopyable {
    case dns, echo, wireGuard, ike, openVPN, tls
}

/// What is known of a request that got no answer, beside that. The first stands for all zero.
enum FailureCause: UInt8, BitwiseCopyable {
    case none
    /// WireGuard's cookie reply: the peer answers, but not yet with a handshake.
    case underLoad
    case networkUnreachable, hostUnreachable, protocolUnreachable, portUnreachable, prohibited, unreachable
    case timeExceeded, parameterProblem, tooBig

    var name: String? {
        switch self {
        case .none: nil
        case .underLoad: "under_load"
        case .networkUnreachable: "network_unreachable"
        case .hostUnreachable: "host_unreachable"
        case .protocolUnreachable: "protocol_unreachable"
        case .portUnreachable: "port_unreachable"
        case .prohibited: "prohibited"
        case .unreachable: "unreachable"
        case .timeExceeded: "time_exceeded"
        case .parameterProblem: "parameter_problem"
        case .tooBig: "too_big"
        }
    }
}

/// One request and what became of it.
struct Transaction: BitwiseCopyable {
    enum State {
        static var free: UInt8 { 0 }
        static var waiting: UInt8 { 1 }
        static var answered: UInt8 { 2 }
        /// Reported as failed; an answer after all is still timed.
        static var failed: UInt8 { 3 }
    }

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8

        static var overTCP: Flags { Flags(rawValue: 1) }
        /// It is the server who asked: what is timed is the way to the client.
        static var isReversed: Flags { Flags(rawValue: 2) }
        static var tlsAuth: Flags { Flags(rawValue: 4) }
        static var tlsCrypt: Flags { Flags(rawValue: 8) }
    }

    /// A keyed hash of addresses, ports, identifier and question. 64 secret bits stand for the whole key.
    var fingerprint: UInt64 = 0
    var first: Int64 = 0
    var last: Int64 = 0
    /// Who asked.
    var clientHigh: UInt64 = 0
    var clientLow: UInt64 = 0
    /// Who is to answer.
    var serverHigh: UInt64 = 0
    var serverLow: UInt64 = 0
    var clientPort: UInt16 = 0
    var serverPort: UInt16 = 0
    /// Interface index; the top bit says IPv6.
    var scope: UInt32 = 0
    var retries: UInt16 = 0
    var state: UInt8 = State.free
    var kind = TransactionKind.dns
    var flags: Flags = []
    /// The type of an IKE exchange; 0 for everything else.
    var exchange: UInt8 = 0
    var cause = FailureCause.none
    /// Of a DNS message. Of IKE, where another request may follow under the same number, a digest.
    var identifier: UInt16 = 0
    /// The same of the request that was answered before under the same number; 0: none.
    var priorIdentifier: UInt16 = 0
    /// Parts of the request and of the reply that were seen, a bit each; 0 for what is not sent in parts.
    var requestParts: UInt32 = 0
    var replyParts: UInt32 = 0
    /// Of a ClientHello: `SampleNotes` and service, known when it is whole.
    var notes: UInt16 = 0
    /// What stood in place of an answer to the request before, of IKE; 0: nothing.
    var rejection: UInt16 = 0
    var service: UInt32 = 0
    /// The connection of a ClientHello, or of a reset over TCP, to tell at the end whether its answer could have been seen.
    var flow: UInt32 = 0
    var generation: UInt32 = 0

    func has(_ flag: Flags) -> Bool { flags.contains(flag) }

    /// Whether both are DNS with the same parties and identifier.
    func isDNS(like other: Transaction) -> Bool {
        kind == .dns && other.kind == .dns && identifier == other.identifier && flags == other.flags
            && clientPort == other.clientPort && serverPort == other.serverPort && scope == other.scope
            && clientLow == other.clientLow && clientHigh == other.clientHigh && serverLow == other.serverLow
            && serverHigh == other.serverHigh
    }
}
