// A keyed hash for tables whose keys others choose.

/// Multiply-and-fold over 64-bit words with secret seeds, drawn anew for each live capture.
///
/// Without the seeds nobody can choose addresses that fall into one bucket. For files they are the same each time: what
/// has no room in a table is then the same as well, and a file gives one answer. Who writes a file with such addresses
/// loses figures of that file, no more: probes are bounded, and what is not taken is counted. The mixing step is that of wyhash.
struct KeyedHash: Sendable {
    private let seed0: UInt64
    private let seed1: UInt64
    private let seed2: UInt64

    /// A seed for hashes of names.
    var nameSeed: UInt64 { seed1 ^ seed2 }

    /// Seeds from the kernel's random generator.
    init() {
        var generator = SystemRandomNumberGenerator()
        // Odd multipliers lose no bits.
        seed0 = generator.next() | 1
        seed1 = generator.next() | 1
        seed2 = generator.next() | 1
    }

    private init(seeds: (UInt64, UInt64, UInt64)) { (seed0, seed1, seed2) = seeds }

    /// The seeds for files: the first bits of the fractions of the square roots of 2, 3 and 5.
    static let forFiles = KeyedHash(seeds: (0x6A09_E667_F3BC_C909, 0xBB67_AE85_84CA_A73B, 0x3C6E_F372_FE94_F82B))

    @inline(__always)
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// One step alone, for what is asked for every packet and waited for.
    @inline(__always)
    func hash(_ a: UInt64, _ b: UInt64) -> UInt64 { KeyedHash.mix(a ^ seed0, b ^ seed1) }

    @inline(__always)
    func hash(_ a: UInt64, _ b: UInt64, _ c: UInt64) -> UInt64 {
        let first = KeyedHash.mix(a ^ seed0, b ^ seed1)
        return KeyedHash.mix(first ^ c, seed2 ^ first &>> 32)
    }

    @inline(__always)
    func hash(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64) -> UInt64 {
        let first = KeyedHash.mix(a ^ seed0, b ^ seed1)
        let second = KeyedHash.mix(c ^ seed1, d ^ seed2)
        return KeyedHash.mix(first ^ e, second ^ seed0)
    }
}
