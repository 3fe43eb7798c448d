// How a target is probed.

public import Wire

/// The kinds of probe. The raw value is the name in config, JSON and database.
public enum ProbeKind: String, Hashable, Sendable, CaseIterable {
    case icmp, tcp, dns
    /// The state of one of our own interfaces: no packet is sent.
    case link
}

/// One probe of one target.
public struct ProbeSpec: Hashable, Sendable {
    /// Unique within the target: `icmp`, `tcp-443`, `dns`.
    public var id: String
    /// Start to start, at least 100 ms.
    public var interval: Duration
    /// From send to `lost`; shorter than or equal to ten intervals.
    public var timeout: Duration
    public var options: ProbeOptions

    public init(id: String, interval: Duration, timeout: Duration, options: ProbeOptions) {
        self.id = id
        self.interval = interval
        self.timeout = timeout
        self.options = options
    }

    public var kind: ProbeKind {
        switch options {
        case .icmp: .icmp
        case .tcp: .tcp
        case .dns: .dns
        case .link: .link
        }
    }
}

public enum ProbeOptions: Hashable, Sendable {
    case icmp(ICMPOptions)
    case tcp(TCPOptions)
    case dns(DNSOptions)
    case link
}

/// From where a probe leaves; nil leaves it to the routing table.
public struct ProbeSource: Hashable, Sendable {
    public var address: IPAddress?
    public var interface: String?

    public init(address: IPAddress? = nil, interface: String? = nil) {
        self.address = address
        self.interface = interface
    }
}

/// ICMP echo, RFC 792 and RFC 4443.
public struct ICMPOptions: Hashable, Sendable {
    /// Echoes a round, 1...100.
    public var count: Int
    /// Between the echoes of a round.
    public var spacing: Duration
    /// Payload bytes, 16...65,000 (sixteen hold the nonce).
    public var size: Int
    /// 1...255.
    public var ttl: Int
    /// Differentiated services code point, 0...63 (RFC 2474).
    public var dscp: Int
    public var source: ProbeSource

    public init(
        count: Int = 1, spacing: Duration = .milliseconds(200), size: Int = 56, ttl: Int = 64, dscp: Int = 0,
        source: ProbeSource = ProbeSource()
    ) {
        self.count = count
        self.spacing = spacing
        self.size = size
        self.ttl = ttl
        self.dscp = dscp
        self.source = source
    }
}

/// TCP connect, closed at once.
public struct TCPOptions: Hashable, Sendable {
    public var port: UInt16
    public var source: ProbeSource

    public init(port: UInt16, source: ProbeSource = ProbeSource()) {
        self.port = port
        self.source = source
    }
}

/// A DNS query to the target as server, RFC 1035.
public struct DNSOptions: Hashable, Sendable {
    /// The name asked for, without the final dot; empty is the root.
    public var name: String
    /// The type's number: 1 is A, 28 AAAA, 2 NS.
    public var type: UInt16
    public var port: UInt16
    /// The rcode that counts as ok; 0 is NOERROR, 3 NXDOMAIN.
    public var expectedRcode: UInt8
    /// An address or text that must be among the answers.
    public var expectedAnswer: String?
    public var source: ProbeSource

    public init(
        name: String, type: UInt16 = 1, port: UInt16 = 53, expectedRcode: UInt8 = 0, expectedAnswer: String? = nil,
        source: ProbeSource = ProbeSource()
    ) {
        self.name = name
        self.type = type
        self.port = port
        self.expectedRcode = expectedRcode
        self.expectedAnswer = expectedAnswer
        self.source = source
    }
}
