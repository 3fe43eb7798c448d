// CRC-32C, RFC 3720 appendix B.4 (Castagnoli).
//
// Of our own, since no library in reach has it: the system's zlib knows only the older polynomial, which finds fewer
// of the short bursts that a failing medium makes, and would be one more shared library.

/// A running checksum over bytes and numbers.
struct CRC32C {
    private var state: UInt32

    /// - Parameter seed: the checksum of what comes before, such as the name of a series.
    init(seed: UInt32 = 0) { state = ~seed }

    var value: UInt32 { ~state }

    mutating func add(_ byte: UInt8) {
        state = CRC32C.table[Int((state ^ UInt32(byte)) & 0xFF)] ^ (state &>> 8)
    }

    mutating func add(_ bytes: some Sequence<UInt8>) { for byte in bytes { add(byte) } }

    mutating func add(_ bytes: [UInt8], upTo end: Int) {
        var running = state
        for index in 0..<min(max(end, 0), bytes.count) {
            running = CRC32C.table[Int((running ^ UInt32(bytes[index])) & 0xFF)] ^ (running &>> 8)
        }
        state = running
    }

    /// The eight bytes of a number, least significant first.
    mutating func add(_ number: Int64) {
        var rest = UInt64(bitPattern: number)
        for _ in 0..<8 {
            add(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// A number or its absence, which is not the same as 0.
    mutating func add(_ number: Int64?) {
        add(UInt8(number == nil ? 0 : 1))
        if let number { add(number) }
    }

    /// Text with its length, or its absence.
    mutating func add(_ text: String?) {
        guard let text else { return add(Int64(-1)) }
        add(Int64(text.utf8.count))
        add(text.utf8)
    }

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
        return value
    }
}
