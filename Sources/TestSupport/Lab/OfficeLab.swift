// An office, its uplink, and what it depends on behind the emulated wide area.

public import Wire

/// The whole lab: `workers` ─ `hub` (where tautd runs, the office's gateway) ─ `isp` ─ wide area ─ remotes and a resolver.
///
/// Nothing in it leaves the machine. Every remote has a name in `lab.test`, an echo service on its ports, and answers
/// ICMP echo.
public final class OfficeLab: Sendable {
    /// Something behind the wide area.
    public struct Remote: Hashable, Sendable {
        /// The label of its name in `lab.test`.
        public var name: String
        public var ports: [UInt16]
        public var conditions: PathConditions

        public init(_ name: String, ports: [UInt16] = [443], conditions: PathConditions) {
            self.name = name
            self.ports = ports
            self.conditions = conditions
        }
    }

    public let hub: Namespace
    public let isp: Namespace
    public let workers: Namespace
    public let emulator: WideAreaEmulator
    public let resolver: NameServer
    private let addresses: [String: IPAddress]
    private let far: [Namespace]
    private let services: [EchoResponder]

    /// The hub's interface towards the provider, its gateway there, and the resolver.
    public static let uplinkInterface = "wan0"
    public static let lanInterface = "lan0"
    public static let gateway = "10.30.0.1"
    public static let resolverAddress = "10.50.53.53"
    private static let zone = "lab.test"

    /// Everything up and running when it returns. At most 200 remotes.
    public init(_ remotes: [Remote], resolverDelay: Duration = .milliseconds(4), seed: UInt64 = 1) throws {
        hub = try Namespace("hub")
        isp = try Namespace("isp")
        workers = try Namespace("workers")
        emulator = try WideAreaEmulator(seed: seed)
        try Self.buildOffice(hub: hub, isp: isp, workers: workers, emulator: emulator)
        var far: [Namespace] = []
        var addresses: [String: IPAddress] = [:]
        var services: [EchoResponder] = []
        var names: [String: [IPAddress]] = [:]
        for (index, remote) in remotes.prefix(200).enumerated() {
            let address = IPAddress(v4: 0x0A32_0001 + UInt32(index + 100) << 8)
            let namespace = try Namespace(remote.name)
            try Self.attach(namespace, address, emulator, remote.conditions)
            services.append(try EchoResponder(in: namespace, address: address, ports: remote.ports))
            names["\(remote.name).\(Self.zone)"] = [address]
            addresses[remote.name] = address
            far.append(namespace)
        }
        guard let dnsAddress = IPAddress(Self.resolverAddress) else { fatalError("a fixed address") }
        let dns = try Namespace("dns")
        try Self.attach(dns, dnsAddress, emulator, PathConditions(delay: resolverDelay))
        resolver = try NameServer(in: dns, address: dnsAddress, names: names)
        for namespace in [hub, workers] { try namespace.setResolver("nameserver \(Self.resolverAddress)\n") }
        self.far = far + [dns]
        self.addresses = addresses
        self.services = services
    }

    deinit {
        resolver.stop()
        for service in services { service.stop() }
        emulator.stop()
    }

    public var resolverIPAddress: IPAddress? { IPAddress(Self.resolverAddress) }

    /// The address of a remote; nil for a name that is none.
    public func address(of name: String) -> IPAddress? { addresses[name] }

    /// Changes both directions to a remote.
    public func set(_ conditions: PathConditions, towards name: String) {
        guard let address = addresses[name] else { return }
        Self.set(conditions, emulator, address)
    }

    /// What the direction towards a remote, and the one back, have done.
    public func truth(towards name: String) -> (there: PathTruth, back: PathTruth)? {
        guard let address = addresses[name] else { return nil }
        let prefix = IPPrefix(address, length: 32)
        return (
            emulator.truth(of: WideAreaEmulator.Rule(to: prefix)),
            emulator.truth(of: WideAreaEmulator.Rule(from: prefix))
        )
    }

    private static func set(_ conditions: PathConditions, _ emulator: WideAreaEmulator, _ address: IPAddress) {
        let prefix = IPPrefix(address, length: 32)
        emulator.set(conditions, on: WideAreaEmulator.Rule(to: prefix))
        emulator.set(conditions, on: WideAreaEmulator.Rule(from: prefix))
    }

    private static func attach(
        _ namespace: Namespace, _ address: IPAddress, _ emulator: WideAreaEmulator, _ conditions: PathConditions
    ) throws {
        let prefix = IPPrefix(address, length: 32)
        try emulator.attach(
            namespace, addresses: ["\(address)/32"], prefixes: [prefix].compactMap { $0 })
        set(conditions, emulator, address)
    }

    private static func buildOffice(
        hub: Namespace, isp: Namespace, workers: Namespace, emulator: WideAreaEmulator
    ) throws {
        try Namespace.connect(hub, lanInterface, ["10.20.0.1/24"], to: workers, "eth0", ["10.20.0.10/24"])
        try Namespace.connect(hub, uplinkInterface, ["10.30.0.2/30"], to: isp, "lan0", ["\(gateway)/30"])
        try hub.enableForwarding()
        try isp.enableForwarding()
        try workers.run("ip route add default via 10.20.0.1")
        try hub.run("ip route add default via \(gateway)")
        try isp.run("ip route add 10.20.0.0/24 via 10.30.0.2")
        try emulator.attach(
            isp, interface: "wan0", addresses: ["10.40.0.1/32"],
            prefixes: ["10.20.0.0/24", "10.30.0.0/30", "10.40.0.1/32"].compactMap { IPPrefix($0) })
    }
}
