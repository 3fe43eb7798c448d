// Names of DNS record types and response codes: the IANA registry "Domain Name System (DNS) Parameters".

internal import Model
internal import Wire

/// Translates between the names and the numbers of DNS.
enum DNSCodes {
    static let types: [(name: String, number: UInt16)] = [
        ("A", 1), ("NS", 2), ("CNAME", 5), ("SOA", 6), ("PTR", 12), ("MX", 15), ("TXT", 16), ("AAAA", 28),
        ("SRV", 33), ("DS", 43), ("DNSKEY", 48), ("SVCB", 64), ("HTTPS", 65), ("CAA", 257),
    ]
    static let rcodes: [(name: String, number: UInt8)] = [
        ("NOERROR", 0), ("FORMERR", 1), ("SERVFAIL", 2), ("NXDOMAIN", 3), ("NOTIMP", 4), ("REFUSED", 5),
        ("YXDOMAIN", 6), ("YXRRSET", 7), ("NXRRSET", 8), ("NOTAUTH", 9), ("NOTZONE", 10),
    ]

    static func name(type: UInt16) -> String {
        types.first { $0.number == type }?.name ?? "TYPE\(type)"
    }

    static func name(rcode: UInt8) -> String {
        rcodes.first { $0.number == rcode }?.name ?? "RCODE\(rcode)"
    }

    /// `AAAA`, `aaaa` or, by RFC 3597, `TYPE28`.
    static func type(_ node: YAMLNode, _ values: ValueReader) -> UInt16? {
        guard let scalar = values.scalar(node, "a record type such as A or AAAA") else { return nil }
        let word = scalar.text.uppercased()
        if let known = types.first(where: { $0.name == word }) { return known.number }
        if word.hasPrefix("TYPE"), let number = UInt16(word.dropFirst(4)), number > 0 { return number }
        let clause = Suggestion.clause(for: scalar.shown, among: types.map(\.name))
        values.report.error(node.place, "expected a record type such as A or AAAA, found \(node.found)\(clause)")
        return nil
    }

    /// An rcode's name, an address or a text that must be among the answers, or a map of both.
    static func expectation(_ node: YAMLNode, _ values: ValueReader) -> DNSExpectation? {
        if case .mapping = node.content {
            guard let section = Section(node, "\"expect\"", keys: ["rcode", "answer"], report: values.report) else {
                return nil
            }
            var expectation = DNSExpectation()
            if let node = section["rcode"] {
                guard let name = values.choice(node, of: rcodes.map(\.name)) else { return nil }
                expectation.rcode = rcodes.first { $0.name == name }?.number ?? 0
            }
            if let node = section["answer"] { expectation.answer = answer(node, values) }
            return expectation
        }
        guard let scalar = values.scalar(node, "NOERROR, NXDOMAIN or an answer such as 192.0.2.1") else { return nil }
        if let known = rcodes.first(where: { $0.name == scalar.text.uppercased() }) {
            return DNSExpectation(rcode: known.number)
        }
        return answer(node, values).map { DNSExpectation(answer: $0) }
    }

    /// Addresses in the form in which answers are compared (RFC 5952).
    private static func answer(_ node: YAMLNode, _ values: ValueReader) -> String? {
        guard let text = values.text(node, "an answer such as 192.0.2.1") else { return nil }
        return IPAddress(text)?.description ?? text
    }
}
