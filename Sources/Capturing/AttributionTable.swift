// Whose latency it is: configured networks of clients, configured services, and names.

public import Model
internal import Wire

/// The configured part of attribution. A lookup takes as many steps as an address has bits, however much is configured.
public struct AttributionTable: Sendable {
    let networkNames: [String]
    let serviceNames: [String]
    let keepsNames: Bool
    let peerPrefix4: Int
    let peerPrefix6: Int

    private var networks = PrefixTrie()
    private var servicePrefixes = PrefixTrie()
    private let servicePorts: [[UInt16]]
    /// Exact names, and suffixes behind `*`, each with the service it belongs to; lower case.
    private var exactNames: [String: Int] = [:]
    private var suffixes: [(suffix: String, service: Int)] = []

    /// Peers outside `networks` are grouped by `peerPrefix4` or `peerPrefix6` bits (clamped to the family's width).
    /// Without `keepsNames`, a DNS name is forgotten unless it belongs to a service.
    public init(
        networks: [NetworkSpec] = [], services: [ServiceSpec] = [], peerPrefix4: Int = 24, peerPrefix6: Int = 56,
        keepsNames: Bool = true
    ) {
        networkNames = networks.map(\.name)
        serviceNames = services.map(\.name)
        servicePorts = services.map(\.ports)
        self.keepsNames = keepsNames
        self.peerPrefix4 = min(max(peerPrefix4, 0), 32)
        self.peerPrefix6 = min(max(peerPrefix6, 0), 128)
        for (index, network) in networks.enumerated() {
            for prefix in network.prefixes { self.networks.insert(prefix, value: index) }
        }
        for (index, service) in services.enumerated() {
            for prefix in service.prefixes { servicePrefixes.insert(prefix, value: index) }
            for name in service.names {
                let name = name.lowercased()
                if name.hasPrefix("*") {
                    suffixes.append((String(name.dropFirst()), index))
                } else if exactNames[name] == nil {
                    exactNames[name] = index
                }
            }
        }
        // The longest suffix is the most specific one.
        suffixes.sort { $0.suffix.utf8.count > $1.suffix.utf8.count }
    }

    /// The configured network of a client.
    func network(of client: IPAddress) -> Int? { networks.match(client) }

    /// The configured service at an address and port.
    func service(at server: IPAddress, port: UInt16) -> Int? {
        servicePrefixes.match(server) { accepts(port: port, service: $0) }
    }

    /// The configured service that a DNS name (lower case, no final dot) belongs to.
    func service(named name: String) -> Int? {
        if let exact = exactNames[name] { return exact }
        return suffixes.first { name.utf8.count > $0.suffix.utf8.count && name.hasSuffix($0.suffix) }?.service
    }

    func accepts(port: UInt16, service: Int) -> Bool {
        servicePorts[service].isEmpty || servicePorts[service].contains(port)
    }

    /// What a client's figures are filed under where no network is configured for it.
    func masked(_ client: IPAddress) -> IPAddress {
        client.masked(to: client.isIPv6 ? peerPrefix6 : peerPrefix4)
    }

    /// The masked address as text.
    func peerText(_ masked: IPAddress) -> String {
        "\(masked)/\(masked.isIPv6 ? peerPrefix6 : peerPrefix4)"
    }
}
