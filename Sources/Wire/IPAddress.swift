// IPv4 and IPv6 addresses, and prefixes of them: RFC 4291 and RFC 5952 (text form).

/// An IPv4 or IPv6 address as a value of 17 significant bytes; no zone.
@frozen
public struct IPAddress: Hashable, Sendable {
    /// The first eight bytes of an IPv6 address, 0 for IPv4.
    public let high: UInt64
    /// The last eight bytes of an IPv6 address; the address itself for IPv4.
    public let low: UInt64
    public let isIPv6: Bool

    /// An IPv4 address from its 32 bits in host order: 192.0.2.1 is 0xC0000201.
    @inlinable
    public init(v4 bits: UInt32) {
        high = 0
        low = UInt64(bits)
        isIPv6 = false
    }

    /// An IPv6 address from its two halves in host order.
    @inlinable
    public init(v6High: UInt64, low: UInt64) {
        high = v6High
        self.low = low
        isIPv6 = true
    }

    @inlinable public var isIPv4: Bool { !isIPv6 }

    /// 32 or 128.
    @inlinable public var bitCount: Int { isIPv6 ? 128 : 32 }

    /// The 32 bits of an IPv4 address; the last 32 of an IPv6 one.
    @inlinable public var v4Bits: UInt32 { UInt32(truncatingIfNeeded: low) }

    /// The address in network byte order: four bytes or sixteen.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        if isIPv6 {
            result.append(bigEndian: high)
            result.append(bigEndian: low)
        } else {
            result.append(bigEndian: v4Bits)
        }
        return result
    }

    /// An address from four or sixteen bytes in network order; fails for any other count.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                v6High: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// ::1 or 127.0.0.0/8.
    public var isLoopback: Bool { isIPv6 ? high == 0 && low == 1 : v4Bits >> 24 == 127 }

    /// fe80::/10 or 169.254.0.0/16: means nothing without an interface.
    public var isLinkLocal: Bool { isIPv6 ? high >> 54 == 0x3FA : v4Bits >> 16 == 0xA9FE }

    /// ff00::/8 or 224.0.0.0/4.
    public var isMulticast: Bool { isIPv6 ? high >> 56 == 0xFF : v4Bits >> 28 == 0xE }

    /// :: or 0.0.0.0.
    public var isUnspecified: Bool { high == 0 && low == 0 }
}

extension IPAddress: Comparable {
    public static func < (a: IPAddress, b: IPAddress) -> Bool {
        if a.isIPv6 != b.isIPv6 { return !a.isIPv6 }
        return (a.high, a.low) < (b.high, b.low)
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted quad, or the shortest form of RFC 5952.
    public var description: String {
        guard isIPv6 else {
            return bytes.map { String($0) }.joined(separator: ".")
        }
        if high == 0, low >> 32 == 0xFFFF { return "::ffff:" + IPAddress(v4: v4Bits).description }
        let groups = (0..<8).map { index -> UInt16 in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> (48 - 16 * UInt64(index % 4)))
        }
        let gap = Self.longestZeroRun(groups)
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard let gap else { return text(groups[...]) }
        return text(groups[..<gap.lowerBound]) + "::" + text(groups[gap.upperBound...])
    }

    /// The first longest run of two or more zero groups, which RFC 5952 writes as `::`.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start: Int?
        for index in 0...groups.count {
            if index < groups.count, groups[index] == 0 {
                start = start ?? index
            } else if let from = start {
                if index - from >= 2, index - from > (best?.count ?? 0) { best = from..<index }
                start = nil
            }
        }
        return best
    }
}

extension IPAddress: LosslessStringConvertible {
    /// Reads a dotted quad (no leading zeros, four parts) or RFC 4291 text; no zone, no brackets.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let parsed = Self.parseIPv6(String(text)) else { return nil }
            self = parsed
        } else {
            guard let bits = Self.parseIPv4(text) else { return nil }
            self.init(v4: bits)
        }
    }

    private static func parseIPv4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.first != "0", let byte = UInt8(part)
            else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        return bits
    }

    private static func parseIPv6(_ text: String) -> IPAddress? {
        let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return nil }
        var sides: [[UInt16]] = []
        for (index, half) in halves.enumerated() {
            guard let groups = parseGroups(String(half), isLast: index == halves.count - 1) else { return nil }
            sides.append(groups)
        }
        var groups = sides[0]
        if sides.count == 2 {
            let missing = 8 - groups.count - sides[1].count
            guard missing >= 1 else { return nil }
            groups += [UInt16](repeating: 0, count: missing) + sides[1]
        }
        guard groups.count == 8 else { return nil }
        return IPAddress(
            v6High: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
            low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
    }

    private static func parseGroups(_ text: String, isLast: Bool) -> [UInt16]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
                guard let bits = parseIPv4(part) else { return nil }
                groups += [UInt16(truncatingIfNeeded: bits >> 16), UInt16(truncatingIfNeeded: bits)]
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                let group = UInt16(part, radix: 16)
            else { return nil }
            groups.append(group)
        }
        return groups
    }
}
