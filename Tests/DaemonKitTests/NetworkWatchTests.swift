import LinuxSystem
import Logging
import Synchronization
import Testing
import Wire

@testable import DaemonKit
@testable import Probing

@Suite struct NetworkWatchTests {
    private final class Files: Sendable {
        let address = Mutex("192.0.2.53")

        var configuration: ResolverConfiguration {
            var configuration = ResolverConfiguration()
            configuration.servers = address.withLock { IPAddress($0) }.map { [SocketAddress($0, port: 53)] } ?? []
            return configuration
        }
    }

    /// A new lease writes resolv.conf, and nobody tells: the old server was once asked, and called down, for ever.
    @Test func aResolverIsTakenOnceItStandsStill() {
        let files = Files()
        let watch = NetworkWatch(log: Logger(label: "test"), resolver: { files.configuration })
        #expect(watch.resolvers() == [IPAddress("192.0.2.53")])
        #expect(watch.settledResolver() == nil && watch.settledResolver() == nil)
        files.address.withLock { $0 = "" }
        #expect(watch.settledResolver() == nil, "it may be about to be written")
        files.address.withLock { $0 = "192.0.2.54" }
        #expect(watch.settledResolver() == nil)
        #expect(watch.resolvers() == [IPAddress("192.0.2.53")])
        #expect(watch.settledResolver()?.servers.count == 1)
        #expect(watch.resolvers() == [IPAddress("192.0.2.54")])
        #expect(watch.settledResolver() == nil)
    }
}
