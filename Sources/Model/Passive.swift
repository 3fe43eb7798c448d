// Latency derived from packets that were going by anyway, aggregated over an interval.

public import Statistics

/// What a passive sample times. The raw value is the name in JSON and in the database.
public enum PassiveKind: String, Hashable, Sendable, CaseIterable {
    case tcpHandshake = "tcp_handshake"
    case tcpData = "tcp_data"
    case tcpKeepalive = "tcp_keepalive"
    case tcpRefused = "tcp_refused"
    case dns
    case icmpEcho = "icmp_echo"
    /// ClientHello to ServerHello.
    case tls
    /// ClientHello to HelloRetryRequest.
    case tlsRetry = "tls_retry"
    /// First Initial of the client to the first long header of the server.
    case quicHandshake = "quic_handshake"
    /// Initial to Retry.
    case quicRetry = "quic_retry"
    /// Initial to Version Negotiation.
    case quicVersion = "quic_version"
    case quicSpin = "quic_spin"
    /// Initiation to response.
    case wireguard
    /// Each request to its response.
    case ikev2
    /// The client's hard reset to the server's.
    case openvpn
}

/// How a service's name was learned. The raw value is the name in JSON.
public enum ServiceSource: String, Hashable, Sendable, CaseIterable {
    /// The server name of a TLS or QUIC handshake.
    case sni
    /// An answer to a DNS query that led to the address.
    case dns
    /// A configured prefix.
    case prefix
}

/// The ways in which a service's name was learned. The raw value is kept in the database: a bit each, never used anew.
public struct ServiceSources: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public init(_ source: ServiceSource) {
        switch source {
        case .sni: self = .sni
        case .dns: self = .dns
        case .prefix: self = .prefix
        }
    }

    public static let sni = ServiceSources(rawValue: 1)
    public static let dns = ServiceSources(rawValue: 2)
    public static let prefix = ServiceSources(rawValue: 4)

    /// In the order in which they are believed.
    public var list: [ServiceSource] { ServiceSource.allCases.filter { contains(ServiceSources($0)) } }
}

/// Between which points a passive RTT lies.
public enum PassiveSide: String, Hashable, Sendable, CaseIterable {
    /// Capture point to the side that answered the SYN or the query, and back.
    case server
    /// Capture point to the side that sent the SYN or the query, and back. Where the server of a VPN asks (is the
    /// peer still there?), it is the client who answers.
    case client
    /// The whole way, known from one direction alone.
    case full
}

/// What passive figures are grouped by.
public struct PassiveKey: Hashable, Sendable {
    public var interface: String
    /// The DNS name seen or the configured service's name; nil where unknown.
    public var service: String?
    /// The configured network (site, worker pool) of the client; else its masked prefix as text.
    public var peer: String?
    public var kind: PassiveKind
    public var side: PassiveSide

    public init(interface: String, service: String?, peer: String?, kind: PassiveKind, side: PassiveSide) {
        self.interface = interface
        self.service = service
        self.peer = peer
        self.kind = kind
        self.side = side
    }
}

/// What was seen under one key in one interval.
public struct PassiveCell: Hashable, Sendable {
    /// RTTs in nanoseconds.
    public var histogram: Histogram
    /// Timeouts, refusals, failed rcodes.
    public var failures: UInt64
    public var retransmissions: UInt64
    /// How the key's service was learned.
    public var serviceSources: ServiceSources

    public init(
        histogram: Histogram = Histogram(), failures: UInt64 = 0, retransmissions: UInt64 = 0,
        serviceSources: ServiceSources = []
    ) {
        self.histogram = histogram
        self.failures = failures
        self.retransmissions = retransmissions
        self.serviceSources = serviceSources
    }

    /// Adds what was seen under the same key.
    public mutating func merge(_ other: PassiveCell) {
        histogram.merge(other.histogram)
        failures = failures.addingSaturated(other.failures)
        retransmissions = retransmissions.addingSaturated(other.retransmissions)
        serviceSources.formUnion(other.serviceSources)
    }
}

/// All passive figures of one interval of one capture source.
public struct PassiveSummary: Hashable, Sendable {
    public var source: String
    public var start: WallTime
    public var end: WallTime
    public var cells: [PassiveKey: PassiveCell]
    public var counters: CaptureCounters
    /// What the interval missed; `counters` count from the start of the source.
    public var loss: CaptureLoss

    public init(
        source: String, start: WallTime, end: WallTime, cells: [PassiveKey: PassiveCell] = [:],
        counters: CaptureCounters = CaptureCounters(), loss: CaptureLoss = CaptureLoss()
    ) {
        self.source = source
        self.start = start
        self.end = end
        self.cells = cells
        self.counters = counters
        self.loss = loss
    }
}

/// What a capture did with what it saw. All count from the start of the source; nothing is dropped uncounted.
public struct CaptureCounters: Hashable, Sendable {
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Packets not used, by reason (`fragment`, `not-ip`, `truncated`, …): packets = used + the sum of these.
    public var drops: [String: UInt64] = [:]
    /// Matches refused, by reason (`ambiguous`, `post_loss`, …).
    public var rejected: [String: UInt64] = [:]
    public var retransmissions: UInt64 = 0
    public var outOfOrder: UInt64 = 0
    public var duplicates: UInt64 = 0
    /// Packets the kernel (`ps_drop`) and the interface (`ps_ifdrop`) lost before we saw them.
    public var kernelDrops: UInt64 = 0
    public var interfaceDrops: UInt64 = 0
    /// TCP acknowledgements of something new that could be held against the data seen, and those of them that
    /// acknowledge data which never came by: holes in the capture itself, not losses of the network.
    public var acknowledgements: UInt64 = 0
    public var captureGaps: UInt64 = 0
    /// Of how many flows one is measured now: 1, or a power of two while load is shed.
    public var flowDivisor: UInt64 = 1
    public var activeFlows: UInt64 = 0
    public var evictedFlows: UInt64 = 0
    public var refusedFlows: UInt64 = 0
    /// Keys that did not fit the interval's table and were added to "other".
    public var overflowedKeys: UInt64 = 0

    public init() {}
}
