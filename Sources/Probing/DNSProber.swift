// DNS probes: a question to the target as server, and what its reply has to be.

internal import LinuxSystem
internal import Model
internal import Wire

/// Turns the results of exchanges into results of probes.
enum DNSProber {
    static func begin(
        _ round: OpenRound, to address: SocketAddress, options: DNSOptions, context: ProbeContext, client: DNSClient
    ) {
        guard let name = DNSName(options.name) else {
            context.record(.indeterminate(.internalError), in: round, packet: 0, note: "not a DNS name")
            return
        }
        let request = DNSRequest(
            server: SocketAddress(address.address, port: options.port, scope: address.scope),
            question: DNSQuestion(name: name, type: options.type), source: options.source, patience: round.patience)
        client.ask(request) { result in
            round.series.foreign &+= result.foreign
            let (outcome, note) = judge(result, options)
            context.record(
                outcome, in: round, packet: 0, sent: result.sent, source: result.measuredBy, note: note)
        }
    }

    /// The expected rcode and, where one is asked for, the expected answer make a reply `ok`.
    static func judge(_ result: DNSResult, _ options: DNSOptions) -> (outcome: Outcome, note: String?) {
        guard let reply = result.reply, result.outcome.standing == .answered else {
            return (result.outcome, result.note)
        }
        let rcode = DNSRcode.name(reply.rcode)
        guard reply.rcode == options.expectedRcode else { return (.error(.unexpectedRcode), rcode) }
        if let expected = options.expectedAnswer, !reply.contains(expected: expected) {
            return (.error(.unexpectedAnswer), "\(reply.answers.count) answers, none of them the expected one")
        }
        return (result.outcome, result.note)
    }
}
