// The lab's resolver: UDP and TCP, fixed names.

import CLinux
import Glibc
import LinuxSystem
import Synchronization
public import Wire

/// A DNS server in a namespace that knows a few names; every other one does not exist (NXDOMAIN).
public final class NameServer: Sendable {
    private let shared: Shared
    private let waker: Waker
    private let thread: Thread

    private final class Shared: Sendable {
        let names: Mutex<[String: [IPAddress]]>
        let queries = Atomic<Int>(0)
        let isStopping = Atomic(false)
        let ttl: UInt32

        init(names: [String: [IPAddress]], ttl: UInt32) {
            self.names = Mutex(names)
            self.ttl = ttl
        }

        /// The reply to a query; nil for what is none.
        func answer(_ query: [UInt8]) -> [UInt8]? {
            guard let message = DNSMessage(query.span.bytes), !message.isResponse, let question = message.question
            else { return nil }
            queries.wrappingAdd(1, ordering: .relaxed)
            let known = names.withLock { $0[question.name.description.lowercased()] }
            let wanted = (known ?? []).filter { question.type == ($0.isIPv6 ? 28 : 1) }
            // The root's own name servers: what a resolver is asked to see whether it lives.
            let exists = known != nil || question.name.labels.isEmpty
            return DNSReply(
                id: message.id, question: question, rcode: exists ? 0 : 3,
                answers: wanted.map { DNSResource(name: question.name, address: $0, ttl: ttl) }
            ).write()
        }
    }

    /// - Parameter names: lower case, without the final dot.
    public init(
        in namespace: Namespace, address: IPAddress, port: UInt16 = 53, names: [String: [IPAddress]], ttl: UInt32 = 30
    ) throws {
        let waker = try Waker()
        self.waker = waker
        let shared = Shared(names: names, ttl: ttl)
        self.shared = shared
        let sockets = try namespace.perform { () throws -> (datagram: Int32, stream: Int32) in
            let local = SocketAddress(address, port: port)
            let datagram = try InternetSocket.datagram(isIPv6: address.isIPv6)
            try InternetSocket.bind(datagram.rawValue, to: local)
            let stream = try InternetSocket.stream(isIPv6: address.isIPv6)
            try Syscall.setOption(stream.rawValue, level: SOL_SOCKET, name: SO_REUSEADDR, to: 1)
            try InternetSocket.bind(stream.rawValue, to: local)
            try InternetSocket.listen(stream.rawValue)
            return (datagram.release(), stream.release())
        }
        thread = try Thread.start(name: "lab-dns") {
            RealTimePriority.take(RealTimePriority.service)
            Self.serve(sockets.datagram, sockets.stream, waker, shared)
            close(sockets.datagram)
            close(sockets.stream)
        }
    }

    deinit { stop() }

    /// Questions answered so far.
    public var queries: Int { shared.queries.load(ordering: .relaxed) }

    /// Changes what is known; nil makes the name not exist.
    public func set(_ name: String, _ addresses: [IPAddress]?) { shared.names.withLock { $0[name] = addresses } }

    public func stop() {
        shared.isStopping.store(true, ordering: .relaxed)
        waker.wake()
        thread.join()
    }

    // MARK: The thread

    private static func serve(_ datagram: Int32, _ stream: Int32, _ waker: Waker, _ shared: Shared) {
        guard let loop = try? EventLoop(waker: waker), (try? loop.add(datagram, for: .readable, token: 0)) != nil,
            (try? loop.add(stream, for: .readable, token: 1)) != nil
        else { return }
        var connections: [UInt64: Connection] = [:]
        var nextToken: UInt64 = 2
        while !shared.isStopping.load(ordering: .relaxed) {
            var ready: [UInt64] = []
            guard (try? loop.wait(until: nil, { token, _ in ready.append(token) })) != nil else { return }
            for token in ready {
                switch token {
                case 0: while answerDatagram(datagram, shared) {}
                case 1:
                    while connections.count < 64, let accepted = try? InternetSocket.accept(stream) {
                        let connection = Connection(accepted)
                        guard (try? loop.add(connection.number, for: .readable, token: nextToken)) != nil else { break }
                        connections[nextToken] = connection
                        nextToken += 1
                    }
                default: if connections[token]?.serve(shared) == false { connections[token] = nil }
                }
            }
        }
    }

    private static func answerDatagram(_ socket: Int32, _ shared: Shared) -> Bool {
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = buffer.withUnsafeMutableBytes { raw in
            withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.recvfrom(socket, raw.baseAddress, raw.count, 0, $0, &length)
                }
            }
        }
        guard count > 0 else { return false }
        guard let reply = shared.answer(Array(buffer[..<count])) else { return true }
        _ = reply.withUnsafeBytes { raw in
            withUnsafePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.sendto(socket, raw.baseAddress, raw.count, Int32(MSG_NOSIGNAL), $0, length)
                }
            }
        }
        return true
    }

    private final class Connection {
        private let descriptor: OwnedDescriptor
        private var input: [UInt8] = []
        var number: Int32 { descriptor.rawValue }

        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

        /// Answers each query with its two bytes of length before it (RFC 7766). False at the end.
        func serve(_ shared: Shared) -> Bool {
            switch InternetSocket.receive(number, into: &input, limit: 65_536) {
            case .value(0), .failed: return false
            case .wouldBlock: return true
            case .value: break
            }
            while input.count >= 2 {
                let length = Int(input[0]) << 8 | Int(input[1])
                guard input.count >= 2 + length else { return true }
                let query = Array(input[2..<(2 + length)])
                input.removeFirst(2 + length)
                guard let reply = shared.answer(query) else { return false }
                let frame =
                    [UInt8(truncatingIfNeeded: reply.count >> 8), UInt8(truncatingIfNeeded: reply.count)] + reply
                if case .failed = InternetSocket.send(number, frame[...]) { return false }
            }
            return true
        }
    }
}
