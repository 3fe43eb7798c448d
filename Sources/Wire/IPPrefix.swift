// Address prefixes in CIDR notation, RFC 4632.

/// An address prefix such as 192.0.2.0/24; the bits behind the length are zero.
public struct IPPrefix: Hashable, Sendable {
    public let address: IPAddress
    /// 0...32 or 0...128.
    public let length: Int

    /// Masks `address` to `length` bits; fails where the length does not fit the family.
    public init?(_ address: IPAddress, length: Int) {
        guard length >= 0, length <= address.bitCount else { return nil }
        self.length = length
        self.address = address.masked(to: length)
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv6 == address.isIPv6 && other.masked(to: length) == address
    }
}

extension IPAddress {
    /// The address with every bit behind the first `length` cleared; `length` is clamped to the family's width.
    public func masked(to length: Int) -> IPAddress {
        if isIPv6 {
            let length = min(max(length, 0), 128)
            let keepHigh: UInt64 = length >= 64 ? .max : length == 0 ? 0 : ~(UInt64.max >> UInt64(length))
            let keepLow: UInt64 = length <= 64 ? 0 : length == 128 ? .max : ~(UInt64.max >> UInt64(length - 64))
            return IPAddress(v6High: high & keepHigh, low: low & keepLow)
        }
        let length = min(max(length, 0), 32)
        return IPAddress(v4: length == 0 ? 0 : v4Bits & ~(length == 32 ? 0 : UInt32.max >> UInt32(length)))
    }
}

extension IPPrefix: LosslessStringConvertible {
    public var description: String { "\(address)/\(length)" }

    /// Reads `ADDRESS/LENGTH`, or a bare address as a prefix of its full width.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(address, length: address.bitCount)
            return
        }
        guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]) else { return nil }
        self.init(address, length: length)
    }
}
