// Names in the engine: which name the addresses of a DNS answer go by.

internal import Model
internal import Wire

extension CaptureEngine {
    /// Records of an answer and aliases of a chain that are followed; an answer of usual size holds no more.
    private static var recordLimit: Int { 32 }
    private static var aliasLimit: Int { 8 }

    /// Ties the addresses of an answer to the name that was asked for, through the aliases that lead to them: A, AAAA,
    /// and the hints of SVCB and HTTPS records. A tie lasts as long as the shortest TTL on the way.
    ///
    /// What does not belong to the chain is not believed, wherever in the answer it stands.
    mutating func learnNames(_ bytes: RawSpan) {
        guard let message = DNSMessage(bytes),
            let asked = DNSName.key(bytes, at: DNSMessage.headerLength, seed: hash.nameSeed)?.key
        else { return }
        var owner: (reference: ServiceReference, service: Int?)?
        var current = asked
        var life = UInt32.max
        // An alias may stand behind what it leads to, so the records are walked again as long as that leads on.
        for _ in 0..<CaptureEngine.aliasLimit {
            var answers = message.answers
            var hasMoved = false
            for _ in 0..<CaptureEngine.recordLimit {
                guard let record = answers.next() else { break }
                guard record.class == 1, record.nameKey(seed: hash.nameSeed) == current else { continue }
                if let alias = record.aliasKey(seed: hash.nameSeed) {
                    current = alias
                    life = min(life, record.ttl)
                    hasMoved = true
                    continue
                }
                guard CaptureEngine.leadsToAddresses(record.type) else { continue }
                if owner == nil {
                    let attribution = attribution
                    owner = names.remember(
                        key: asked, now: nowSeconds, keepsOthers: attribution.keepsNames,
                        text: { message.question.map { Text.sanitised($0.name.description) } },
                        service: { attribution.service(named: $0) })
                }
                guard let owner, owner.service != nil || attribution.keepsNames else { return }
                tie(record, to: owner.reference, life: min(life, record.ttl))
            }
            if !hasMoved { return }
        }
    }

    private static func leadsToAddresses(_ type: UInt16) -> Bool {
        type == DNSType.a || type == DNSType.aaaa || type == DNSType.https || type == DNSType.svcb
    }

    private mutating func tie(_ record: borrowing DNSRecord, to reference: ServiceReference, life: UInt32) {
        if let address = record.address {
            names.tie(address, to: reference, ttl: life, now: nowSeconds)
        } else if record.type == DNSType.https || record.type == DNSType.svcb,
            let binding = DNSServiceBinding(record.data)
        {
            let now = nowSeconds
            binding.forEachHint(limit: CaptureEngine.recordLimit) { names.tie($0, to: reference, ttl: life, now: now) }
        }
    }
}
