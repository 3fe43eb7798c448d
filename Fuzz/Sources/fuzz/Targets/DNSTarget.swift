// A DNS message: names with any compression, records cut anywhere, and the two hashes of a name that must agree.

import TestSupport
import Wire

enum DNSTarget {
    static func run(_ input: RawSpan) throws(FuzzFailure) {
        guard let message = DNSMessage(input) else { return }
        try question(message)
        var answers = message.answers
        var count = 0
        while let record = answers.next() {
            count += 1
            try take(record)
        }
        try expect(count <= message.answerCount, "more records than the header claims")
        // A record has eleven bytes at least.
        try expect(count * 11 <= input.byteCount, "more records than there is room for")
        if answers.isComplete { try expect(count == message.answerCount, "complete without every record") }
    }

    private static func question(_ message: borrowing DNSMessage) throws(FuzzFailure) {
        let question = message.question
        let key = message.questionKey(seed: 7)
        // The key may be there for a name that is too long to be a value, never the other way round.
        if let question {
            try expect(key == question.key(seed: 7), "the question's two hashes differ")
            try name(question.name)
        }
    }

    private static func take(_ record: borrowing DNSRecord) throws(FuzzFailure) {
        ViewsTarget.touch(record.data)
        try expect(record.ttl <= 0x7FFF_FFFF, "a TTL has 31 bits")
        if let owner = record.name {
            try expect(record.nameKey(seed: 7) == owner.key(seed: 7), "the owner's two hashes differ")
            try name(owner)
        }
        if let target = record.target {
            if record.type == DNSType.cname {
                try expect(record.aliasKey(seed: 7) == target.key(seed: 7), "the alias's two hashes differ")
            }
            try name(target)
        }
        if let text = record.text { try expect(text.count < record.data.byteCount + 1, "text longer than its record") }
        if let address = record.address { try expect(address.bytes.count == record.data.byteCount, "address length") }
    }

    /// A name is written as bytes and as text that read back.
    private static func name(_ name: DNSName) throws(FuzzFailure) {
        var written: [UInt8] = []
        name.write(to: &written)
        try expect(written.count <= 255, "a name has 255 bytes at most")
        try expect(DNSName.read(written.span.bytes, at: 0)?.name == name, "a name's bytes do not read back")
        try expect(DNSName(name.description) == name, "the name \(name) does not read back")
    }

    // MARK: Seeds

    static var seeds: [[UInt8]] {
        guard let name = DNSName("www.example.com"), let alias = DNSName("cdn.example.net"),
            let query = DNSQuery.write(id: 1, name: "www.example.com", type: DNSType.a)
        else { return [] }
        let question = DNSQuestion(name: name, type: DNSType.a)
        let address = DNSResource(name: alias, address: Endpoints.ipv4.server, ttl: 60)
        let address6 = DNSResource(name: alias, address: Endpoints.ipv6.server, ttl: 60)
        let text = DNSResource(name: name, type: DNSType.txt, ttl: 1, data: [3, 0x61, 0x62, 0x63, 1, 0x64])
        let mail = DNSResource(name: name, type: DNSType.mx, ttl: 1, data: [0, 10, 0xC0, 0x0C])
        let reply = DNSReply(
            id: 1, question: question,
            answers: [DNSResource(name: name, alias: alias, ttl: 300), address, address6, text, mail])
        // A name that points to the question's, as servers write it.
        let compressed: [UInt8] = [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9]
        var short = DNSReply(id: 2, question: question).write()
        short[7] = 1
        return [
            query, reply.write(), short + compressed, DNSReply(id: 3, question: question, rcode: 3).write(),
        ]
    }
}
