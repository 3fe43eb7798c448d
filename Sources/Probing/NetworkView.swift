// What the host's own network means for a probe: whether a packet can leave at all.

internal import LinuxSystem
internal import Model
internal import Wire

/// The last known state of links, addresses and routes, with what is asked of it often prepared.
struct NetworkView {
    private(set) var state: NetworkState?
    private var ownAddresses: Set<IPAddress> = []
    private var prefixes: [(prefix: IPPrefix, link: Int32)] = []
    private var unusableLinks: Set<Int32> = []
    private var hasUsableLink = true
    /// Obstacles found since the last change.
    private var known: [SocketAddress: IndeterminateReason?] = [:]

    init() {}

    mutating func update(_ state: NetworkState) {
        self.state = state
        ownAddresses = Set(state.addresses.map(\.address))
        prefixes = state.addresses.compactMap { entry in
            guard entry.prefixLength < entry.address.bitCount else { return nil }
            return IPPrefix(entry.address, length: entry.prefixLength).map { ($0, entry.index) }
        }
        let outward = state.links.filter { !$0.isLoopback }
        unusableLinks = Set(outward.filter { !$0.isUsable }.map(\.index))
        hasUsableLink = outward.contains { $0.isUsable }
        known = [:]
    }

    /// The index of the interface called `name`: as the kernel has it now or, where that cannot be asked (no descriptor
    /// left), as it was last known.
    func interfaceIndex(_ name: String) -> Int32? {
        SocketAddress.interfaceIndex(name) ?? state?.link(named: name)?.index
    }

    func isOwn(_ address: IPAddress) -> Bool { ownAddresses.contains(address) }

    /// Whether the network is known and `address` is not in it.
    func isKnownNotOwn(_ address: IPAddress) -> Bool { state != nil && !address.isLoopback && !isOwn(address) }

    /// Whether `address` lies in a network that the host is connected to; nil where the network is not known.
    func isOnLink(_ address: IPAddress) -> Bool? {
        guard state != nil else { return nil }
        return prefixes.contains { $0.prefix.contains(address) }
    }

    /// Why a packet to `destination` cannot leave; nil where it can, or where only sending will tell.
    ///
    /// A link without carrier still has its routes, so the kernel takes the packet and loses it: that case has to be
    /// known here. It is claimed only where the kernel's own choice of source address and our picture of prefixes and
    /// default routes name the same dead link. Everything else the send call says itself.
    mutating func obstacle(to destination: SocketAddress, interface: String?) -> IndeterminateReason? {
        guard let state, !destination.address.isLoopback, !isOwn(destination.address) else { return nil }
        if let interface {
            return state.link(named: interface)?.isUsable == true ? nil : .linkDown
        }
        guard !unusableLinks.isEmpty else { return nil }
        if let answer = known[destination] { return answer }
        let answer = search(destination, in: state)
        if known.count < 65_536 { known[destination] = .some(answer) }
        return answer
    }

    private func search(_ destination: SocketAddress, in state: NetworkState) -> IndeterminateReason? {
        let source: IPAddress
        do {
            source = try InternetSocket.sourceAddress(towards: destination)
        } catch {
            return nil
        }
        guard let link = state.addresses.first(where: { $0.address == source })?.index, unusableLinks.contains(link)
        else { return nil }
        let isConnected = prefixes.contains { $0.link == link && $0.prefix.contains(destination.address) }
        let isDefault = state.defaultRoutes.contains {
            $0.interfaceIndex == link && $0.isIPv6 == destination.address.isIPv6
        }
        return isConnected || isDefault ? .linkDown : nil
    }

    /// What a "no route" from the kernel means: without any usable link, that our link is down.
    var reasonForNoRoute: IndeterminateReason {
        state != nil && !hasUsableLink ? .linkDown : .noRoute
    }

    /// What an ICMP error means for a probe to `destination`.
    ///
    /// "Host unreachable" from ourselves is the kernel's word that nobody answers ARP or neighbour discovery: for a
    /// target on our own network that is the target, for any other the gateway, of which the target knows nothing. The
    /// other refusals from ourselves are our own firewall's. "Port unreachable" from the target itself is its no; from
    /// anybody else it is a firewall's word on the way.
    func outcome(
        of error: ErrorClass, from offender: IPAddress?, destination: IPAddress, elapsed: Duration?
    ) -> Outcome {
        if error == .portUnreachable, offender == destination { return .refused(rtt: elapsed) }
        guard let offender, offender != destination, isOwn(offender), !isOwn(destination), !destination.isLoopback
        else {
            return .error(error)
        }
        switch error {
        case .hostUnreachable where isOnLink(destination) == false: return .indeterminate(.gatewayDown)
        case .networkUnreachable, .prohibited, .portUnreachable, .protocolUnreachable:
            return .indeterminate(.sendRefused)
        default: return .error(error)
        }
    }

    /// What a link probe of the interface called `name` says; nil where the network is not known.
    func linkOutcome(_ name: String) -> (outcome: Outcome, note: String?)? {
        guard let state else { return nil }
        guard let link = state.link(named: name) else { return (.error(.linkDown), "no such interface") }
        if !link.isUp { return (.error(.linkDown), "administratively down") }
        return link.hasCarrier ? (.ok(rtt: nil), nil) : (.error(.linkDown), "no carrier")
    }
}
