// TCP connect, closed at once: is somebody listening, and how far away.

internal import Glibc
internal import LinuxSystem
internal import Model
internal import Wire

/// Runs TCP connection attempts.
///
/// The RTT is the kernel's own, of SYN and SYN-ACK (TCP_INFO, taken right after the handshake), so that a loop that wakes
/// up late does not lengthen it; the time as user space saw it is in the note. Where the kernel has none (a repeated SYN
/// without TCP timestamps: the answer could be to either, Karn's rule) an `ok` carries no RTT. The connection is closed by
/// FIN: our half first, then what the other side still sends is read, for a second at most, so that it gets no RST.
final class ConnectProber {
    private final class Attempt {
        let round: OpenRound
        let destination: SocketAddress
        let source: ProbeSource
        var descriptor: OwnedDescriptor?
        var started: ClockPair
        var isClosing = false
        /// What an ICMP message said while the kernel kept trying.
        var complaint: ExtendedSocketError?

        init(round: OpenRound, destination: SocketAddress, source: ProbeSource, started: ClockPair) {
            self.round = round
            self.destination = destination
            self.source = source
            self.started = started
            descriptor = nil
        }

        var number: Int32 { descriptor?.rawValue ?? -1 }
    }

    private let context: ProbeContext
    private var attempts: SessionTable<Attempt>
    private var timers = TimerHeap<UInt64>()
    private let inbox = ReceiveBatch(capacity: 4, size: 256)

    init(context: ProbeContext, attempts tokens: (first: UInt64, step: UInt64)) {
        self.context = context
        attempts = SessionTable(first: tokens.first, step: tokens.step)
    }

    var nextDeadline: Int64? { timers.nextDeadline }

    func begin(_ round: OpenRound, to destination: SocketAddress, source: ProbeSource) {
        let deadline = context.clock.monotonic.addingSaturated(round.patience.timeout)
        context.budget.acquire(
            until: deadline,
            granted: { self.open(round, destination, source) },
            expired: { self.context.record(.indeterminate(.descriptorsExhausted), in: round, packet: 0) })
    }

    private func open(_ round: OpenRound, _ destination: SocketAddress, _ source: ProbeSource) {
        let attempt = Attempt(round: round, destination: destination, source: source, started: ClockPair.now())
        do {
            let socket = try InternetSocket.stream(isIPv6: destination.address.isIPv6)
            let number = socket.rawValue
            attempt.descriptor = consume socket
            try SocketTimestamping.enableErrorQueue(number, isIPv6: destination.address.isIPv6)
            if let interface = source.interface { try InternetSocket.bind(number, toInterface: interface) }
            if let address = source.address { try InternetSocket.bind(number, to: SocketAddress(address)) }
            attempt.started = ClockPair.now()
            context.counters.sent += 1
            let isConnected = try InternetSocket.connect(number, to: destination)
            let token = attempts.makeToken()
            try context.loop.add(number, for: isConnected ? [] : .writable, token: token)
            attempts[token] = attempt
            timers.push(token, at: attempt.started.monotonic.addingSaturated(round.patience.total))
            if isConnected { succeed(token, attempt) }
        } catch {
            refuse(attempt, error)
        }
    }

    /// The call itself failed: nearly always our side, except that a refusal from this host comes at once.
    private func refuse(_ attempt: Attempt, _ error: SystemError) {
        drop(attempt)
        let outcome: Outcome
        var note = error.message
        switch error.errno {
        case ECONNREFUSED: outcome = .refused(rtt: .nanoseconds(Clock.monotonic() - attempt.started.monotonic))
        case EADDRNOTAVAIL where hasSource(attempt):
            outcome = .indeterminate(.internalError)
            note = "no free local port"
        default: outcome = .indeterminate(context.reason(error.errno, source: attempt.source))
        }
        context.record(outcome, in: attempt.round, packet: 0, sent: attempt.started.wall, note: note)
    }

