// What a transaction's sample says beside its time: exchange, rejection, cause of failure, protection.

internal import Model
internal import Wire

/// What a reply says of the transaction that it ends.
struct TransactionReply {
    var dns: DNSSummary?
    /// A notification in place of what was asked for, of IKE; 0: none.
    var rejection: UInt16 = 0
    /// One part of a reply in parts, and all of them, as bits; 0 for a whole reply.
    var part: UInt32 = 0
    var allParts: UInt32 = 0
    /// Whether a reply without a request is told of; of one in parts, only the first is.
    var isTold = true
}

/// Details of a transaction in a few bytes.
struct SampleDetail: BitwiseCopyable {
    var rejection: UInt16 = 0
    var exchange: UInt8 = 0
    var cause = FailureCause.none
    var flags: Transaction.Flags = []

    init() {}

    init(_ transaction: Transaction, rejection: UInt16, isAnswered: Bool) {
        self.rejection = rejection
        exchange = transaction.exchange
        cause = isAnswered ? .none : transaction.cause
        flags = transaction.flags
    }

    /// For `AnalyzedSample.note`, in order.
    var words: [String] {
        var words: [String] = []
        if exchange != 0 { words.append(IKEExchange.name(exchange)) }
        if rejection != 0 { words.append(IKENotification.name(rejection)) }
        if flags.contains(.tlsAuth) { words.append("tls_auth") }
        if flags.contains(.tlsCrypt) { words.append("tls_crypt") }
        if let name = cause.name { words.append(name) }
        return words
    }
}

extension TransactionKind {
    var measured: PassiveKind {
        switch self {
        case .dns: .dns
        case .echo: .icmpEcho
        case .wireGuard: .wireguard
        case .ike: .ikev2
        case .openVPN: .openvpn
        case .tls: .tls
        }
    }
}
