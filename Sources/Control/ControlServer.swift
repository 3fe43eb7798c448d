// Answers `taut`: a Unix stream socket on a thread of its own, which nothing at the other end can hold up.

public import LinuxSystem
internal import Synchronization

/// Sends the reply to one request, from any thread, now or later.
///
/// The first call counts. A responder that goes without one answers that the daemon is unwell, so that no client waits
/// for nothing.
public final class ControlResponder: Sendable {
    private let send: @Sendable (ControlReply) -> Void
    private let isDone = Mutex(false)

    init(send: @escaping @Sendable (ControlReply) -> Void) {
        self.send = send
    }

    public func reply(_ reply: ControlReply) {
        let isFirst = isDone.withLock { done in
            defer { done = true }
            return !done
        }
        if isFirst { send(reply) }
    }

    deinit {
        reply(.failed(.unwell, "the daemon did not answer this request"))
    }
}

/// What the server has counted since its start.
public struct ControlCounters: Hashable, Sendable {
    public var accepted: UInt64 = 0
    public var requests: UInt64 = 0
    /// Connections above the bound.
    public var turnedAway: UInt64 = 0
    /// Peers that may not ask.
    public var forbidden: UInt64 = 0
    /// Requests that could not be read, and ones above the frame bound.
    public var malformed: UInt64 = 0
    /// Connections closed because the peer did not write or read in time.
    public var timedOut: UInt64 = 0
    public var open: UInt64 = 0

    public init() {}

    /// By the names that `DaemonStat.counters` uses.
    public var named: [String: UInt64] {
        [
            "control.accepted": accepted, "control.requests": requests, "control.turned_away": turnedAway,
            "control.forbidden": forbidden, "control.malformed": malformed, "control.timed_out": timedOut,
            "control.open": open,
        ]
    }
}

/// The daemon's end of the control socket.
///
/// At most `maximumConnections` at once; a peer that does not finish its request, or does not take its reply, is
/// dropped at the deadline. Admitted are root, the daemon's own user and members of the socket file's group.
public final class ControlServer: Sendable {
    /// Bounds of time, in nanoseconds.
    public struct Limits: Hashable, Sendable {
        /// For a whole request, from the connect or from the last reply.
        public var request: Int64 = 30_000_000_000
        /// For the handler; above the longest hook.
        public var answer: Int64 = 120_000_000_000
        /// For the peer to take the whole reply.
        public var reply: Int64 = 10_000_000_000
        public var connections = 32

        public init() {}
    }

    public typealias Handler = @Sendable (ControlRequest, ControlPeer, ControlResponder) -> Void

    /// A sign of life of the loop.
    public let heartbeat = Heartbeat()

    private let waker: Waker
    private let mailbox: Mailbox
    private let thread: Thread

    /// What the loop shares with other threads.
    final class Mailbox: Sendable {
        struct Content {
            var replies: [(connection: UInt64, reply: ControlReply)] = []
            var counters = ControlCounters()
            var isStopping = false
        }

        let content = Mutex(Content())
    }

    /// Serves `path` at once. `handler` runs on the server's thread and must return quickly; the reply may come later
    /// and from elsewhere.
    public init(path: String, limits: Limits = Limits(), handler: @escaping Handler) throws(ControlServerError) {
        let listener = try ControlListener(path: path)
        let mailbox = Mailbox()
        self.mailbox = mailbox
        do {
            let waker = try Waker()
            self.waker = waker
            let heartbeat = self.heartbeat
            let parts = ControlLoop.Parts(
                listener: listener, mailbox: mailbox, waker: waker, limits: limits, heartbeat: heartbeat,
                handler: handler)
            // Handed over whole: from here on the new thread alone touches it.
            nonisolated(unsafe) let loop = try ControlLoop(parts)
            thread = try Thread.start(name: "control") { unsafe loop.run() }
        } catch {
            throw .system(error)
        }
    }

    /// The same for a handler that answers at once.
    public convenience init(
        path: String, limits: Limits = Limits(),
        answering: @escaping @Sendable (ControlRequest, ControlPeer) -> ControlReply
    ) throws(ControlServerError) {
        try self.init(path: path, limits: limits) { request, peer, responder in
            responder.reply(answering(request, peer))
        }
    }

    public var counters: ControlCounters { mailbox.content.withLock { $0.counters } }

    /// Closes every connection, removes the socket file and waits for the thread.
    public func stop() {
        mailbox.content.withLock { $0.isStopping = true }
        waker.wake()
        thread.join()
    }
}
