// News of links, addresses and default routes: the multicast groups of rtnetlink(7).

internal import CLinux
internal import Glibc

/// What has changed since the last look.
public struct NetworkChange: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A link came, went, or changed its name, flags or MTU.
    public static let links = NetworkChange(rawValue: 1)
    public static let addresses = NetworkChange(rawValue: 2)
    /// A default route of the main table came or went; other routes are not reported.
    public static let defaultRoutes = NetworkChange(rawValue: 4)
    /// The kernel dropped news that did not fit the socket's buffer: anything may have changed.
    public static let overflow = NetworkChange(rawValue: 8)
}

/// Listens to the kernel's news; needs no privilege. Say `descriptor` to an event loop, and `drain` when it is readable.
public final class NetworkMonitor: Sendable {
    private let socket: NetlinkSocket

    /// To watch for readable.
    public var descriptor: Int32 { socket.descriptor.rawValue }

    /// Listens in the calling thread's network namespace from here on.
    public init() throws(SystemError) {
        let groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE]
        socket = try NetlinkSocket(groups: groups.map { Int32($0.rawValue) }, isBlocking: false)
        // A flap of many links sends bursts; 1 MiB is some thousand messages. Best effort: the bound is rmem_max.
        try? Syscall.setOption(socket.descriptor.rawValue, level: SOL_SOCKET, name: SO_RCVBUF, to: 1 << 20)
    }

    /// Takes all news that are waiting, and says what they were about; empty where there were none of interest.
    ///
    /// Reads at most 1,024 times, so that a storm of news cannot hold the loop; what is left makes the descriptor
    /// readable again. After a change read `NetworkState.current()`: the news are hints, the tables are the truth.
    public func drain() -> NetworkChange {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var change: NetworkChange = []
        for _ in 0..<1_024 {
            switch socket.receive(into: &buffer) {
            case .value(let count):
                NetlinkMessage.each(in: buffer[..<count]) { change.formUnion(Self.change($0)) }
            case .wouldBlock: return change
            case .failed:
                // ENOBUFS: the kernel says once that it dropped news. Any other failure is answered by a re-read too.
                return change.union(.overflow)
            }
        }
        return change
    }

    static func change(_ message: NetlinkMessage) -> NetworkChange {
        switch Int(message.type) {
        case Int(RTM_NEWLINK), Int(RTM_DELLINK): .links
        case Int(RTM_NEWADDR), Int(RTM_DELADDR): .addresses
        case Int(RTM_NEWROUTE), Int(RTM_DELROUTE):
            RouteTableReader.defaultRoutes(message).isEmpty ? [] : .defaultRoutes
        default: []
        }
    }
}
