// A keyed hash for tables whose keys others choose.

/// Multiply-and-fold over 64-bit words with secret seeds, drawn anew for each capture.
///
/// Without the seeds nobody can choose addresses that fall into one bucket. The mixing step is that of wyhash.
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
