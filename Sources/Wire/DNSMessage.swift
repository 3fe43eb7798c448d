// Domain Name System messages, RFC 1035, 4.1.
//
// Invariant: a view holds the twelve bytes of the header. Everything behind it is read with bounds of its own, since
// the counts of the header are claims.

/// Where the fields of a DNS header lie, in bytes.
@usableFromInline
enum DNSField {
    @usableFromInline static let id = 0
    @usableFromInline static let flags = 2
    @usableFromInline static let questionCount = 4
    @usableFromInline static let answerCount = 6
    @usableFromInline static let authorityCount = 8
    @usableFromInline static let additionalCount = 10
}

/// Numbers of record types, RFC 1035, RFC 3596 and RFC 9460.
public enum DNSType {
    public static let a: UInt16 = 1
    public static let ns: UInt16 = 2
    public static let cname: UInt16 = 5
    public static let soa: UInt16 = 6
    public static let ptr: UInt16 = 12
    public static let mx: UInt16 = 15
    public static let txt: UInt16 = 16
    public static let aaaa: UInt16 = 28
    /// The pseudo-record of EDNS, RFC 6891.
    public static let opt: UInt16 = 41
    /// RFC 9460.
    public static let svcb: UInt16 = 64
    public static let https: UInt16 = 65
}

/// Response codes, RFC 1035 and RFC 2136.
public enum DNSRcode {
    public static let noError: UInt8 = 0
    public static let serverFailure: UInt8 = 2
    public static let nameError: UInt8 = 3

    /// The usual name (`NXDOMAIN`), or `RCODEn`.
    public static func name(_ rcode: UInt8) -> String {
        let names = [
            "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
            "NOTAUTH", "NOTZONE",
        ]
        switch rcode {
        case 16: return "BADVERS"
        case 23: return "BADCOOKIE"
        default: return names.indices.contains(Int(rcode)) ? names[Int(rcode)] : "RCODE\(rcode)"
        }
    }
}

/// A DNS message, read in place.
@frozen
public struct DNSMessage: ~Escapable {
    /// Bytes of the header, RFC 1035, 4.1.1.
    public static var headerLength: Int { 12 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than twelve bytes are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= DNSMessage.headerLength else { return nil }
        self.bytes = bytes
    }

    @inlinable public var id: UInt16 { bytes.bigEndian16(at: DNSField.id) }
    @inlinable var flags: UInt16 { bytes.bigEndian16(at: DNSField.flags) }
    @inlinable public var isResponse: Bool { flags & 0x8000 != 0 }
    /// 0 is a standard query.
    @inlinable public var opcode: UInt8 { UInt8(truncatingIfNeeded: flags >> 11 & 0xF) }
    @inlinable public var isAuthoritative: Bool { flags & 0x0400 != 0 }
    @inlinable public var isTruncated: Bool { flags & 0x0200 != 0 }
    /// The four bits of the header; EDNS has more of them elsewhere.
    @inlinable public var rcode: UInt8 { UInt8(truncatingIfNeeded: flags & 0xF) }
    /// With the bits that EDNS adds (RFC 6891, 6.1.3), 255 at most; those of the header where the first 32 records hold
    /// none. Allocates nothing.
    public var extendedRcode: UInt8 {
        let before = answerCount + authorityCount
        guard additionalCount > 0, before < 32 else { return rcode }
        var records = DNSRecords(bytes, questions: questionCount, count: before + additionalCount)
        for position in 0..<32 {
            guard let record = records.next() else { break }
            guard position >= before, record.type == DNSType.opt else { continue }
            return UInt8(clamping: Int(bytes.byte(at: record.fixed + 4)) << 4 | Int(rcode))
        }
        return rcode
    }
    @inlinable public var questionCount: Int { Int(bytes.bigEndian16(at: DNSField.questionCount)) }
    @inlinable public var answerCount: Int { Int(bytes.bigEndian16(at: DNSField.answerCount)) }
    @inlinable public var authorityCount: Int { Int(bytes.bigEndian16(at: DNSField.authorityCount)) }
    @inlinable public var additionalCount: Int { Int(bytes.bigEndian16(at: DNSField.additionalCount)) }

