// What is watched. Identity is the id: a reload keeps history, alert state and schedule phase by it.

public import Wire

/// The name of a target in config, database and commands: 1 to 64 of `a-z 0-9 . _ : -`, beginning with a letter or digit.
public struct TargetID: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: String

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        func isAlphanumeric(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte) }
        guard (1...64).contains(bytes.count), let first = bytes.first, isAlphanumeric(first),
            bytes.allSatisfy({ isAlphanumeric($0) || [45, 46, 58, 95].contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }

    /// An id for text of any kind: what is not allowed becomes `-`.
    public init(sanitising text: String) {
        let mapped = text.lowercased().utf8.map { byte -> Character in
            let allowed = (48...57).contains(byte) || (97...122).contains(byte) || [45, 46, 58, 95].contains(byte)
            return allowed ? Character(UnicodeScalar(byte)) : "-"
        }
        let body = String(mapped.drop { !$0.isLetter && !$0.isNumber }.prefix(64))
        rawValue = body.isEmpty ? "x" : body
    }

    public var description: String { rawValue }
    public static func < (a: TargetID, b: TargetID) -> Bool { a.rawValue < b.rawValue }
}

/// What a target is to the people who depend on it; names the layer in a verdict.
public enum TargetKind: String, Hashable, Sendable, CaseIterable {
    case interface, gateway, resolver, vpn, saas, host
}

/// Which address families of a name are probed.
public enum AddressFamily: String, Hashable, Sendable, CaseIterable {
    /// The first family that resolves, IPv6 preferred (RFC 6724's default).
    case any
    case ipv4, ipv6
    /// Each family is a series of its own.
    case both
}

/// Where a target is.
public enum TargetAddress: Hashable, Sendable {
    /// `zone` is an interface name, for link-local addresses.
    case ip(IPAddress, zone: String?)
    /// A DNS name, lower case, without the final dot.
    case name(String)
    /// A network interface of this host, for targets of kind `interface`.
    case interface(String)

    public var text: String {
        switch self {
        case .ip(let address, nil): address.description
        case .ip(let address, let zone?): "\(address)%\(zone)"
        case .name(let name): name
        case .interface(let name): name
        }
    }
}

/// One configured or discovered target with all that is needed to probe and judge it.
public struct TargetSpec: Hashable, Sendable {
    public var id: TargetID
    public var kind: TargetKind
    /// What people call it; the id where nothing is configured.
    public var title: String
    public var site: String?
    public var labels: [String: String]
    /// Targets on the way to this one: while one of them is down, this one is unknown.
    public var parents: [TargetID]
    public var address: TargetAddress
    public var family: AddressFamily
    public var probes: [ProbeSpec]
    public var judgement: JudgementSettings
    /// Found on the host rather than written in the config.
    public var isDiscovered: Bool

    public init(
        id: TargetID, kind: TargetKind, title: String? = nil, site: String? = nil, labels: [String: String] = [:],
        parents: [TargetID] = [], address: TargetAddress, family: AddressFamily = .any, probes: [ProbeSpec],
        judgement: JudgementSettings = JudgementSettings(), isDiscovered: Bool = false
    ) {
        self.id = id
        self.kind = kind
        self.title = title ?? id.rawValue
        self.site = site
        self.labels = labels
        self.parents = parents
        self.address = address
        self.family = family
        self.probes = probes
        self.judgement = judgement
        self.isDiscovered = isDiscovered
    }
}

/// When rounds make a state. A round is one scheduled run of one probe.
public struct JudgementSettings: Hashable, Sendable {
    /// Failed rounds in a row that make a target down; at least 1.
    public var downAfter: Int
    /// Answered rounds in a row that make it up again; at least 1.
    public var upAfter: Int
    /// Rounds that loss and RTT are taken over for `degraded`; at least 1.
    public var window: Int
    /// Loss above which the target is degraded, 0...1; nil: never.
    public var degradedLoss: Double?
    /// Median RTT above which the target is degraded; nil: never.
    public var degradedRTT: Duration?

    public init(
        downAfter: Int = 3, upAfter: Int = 2, window: Int = 10, degradedLoss: Double? = 0.2,
        degradedRTT: Duration? = nil
    ) {
        self.downAfter = downAfter
        self.upAfter = upAfter
        self.window = window
        self.degradedLoss = degradedLoss
        self.degradedRTT = degradedRTT
    }
}
