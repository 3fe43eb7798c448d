// rtnetlink messages as links, addresses and default routes.

internal import CLinux
internal import Glibc
internal import Wire

/// Collects what rtnetlink messages say; total over any bytes.
struct RouteTableReader {
    private var links: [NetworkState.Link] = []
    private var addresses: [NetworkState.Address] = []
    private var routes: [NetworkState.DefaultRoute] = []

    /// Message type, family and body length of the dumps that make a whole picture.
    static let questions: [(type: Int32, family: Int32, bodyLength: Int)] = [
        (Int32(RTM_GETLINK), AF_UNSPEC, MemoryLayout<ifinfomsg>.size),
        (Int32(RTM_GETADDR), AF_UNSPEC, MemoryLayout<ifaddrmsg>.size),
        (Int32(RTM_GETROUTE), AF_INET, MemoryLayout<rtmsg>.size),
        (Int32(RTM_GETROUTE), AF_INET6, MemoryLayout<rtmsg>.size),
    ]

    mutating func take(_ message: NetlinkMessage) {
        switch Int(message.type) {
        case Int(RTM_NEWLINK):
            if let link = Self.link(message), links.count < NetworkState.maximumEntries { links.append(link) }
        case Int(RTM_NEWADDR):
            if let address = Self.address(message), addresses.count < NetworkState.maximumEntries {
                addresses.append(address)
            }
        case Int(RTM_NEWROUTE):
            for route in Self.defaultRoutes(message) where routes.count < NetworkState.maximumEntries {
                routes.append(route)
            }
        default: break
        }
    }

    func state() -> NetworkState {
        let names = Dictionary(links.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        let named = routes.map { route in
            NetworkState.DefaultRoute(
                gateway: route.gateway, interfaceIndex: route.interfaceIndex,
                interfaceName: names[route.interfaceIndex] ?? "", metric: route.metric, isIPv6: route.isIPv6)
        }
        return NetworkState(
            links: links.sorted { $0.index < $1.index },
            addresses: addresses.sorted { ($0.index, $0.address) < ($1.index, $1.address) },
            defaultRoutes: named.sorted {
                ($0.isIPv6 ? 1 : 0, $0.metric, $0.interfaceIndex) < ($1.isIPv6 ? 1 : 0, $1.metric, $1.interfaceIndex)
            })
    }

    // MARK: Single messages

    /// struct ifinfomsg: family, pad, type (2), index (4), flags (4), change (4).
    static func link(_ message: NetlinkMessage) -> NetworkState.Link? {
        let body = message.payload
        guard let index = body.host32(4), let flags = body.host32(8) else { return nil }
        let attributes = message.attributes(after: MemoryLayout<ifinfomsg>.size)
        guard let name = attributes.text(Int(IFLA_IFNAME)), !name.isEmpty else { return nil }
        return NetworkState.Link(
            index: Int32(bitPattern: index), name: name, isUp: flags & 0x1 != 0, hasCarrier: flags & 0x1_0000 != 0,
            isLoopback: flags & 0x8 != 0, mtu: Int(attributes.number(Int(IFLA_MTU)) ?? 0),
            operationalState: attributes[Int(IFLA_OPERSTATE)]?.host8(0) ?? 0)
    }

    /// struct ifaddrmsg: family, prefix length, flags, scope, index (4).
    static func address(_ message: NetlinkMessage) -> NetworkState.Address? {
        let body = message.payload
        guard let length = body.host8(1), let index = body.host32(4) else { return nil }
        let attributes = message.attributes(after: MemoryLayout<ifaddrmsg>.size)
        // IFA_LOCAL is our own end; on a point-to-point link IFA_ADDRESS is the other one.
        guard let bytes = attributes[Int(IFA_LOCAL)] ?? attributes[Int(IFA_ADDRESS)],
            let address = IPAddress(bytes: bytes), Int(length) <= address.bitCount
        else { return nil }
        return NetworkState.Address(index: Int32(bitPattern: index), address: address, prefixLength: Int(length))
    }

    /// struct rtmsg: family, destination length, source length, tos, table, protocol, scope, type, flags (4).
    ///
    /// Empty for anything but a usable unicast default route of the main table.
    static func defaultRoutes(_ message: NetlinkMessage) -> [NetworkState.DefaultRoute] {
        let body = message.payload
        guard let family = body.host8(0), let destinationLength = body.host8(1), destinationLength == 0,
            let shortTable = body.host8(4), body.host8(7) == UInt8(RTN_UNICAST), let flags = body.host32(8),
            flags & UInt32(RTM_F_CLONED) == 0
        else { return [] }
        let isIPv6 = Int32(family) == AF_INET6
        guard isIPv6 || Int32(family) == AF_INET else { return [] }
        let attributes = message.attributes(after: MemoryLayout<rtmsg>.size)
        guard attributes.number(Int(RTA_TABLE.rawValue)) ?? UInt32(shortTable) == 254 else { return [] }
        let metric = attributes.number(Int(RTA_PRIORITY.rawValue)) ?? 0
        func route(_ gateway: IPAddress?, _ index: UInt32) -> NetworkState.DefaultRoute {
            NetworkState.DefaultRoute(
                gateway: gateway, interfaceIndex: Int32(bitPattern: index), interfaceName: "", metric: metric,
                isIPv6: isIPv6)
        }
        if let hops = attributes[Int(RTA_MULTIPATH.rawValue)] {
            return nextHops(hops).map { route($0.gateway, $0.index) }
        }
        guard let index = attributes.number(Int(RTA_OIF.rawValue)), flags & UInt32(RTNH_F_DEAD) == 0 else { return [] }
        return [route(gateway(attributes), index)]
    }

    /// struct rtnexthop: length (2), flags, hops, index (4), then attributes of its own.
    private static func nextHops(_ bytes: ArraySlice<UInt8>) -> [(gateway: IPAddress?, index: UInt32)] {
        var rest = bytes
        var hops: [(gateway: IPAddress?, index: UInt32)] = []
        while let length = rest.host16(0), length >= 8, Int(length) <= rest.count, let flags = rest.host8(2),
            let index = rest.host32(4), hops.count < 256
        {
            let attributes = NetlinkAttributes(rest.dropFirst(8).prefix(Int(length) - 8))
            if flags & UInt8(RTNH_F_DEAD) == 0 { hops.append((gateway(attributes), index)) }
            rest = rest.dropFirst(NetlinkMessage.aligned(Int(length)))
        }
        return hops
    }

    private static func gateway(_ attributes: NetlinkAttributes) -> IPAddress? {
        if let bytes = attributes[Int(RTA_GATEWAY.rawValue)] { return IPAddress(bytes: bytes) }
        // struct rtvia: family (2), address.
        return attributes[Int(RTA_VIA.rawValue)].flatMap { IPAddress(bytes: $0.dropFirst(2)) }
    }
}