    /// The first question; nil where there is none or it is malformed.
    public var question: DNSQuestion? {
        guard questionCount > 0, let (name, end) = DNSName.read(bytes, at: DNSMessage.headerLength),
            end + 4 <= bytes.byteCount
        else { return nil }
        return DNSQuestion(name: name, type: bytes.bigEndian16(at: end), class: bytes.bigEndian16(at: end + 2))
    }

    /// A hash of the first question (name in any case, type, class) that allocates nothing; nil where there is none or
    /// it is malformed. `seed` keeps others from choosing questions that collide.
    public func questionKey(seed: UInt64) -> UInt64? {
        guard questionCount > 0, let (key, end) = DNSName.key(bytes, at: DNSMessage.headerLength, seed: seed),
            end + 4 <= bytes.byteCount
        else { return nil }
        return DNSQuestion.combine(nameKey: key, typeAndClass: bytes.bigEndian32(at: end))
    }

    /// `questionKey(seed:)` with seed 0.
    public var questionKey: UInt64? { questionKey(seed: 0) }

    /// The answer section's records in order; allocates nothing itself.
    ///
    /// while let record = answers.next() { … } — ends early, with `isComplete` false, where the section is cut or malformed.
    public var answers: DNSRecords {
        @_lifetime(copy self) get { DNSRecords(bytes, questions: questionCount, count: answerCount) }
    }
}

/// The records of one section, one after the other.
@frozen
public struct DNSRecords: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset: Int
    @usableFromInline var remaining: Int

    /// Skips the questions. Bounded: each takes at least five bytes of the message.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, questions: Int, count: Int) {
        self.bytes = bytes
        offset = DNSMessage.headerLength
        remaining = count
        for _ in 0..<questions {
            guard let end = Self.skipName(bytes, at: offset), end + 4 <= bytes.byteCount else {
                offset = bytes.byteCount
                return
            }
            offset = end + 4
        }
    }

    /// Whether every record that the header claims has been read.
    public var isComplete: Bool { remaining == 0 }

    /// The next record; nil at the end or where the rest is cut or malformed.
    @_lifetime(copy self)
    public mutating func next() -> DNSRecord? {
        guard remaining > 0, let fixed = Self.skipName(bytes, at: offset), fixed + 10 <= bytes.byteCount else {
            return nil
        }
        let length = Int(bytes.bigEndian16(at: fixed + 8))
        let data = fixed + 10
        guard data + length <= bytes.byteCount else { return nil }
        let record = DNSRecord(bytes, nameOffset: offset, fixed: fixed, dataLength: length)
        offset = data + length
        remaining -= 1
        return record
    }

    /// The offset behind the name at `offset`. A pointer ends the name where it stands, so its target is not visited.
    private static func skipName(_ bytes: RawSpan, at offset: Int) -> Int? {
        var position = offset
        while position < bytes.byteCount, position - offset <= 255 {
            let lead = Int(bytes.byte(at: position))
            switch lead >> 6 {
            case 0 where lead == 0: return position + 1
            case 0: position += 1 + lead
            case 3: return position + 2 <= bytes.byteCount ? position + 2 : nil
            default: return nil
            }
        }
        return nil
    }
}

