// The host's own network as the core sees it: netlink news and resolv.conf.

internal import LinuxSystem
internal import Logging
internal import Model
internal import Probing
internal import Synchronization
internal import Wire

/// Reads the host's links, addresses, default routes and resolvers, and notices when they change.
final class NetworkWatch: Sendable {
    private let monitor: NetworkMonitor?
    private let log: Logger
    private let readResolver: @Sendable () -> ResolverConfiguration
    private let lastResolver: Mutex<ResolverConfiguration>
    /// What the files said at the last look, where that is not what is used.
    private let awaited = Mutex<ResolverConfiguration?>(nil)

    init(
        log: Logger, resolver: @escaping @Sendable () -> ResolverConfiguration = { ResolverConfiguration.system() }
    ) {
        self.log = log
        readResolver = resolver
        lastResolver = Mutex(resolver())
        do {
            monitor = try NetworkMonitor()
        } catch {
            monitor = nil
            log.error("changes of links and routes are noticed once a minute only: \(error)")
        }
    }

    /// Puts the netlink socket into the loop.
    func join(_ loop: borrowing EventLoop, token: UInt64) {
        guard let monitor else { return }
        do {
            try loop.add(monitor.descriptor, for: .readable, token: token)
        } catch {
            log.error("changes of links and routes are noticed once a minute only: \(error)")
        }
    }

    /// Takes the waiting news; true where they matter.
    func drain() -> Bool { monitor.map { !$0.drain().isEmpty } ?? false }

    /// The tables as they are now; nil (and a log line) where the kernel does not tell.
    func current() -> NetworkState? {
        do {
            return try NetworkState.current()
        } catch {
            log.error("the kernel does not tell links and routes: \(error)")
            return nil
        }
    }

    /// The addresses of the servers of resolv.conf as last read.
    func resolvers() -> [IPAddress] { lastResolver.withLock { $0.servers.compactMap(\.address) } }

    var resolver: ResolverConfiguration { lastResolver.withLock { $0 } }

    /// Reads resolv.conf and hosts again; the new settings where they differ from the last ones.
    func reloadResolver() -> ResolverConfiguration? {
        let fresh = readResolver()
        return lastResolver.withLock { last in
            guard fresh != last else { return nil }
            last = fresh
            return fresh
        }
    }

    /// The same for a look now and then: what is found must stand at two looks in a row, since a DHCP or VPN client may be
    /// about to write the rest of it.
    func settledResolver() -> ResolverConfiguration? {
        let fresh = readResolver()
        let isSettled = awaited.withLock { awaited in
            defer { awaited = fresh }
            return awaited == fresh
        }
        return isSettled ? reloadResolver() : nil
    }
}
