// Questions to DNS servers over UDP, and over TCP where the reply did not fit.

internal import Glibc
internal import LinuxSystem
internal import Model
internal import Wire

/// Runs DNS exchanges on the probe loop: for DNS probes, and for the names of targets.
///
/// Each exchange has a UDP socket of its own, connected to the server: the kernel picks a random port and hands over
/// nothing but the server's packets. The id is random, id and question are compared. The time is that of the UDP round
/// trip by kernel stamps; where the reply was cut, the whole one is fetched over TCP within the same deadline.
final class DNSClient {
    private final class Exchange {
        let request: DNSRequest
        let completion: (DNSResult) -> Void
        let id = UInt16.random(in: 0...UInt16.max)
        var descriptor: OwnedDescriptor?
        var sent: ClockPair
        var transmitted: Int64?
        var foreign: UInt32 = 0
        var complaint: ExtendedSocketError?
        /// The round trip of the cut reply, once TCP has begun.
        var cut: (outcome: Outcome, source: MeasurementSource)?
        var unsent: ArraySlice<UInt8> = []
        var stream: [UInt8] = []

        init(request: DNSRequest, sent: ClockPair, completion: @escaping (DNSResult) -> Void) {
            self.request = request
            self.sent = sent
            self.completion = completion
            descriptor = nil
        }

        var number: Int32 { descriptor?.rawValue ?? -1 }
        var isOverTCP: Bool { cut != nil }
        var packet: [UInt8] { DNSQuery.write(id: id, question: request.question) }
    }

    private let context: ProbeContext
    private var exchanges: SessionTable<Exchange>
    private var timers = TimerHeap<UInt64>()
    private let inbox = ReceiveBatch(capacity: 4, size: 16_384)
    /// Idle. The kernel stamps packets only while some socket asks for it, and takes a moment to begin; the sockets of
    /// exchanges come and go.
    private let stamper: OwnedDescriptor?

    init(context: ProbeContext, exchanges tokens: (first: UInt64, step: UInt64)) {
        self.context = context
        exchanges = SessionTable(first: tokens.first, step: tokens.step)
        if let socket = try? InternetSocket.datagram(isIPv6: false) {
            try? SocketTimestamping.enable(socket.rawValue, loopback: .none)
            stamper = consume socket
        } else {
            stamper = nil
        }
    }

    var nextDeadline: Int64? { timers.nextDeadline }

    /// Asks, and calls `completion` once; never from within this call unless the send fails.
    func ask(_ request: DNSRequest, completion: @escaping (DNSResult) -> Void) {
        let deadline = context.clock.monotonic.addingSaturated(request.patience.timeout)
        let exchange = Exchange(request: request, sent: context.clock, completion: completion)
        context.budget.acquire(
            until: deadline, granted: { self.open(exchange) },
            expired: { self.complete(exchange, .indeterminate(.descriptorsExhausted)) })
    }

    private func open(_ exchange: Exchange) {
        do {
            let isIPv6 = exchange.request.server.address.isIPv6
            let socket = try InternetSocket.datagram(isIPv6: isIPv6)
            let number = socket.rawValue
            exchange.descriptor = consume socket
            try SocketTimestamping.enableErrorQueue(number, isIPv6: isIPv6)
            // Without stamps the figures are of user space and say so.
            try? SocketTimestamping.enable(number, loopback: .none)
            try connect(number, exchange.request)
            let token = exchanges.makeToken()
            try context.loop.add(number, for: .readable, token: token)
            exchanges[token] = exchange
            exchange.sent = ClockPair.now()
            timers.push(token, at: exchange.sent.monotonic.addingSaturated(exchange.request.patience.total))
            context.counters.sent += 1
            switch InternetSocket.send(number, exchange.packet[...]) {
            case .value: return
            case .wouldBlock: end(token, exchange, .indeterminate(.sendBufferFull))
            case .failed(let code): failed(token, exchange, code)
            }
        } catch {
            context.budget.release()
            exchange.descriptor = nil
            complete(
                exchange, .indeterminate(context.reason(error.errno, source: exchange.request.source)),
                note: error.message)
        }
    }

