// The host's links, addresses and ways out, as the kernel has them now: rtnetlink(7).

internal import CLinux
internal import Glibc
public import Wire

/// One picture of the host's own network.
public struct NetworkState: Hashable, Sendable {
    /// A network interface.
    public struct Link: Hashable, Sendable {
        public let index: Int32
        public let name: String
        /// Set up by the administrator (IFF_UP).
        public let isUp: Bool
        /// The driver sees a carrier (IFF_LOWER_UP).
        public let hasCarrier: Bool
        public let isLoopback: Bool
        /// Bytes.
        public let mtu: Int
        /// RFC 2863 operational state as in `IF_OPER_*`: 6 is up, 0 unknown (tun, loopback), 2 down.
        public let operationalState: UInt8

        public init(
            index: Int32, name: String, isUp: Bool, hasCarrier: Bool, isLoopback: Bool = false, mtu: Int = 1_500,
            operationalState: UInt8 = 6
        ) {
            self.index = index
            self.name = name
            self.isUp = isUp
            self.hasCarrier = hasCarrier
            self.isLoopback = isLoopback
            self.mtu = mtu
            self.operationalState = operationalState
        }

        /// Whether packets can pass, as far as the host knows.
        public var isUsable: Bool { isUp && hasCarrier }
    }

    /// An address of an interface.
    public struct Address: Hashable, Sendable {
        /// The interface's.
        public let index: Int32
        public let address: IPAddress
        /// 0...32 or 0...128.
        public let prefixLength: Int

        public init(index: Int32, address: IPAddress, prefixLength: Int) {
            self.index = index
            self.address = address
            self.prefixLength = prefixLength
        }
    }

    /// A default route of the main table; one value a next hop where a route has several.
    public struct DefaultRoute: Hashable, Sendable {
        /// nil where the interface itself is the way (tunnels, PPP). May be IPv6 on an IPv4 route (RFC 5549).
        public let gateway: IPAddress?
        public let interfaceIndex: Int32
        /// Empty where the interface went away while the tables were read.
        public let interfaceName: String
        /// Lower wins. The kernel's default is 0 for IPv4 and 1,024 for IPv6.
        public let metric: UInt32
        /// The family of the destinations, not of the gateway.
        public let isIPv6: Bool

        public init(
            gateway: IPAddress?, interfaceIndex: Int32, interfaceName: String, metric: UInt32 = 0, isIPv6: Bool = false
        ) {
            self.gateway = gateway
            self.interfaceIndex = interfaceIndex
            self.interfaceName = interfaceName
            self.metric = metric
            self.isIPv6 = isIPv6
        }
    }

    /// In the order of their indices.
    public var links: [Link]
    public var addresses: [Address]
    /// IPv4 first, then by metric.
    public var defaultRoutes: [DefaultRoute]

    public init(links: [Link] = [], addresses: [Address] = [], defaultRoutes: [DefaultRoute] = []) {
        self.links = links
        self.addresses = addresses
        self.defaultRoutes = defaultRoutes
    }

    public func link(named name: String) -> Link? { links.first { $0.name == name } }
    public func link(index: Int32) -> Link? { links.first { $0.index == index } }

    /// Most links and addresses kept; a host with more is watched in part.
    public static let maximumEntries = 16_384

    /// Reads the state of the calling thread's network namespace.
    ///
    /// A table that changes while it is read is read again, at most five times; then the last reading counts, and the
    /// change that disturbed it is announced by `NetworkMonitor` anyway. Needs no privilege.
    public static func current() throws(SystemError) -> NetworkState {
        let socket = try NetlinkSocket(isBlocking: true)
        var state = NetworkState()
        for _ in 0..<5 {
            var reader = RouteTableReader()
            var isConsistent = true
            for (type, family, length) in RouteTableReader.questions {
                let isWhole = try socket.dump(type: type, family: UInt8(family), bodyLength: length) { message in
                    reader.take(message)
                }
                isConsistent = isConsistent && isWhole
            }
            state = reader.state()
            if isConsistent { break }
        }
        return state
    }
}
