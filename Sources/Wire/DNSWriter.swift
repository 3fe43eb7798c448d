// Queries and replies of DNS as values, RFC 1035, 4.1.

/// Writes queries.
public enum DNSQuery {
    /// A standard query with one question and recursion desired.
    public static func write(id: UInt16, question: DNSQuestion, recursionDesired: Bool = true) -> [UInt8] {
        var packet: [UInt8] = []
        packet.reserveCapacity(32)
        packet.append(bigEndian: id)
        packet.append(bigEndian: UInt16(recursionDesired ? 0x0100 : 0))
        packet.append(bigEndian: UInt16(1))
        for _ in 0..<3 { packet.append(bigEndian: UInt16(0)) }
        question.write(to: &packet)
        return packet
    }

    /// The same from a name's text; nil where it is no name.
    public static func write(id: UInt16, name: String, type: UInt16) -> [UInt8]? {
        DNSName(name).map { write(id: id, question: DNSQuestion(name: $0, type: type)) }
    }
}

/// One record of a reply as a value.
public struct DNSResource: Hashable, Sendable {
    public var name: DNSName
    public var type: UInt16
    public var `class`: UInt16
    public var ttl: UInt32
    /// At most 65,535 bytes.
    public var data: [UInt8]

    public init(name: DNSName, type: UInt16, class: UInt16 = 1, ttl: UInt32, data: [UInt8]) {
        self.name = name
        self.type = type
        self.class = `class`
        self.ttl = ttl
        self.data = data
    }

    /// An A or AAAA record.
    public init(name: DNSName, address: IPAddress, ttl: UInt32) {
        self.init(name: name, type: address.isIPv6 ? DNSType.aaaa : DNSType.a, ttl: ttl, data: address.bytes)
    }

    /// A CNAME record.
    public init(name: DNSName, alias: DNSName, ttl: UInt32) {
        var data: [UInt8] = []
        alias.write(to: &data)
        self.init(name: name, type: DNSType.cname, ttl: ttl, data: data)
    }

    /// The record with the names in its data uncompressed; nil where a name is malformed.
    public init?(_ record: borrowing DNSRecord) {
        guard let name = record.name else { return nil }
        let data = record.data
        var bytes: [UInt8] = []
        switch record.type {
        case DNSType.cname, DNSType.ns, DNSType.ptr, DNSType.mx:
            guard let target = record.target else { return nil }
            if record.type == DNSType.mx { bytes = [data.byte(at: 0), data.byte(at: 1)] }
            target.write(to: &bytes)
        default:
            bytes.reserveCapacity(data.byteCount)
            for offset in 0..<data.byteCount { bytes.append(data.byte(at: offset)) }
        }
        self.init(name: name, type: record.type, class: record.class, ttl: record.ttl, data: bytes)
    }
}

/// A reply as a value.
public struct DNSReply: Hashable, Sendable {
    public var id: UInt16
    public var question: DNSQuestion?
    /// 0...15.
    public var rcode: UInt8
    public var isTruncated: Bool
    public var answers: [DNSResource]

    public init(
        id: UInt16, question: DNSQuestion?, rcode: UInt8 = 0, isTruncated: Bool = false, answers: [DNSResource] = []
    ) {
        self.id = id
        self.question = question
        self.rcode = rcode
        self.isTruncated = isTruncated
        self.answers = answers
    }

    /// The message, names uncompressed; more than 65,535 answers do not fit and are left out.
    public func write() -> [UInt8] {
        var packet: [UInt8] = []
        packet.append(bigEndian: id)
        packet.append(bigEndian: UInt16(0x8180) | (isTruncated ? 0x0200 : 0) | UInt16(rcode & 0xF))
        packet.append(bigEndian: UInt16(question == nil ? 0 : 1))
        packet.append(bigEndian: UInt16(clamping: answers.count))
        packet.append(bigEndian: UInt32(0))
        question?.write(to: &packet)
        for answer in answers.prefix(0xFFFF) {
            answer.name.write(to: &packet)
            packet.append(bigEndian: answer.type)
            packet.append(bigEndian: answer.class)
            packet.append(bigEndian: answer.ttl)
            packet.append(bigEndian: UInt16(clamping: answer.data.count))
            packet.append(contentsOf: answer.data.prefix(0xFFFF))
        }
        return packet
    }
}

extension DNSReply: CustomStringConvertible {
    public var description: String {
        "reply \(id) \(DNSRcode.name(rcode)) to \(question?.description ?? "nothing"), \(answers.count) answers"
    }
}