/// One resource record, read in place.
@frozen
public struct DNSRecord: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline let nameOffset: Int
    /// Offset of type, class, TTL and length.
    @usableFromInline let fixed: Int
    @usableFromInline let dataLength: Int

    /// The caller has proved that `fixed + 10 + dataLength` bytes are there.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, nameOffset: Int, fixed: Int, dataLength: Int) {
        self.bytes = bytes
        self.nameOffset = nameOffset
        self.fixed = fixed
        self.dataLength = dataLength
    }

    @inlinable public var type: UInt16 { bytes.bigEndian16(at: fixed) }
    @inlinable public var `class`: UInt16 { bytes.bigEndian16(at: fixed + 2) }
    /// Seconds; a number with the top bit set counts as 0 (RFC 2181, 8).
    @inlinable public var ttl: UInt32 {
        let value = bytes.bigEndian32(at: fixed + 4)
        return value > 0x7FFF_FFFF ? 0 : value
    }

    /// The record's own data; names in it may be compressed.
    @inlinable public var data: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(fixed + 10..<fixed + 10 + dataLength) }
    }

    /// The owner's name; nil where it is malformed.
    public var name: DNSName? { DNSName.read(bytes, at: nameOffset)?.name }

    /// The hash of the owner's name, as `DNSName.key` makes it; allocates nothing.
    public func nameKey(seed: UInt64 = 0) -> UInt64? { DNSName.key(bytes, at: nameOffset, seed: seed)?.key }

    /// The hash of the name that an alias leads to; nil for other types. Allocates nothing.
    public func aliasKey(seed: UInt64 = 0) -> UInt64? {
        type == DNSType.cname ? DNSName.key(bytes, at: fixed + 10, seed: seed)?.key : nil
    }

    /// The address of an A or AAAA record of class IN; nil for other types or a wrong length.
    @inlinable public var address: IPAddress? {
        guard `class` == 1 else { return nil }
        switch (type, dataLength) {
        case (DNSType.a, 4): return IPAddress(v4: bytes.bigEndian32(at: fixed + 10))
        case (DNSType.aaaa, 16):
            return IPAddress(v6High: bytes.bigEndian64(at: fixed + 10), low: bytes.bigEndian64(at: fixed + 18))
        default: return nil
        }
    }

    /// The name in the data of CNAME, NS, PTR and MX records; nil for other types or a malformed name.
    public var target: DNSName? {
        switch type {
        case DNSType.cname, DNSType.ns, DNSType.ptr: DNSName.read(bytes, at: fixed + 10)?.name
        case DNSType.mx: dataLength > 2 ? DNSName.read(bytes, at: fixed + 12)?.name : nil
        default: nil
        }
    }

    /// The strings of a TXT record put together; nil for other types. Bytes as they came, not made safe to show.
    public var text: [UInt8]? {
        guard type == DNSType.txt else { return nil }
        var result: [UInt8] = []
        var offset = 0
        let data = data
        while offset < data.byteCount {
            let count = Int(data.byte(at: offset))
            let end = min(offset + 1 + count, data.byteCount)
            for index in offset + 1..<max(end, offset + 1) { result.append(data.byte(at: index)) }
            offset = end
        }
        return result
    }
}

/// A question as a value.
public struct DNSQuestion: Hashable, Sendable {
    public var name: DNSName
    public var type: UInt16
    /// 1 is IN.
    public var `class`: UInt16

    public init(name: DNSName, type: UInt16, class: UInt16 = 1) {
        self.name = name
        self.type = type
        self.class = `class`
    }

    /// The same number as `DNSMessage.questionKey(seed:)` gives for this question.
    public func key(seed: UInt64 = 0) -> UInt64 {
        Self.combine(nameKey: name.key(seed: seed), typeAndClass: UInt32(type) << 16 | UInt32(`class`))
    }

    static func combine(nameKey: UInt64, typeAndClass: UInt32) -> UInt64 {
        (nameKey ^ UInt64(typeAndClass)) &* 0x9E37_79B9_7F4A_7C15
    }

    func write(to packet: inout [UInt8]) {
        name.write(to: &packet)
        packet.append(bigEndian: type)
        packet.append(bigEndian: `class`)
    }
}

extension DNSQuestion: CustomStringConvertible {
    public var description: String { "\(name) type \(type)" }
}
