// Transactions in the engine: DNS over UDP and TCP, ICMP echo.

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
        rcode = message.rcode
        opcode = message.opcode
        question = message.questionKey(seed: hash.nameSeed) ?? 0
    }
}

/// The messages that one TCP segment completed: as many as can stand in a segment of usual size; more are let go.
struct DNSMessageQueue {
    private var list: InlineArray<64, DNSSummary> = InlineArray(repeating: DNSSummary())
    private(set) var count = 0

    subscript(index: Int) -> DNSSummary { list[index] }

    mutating func add(_ bytes: RawSpan, hash: KeyedHash) {
        guard count < 64, let summary = DNSSummary(bytes, hash: hash) else { return }
        list[count] = summary
        count += 1
    }
}

extension CaptureEngine {
    private static var dnsPort: UInt16 { 53 }

    /// UDP and ICMP.
    mutating func takeDatagram(_ packet: DissectedPacket, record: RawSpan) {
        let bytes = record.suffix(from: packet.offset).prefix(packet.captured)
        switch packet.protocolNumber {
        case .udp: takeUDP(packet, bytes: bytes)
        case .icmp where packet.source.isIPv4:
            guard let message = ICMPv4Message(bytes) else { return drop(.truncated) }
            guard message.isEchoRequest || message.isEchoReply else { return drop(.icmp) }
            takeEcho(
                packet, isReply: message.isEchoReply, identifier: message.identifier, sequence: message.sequence)
        case .icmpv6 where packet.source.isIPv6:
            guard let message = ICMPv6Message(bytes) else { return drop(.truncated) }
            guard message.isEchoRequest || message.isEchoReply else { return drop(.icmp) }
            takeEcho(
                packet, isReply: message.isEchoReply, identifier: message.identifier, sequence: message.sequence)
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
            if !takeQUIC(packet, datagram) { drop(.udp) }
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
    @discardableResult
    mutating func takeDNS(
        _ message: DNSSummary, time: Int64, source: IPAddress, sourcePort: UInt16, destination: IPAddress,
        destinationPort: UInt16, scope: UInt32, isOverTCP: Bool
    ) -> Bool {
        guard message.opcode == 0 else { return false }
        let client = message.isResponse ? destination : source
        let server = message.isResponse ? source : destination
        var transaction = Transaction()
        transaction.clientPort = message.isResponse ? destinationPort : sourcePort
        transaction.serverPort = message.isResponse ? sourcePort : destinationPort
        transaction.isOverTCP = isOverTCP ? 1 : 0
        fill(&transaction, client: client, server: server, scope: scope, time: time)
        transaction.fingerprint = fingerprint(
            transaction, UInt64(message.id) | (isOverTCP ? 1 &<< 16 : 0), message.question)
        guard message.isResponse else {
            transactions.request(transaction)
            return false
        }
        return takeReply(transaction, at: time, dns: message)
    }

    private mutating func takeEcho(_ packet: DissectedPacket, isReply: Bool, identifier: UInt16, sequence: UInt16) {
        var transaction = Transaction()
        transaction.isEcho = 1
        fill(
            &transaction, client: isReply ? packet.destination : packet.source,
            server: isReply ? packet.source : packet.destination,
            scope: packet.interface | (packet.source.isIPv6 ? FlowKey.ipv6 : 0), time: packet.time)
        transaction.fingerprint = fingerprint(
            transaction, UInt64(identifier) &<< 16 | UInt64(sequence) | 1 &<< 40, 0)
        if isReply {
            takeReply(transaction, at: packet.time, dns: nil)
        } else {
            transactions.request(transaction)
        }
    }

    private func fill(
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

    private func fingerprint(_ transaction: Transaction, _ small: UInt64, _ question: UInt64) -> UInt64 {
        let ports = UInt64(transaction.clientPort) &<< 16 | UInt64(transaction.serverPort)
        let parties = hash.hash(
            transaction.clientHigh, transaction.clientLow, transaction.serverHigh, transaction.serverLow,
            ports &<< 32 | UInt64(transaction.scope))
        return hash.hash(parties, question, small)
    }

    /// Matches a reply. `transaction` is as its request would have been.
    @discardableResult
    private mutating func takeReply(_ transaction: Transaction, at time: Int64, dns: DNSSummary?) -> Bool {
        switch transactions.reply(transaction.fingerprint, at: time) {
        case .duplicate:
            duplicatePackets &+= 1
            return false
        case .orphan:
            emit(transaction, outcome: .orphan, time: time, rtt: -1, dns: dns)
            return false
        case .answered(let request):
            let rtt = time &- request.first
            if rtt < 0 {
                findings.counters.reject(.negative)
            } else if rtt > transactions.limit {
                emit(request, outcome: .timeout, time: time, rtt: -1, dns: dns)
            } else if request.isEcho != 0, request.retries > 0 {
                // The same identifier and number twice: which of them the reply answers cannot be told.
                findings.counters.reject(.ambiguous)
            } else {
                emit(request, outcome: nil, time: time, rtt: rtt, dns: dns)
                return true
            }
            return false
        }
    }

    mutating func reportTimeout(_ request: Transaction) {
        if request.isTLS != 0 { return emitTLS(request, outcome: .timeout, time: request.last, rtt: -1) }
        emit(request, outcome: request.isEcho != 0 ? .unanswered : .timeout, time: request.last, rtt: -1, dns: nil)
    }

    private mutating func emit(
        _ transaction: Transaction, outcome: PassiveOutcome?, time: Int64, rtt: Int64, dns: DNSSummary?
    ) {
        let isIPv6 = transaction.scope & FlowKey.ipv6 != 0
        func address(_ high: UInt64, _ low: UInt64) -> IPAddress {
            isIPv6 ? IPAddress(v6High: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
        }
        let client = address(transaction.clientHigh, transaction.clientLow)
        let server = address(transaction.serverHigh, transaction.serverLow)
        let parties = Parties(
            client: client, server: server, interface: transaction.scope & ~FlowKey.ipv6,
            service: service(at: server, port: transaction.serverPort), peer: peer(of: client))
        var sample = EngineSample(
            time: time, kind: transaction.isEcho != 0 ? .icmpEcho : .dns, side: .server, method: .transaction,
            rtt: rtt, outcome: outcome, source: client, sourcePort: transaction.clientPort, destination: server,
            destinationPort: transaction.serverPort, interface: parties.interface, service: parties.service,
            retries: transaction.retries)
        if transaction.retries > 0, rtt >= 0 { sample.lower = time &- transaction.last }
        if transaction.isOverTCP != 0 { sample.notes.insert(.overTCP) }
        if let dns {
            sample.rcode = dns.rcode
            if dns.isTruncated { sample.notes.insert(.truncated) }
            if dns.isEmpty, dns.rcode == DNSRcode.noError, !dns.isTruncated { sample.notes.insert(.noData) }
        }
        // NXDOMAIN is a true answer; the other codes are the server's failures. An orphan says nothing of anyone.
        let isBadCode = sample.rcode != DNSRcode.noError && sample.rcode != DNSRcode.nameError
        let isFailure = outcome == .timeout || outcome == .unanswered || isBadCode && outcome != .orphan
        emit(sample, parties: parties, failures: isFailure ? 1 : 0)
    }
}