    /// Whether there is an address to send from, which "address not available" then does not mean.
    private func hasSource(_ attempt: Attempt) -> Bool {
        if let address = attempt.source.address { return context.network.isOwn(address) }
        return (try? InternetSocket.sourceAddress(towards: attempt.destination)) != nil
    }

    // MARK: Events

    /// True where the token is one of ours.
    func handle(_ token: UInt64, _ readiness: Readiness) -> Bool {
        guard let attempt = attempts[token] else { return false }
        if attempt.isClosing {
            if InternetSocket.discardInput(attempt.number, limit: 65_536) { close(token, attempt) }
            return true
        }
        // In this order: reading the queue clears the pending error.
        let error = InternetSocket.pendingError(attempt.number)
        if let queued = readErrorQueue(attempt) { attempt.complaint = queued }
        if error == ECONNRESET || error == EPIPE {
            // Of a SYN the kernel says "refused": here the handshake was complete and the other side was quicker than we
            // are. What we report must not hang on that.
            succeed(token, attempt, remark: " reset-after-handshake")
        } else if error != 0 {
            fail(token, attempt, error)
        } else if readiness.contains(.hangUp) {
            fail(token, attempt, attempt.complaint?.errno ?? ECONNRESET)
        } else if readiness.contains(.writable) {
            succeed(token, attempt)
        }
        return true
    }

    func fire(now: Int64) {
        while let (_, token) = timers.popDue(at: now) {
            guard let attempt = attempts[token] else { continue }
            if !attempt.isClosing { giveUp(attempt) }
            close(token, attempt)
        }
    }

    /// Closes what is open; used at the end of the loop.
    func closeAll() {
        for attempt in attempts.all { attempt.descriptor = nil }
    }

    private func succeed(_ token: UInt64, _ attempt: Attempt, remark: String = "") {
        let connectTime = Clock.monotonic() - attempt.started.monotonic
        let information = InternetSocket.tcpInfo(attempt.number)
        let reading = ConnectReading(
            connectTime: connectTime, kernelRTT: information?.roundTripTime ?? 0,
            retransmits: Int(information?.retransmits ?? 0))
        let (outcome, source) =
            context.interruptions.isSuspended(sent: attempt.started.monotonic)
            ? (.indeterminate(.suspended), .user)
            : reading.outcome(
                patience: attempt.round.patience,
                isStalled: context.stall > context.tuning.stallBound)
        context.record(
            outcome, in: attempt.round, packet: 0, sent: attempt.started.wall, source: source,
            kernelRTT: reading.usableRTT.map { .nanoseconds($0) }, note: reading.note + remark)
        linger(token, attempt)
    }

    private func fail(_ token: UInt64, _ attempt: Attempt, _ code: Int32) {
        let elapsed = Duration.nanoseconds(Clock.monotonic() - attempt.started.monotonic)
        let outcome: Outcome
        var note: String?
        if let complaint = attempt.complaint, complaint.origin == .icmp || complaint.origin == .icmpv6 {
            (outcome, note) = self.outcome(of: complaint, attempt, elapsed: elapsed)
        } else {
            switch code {
            case ECONNREFUSED: outcome = .refused(rtt: elapsed)
            case ECONNRESET: outcome = .error(.reset)
            case ETIMEDOUT: outcome = context.outcomeWithoutAnswer(sent: attempt.started.monotonic)
            default:
                outcome = .indeterminate(context.reason(code, source: attempt.source))
                note = SystemError.message(of: code)
            }
        }
        context.record(outcome, in: attempt.round, packet: 0, sent: attempt.started.wall, note: note)
        close(token, attempt)
    }

