// The checked configuration: every value valid, every reference resolved.

public import Wire

/// All that the daemon needs to know, as one value; made by `Configuring`, compared on reload.
public struct Configuration: Hashable, Sendable {
    /// Name of this vantage point in alerts.
    public var site: String
    public var targets: [TargetSpec]
    public var discovery: DiscoverySettings
    /// What discovered targets are probed and judged by, a kind each.
    public var discoveredDefaults: [TargetKind: DiscoveredDefaults]
    public var rules: [AlertRule]
    public var hooks: [HookSpec]
    public var capture: CaptureSettings
    public var networks: [NetworkSpec]
    public var services: [ServiceSpec]
    public var storage: StorageSettings
    public var logLevel: String

    public init(
        site: String = "", targets: [TargetSpec] = [], discovery: DiscoverySettings = DiscoverySettings(),
        discoveredDefaults: [TargetKind: DiscoveredDefaults] = [:], rules: [AlertRule] = [],
        hooks: [HookSpec] = [], capture: CaptureSettings = CaptureSettings(), networks: [NetworkSpec] = [],
        services: [ServiceSpec] = [], storage: StorageSettings = StorageSettings(), logLevel: String = "info"
    ) {
        self.site = site
        self.targets = targets
        self.discovery = discovery
        self.discoveredDefaults = discoveredDefaults
        self.rules = rules
        self.hooks = hooks
        self.capture = capture
        self.networks = networks
        self.services = services
        self.storage = storage
        self.logLevel = logLevel
    }
}

/// Which targets are found on the host by itself.
public struct DiscoverySettings: Hashable, Sendable {
    public var gateways: Bool
    public var resolvers: Bool
    public var interfaces: Bool

    public init(gateways: Bool = true, resolvers: Bool = true, interfaces: Bool = true) {
        self.gateways = gateways
        self.resolvers = resolvers
        self.interfaces = interfaces
    }
}

/// Probes and judgement for discovered targets of one kind.
public struct DiscoveredDefaults: Hashable, Sendable {
    public var probes: [ProbeSpec]
    public var judgement: JudgementSettings

    public init(probes: [ProbeSpec], judgement: JudgementSettings) {
        self.probes = probes
        self.judgement = judgement
    }
}

/// Passive capture.
public struct CaptureSettings: Hashable, Sendable {
    public var isEnabled: Bool
    /// Interface names, or `any`.
    public var interfaces: [String]
    /// A pcap filter on top of what the engine can read; nil: everything it can read.
    public var filter: String?
    /// Bytes kept of a packet, 64...65,535.
    public var snapLength: Int
    /// Kernel ring a source, in bytes.
    public var ringSize: Int
    /// One summary per source and interval.
    public var interval: Duration
    /// Most flows tracked a source.
    public var maxFlows: Int
    /// Peers outside `networks` are grouped by this many bits, IPv4 and IPv6.
    public var peerPrefix4: Int
    public var peerPrefix6: Int
    /// Keep names seen (DNS, TLS, QUIC); false: configured service names only.
    public var keepsNames: Bool
    /// Whether flows are left out while the kernel keeps dropping packets.
    public var shed: Shedding

    /// What to do when packets come faster than they can be looked at.
    public enum Shedding: String, Hashable, Sendable, CaseIterable {
        /// Measure every second, fourth, … flow until the drops end.
        case auto
        /// Let the kernel drop what it will.
        case off
    }

    public init(
        isEnabled: Bool = true, interfaces: [String] = ["any"], filter: String? = nil, snapLength: Int = 256,
        ringSize: Int = 8 << 20, interval: Duration = .seconds(10), maxFlows: Int = 65_536, peerPrefix4: Int = 24,
        peerPrefix6: Int = 56, keepsNames: Bool = true, shed: Shedding = .auto
    ) {
        self.isEnabled = isEnabled
        self.interfaces = interfaces
        self.filter = filter
        self.snapLength = snapLength
        self.ringSize = ringSize
        self.interval = interval
        self.maxFlows = maxFlows
        self.peerPrefix4 = peerPrefix4
        self.peerPrefix6 = peerPrefix6
        self.keepsNames = keepsNames
        self.shed = shed
    }
}

/// A named set of client prefixes: a site, a pool of remote workers.
public struct NetworkSpec: Hashable, Sendable {
    public var name: String
    public var prefixes: [IPPrefix]

    public init(name: String, prefixes: [IPPrefix]) {
        self.name = name
        self.prefixes = prefixes
    }
}

/// A named service: by server prefixes, by DNS names (`*.example.com` allowed), optionally by ports.
public struct ServiceSpec: Hashable, Sendable {
    public var name: String
    public var prefixes: [IPPrefix]
    public var names: [String]
    public var ports: [UInt16]

    public init(name: String, prefixes: [IPPrefix] = [], names: [String] = [], ports: [UInt16] = []) {
        self.name = name
        self.prefixes = prefixes
        self.names = names
        self.ports = ports
    }
}

/// The database's bounds.
public struct StorageSettings: Hashable, Sendable {
    /// Bytes the database file may take.
    public var maxSize: Int64
    public var rawRetention: Duration
    public var hourRetention: Duration
    public var dayRetention: Duration
    /// One group commit per this; what a crash can lose.
    public var commitInterval: Duration

    public init(
        maxSize: Int64 = 2 << 30, rawRetention: Duration = .seconds(90 * 86_400),
        hourRetention: Duration = .seconds(730 * 86_400), dayRetention: Duration = .seconds(3_650 * 86_400),
        commitInterval: Duration = .seconds(10)
    ) {
        self.maxSize = maxSize
        self.rawRetention = rawRetention
        self.hourRetention = hourRetention
        self.dayRetention = dayRetention
        self.commitInterval = commitInterval
    }
}
