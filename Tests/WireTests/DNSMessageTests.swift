import Testing

@testable import Wire

struct DNSMessageTests {
    private func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }

    @Test
    func aQueryIsReadAsItWasWritten() throws {
        let bytes = try #require(DNSQuery.write(id: 0xBEEF, name: "Example.COM", type: DNSType.aaaa))
        guard let message = DNSMessage(bytes.span.bytes) else { throw Missing() }
        check(message.id == 0xBEEF)
        check(!message.isResponse && !message.isTruncated && message.opcode == 0 && message.rcode == 0)
        check(message.questionCount == 1 && message.answerCount == 0)
        check(message.question == DNSQuestion(name: try name("example.com"), type: 28))
        check(message.questionKey(seed: 3) == message.question?.key(seed: 3))
        check(message.questionKey == message.questionKey(seed: 0))
    }

    @Test
    func aReplyGivesItsAnswers() throws {
        let question = DNSQuestion(name: try name("a.test"), type: DNSType.a)
        let reply = DNSReply(
            id: 1, question: question, rcode: 3, isTruncated: true,
            answers: [
                DNSResource(name: question.name, alias: try name("b.test"), ttl: 60),
                DNSResource(name: try name("b.test"), address: IPAddress(v4: 0xC000_0201), ttl: 5),
                DNSResource(name: try name("b.test"), address: IPAddress(v6High: 1, low: 2), ttl: .max),
                DNSResource(name: try name("b.test"), type: DNSType.txt, ttl: 1, data: [2, 104, 105, 1, 33]),
            ])
        let bytes = reply.write()
        guard let message = DNSMessage(bytes.span.bytes) else { throw Missing() }
        check(message.isResponse && message.isTruncated && message.rcode == 3)
        var answers = message.answers
        guard let alias = answers.next() else { throw Missing() }
        check(alias.type == DNSType.cname && alias.ttl == 60)
        check(alias.target == (try name("b.test")))
        check(alias.aliasKey() == (try name("b.test")).key())
        check(alias.address == nil)
        guard let four = answers.next() else { throw Missing() }
        check(four.address == IPAddress(v4: 0xC000_0201))
        check(four.nameKey() == alias.aliasKey())
        check(four.name?.description == "b.test")
        guard let six = answers.next() else { throw Missing() }
        check(six.address == IPAddress(v6High: 1, low: 2))
        check(six.ttl == 0, "a TTL with the top bit set counts as none (RFC 2181)")
        guard let text = answers.next() else { throw Missing() }
        check(text.text == [104, 105, 33])
        let end = answers.next()
        check(end == nil)
        check(answers.isComplete)
    }

    @Test
    func compressedNamesInRecordsAreResolved() throws {
        // Question a.test; answer: pointer to it, CNAME to "b" + pointer to "test".
        var bytes: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]
        bytes += [1, 97, 4, 116, 101, 115, 116, 0, 0, 1, 0, 1]
        bytes += [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 66, 0xC0, 14]
        guard let message = DNSMessage(bytes.span.bytes) else { throw Missing() }
        var answers = message.answers
        guard let record = answers.next() else { throw Missing() }
        check(record.name?.description == "a.test")
        check(record.target?.description == "b.test")
        guard let owned = DNSResource(record) else { throw Missing() }
        check(owned.data == [1, 98, 4, 116, 101, 115, 116, 0])
    }

    @Test
    func claimsOfTheHeaderAreNotBelieved() throws {
        let bytes = DNSReply(id: 1, question: DNSQuestion(name: try name("a.test"), type: 1)).write()
        for cut in 0..<bytes.count {
            var lying = Array(bytes.prefix(cut))
            if lying.count > 7 {
                lying[5] = 0xFF
                lying[7] = 0xFF
            }
            guard let message = DNSMessage(lying.span.bytes) else {
                check(cut < 12)
                continue
            }
            _ = message.question
            var answers = message.answers
            let record = answers.next()
            check(record == nil)
        }
    }

    @Test
    func anyBytesAreHarmless() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            // Mostly small counts and labels, so that the walk gets somewhere.
            for index in bytes.indices where Bool.random() {
                bytes[index] = [0, 1, 2, 3, 12, 0xC0][Int(bytes[index]) % 6]
            }
            guard let message = DNSMessage(bytes.span.bytes) else { continue }
            _ = message.questionKey(seed: 1)
            _ = message.question
            var answers = message.answers
            while let record = answers.next() {
                _ = record.address
                _ = record.target
                _ = record.text
                _ = record.nameKey()
                _ = record.aliasKey()
                _ = DNSResource(record)
            }
        }
    }

    @Test
    func rcodesHaveNames() {
        check(DNSRcode.name(2) == "SERVFAIL")
        check(DNSRcode.name(3) == "NXDOMAIN")
        check(DNSRcode.name(15) == "RCODE15")
        check(DNSRcode.name(16) == "BADVERS")
    }

    /// The OPT record stands among others, or is claimed and missing.
    @Test
    func codesOfEDNSAreReadFromTheAdditionalRecords() throws {
        let question = try #require(DNSQuery.write(id: 1, name: "a.example", type: DNSType.a))
        let authority: [UInt8] = [0xC0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 2, 0, 0]
        let option: [UInt8] = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]
        var bytes = question + authority + authority + option
        (bytes[2], bytes[3], bytes[9], bytes[11]) = (0x81, 0x87, 1, 2)
        check(DNSMessage(bytes.span.bytes)?.extendedRcode == 23)
        check(DNSMessage(bytes.span.bytes)?.rcode == 7)
        for cut in 12..<bytes.count {
            let part = Array(bytes[..<cut])
            check(DNSMessage(part.span.bytes)?.extendedRcode == 7)
        }
        bytes[11] = 1
        check(DNSMessage(bytes.span.bytes)?.extendedRcode == 7)
    }
}
