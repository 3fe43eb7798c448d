// Transactions in the engine: which datagram is whose, DNS over UDP and TCP, and what becomes of a request.

internal import Model
internal import Wire

/// What is needed of a DNS message to match it.
struct DNSSummary: BitwiseCopyable {
    var id: UInt16 = 0
    var isResponse = false
    var isTruncated = false
    var isEmpty = false
    var rcode: UInt8 = 0
    var opcode: UInt8 = 0
    /// A keyed hash of the first question; 0 where there is none.
    var question: UInt64 = 0

    init() {}

    init?(_ bytes: RawSpan, hash: KeyedHash) {
        guard let message = DNSMessage(bytes) else { return nil }
        id = message.id
        isResponse = message.isResponse
        isTruncated = message.isTruncated
        isEmpty = message.answerCount == 0
        rcode = isResponse && isEmpty ? message.extendedRcode : message.rcode
        opcode = message.opcode
        question = message.questionKey(seed: hash.nameSeed) ?? 0
    }
}

extension CaptureEngine {
    private static var dnsPort: UInt16 { 53 }

    /// UDP and ICMP.
    mutating func takeDatagram(_ packet: DissectedPacket, record: RawSpan) {
        let bytes = record.suffix(from: packet.offset).prefix(packet.captured)
        switch packet.protocolNumber {
        case .udp: takeUDP(packet, bytes: bytes)
        case .icmp where packet.source.isIPv4: takeICMPv4(packet, bytes: bytes)
        case .icmpv6 where packet.source.isIPv6: takeICMPv6(packet, bytes: bytes)
        default: drop(.protocolNumber)
        }
    }

    private mutating func takeUDP(_ packet: DissectedPacket, bytes: RawSpan) {
        guard let datagram = UDPDatagram(bytes) else {
            drop(packet.captured < UDPDatagram.headerLength ? .truncated : .malformed)
            return
        }
        guard datagram.sourcePort == CaptureEngine.dnsPort || datagram.destinationPort == CaptureEngine.dnsPort
        else {
            // QUIC first: on port 4500, anything but a marker of zeros is taken for ESP.
            if !takeQUIC(packet, datagram), !takeHandshake(packet, datagram) { drop(.udp) }
            return
        }
        guard let summary = DNSSummary(datagram.payload, hash: hash) else {
            drop(packet.captured < packet.length ? .truncated : .malformed)
            return
        }
        let isMatched = takeDNS(
            summary, time: packet.time, source: packet.source, sourcePort: datagram.sourcePort,
            destination: packet.destination, destinationPort: datagram.destinationPort,
            scope: packet.interface | (packet.source.isIPv6 ? FlowKey.ipv6 : 0), isOverTCP: false)
        if isMatched, summary.rcode == DNSRcode.noError { learnNames(datagram.payload) }
    }

    /// Notes a query or matches a reply; true where a reply was matched.
    mutating func takeDNS(
        _ message: DNSSummary, time: Int64, source: IPAddress, sourcePort: UInt16, destination: IPAddress,
        destinationPort: UInt16, scope: UInt32, isOverTCP: Bool
    ) -> Bool {
        guard message.opcode == 0 else { return false }
        let isResponse = message.isResponse
        let transaction = dnsTransaction(
            message, time: time, client: isResponse ? destination : source,
            clientPort: isResponse ? destinationPort : sourcePort, server: isResponse ? source : destination,
            serverPort: isResponse ? sourcePort : destinationPort, scope: scope, isOverTCP: isOverTCP)
        if isResponse {
            var reply = transaction
            // A server that could not read the query may leave the question out (RFC 1035, 4.1.1, format error).
            if message.question == 0, let query = transactions.query(answeredBy: transaction) {
                reply.fingerprint = query
            }
            return takeReply(reply, at: time, reply: TransactionReply(dns: message))
        }
        takeRequest(transaction)
        return false
    }

    /// As the query is noted, whichever of query and reply is at hand.
    func dnsTransaction(
        _ message: DNSSummary, time: Int64, client: IPAddress, clientPort: UInt16, server: IPAddress,
        serverPort: UInt16, scope: UInt32, isOverTCP: Bool
    ) -> Transaction {
        var transaction = Transaction()
        transaction.clientPort = clientPort
        transaction.serverPort = serverPort
        if isOverTCP { transaction.flags = .overTCP }
        fill(&transaction, client: client, server: server, scope: scope, time: time)
        transaction.identifier = message.id
        let small = UInt64(message.id) | (isOverTCP ? 1 &<< 16 : 0)
        let set = fingerprint(transaction, small, 0) & TransactionTable.setBits
        transaction.fingerprint =
            fingerprint(transaction, small, message.question) & ~TransactionTable.setBits | set
        return transaction
    }

    func fill(
        _ transaction: inout Transaction, client: IPAddress, server: IPAddress, scope: UInt32, time: Int64
    ) {
        transaction.first = time
        transaction.last = time
        transaction.clientHigh = client.high
        transaction.clientLow = client.low
        transaction.serverHigh = server.high
        transaction.serverLow = server.low
        transaction.scope = scope
        transaction.state = Transaction.State.waiting
    }

    func fingerprint(_ transaction: Transaction, _ small: UInt64, _ question: UInt64) -> UInt64 {
        let ports = UInt64(transaction.clientPort) &<< 16 | UInt64(transaction.serverPort)
        let parties = hash.hash(
            transaction.clientHigh, transaction.clientLow, transaction.serverHigh, transaction.serverLow,
            ports &<< 32 | UInt64(transaction.scope))
        return hash.hash(parties, question, small)
    }

