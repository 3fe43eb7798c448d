// The ICMP sockets, opened while there is still privilege.

internal import LinuxSystem

/// One ICMP socket a family, shared by all targets; opened before privileges are dropped.
public final class ProbeSockets: Sendable {
    /// How ICMP is possible in a family.
    public enum Kind: String, Hashable, Sendable {
        case raw
        /// Without privilege; the kernel owns the identifier, which is then not random per target.
        case ping
        case unavailable
    }

    let socket4: EchoDescriptor?
    let socket6: EchoDescriptor?

    public var kind4: Kind { socket4?.kind ?? .unavailable }
    public var kind6: Kind { socket6?.kind ?? .unavailable }

    private init(socket4: EchoDescriptor?, socket6: EchoDescriptor?) {
        self.socket4 = socket4
        self.socket6 = socket6
    }

    /// Opens what is permitted, raw before ping. `problems` has a sentence for each thing that will not work.
    public static func open() -> (sockets: ProbeSockets, problems: [String]) {
        var problems: [String] = []
        let socket4 = EchoDescriptor.open(isIPv6: false, problems: &problems)
        let socket6 = EchoDescriptor.open(isIPv6: true, problems: &problems)
        return (ProbeSockets(socket4: socket4, socket6: socket6), problems)
    }

    /// Ping sockets only, as without privilege.
    static func ping(problems: inout [String]) -> ProbeSockets {
        ProbeSockets(
            socket4: try? EchoDescriptor.openPing(isIPv6: false, problems: &problems),
            socket6: try? EchoDescriptor.openPing(isIPv6: true, problems: &problems))
    }

    /// No ICMP at all; TCP and DNS probes need nothing of this.
    public static let none = ProbeSockets(socket4: nil, socket6: nil)
}

/// An ICMP socket with its filter, stamps and buffer set.
final class EchoDescriptor: Sendable {
    let descriptor: OwnedDescriptor
    let isIPv6: Bool
    let kind: ProbeSockets.Kind
    /// The identifier that the kernel puts into echoes of a ping socket.
    let fixedIdentifier: UInt16?

    private init(descriptor: consuming OwnedDescriptor, isIPv6: Bool, kind: ProbeSockets.Kind, fixedIdentifier: UInt16?)
    {
        self.descriptor = descriptor
        self.isIPv6 = isIPv6
        self.kind = kind
        self.fixedIdentifier = fixedIdentifier
    }

    static func open(isIPv6: Bool, problems: inout [String]) -> EchoDescriptor? {
        let family = isIPv6 ? "IPv6" : "IPv4"
        let refusal: SystemError
        do {
            return try openRaw(isIPv6: isIPv6, problems: &problems)
        } catch {
            refusal = error
        }
        do {
            let socket = try openPing(isIPv6: isIPv6, problems: &problems)
            problems.append("no raw ICMP socket for \(family) (\(refusal.message)); using a ping socket")
            return socket
        } catch {
            problems.append(
                "no ICMP for \(family): raw socket: \(refusal.message); ping socket: \(error.message)")
            return nil
        }
    }

    private static func openRaw(isIPv6: Bool, problems: inout [String]) throws(SystemError) -> EchoDescriptor {
        let socket = try InternetSocket.rawICMP(isIPv6: isIPv6)
        try SocketTimestamping.filterICMP(
            socket.rawValue, isIPv6: isIPv6, types: ICMPErrors.awaitedTypes(isIPv6: isIPv6))
        // Without it the kernel keeps quiet about packets that our own queueing discipline has dropped (ENOBUFS).
        try SocketTimestamping.enableErrorQueue(socket.rawValue, isIPv6: isIPv6)
        prepare(socket.rawValue, isIPv6: isIPv6, problems: &problems)
        return EchoDescriptor(descriptor: socket, isIPv6: isIPv6, kind: .raw, fixedIdentifier: nil)
    }

    fileprivate static func openPing(isIPv6: Bool, problems: inout [String]) throws(SystemError) -> EchoDescriptor {
        let socket = try InternetSocket.pingICMP(isIPv6: isIPv6)
        try InternetSocket.bind(socket.rawValue, to: SocketAddress(isIPv6 ? .unspecified6 : .unspecified4))
        let identifier = try InternetSocket.localAddress(socket.rawValue).port
        try SocketTimestamping.enableErrorQueue(socket.rawValue, isIPv6: isIPv6)
        prepare(socket.rawValue, isIPv6: isIPv6, problems: &problems)
        return EchoDescriptor(descriptor: socket, isIPv6: isIPv6, kind: .ping, fixedIdentifier: identifier)
    }

    private static func prepare(_ descriptor: Int32, isIPv6: Bool, problems: inout [String]) {
        do {
            try SocketTimestamping.enable(descriptor, loopback: .packet)
        } catch {
            problems.append("no kernel timestamps on ICMP (\(error.message)); times are taken in user space")
        }
        SocketTimestamping.setReceiveBuffer(descriptor, bytes: 4 << 20)
        // Packets to neighbours that do not answer wait for seconds in the kernel, and on the socket's account.
        SocketTimestamping.setSendBuffer(descriptor, bytes: 4 << 20)
    }
}
