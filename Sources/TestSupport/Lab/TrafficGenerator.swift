// What people at their desks do, as far as packets are concerned.

import CLinux
import Glibc
import LinuxSystem
import Synchronization
public import Wire

/// Asks the resolver for names and talks to what they stand for, again and again, from inside a namespace.
public final class TrafficGenerator: Sendable {
    /// Something to talk to.
    public struct Peer: Hashable, Sendable {
        public var name: String
        public var address: IPAddress
        public var port: UInt16

        public init(name: String, address: IPAddress, port: UInt16 = 443) {
            self.name = name
            self.address = address
            self.port = port
        }
    }

    private final class Shared: Sendable {
        let isStopping = Atomic(false)
        let exchanges = Atomic<Int>(0)
    }

    private let shared = Shared()
    private let thread: Thread

    /// One peer a `pause`, in turn, each with a question to the resolver first.
    public init(in namespace: Namespace, resolver: IPAddress, peers: [Peer], pause: Duration = .milliseconds(200))
        throws
    {
        let shared = self.shared
        let microseconds = useconds_t(clamping: pause.components.attoseconds / 1_000_000_000_000)
        thread = try Thread.start(name: "lab-traffic") {
            _ = try? namespace.perform {
                var index = 0
                while !shared.isStopping.load(ordering: .relaxed), !peers.isEmpty {
                    let peer = peers[index % peers.count]
                    index += 1
                    Self.ask(resolver, for: peer.name, id: UInt16(truncatingIfNeeded: index))
                    if Self.talk(to: peer) { shared.exchanges.wrappingAdd(1, ordering: .relaxed) }
                    usleep(microseconds)
                }
            }
        }
    }

    deinit { stop() }

    /// Conversations that went through.
    public var exchanges: Int { shared.exchanges.load(ordering: .relaxed) }

    public func stop() {
        shared.isStopping.store(true, ordering: .relaxed)
        thread.join()
    }

    private static func ask(_ resolver: IPAddress, for name: String, id: UInt16) {
        guard let query = DNSQuery.write(id: id, name: name, type: 1),
            let socket = try? InternetSocket.datagram(isIPv6: resolver.isIPv6),
            (try? InternetSocket.connect(socket.rawValue, to: SocketAddress(resolver, port: 53))) != nil
        else { return }
        _ = InternetSocket.send(socket.rawValue, query[...])
        _ = wait(socket.rawValue, for: Int16(POLLIN), milliseconds: 500)
    }

    /// A connect, three requests of 400 bytes each with its answer, a close.
    private static func talk(to peer: Peer) -> Bool {
        guard let socket = try? InternetSocket.stream(isIPv6: peer.address.isIPv6) else { return false }
        let number = socket.rawValue
        let address = SocketAddress(peer.address, port: peer.port)
        guard (try? InternetSocket.connect(number, to: address)) != nil,
            wait(number, for: Int16(POLLOUT), milliseconds: 1_000), InternetSocket.pendingError(number) == 0
        else { return false }
        let request = [UInt8](repeating: 0x20, count: 400)
        for _ in 0..<3 {
            _ = InternetSocket.send(number, request[...])
            var answer: [UInt8] = []
            while answer.count < request.count {
                guard wait(number, for: Int16(POLLIN), milliseconds: 1_000) else { return false }
                guard case .value(let count) = InternetSocket.receive(number, into: &answer, limit: 4_096), count > 0
                else { return false }
            }
        }
        return true
    }

    private static func wait(_ descriptor: Int32, for events: Int16, milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        return poll(&entry, 1, milliseconds) == 1
    }
}