    /// Keyed, of a transaction over TCP: its connection.
    func connection(of transaction: Transaction) -> UInt64 { fingerprint(transaction, 1 &<< 16, 0) }

    /// Whether a DNS message over TCP has a partner that may have been missed with a part of the stream.
    private func isUnclear(_ transaction: Transaction, at time: Int64) -> Bool {
        transaction.kind == .dns && transaction.has(.overTCP)
            && streams.hasHole(connection(of: transaction), near: time)
    }

    /// Notes a request, or counts it as one that came by before.
    mutating func takeRequest(_ transaction: Transaction) {
        switch transactions.request(transaction) {
        case .duplicate: duplicatePackets &+= 1
        case .late(let old): reportTimeout(old)
        case .following: findings.counters.reject(.unseen)
        case .new, .again, .part: break
        }
    }

    /// Matches a reply; true where it ended a request with a time. `transaction` is as its request would have been.
    @discardableResult
    mutating func takeReply(_ transaction: Transaction, at time: Int64, reply: TransactionReply) -> Bool {
        let match = transactions.reply(
            transaction.fingerprint, at: time, part: reply.part, all: reply.allParts, rejection: reply.rejection)
        switch match {
        case .duplicate: duplicatePackets &+= 1
        case .part, .forgotten: break
        case .orphan:
            guard reply.isTold else { return false }
            if isUnclear(transaction, at: time) {
                findings.counters.reject(.unseen)
                return false
            }
            transactions.noteOrphan(transaction, part: reply.part)
            emit(transaction, outcome: .orphan, time: time, rtt: -1, reply: reply)
        case .answered(let request):
            let rtt = time &- request.first
            if rtt < 0 {
                findings.counters.reject(.negative)
            } else if rtt > transactions.limit {
                emit(request, outcome: .timeout, time: time, rtt: -1, reply: reply)
            } else if request.kind != .dns, request.retries > 0 {
                // The same request twice: which copy is answered cannot be told. A resolver's client waits from the
                // first, so that is what is timed of DNS.
                findings.counters.reject(.ambiguous)
                emit(request, outcome: .ambiguous, time: time, rtt: -1, reply: reply)
            } else {
                emit(request, outcome: nil, time: time, rtt: rtt, reply: reply)
                return true
            }
        }
        return false
    }

    mutating func reportTimeout(_ request: Transaction) {
        // Parts of its reply have come by, and nobody asked again: the others were missed here.
        if request.replyParts != 0, request.retries == 0 { return findings.counters.reject(.unseen) }
        if isAnswerMissed(request) { return findings.counters.reject(.unseen) }
        // Its answer may lie where the stream was missed.
        if isUnclear(request, at: request.last) { return findings.counters.reject(.unseen) }
        if request.kind == .tls { return emitTLS(request, outcome: .timeout, time: request.last, rtt: -1) }
        emit(
            request, outcome: request.kind == .echo ? .unanswered : .timeout, time: request.last, rtt: -1,
            reply: TransactionReply())
    }

    /// A request that came back as undeliverable, or was put off.
    mutating func reportFailure(_ request: Transaction, at time: Int64) {
        emit(request, outcome: .unanswered, time: time, rtt: -1, reply: TransactionReply())
    }

    private mutating func emit(
        _ transaction: Transaction, outcome: PassiveOutcome?, time: Int64, rtt: Int64, reply: TransactionReply
    ) {
        let isIPv6 = transaction.scope & FlowKey.ipv6 != 0
        func address(_ high: UInt64, _ low: UInt64) -> IPAddress {
            isIPv6 ? IPAddress(v6High: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
        }
        let requester = address(transaction.clientHigh, transaction.clientLow)
        let responder = address(transaction.serverHigh, transaction.serverLow)
        let isReversed = transaction.has(.isReversed)
        let client = isReversed ? responder : requester
        let server = isReversed ? requester : responder
        let parties = Parties(
            client: client, server: server, interface: transaction.scope & ~FlowKey.ipv6,
            service: service(at: server, port: isReversed ? transaction.clientPort : transaction.serverPort),
            peer: peer(of: client))
        var sample = EngineSample(
            time: time, kind: transaction.kind.measured, side: isReversed ? .client : .server, method: .transaction,
            rtt: rtt, outcome: outcome, source: requester, sourcePort: transaction.clientPort, destination: responder,
            destinationPort: transaction.serverPort, interface: parties.interface, service: parties.service,
            retries: transaction.retries)
        if transaction.retries > 0, rtt >= 0 || outcome == .ambiguous {
            // The capture's clock may have stepped back between the copies.
            sample.lower = max(0, time &- transaction.last)
            sample.upper = time &- transaction.first
        }
        if transaction.has(.overTCP) { sample.notes.insert(.overTCP) }
        if let dns = reply.dns {
            sample.rcode = dns.rcode
            if dns.isTruncated { sample.notes.insert(.truncated) }
            if dns.isEmpty, dns.rcode == DNSRcode.noError, !dns.isTruncated { sample.notes.insert(.noData) }
        }
        sample.detail = SampleDetail(transaction, rejection: reply.rejection, isAnswered: rtt >= 0)
        emit(sample, parties: parties, failures: FigureCollector.isFailure(sample) ? 1 : 0)
    }
}
