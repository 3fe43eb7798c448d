import Testing

@testable import Wire

struct DNSNameTests {
    @Test(arguments: [
        ("example.com", "example.com"), ("EXAMPLE.Com.", "example.com"), ("", ""), (".", ""), ("a\\.b.c", "a\\046b.c"),
        ("sp\\032ace", "sp\\032ace"), ("\\000\\255", "\\000\\255"), ("back\\\\slash", "back\\092slash"),
    ])
    func textIsReadAndWritten(text: String, written: String) throws {
        let name = try #require(DNSName(text))
        check(name.description == written)
        check(DNSName(name.description) == name)
        var bytes: [UInt8] = []
        name.write(to: &bytes)
        guard let (read, end) = DNSName.read(bytes.span.bytes, at: 0) else { throw Missing() }
        check(read == name)
        check(end == bytes.count)
    }

    @Test(arguments: ["a..b", ".a", String(repeating: "a", count: 64), "a\\", "a\\25", "a\\256"])
    func whatIsNoNameIsRefused(text: String) {
        check(DNSName(text) == nil)
    }

    @Test
    func lengthIsBounded() {
        let label = String(repeating: "a", count: 63)
        check(DNSName([label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")) != nil)
        check(DNSName([label, label, label, String(repeating: "b", count: 62)].joined(separator: ".")) == nil)
        check(DNSName(String(repeating: "a.", count: 200)) == nil)
    }

    @Test
    func compressionIsFollowedBackwardsOnly() throws {
        // At 0 "net", at 5 "example" -> 0, at 15 a bare pointer -> 5.
        let bytes: [UInt8] = [3, 110, 101, 116, 0, 7, 69, 120, 97, 109, 112, 108, 101, 0xC0, 0, 0xC0, 5]
        guard let (name, end) = DNSName.read(bytes.span.bytes, at: 5) else { throw Missing() }
        check(name.description == "example.net")
        check(end == 15)
        guard let (second, secondEnd) = DNSName.read(bytes.span.bytes, at: 15) else { throw Missing() }
        check(second == name)
        check(secondEnd == 17)
        check(DNSName.key(bytes.span.bytes, at: 15)?.key == name.key())
    }

    @Test(
        arguments: [
            [0xC0, 0x00], [0xC0, 0x01], [0xC0], [1, 97], [0x40, 0], [0x80, 0], [], [1, 97, 0xC0, 0x00], [5, 97],
            [1, 97, 0xC0, 0x02, 0],
        ] as [[UInt8]])
    func loopsAndCutsAreMalformed(bytes: [UInt8]) {
        check(DNSName.read(bytes.span.bytes, at: 0) == nil)
        check(DNSName.key(bytes.span.bytes, at: 0) == nil)
        check(DNSName.read(bytes.span.bytes, at: 7) == nil)
    }

    @Test
    func longChainsOfPointersEnd() {
        // Each pointer leads two bytes back; the walk is as long as the chain, and a name of more than 255 bytes fails.
        var bytes: [UInt8] = [0]
        bytes.append(0)
        for index in 1..<4_000 { bytes.append(bigEndian: 0xC000 | UInt16(index * 2 - 2)) }
        check(DNSName.read(bytes.span.bytes, at: bytes.count - 2)?.name.labels.isEmpty == true)
        var growing: [UInt8] = [0, 0]
        for index in 1..<1_000 {
            growing += [1, 97]
            growing.append(bigEndian: 0xC000 | UInt16(index == 1 ? 0 : 2 + (index - 2) * 4))
        }
        check(DNSName.read(growing.span.bytes, at: growing.count - 4) == nil)
    }

    @Test
    func keysIgnoreCaseAndDependOnTheSeed() throws {
        let lower = try #require(DNSName("www.example.com"))
        let upper: [UInt8] = [3, 87, 87, 87, 7, 69, 88, 65, 77, 80, 76, 69, 3, 99, 79, 109, 0]
        check(DNSName.key(upper.span.bytes, at: 0, seed: 9)?.key == lower.key(seed: 9))
        check(lower.key(seed: 9) != lower.key(seed: 10))
        check(DNSName("ab.c")?.key() != DNSName("a.bc")?.key())
    }
}