    private func connect(_ number: Int32, _ request: DNSRequest) throws(SystemError) {
        if let interface = request.source.interface { try InternetSocket.bind(number, toInterface: interface) }
        if let address = request.source.address { try InternetSocket.bind(number, to: SocketAddress(address)) }
        _ = try InternetSocket.connect(number, to: request.server)
    }

    // MARK: Events

    /// True where the token is one of ours.
    func handle(_ token: UInt64, _ readiness: Readiness) -> Bool {
        guard let exchange = exchanges[token] else { return false }
        if exchange.isOverTCP {
            handleStream(token, exchange, readiness)
        } else {
            handleDatagrams(token, exchange)
        }
        return true
    }

    func fire(now: Int64) {
        while let (_, token) = timers.popDue(at: now) {
            guard let exchange = exchanges[token] else { continue }
            let outcome = context.outcomeWithoutAnswer(sent: exchange.sent.monotonic)
            end(token, exchange, outcome, note: exchange.isOverTCP ? "reply cut over udp, none over tcp" : nil)
        }
    }

    func closeAll() {
        for exchange in exchanges.all { exchange.descriptor = nil }
    }

    private func handleDatagrams(_ token: UInt64, _ exchange: Exchange) {
        let inbox = inbox
        while case .value(let count) = inbox.receive(exchange.number, fromErrorQueue: true), count > 0 {
            for index in 0..<Int(count) {
                let datagram = inbox[index]
                takeQueued(datagram, exchange)
            }
        }
        for _ in 0..<16 {
            switch inbox.receive(exchange.number) {
            case .wouldBlock:
                // Reading the queue has cleared the socket's error, so the complaint is all there is of it.
                if let complaint = exchange.complaint { failed(token, exchange, complaint.errno) }
                return
            case .failed(let code):
                failed(token, exchange, code)
                return
            case .value(let count):
                for index in 0..<Int(count) {
                    let datagram = inbox[index]
                    if take(datagram, token, exchange) { return }
                }
            }
        }
    }

    private func takeQueued(_ datagram: borrowing ReceivedDatagram, _ exchange: Exchange) {
        guard let error = datagram.error else { return }
        switch error.origin {
        case .timestamping: exchange.transmitted = exchange.transmitted ?? datagram.stamp
        case .icmp, .icmpv6: exchange.complaint = error
        case .local, .other: return
        }
    }

    /// True where the datagram ended the exchange over UDP.
    private func take(_ datagram: borrowing ReceivedDatagram, _ token: UInt64, _ exchange: Exchange) -> Bool {
        switch DNSReading.read(datagram.bytes, id: exchange.id, question: exchange.request.question) {
        case .foreign:
            exchange.foreign &+= 1
            return false
        case .malformed:
            end(token, exchange, .error(.malformed), note: Self.malformed)
            return true
        case .answer(let reply):
            let trip = RoundTrip(
                sent: exchange.sent, transmitted: exchange.transmitted, received: datagram.stamp,
                read: ClockPair.now())
            let (outcome, source) = context.outcome(of: trip, patience: exchange.request.patience)
            if reply.isTruncated {
                beginStream(token, exchange, outcome, source)
            } else {
                end(token, exchange, outcome, source, reply: reply)
            }
            return true
        }
    }

    /// An error of the socket: an ICMP message about our query, or something on our side.
    private func failed(_ token: UInt64, _ exchange: Exchange, _ code: Int32) {
        let elapsed = Duration.nanoseconds(Clock.monotonic() - exchange.sent.monotonic)
        let destination = exchange.request.server.address
        guard let complaint = exchange.complaint else {
            switch code {
            case ECONNREFUSED: end(token, exchange, .refused(rtt: elapsed))
            case ECONNRESET, EPIPE: end(token, exchange, .error(.reset))
            default:
                let reason = context.reason(code, source: exchange.request.source)
                end(token, exchange, .indeterminate(reason), note: SystemError.message(of: code))
            }
            return
        }
        let error = ICMPErrors.errorClass(isIPv6: destination.isIPv6, type: complaint.type, code: complaint.code)
        let note = complaint.offender.map { "\(error.rawValue) from \($0)" }
        let outcome = context.network.outcome(
            of: error, from: complaint.offender, destination: destination, elapsed: elapsed)
        end(token, exchange, outcome, note: note)
    }

    private static let malformed = "the reply holds fewer records than it says"

    // MARK: TCP

