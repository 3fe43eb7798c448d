// Data of SVCB and HTTPS records, RFC 9460, 2.2 and 7.3: the addresses that they hint at.
//
// Invariant: a view holds the priority and a whole target name.

/// Numbers of service parameters.
@usableFromInline
enum DNSServiceParameter {
    @usableFromInline static let ipv4Hint: UInt16 = 4
    @usableFromInline static let ipv6Hint: UInt16 = 6
}

/// The data of an SVCB or HTTPS record, read in place.
@frozen
public struct DNSServiceBinding: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline let parameterStart: Int

    /// Takes a record's data. Fails where the priority or the target name, which is never compressed, is not whole.
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= 3 else { return nil }
        var offset = 2
        while offset < bytes.byteCount, bytes.byte(at: offset) != 0 {
            let count = Int(bytes.byte(at: offset))
            guard count <= 63 else { return nil }
            offset &+= 1 &+ count
        }
        guard offset < bytes.byteCount, offset <= 257 else { return nil }
        self.bytes = bytes
        parameterStart = offset &+ 1
    }

    /// 0 is an alias for another name, without parameters.
    @inlinable public var priority: UInt16 { bytes.bigEndian16(at: 0) }

    /// Calls `body` with each address that the record hints at, at most `limit` of them.
    public func forEachHint(limit: Int, _ body: (IPAddress) -> Void) {
        guard priority != 0 else { return }
        var left = limit
        var offset = parameterStart
        while offset &+ 4 <= bytes.byteCount {
            let key = bytes.bigEndian16(at: offset)
            let end = offset &+ 4 &+ Int(bytes.bigEndian16(at: offset &+ 2))
            offset &+= 4
            guard end <= bytes.byteCount else { return }
            let size = key == DNSServiceParameter.ipv4Hint ? 4 : 16
            if key == DNSServiceParameter.ipv4Hint || key == DNSServiceParameter.ipv6Hint {
                while offset &+ size <= end, left > 0 {
                    left &-= 1
                    body(
                        size == 4
                            ? IPAddress(v4: bytes.bigEndian32(at: offset))
                            : IPAddress(v6High: bytes.bigEndian64(at: offset), low: bytes.bigEndian64(at: offset &+ 8)))
                    offset &+= size
                }
            }
            offset = end
        }
    }
}

/// The data of an HTTPS record as values.
public struct DNSServiceBindingFields: Hashable, Sendable {
    public var priority: UInt16
    public var target: DNSName
    public var hints: [IPAddress]

    public init(priority: UInt16 = 1, target: DNSName, hints: [IPAddress]) {
        self.priority = priority
        self.target = target
        self.hints = hints
    }

    /// The record's data; hints beyond what a length of two bytes allows are left out.
    public func write() -> [UInt8] {
        var data: [UInt8] = []
        data.append(bigEndian: priority)
        target.write(to: &data)
        for (key, isIPv6) in [(DNSServiceParameter.ipv4Hint, false), (DNSServiceParameter.ipv6Hint, true)] {
            let addresses = hints.filter { $0.isIPv6 == isIPv6 }.prefix(4_095).flatMap(\.bytes)
            guard !addresses.isEmpty else { continue }
            data.append(bigEndian: key)
            data.append(bigEndian: UInt16(clamping: addresses.count))
            data += addresses
        }
        return data
    }
}

extension DNSServiceBindingFields: CustomStringConvertible {
    public var description: String { "service binding \(priority) \(target)" }
}
