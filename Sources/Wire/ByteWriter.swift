// Big-endian output, the one way in which `Wire` writes numbers.

extension Array where Element == UInt8 {
    /// Appends `value` in network byte order.
    @inlinable
    public mutating func append<Number: FixedWidthInteger>(bigEndian value: Number) {
        var shift = Number.bitWidth - 8
        while shift >= 0 {
            append(UInt8(truncatingIfNeeded: value >> shift))
            shift -= 8
        }
    }
}

/// The Internet checksum of RFC 1071 over `bytes`, ready to be written into a header whose checksum field is zero.
@inlinable
public func internetChecksum(_ bytes: some Sequence<UInt8>, initial: UInt32 = 0) -> UInt16 {
    var sum = UInt64(initial)
    var high = true
    for byte in bytes {
        sum &+= high ? UInt64(byte) << 8 : UInt64(byte)
        high.toggle()
    }
    while sum > 0xFFFF { sum = (sum & 0xFFFF) &+ (sum >> 16) }
    return ~UInt16(truncatingIfNeeded: sum)
}