    private func beginStream(
        _ token: UInt64, _ exchange: Exchange, _ outcome: Outcome, _ source: MeasurementSource
    ) {
        exchange.cut = (outcome, source)
        exchange.complaint = nil
        do {
            let socket = try InternetSocket.stream(isIPv6: exchange.request.server.address.isIPv6)
            let number = socket.rawValue
            exchange.descriptor = consume socket
            try connect(number, exchange.request)
            let packet = exchange.packet
            exchange.unsent =
                [UInt8(truncatingIfNeeded: packet.count >> 8), UInt8(truncatingIfNeeded: packet.count)] + packet
            try context.loop.add(number, for: .writable, token: token)
        } catch {
            failedStream(token, exchange, error.errno)
        }
    }

    private func handleStream(_ token: UInt64, _ exchange: Exchange, _ readiness: Readiness) {
        let error = InternetSocket.pendingError(exchange.number)
        if error != 0 {
            failedStream(token, exchange, error)
            return
        }
        if !exchange.unsent.isEmpty, readiness.contains(.writable) {
            switch InternetSocket.send(exchange.number, exchange.unsent) {
            case .value(let count): exchange.unsent = exchange.unsent.dropFirst(count)
            case .wouldBlock: return
            case .failed(let code):
                failedStream(token, exchange, code)
                return
            }
            if exchange.unsent.isEmpty {
                try? context.loop.modify(exchange.number, for: .readable, token: token)
            }
            return
        }
        readStream(token, exchange)
    }

    private func readStream(_ token: UInt64, _ exchange: Exchange) {
        while true {
            switch InternetSocket.receive(exchange.number, into: &exchange.stream, limit: 65_537) {
            case .wouldBlock: return
            case .failed(let code):
                failedStream(token, exchange, code)
                return
            case .value(0):
                end(token, exchange, .error(.reset), note: "reply cut over udp, tcp closed without one")
                return
            case .value:
                if takeStream(token, exchange) { return }
            }
        }
    }

    /// True where the length prefix and all that it promises are there.
    private func takeStream(_ token: UInt64, _ exchange: Exchange) -> Bool {
        guard exchange.stream.count >= 2, let cut = exchange.cut else { return false }
        let length = Int(exchange.stream[0]) << 8 | Int(exchange.stream[1])
        guard exchange.stream.count >= 2 + length else { return false }
        let stream = exchange.stream
        let message = unsafe stream.span.bytes.extracting(2..<2 + length)
        switch DNSReading.read(message, id: exchange.id, question: exchange.request.question) {
        case .answer(let reply):
            end(token, exchange, cut.outcome, cut.source, reply: reply, note: "reply cut over udp, fetched over tcp")
        case .malformed: end(token, exchange, .error(.malformed), note: Self.malformed)
        case .foreign:
            exchange.foreign &+= 1
            end(token, exchange, .error(.malformed), note: "the reply over tcp is not to the question")
        }
        return true
    }

    private func failedStream(_ token: UInt64, _ exchange: Exchange, _ code: Int32) {
        let note = "reply cut over udp; tcp: \(SystemError.message(of: code))"
        switch code {
        case ECONNREFUSED: end(token, exchange, .refused(rtt: nil), note: note)
        case ECONNRESET, EPIPE: end(token, exchange, .error(.reset), note: note)
        default:
            end(
                token, exchange, .indeterminate(context.reason(code, source: exchange.request.source)), note: note)
        }
    }

    // MARK: The end

    private func end(
        _ token: UInt64, _ exchange: Exchange, _ outcome: Outcome, _ source: MeasurementSource = .user,
        reply: DNSReply? = nil, note: String? = nil
    ) {
        guard exchanges.remove(token) != nil else { return }
        exchange.descriptor = nil
        context.budget.release()
        complete(exchange, outcome, source, reply: reply, note: note)
    }

    private func complete(
        _ exchange: Exchange, _ outcome: Outcome, _ source: MeasurementSource = .user, reply: DNSReply? = nil,
        note: String? = nil
    ) {
        context.counters.foreign &+= UInt64(exchange.foreign)
        exchange.completion(
            DNSResult(
                outcome: outcome, measuredBy: source, sent: exchange.transmitted ?? exchange.sent.wall, reply: reply,
                foreign: exchange.foreign, note: note))
    }
}
