// Which servers names of targets are looked up at.

public import LinuxSystem
internal import Model
internal import Wire

/// The stub resolver's settings: those of resolv.conf(5) and hosts(5), and the bounds of our own.
public struct ResolverConfiguration: Hashable, Sendable {
    /// Asked in this order; port 53 unless another is given.
    public var servers: [SocketAddress]
    /// Domains appended to names without a dot.
    public var search: [String]
    /// Names of hosts(5), which are never asked for.
    public var hosts: HostsFile
    /// From a query to the next server.
    public var timeout: Duration
    /// Rounds over all servers before a resolution has failed, 1...10.
    public var attempts: Int
    /// Bounds on how long an answer is used, whatever its TTL says.
    public var minimumTTL: Duration
    public var maximumTTL: Duration

    public init(
        servers: [SocketAddress] = [], search: [String] = [], hosts: HostsFile = HostsFile(),
        timeout: Duration = .seconds(2), attempts: Int = 2, minimumTTL: Duration = .seconds(5),
        maximumTTL: Duration = .seconds(3_600)
    ) {
        self.servers = servers
        self.search = search
        self.hosts = hosts
        self.timeout = timeout
        self.attempts = attempts
        self.minimumTTL = minimumTTL
        self.maximumTTL = maximumTTL
    }

    /// The host's own settings from resolv.conf and hosts; a file that cannot be read counts as empty.
    ///
    /// Without a nameserver 127.0.0.1 is asked, as the C library does. A server with the zone of an interface that is
    /// not there is left out.
    public static func system(
        resolverPath: String = "/etc/resolv.conf", hostsPath: String = "/etc/hosts"
    ) -> ResolverConfiguration {
        let file = (try? ResolverFile.system(path: resolverPath)) ?? ResolverFile()
        var servers = file.nameservers.compactMap { server -> SocketAddress? in
            guard let zone = server.zone else { return SocketAddress(server.address, port: 53) }
            guard let index = UInt32(zone) ?? SocketAddress.interfaceIndex(zone).map(UInt32.init) else { return nil }
            return SocketAddress(server.address, port: 53, scope: index)
        }
        if file.nameservers.isEmpty { servers = [SocketAddress(IPAddress(v4: 0x7F00_0001), port: 53)] }
        return ResolverConfiguration(
            servers: servers, search: file.search, hosts: (try? HostsFile.system(path: hostsPath)) ?? HostsFile(),
            timeout: .seconds(min(file.timeout, 5)), attempts: file.attempts)
    }
}
