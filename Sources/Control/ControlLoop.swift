// The control server's thread.

internal import CLinux
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// The loop of a `ControlServer`; lives on its thread alone.
final class ControlLoop {
    /// What the loop is made of; made before its thread.
    struct Parts: Sendable {
        let listener: ControlListener
        let mailbox: ControlServer.Mailbox
        let waker: Waker
        let limits: ControlServer.Limits
        let heartbeat: Heartbeat
        let handler: ControlServer.Handler
    }

    private let parts: Parts
    private let loop: EventLoop
    private var connections: [UInt64: ControlConnection] = [:]
    private var nextToken: UInt64 = 1
    private var counters = ControlCounters()
    private var acceptsAgainAt: Int64?

    private static let listenerToken: UInt64 = 0
    /// How often the loop wakes to show that it is alive.
    private static let beat: Int64 = 500_000_000

    init(_ parts: Parts) throws(SystemError) {
        self.parts = parts
        loop = try EventLoop(batch: 64, waker: parts.waker)
        try loop.add(parts.listener.descriptor.rawValue, for: .readable, token: Self.listenerToken)
    }

    func run() {
        while true {
            let now = Clock.monotonic()
            parts.heartbeat.beat(at: now)
            dropLate(now)
            resumeAccepting(now)
            let (replies, isStopping) = exchange()
            if isStopping { return }
            for (token, reply) in replies { answer(token, with: reply, now: now) }
            let next = connections.values.reduce(Int64.max) { min($0, $1.deadline) }
            var ready: [(UInt64, Readiness)] = []
            do {
                try loop.wait(until: min(next, now &+ Self.beat)) { ready.append(($0, $1)) }
            } catch {
                // Only a broken epoll set gets here; the watchdog tells when the heartbeat stops.
                return
            }
            let then = Clock.monotonic()
            for (token, readiness) in ready {
                if token == Self.listenerToken { accept(then) } else { serve(token, readiness, then) }
            }
        }
    }

    /// Takes replies that other threads left, and leaves them the counters.
    private func exchange() -> (replies: [(connection: UInt64, reply: ControlReply)], isStopping: Bool) {
        counters.open = UInt64(connections.count)
        let counters = self.counters
        return parts.mailbox.content.withLock { content in
            content.counters = counters
            defer { content.replies = [] }
            return (content.replies, content.isStopping)
        }
    }

    // MARK: Connections

    private func accept(_ now: Int64) {
        for _ in 0..<64 {
            let descriptor: OwnedDescriptor
            switch parts.listener.accept() {
            case .value(let number): descriptor = OwnedDescriptor(owning: number)
            case .wouldBlock: return
            case .failed(ECONNABORTED): continue
            case .failed:
                // No descriptor left: the listener stays readable, so waiting on it would spin.
                loop.remove(parts.listener.descriptor.rawValue)
                acceptsAgainAt = now &+ 100_000_000
                return
            }
            counters.accepted &+= 1
            guard let peer = try? ControlPeer.of(descriptor.rawValue) else { continue }
            if !peer.isAdmitted(owner: parts.listener.owner, group: parts.listener.group) {
                counters.forbidden &+= 1
                turnAway(descriptor, peer, .forbidden, "your user may not ask this daemon")
            } else if connections.count >= parts.limits.connections {
                counters.turnedAway &+= 1
                turnAway(descriptor, peer, .busy, "the daemon serves as many clients as it may; try again")
            } else {
                admit(descriptor, peer, now)
            }
        }
    }

    private func admit(_ descriptor: consuming OwnedDescriptor, _ peer: ControlPeer, _ now: Int64) {
        let token = nextToken
        nextToken &+= 1
        guard (try? loop.add(descriptor.rawValue, for: .readable, token: token)) != nil else { return }
        connections[token] = ControlConnection(
            descriptor: descriptor, peer: peer, deadline: now &+ parts.limits.request)
    }