    private func outcome(
        of complaint: ExtendedSocketError, _ attempt: Attempt, elapsed: Duration?
    ) -> (Outcome, String?) {
        let isIPv6 = attempt.destination.address.isIPv6
        let error = ICMPErrors.errorClass(isIPv6: isIPv6, type: complaint.type, code: complaint.code)
        let note = complaint.offender.map { "\(error.rawValue) from \($0)" }
        let outcome = context.network.outcome(
            of: error, from: complaint.offender, destination: attempt.destination.address, elapsed: elapsed)
        return (outcome, note)
    }

    private func giveUp(_ attempt: Attempt) {
        var outcome = context.outcomeWithoutAnswer(sent: attempt.started.monotonic)
        var note: String?
        if outcome == .lost, let complaint = attempt.complaint, complaint.origin != .local {
            (outcome, note) = self.outcome(of: complaint, attempt, elapsed: nil)
        }
        context.record(outcome, in: attempt.round, packet: 0, sent: attempt.started.wall, note: note)
    }

    private func readErrorQueue(_ attempt: Attempt) -> ExtendedSocketError? {
        var last: ExtendedSocketError?
        let inbox = inbox
        while case .value(let count) = inbox.receive(attempt.number, fromErrorQueue: true), count > 0 {
            for index in 0..<Int(count) {
                let datagram = inbox[index]
                last = datagram.error ?? last
            }
        }
        return last
    }

    // MARK: Closing

    private func linger(_ token: UInt64, _ attempt: Attempt) {
        InternetSocket.shutdown(attempt.number)
        attempt.isClosing = true
        let isFinished = InternetSocket.discardInput(attempt.number, limit: 65_536)
        if isFinished || context.budget.awaited > 0 {
            close(token, attempt)
            return
        }
        do {
            try context.loop.modify(attempt.number, for: .readable, token: token)
            timers.push(token, at: context.clock.monotonic.addingSaturated(context.tuning.lingerTime))
        } catch {
            close(token, attempt)
        }
    }

    private func close(_ token: UInt64, _ attempt: Attempt) {
        _ = attempts.remove(token)
        drop(attempt)
    }

    private func drop(_ attempt: Attempt) {
        attempt.descriptor = nil
        context.budget.release()
    }
}

/// What a finished handshake says, in nanoseconds.
struct ConnectReading: Hashable {
    /// From connect(2) until we noticed; our own scheduling is in it.
    let connectTime: Int64
    /// TCP_INFO's; 0 where the kernel has no sample.
    let kernelRTT: Int64
    let retransmits: Int

    /// The kernel's figure where it is there and lies within what we saw ourselves. Of a repeated SYN it is had from TCP
    /// timestamps, which count milliseconds: of a short way it says nothing then.
    var usableRTT: Int64? {
        guard kernelRTT > 0, kernelRTT <= connectTime &+ 1_000_000 else { return nil }
        return retransmits > 0 && kernelRTT < Self.shortestByTimestamps ? nil : kernelRTT
    }

    /// Ten of their units.
    static let shortestByTimestamps: Int64 = 10_000_000

    /// The time the user would have had to wait, and repeated SYNs, which are losses of their own.
    var note: String {
        let tenths = connectTime / 10_000
        let text = "connect=\(tenths / 100).\(tenths / 10 % 10)\(tenths % 10)ms"
        return retransmits > 0 ? text + " syn-retransmits=\(retransmits)" : text
    }

    func outcome(patience: Patience, isStalled: Bool) -> (Outcome, MeasurementSource) {
        guard retransmits == 0 else {
            // Whoever connects waits for the repetition too, so that counts for lateness; as RTT it would be a lie.
            if connectTime > patience.timeout, !isStalled { return (.late(rtt: .nanoseconds(connectTime)), .user) }
            return (.ok(rtt: usableRTT.map { .nanoseconds($0) }), usableRTT == nil ? .user : .tcpInfo)
        }
        if let usableRTT { return (patience.outcome(rtt: usableRTT), .tcpInfo) }
        return isStalled ? (.indeterminate(.schedulerStall), .user) : (patience.outcome(rtt: connectTime), .user)
    }
}
