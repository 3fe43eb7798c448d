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

    /// The eight bytes of a number, least significant first: at once, by a table for each place ("slicing by 8", Kounavis and
    /// Berry 2005).
    mutating func add(_ number: Int64) {
        let word = UInt64(bitPattern: number) ^ UInt64(state)
        let tables = CRC32C.tables
        var next: UInt32 = 0
        for place in 0..<8 {
            next ^= tables[(7 - place) * 256 + Int(truncatingIfNeeded: (word >> UInt64(8 * place)) & 0xFF)]
        }
        state = next
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

    /// `table` for a byte with 0 to 7 bytes behind it, one after the other.
    private static let tables: [UInt32] = {
        var tables = table
        for index in 256..<2048 {
            let before = tables[index - 256]
            tables.append(table[Int(before & 0xFF)] ^ (before >> 8))
        }
        return tables
    }()

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
        return value
    }
}
