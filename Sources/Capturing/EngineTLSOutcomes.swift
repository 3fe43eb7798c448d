// What became of a ClientHello: its sample, its failure, or that nobody can tell.

internal import Model
internal import Wire

extension CaptureEngine {
    /// Files a sample of a hello, or its failure. An answer to a hello that was sent again has bounds only.
    mutating func emitTLS(
        _ request: Transaction, outcome: PassiveOutcome?, time: Int64, rtt: Int64, kind: PassiveKind = .tls,
        notes: SampleNotes = []
    ) {
        if outcome == .timeout {
            guard couldBeAnswered(request) else { return }
            guard !wasAnsweredUnseen(request) else { return findings.counters.reject(.unseen) }
        }
        let isIPv6 = request.scope & FlowKey.ipv6 != 0
        func address(_ high: UInt64, _ low: UInt64) -> IPAddress {
            isIPv6 ? IPAddress(v6High: high, low: low) : IPAddress(v4: UInt32(truncatingIfNeeded: low))
        }
        let client = address(request.clientHigh, request.clientLow)
        let server = address(request.serverHigh, request.serverLow)
        let parties = Parties(
            client: client, server: server, interface: request.scope & ~FlowKey.ipv6,
            service: ServiceReference(rawValue: request.service), peer: peer(of: client))
        var sample = EngineSample(
            time: time, kind: kind, side: .server, method: .transaction, rtt: outcome == nil ? rtt : -1,
            outcome: outcome, source: client, sourcePort: request.clientPort, destination: server,
            destinationPort: request.serverPort, interface: parties.interface, service: parties.service,
            notes: SampleNotes(rawValue: request.notes).union(notes), retries: request.retries)
        if outcome == .ambiguous {
            // A copy may be older than the first where the clock has stepped back.
            sample.lower = min(max(0, time &- request.last), rtt)
            sample.upper = rtt
        }
        let isFailure = outcome == .timeout || !notes.isDisjoint(with: [.alert, .notTLS])
        emit(sample, parties: parties, failures: isFailure ? 1 : 0)
    }

    /// Whether the answer would have been seen: the connection was still followed, and its server was heard at all.
    private mutating func couldBeAnswered(_ request: Transaction) -> Bool {
        let index = Int(request.flow) &- 1
        guard index >= 0, index < flows.used, flows[index].has(.inUse),
            flows[index].generation == request.generation
        else { return false }
        return flows[index].sides[0].has(.isSeen) && flows[index].sides[1].has(.isSeen)
    }

    /// Whether the server has sent something since that was not seen from its beginning, by what it sent later or what
    /// the client has acknowledged: the capture missed the answer.
    private mutating func wasAnsweredUnseen(_ request: Transaction) -> Bool {
        let index = Int(request.flow) &- 1
        let state = tls.find(flow: index, generation: request.generation)
        guard state >= 0 else { return false }
        let server = flows[index].sides[1 &- Int(tls[state].client & 1)]
        let silent = tls[state].answerStart &+ (server.has(.sentFin) ? 1 : 0)
        return isAfter(server.nextSequence, silent)
    }

    /// A hello without an answer, of a connection that is about to go.
    mutating func reportUnansweredTLS(_ index: Int) {
        guard flows[index].has(.watchesTLS) else { return }
        let state = tls.find(flow: index, generation: flows[index].generation)
        guard state >= 0 else { return }
        if tls[state].fingerprint != 0,
            case .answered(let request) = transactions.reply(tls[state].fingerprint, at: now)
        {
            emitTLS(request, outcome: .timeout, time: request.last, rtt: -1)
        }
        hellos.close(Int(tls[state].buffer) &- 1, tls[state].key)
        tls.close(state)
    }

    mutating func reportOrphanTLS(_ index: Int, at input: TCPInput) {
        let parties = parties(of: index)
        let server = input.sender
        let sample = EngineSample(
            time: input.time, kind: .tls, side: .server, method: .transaction, rtt: -1, outcome: .orphan,
            source: address(1 &- server, of: index), sourcePort: port(1 &- server, of: index),
            destination: address(server, of: index), destinationPort: port(server, of: index),
            interface: parties.interface, service: parties.service)
        emit(sample, parties: parties, failures: 0)
    }

    // MARK: Names

    /// The service that a server name stands for; nil where it says nothing.
    ///
    /// Beside an encrypted hello, the visible name may be that of the keys' keeper: it is believed only where DNS has
    /// led to this address under the same name.
    mutating func service(_ facts: HelloFacts, at server: IPAddress, port: UInt16) -> ServiceReference? {
        guard facts.nameKey != 0 else { return nil }
        let attribution = attribution
        guard
            let found = names.remember(
                key: facts.nameKey, now: nowSeconds, keepsOthers: attribution.keepsNames,
                text: { facts.nameText }, service: { attribution.service(named: $0) })
        else { return nil }
        if facts.hasEncryptedHello, names.name(of: server, now: nowSeconds)?.reference != found.reference { return nil }
        if let service = found.service, attribution.accepts(port: port, service: service) {
            return ServiceReference(service: service).learned(.sni)
        }
        return attribution.keepsNames ? found.reference.learned(.sni) : nil
    }
}