    /// One try to say why; the connection is closed at once either way.
    private func turnAway(
        _ descriptor: consuming OwnedDescriptor, _ peer: ControlPeer, _ code: ControlFailure.Code, _ message: String
    ) {
        guard let bytes = ControlFrame.encode(ControlReply.failed(code, message)) else { return }
        let connection = ControlConnection(descriptor: descriptor, peer: peer, deadline: 0)
        connection.queue(bytes)
        _ = connection.flush()
    }

    private func resumeAccepting(_ now: Int64) {
        guard let time = acceptsAgainAt, time <= now else { return }
        let listener = parts.listener.descriptor.rawValue
        acceptsAgainAt =
            (try? loop.add(listener, for: .readable, token: Self.listenerToken)) == nil
            ? now &+ 100_000_000 : nil
    }

    private func dropLate(_ now: Int64) {
        for (token, connection) in connections where connection.deadline <= now {
            counters.timedOut &+= 1
            close(token)
        }
    }

    private func close(_ token: UInt64) {
        guard let connection = connections.removeValue(forKey: token) else { return }
        loop.remove(connection.descriptor.rawValue)
    }

    // MARK: Requests and replies

    private func serve(_ token: UInt64, _ readiness: Readiness, _ now: Int64) {
        guard let connection = connections[token] else { return }
        if connection.hasOutput {
            write(token, connection, now)
        } else if !connection.isAnswering {
            read(token, connection, now)
        } else if !readiness.isDisjoint(with: [.error, .hangUp]) {
            // Both halves are gone: nobody waits for the answer.
            close(token)
        }
    }

    private func read(_ token: UInt64, _ connection: ControlConnection, _ now: Int64) {
        switch connection.read() {
        case .incomplete: return
        case .closed: close(token)
        case .tooLong:
            counters.malformed &+= 1
            connection.closesAfterReply = true
            answer(
                token, with: .failed(.malformed, "a request has at most \(ControlFrame.maximumRequest) bytes"), now: now
            )
        case .line(let line):
            connection.isAnswering = true
            connection.deadline = now &+ parts.limits.answer
            watch(token, connection)
            handle(token, line, connection.peer, now)
        }
    }

    private func handle(_ token: UInt64, _ line: [UInt8], _ peer: ControlPeer, _ now: Int64) {
        let request: ControlRequest
        do {
            request = try ControlFrame.decode(ControlRequest.self, from: line)
        } catch {
            counters.malformed &+= 1
            answer(token, with: .failed(.malformed, "the request is not one that this daemon knows"), now: now)
            return
        }
        counters.requests &+= 1
        let mailbox = parts.mailbox
        let waker = parts.waker
        let responder = ControlResponder { reply in
            mailbox.content.withLock { $0.replies.append((token, reply)) }
            waker.wake()
        }
        parts.handler(request, peer, responder)
    }

    private func answer(_ token: UInt64, with reply: ControlReply, now: Int64) {
        // The connection may be gone: its peer left, or its deadline came.
        guard let connection = connections[token] else { return }
        var bytes = ControlFrame.encode(reply)
        if (bytes?.count ?? .max) > ControlFrame.maximumReply {
            bytes = ControlFrame.encode(ControlReply.failed(.unwell, "the reply is too large to send"))
        }
        guard let bytes else { return close(token) }
        connection.queue(bytes)
        connection.deadline = now &+ parts.limits.reply
        write(token, connection, now)
    }

    private func write(_ token: UInt64, _ connection: ControlConnection, _ now: Int64) {
        guard connection.flush() else { return close(token) }
        if !connection.hasOutput {
            if connection.closesAfterReply { return close(token) }
            connection.deadline = now &+ parts.limits.request
        }
        watch(token, connection)
        // A request that came in the same bytes as the last one makes the socket readable no more.
        if !connection.hasOutput { read(token, connection, now) }
    }

    private func watch(_ token: UInt64, _ connection: ControlConnection) {
        let interest: Readiness =
            connection.hasOutput ? .writable : connection.isAnswering ? [] : .readable
        if (try? loop.modify(connection.descriptor.rawValue, for: interest, token: token)) == nil { close(token) }
    }
}
