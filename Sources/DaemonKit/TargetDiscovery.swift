// Targets that nobody has to write down: the way out of this host.

internal import LinuxSystem
internal import Model
internal import Wire

/// Makes the full list of targets from the config and from what the host's own network looks like now.
///
/// Ids are stable as long as the thing itself is: `interface:eth0`, `gateway:eth0`, `gateway6:eth0`,
/// `resolver:192.0.2.53`. A configured target with the same id wins.
struct TargetDiscovery {
    let configuration: Configuration
    let network: NetworkState
    let resolvers: [IPAddress]

    /// Most targets of each kind; a host with more interfaces than this (containers) is watched in part.
    static let maximumInterfaces = 32
    static let maximumGateways = 8
    static let maximumResolvers = 8

    /// Configured and discovered targets, configured ones first, with the parents that the routing table gives.
    func targets() -> [TargetSpec] {
        let gateways = configuration.discovery.gateways ? discoveredGateways() : []
        let interfaces = configuration.discovery.interfaces ? discoveredInterfaces() : []
        let servers = configuration.discovery.resolvers ? discoveredResolvers() : []
        let taken = Set(configuration.targets.map(\.id))
        let found = (interfaces + gateways + servers).filter { !taken.contains($0.id) }
        let known = Set(found.map(\.id)).union(taken)
        return (configuration.targets + found).map { withImplicitParents($0, gateways: gateways, known: known) }
    }

    private func discoveredInterfaces() -> [TargetSpec] {
        let routed = Set(network.defaultRoutes.map(\.interfaceName))
        let links = network.links.filter { !$0.isLoopback && ($0.isUp || routed.contains($0.name)) }
            // Interfaces on the way out first, so that the bound never cuts one of them.
            .sorted { (routed.contains($0.name) ? 0 : 1, $0.name) < (routed.contains($1.name) ? 0 : 1, $1.name) }
        return links.prefix(Self.maximumInterfaces).map { link in
            discovered(
                TargetID(sanitising: "interface:\(link.name)"), .interface, title: "interface \(link.name)",
                address: .interface(link.name))
        }
    }

    private func discoveredGateways() -> [TargetSpec] {
        var seen = Set<TargetID>()
        var found: [TargetSpec] = []
        for route in network.defaultRoutes.sorted(by: { $0.metric < $1.metric }) {
            guard let gateway = route.gateway else { continue }
            let id = TargetID(sanitising: "gateway\(route.isIPv6 ? "6" : ""):\(route.interfaceName)")
            guard seen.insert(id).inserted, found.count < Self.maximumGateways else { continue }
            found.append(
                discovered(
                    id, .gateway, title: "gateway \(gateway) on \(route.interfaceName)",
                    address: .ip(gateway, zone: gateway.isLinkLocal ? route.interfaceName : nil)))
        }
        return found
    }

    private func discoveredResolvers() -> [TargetSpec] {
        resolvers.prefix(Self.maximumResolvers).map { server in
            discovered(
                TargetID(sanitising: "resolver:\(server)"), .resolver, title: "resolver \(server)",
                address: .ip(server, zone: nil))
        }
    }

    private func discovered(
        _ id: TargetID, _ kind: TargetKind, title: String, address: TargetAddress
    ) -> TargetSpec {
        let defaults = configuration.discoveredDefaults[kind]
        return TargetSpec(
            id: id, kind: kind, title: title, address: address, probes: defaults?.probes ?? Self.fallbackProbes(kind),
            judgement: defaults?.judgement ?? JudgementSettings(), isDiscovered: true)
    }

    private static func fallbackProbes(_ kind: TargetKind) -> [ProbeSpec] {
        let options: ProbeOptions =
            switch kind {
            case .interface: .link
            case .resolver: .dns(DNSOptions(name: "", type: 2))
            case .gateway, .vpn, .saas, .host: .icmp(ICMPOptions())
            }
        let probe = ProbeSpec(id: "x", interval: .seconds(10), timeout: .seconds(2), options: options)
        return [ProbeSpec(id: probe.kind.rawValue, interval: .seconds(10), timeout: .seconds(2), options: options)]
    }

    // MARK: What stands between us and a target

    private func withImplicitParents(
        _ target: TargetSpec, gateways: [TargetSpec], known: Set<TargetID>
    ) -> TargetSpec {
        var target = target
        var parents: [TargetID] = []
        for parent in target.parents {
            // `gateway` alone stands for whatever the default gateways are now.
            if parent.rawValue == "gateway", !known.contains(parent) {
                parents += gateways.map(\.id)
            } else if known.contains(parent) {
                parents.append(parent)
            }
        }
        if parents.isEmpty { parents = routedParents(target, gateways: gateways, known: known) }
        target.parents = parents.filter { $0 != target.id }
        return target
    }

    private func routedParents(_ target: TargetSpec, gateways: [TargetSpec], known: Set<TargetID>) -> [TargetID] {
        func existing(_ name: String) -> [TargetID] {
            let id = TargetID(sanitising: name)
            return known.contains(id) ? [id] : []
        }
        switch target.address {
        case .interface: return []
        case .ip(let address, let zone):
            if address.isLoopback || network.addresses.contains(where: { $0.address == address }) { return [] }
            if let zone { return existing("interface:\(zone)") }
            if let link = connectedLink(to: address) { return existing("interface:\(link)") }
            return gatewayIDs(gateways, isIPv6: address.isIPv6)
        case .name:
            switch target.family {
            case .ipv6: return gatewayIDs(gateways, isIPv6: true)
            case .ipv4, .any, .both:
                // A name's family is known only once it resolves; the IPv4 way out stands for both where there is one.
                let v4 = gatewayIDs(gateways, isIPv6: false)
                return v4.isEmpty ? gatewayIDs(gateways, isIPv6: true) : v4
            }
        }
    }

    /// The way out that the kernel takes: the default route of the lowest metric.
    private func gatewayIDs(_ gateways: [TargetSpec], isIPv6: Bool) -> [TargetID] {
        let best = network.defaultRoutes.filter { $0.isIPv6 == isIPv6 }.min { $0.metric < $1.metric }
        guard let best else { return [] }
        let id = TargetID(sanitising: "gateway\(isIPv6 ? "6" : ""):\(best.interfaceName)")
        return gateways.contains { $0.id == id } ? [id] : []
    }

    private func connectedLink(to address: IPAddress) -> String? {
        for own in network.addresses {
            guard let prefix = IPPrefix(own.address, length: own.prefixLength), prefix.length < address.bitCount,
                prefix.contains(address)
            else { continue }
            return network.links.first { $0.index == own.index }?.name
        }
        return nil
    }
}
