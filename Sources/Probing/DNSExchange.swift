// What a question to a DNS server came to.

internal import LinuxSystem
internal import Model
internal import Wire

/// A question to one server.
struct DNSRequest {
    let server: SocketAddress
    let question: DNSQuestion
    var source = ProbeSource()
    let patience: Patience
}

/// The end of an exchange.
struct DNSResult {
    /// `ok` or `late` with the round trip over UDP where there is a reply, whatever its rcode.
    let outcome: Outcome
    let measuredBy: MeasurementSource
    /// Wall time of sending, the kernel's where there is one.
    let sent: Int64
    let reply: DNSReply?
    /// Packets that were no answer to the question: id, question or form.
    let foreign: UInt32
    let note: String?
}

/// Reads replies.
enum DNSReading {
    enum Verdict {
        case answer(DNSReply)
        /// The answer to this question, but its records end before their count says so, and not because it was cut.
        case malformed
        /// Not an answer to this question.
        case foreign
    }

    /// Records kept of a reply.
    static let maximumAnswers = 256

    /// Compares id, direction and question; the name may come in any case and compressed.
    ///
    /// An error reply without a question is taken by its id alone: servers that cannot read a question do not repeat it
    /// (RFC 1035, 4.1.1, FORMERR).
    static func read(_ bytes: RawSpan, id: UInt16, question: DNSQuestion) -> Verdict {
        guard let message = DNSMessage(bytes), message.isResponse, message.opcode == 0, message.id == id else {
            return .foreign
        }
        if message.questionCount == 0 {
            guard message.rcode != DNSRcode.noError else { return .foreign }
        } else {
            guard message.questionCount == 1, message.question == question else { return .foreign }
        }
        var reply = DNSReply(id: id, question: question, rcode: message.rcode, isTruncated: message.isTruncated)
        var answers = message.answers
        while reply.answers.count < maximumAnswers, let record = answers.next() {
            if let resource = DNSResource(record) { reply.answers.append(resource) }
        }
        if !answers.isComplete, reply.answers.count < maximumAnswers, !reply.isTruncated { return .malformed }
        return .answer(reply)
    }
}

extension DNSReply {
    /// The addresses of `name` and the lowest TTL on the way to them, in seconds; aliases are followed within the reply.
    func addresses(of name: DNSName, isIPv6: Bool) -> (addresses: [IPAddress], ttl: UInt32)? {
        var owners: Set<DNSName> = [name]
        var ttl = UInt32.max
        var found: [IPAddress] = []
        // A server may put aliases in any order; eight passes follow a chain of eight.
        for _ in 0..<8 {
            let before = owners.count
            for record in answers where record.type == DNSType.cname && owners.contains(record.name) {
                guard let alias = record.aliasName else { continue }
                if owners.insert(alias).inserted { ttl = min(ttl, record.ttl) }
            }
            if owners.count == before { break }
        }
        let type = isIPv6 ? DNSType.aaaa : DNSType.a
        for record in answers where record.type == type && record.class == 1 && owners.contains(record.name) {
            guard let address = IPAddress(bytes: record.data), address.isIPv6 == isIPv6, !found.contains(address) else {
                continue
            }
            found.append(address)
            ttl = min(ttl, record.ttl)
        }
        return found.isEmpty ? nil : (found, ttl)
    }

    /// Whether an address, a name or a text is among the answers, compared as the record's type has it.
    func contains(expected: String) -> Bool {
        let address = IPAddress(expected)
        let name = DNSName(expected)
        return answers.contains { record in
            switch record.type {
            case DNSType.a, DNSType.aaaa: address != nil && IPAddress(bytes: record.data) == address
            case DNSType.txt: record.text == Array(expected.utf8)
            default: name != nil && record.targetName == name
            }
        }
    }
}

extension DNSResource {
    /// Where an alias leads.
    var aliasName: DNSName? { type == DNSType.cname ? targetName : nil }

    /// The name in the data of CNAME, NS, PTR and MX records; `data` holds names uncompressed.
    var targetName: DNSName? {
        switch type {
        case DNSType.cname, DNSType.ns, DNSType.ptr: unsafe DNSName.read(data.span.bytes, at: 0)?.name
        case DNSType.mx: unsafe DNSName.read(data.span.bytes, at: 2)?.name
        default: nil
        }
    }

    /// The strings of a TXT record put together.
    var text: [UInt8] {
        var result: [UInt8] = []
        var rest = data[...]
        while let count = rest.popFirst() {
            result += rest.prefix(Int(count))
            rest = rest.dropFirst(Int(count))
        }
        return result
    }
}
