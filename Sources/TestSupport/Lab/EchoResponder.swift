// A TCP service of the lab: takes connections and sends back what it gets.

import CLinux
import LinuxSystem
import Synchronization
public import Wire

/// A TCP echo service in a namespace, on a thread of its own.
public final class EchoResponder: Sendable {
    private let waker: Waker
    private let thread: Thread
    private let stopFlag = Stop()

    /// Connections at once; further ones wait in the kernel's backlog.
    private static let maximumConnections = 256

    /// Listens on `ports` of `address`; `::` and `0.0.0.0` are every address of the family.
    public init(in namespace: Namespace, address: IPAddress, ports: [UInt16]) throws {
        let waker = try Waker()
        self.waker = waker
        let listeners = try namespace.perform { () throws -> [Int32] in
            try ports.map { port in
                let socket = try InternetSocket.stream(isIPv6: address.isIPv6)
                try Syscall.setOption(socket.rawValue, level: SOL_SOCKET, name: SO_REUSEADDR, to: 1)
                try InternetSocket.bind(socket.rawValue, to: SocketAddress(address, port: port))
                try InternetSocket.listen(socket.rawValue, backlog: 128)
                return socket.release()
            }
        }
        let stop = stopFlag
        thread = try Thread.start(name: "lab-echo") {
            RealTimePriority.take(RealTimePriority.service)
            Self.serve(listeners, waker, stop)
            for listener in listeners { close(listener) }
        }
    }

    private final class Stop: Sendable {
        let isSet = Atomic(false)
    }

    deinit { stop() }

    /// Closes the ports and every connection.
    public func stop() {
        stopFlag.isSet.store(true, ordering: .relaxed)
        waker.wake()
        thread.join()
    }

    private static func serve(_ listeners: [Int32], _ waker: Waker, _ stop: Stop) {
        guard let loop = try? EventLoop(waker: waker) else { return }
        var connections: [UInt64: Connection] = [:]
        var nextToken = UInt64(listeners.count)
        for (index, listener) in listeners.enumerated() {
            guard (try? loop.add(listener, for: .readable, token: UInt64(index))) != nil else { return }
        }
        while !stop.isSet.load(ordering: .relaxed) {
            var ready: [UInt64] = []
            guard (try? loop.wait(until: nil, { token, _ in ready.append(token) })) != nil else { return }
            for token in ready {
                if token < listeners.count {
                    while connections.count < maximumConnections,
                        let accepted = try? InternetSocket.accept(listeners[Int(token)])
                    {
                        let connection = Connection(accepted)
                        guard (try? loop.add(connection.number, for: .readable, token: nextToken)) != nil else { break }
                        connections[nextToken] = connection
                        nextToken += 1
                    }
                } else if let connection = connections[token], !connection.echo() {
                    connections[token] = nil
                }
            }
        }
    }

    private final class Connection {
        private let descriptor: OwnedDescriptor
        var number: Int32 { descriptor.rawValue }

        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

        /// False at the end of the connection.
        func echo() -> Bool {
            var bytes: [UInt8] = []
            switch InternetSocket.receive(number, into: &bytes, limit: 65_536) {
            case .value(0), .failed: return false
            case .wouldBlock: return true
            case .value: break
            }
            // What the peer does not take is dropped: a lab client reads what it asked for.
            if case .failed = InternetSocket.send(number, bytes[...]) { return false }
            return true
        }
    }
}
