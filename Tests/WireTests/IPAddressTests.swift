import Glibc
import Testing
import Wire

@Suite struct IPAddressTests {
    // MARK: A second opinion: inet_pton(3) and inet_ntop(3)

    private func parsedByGlibc(_ text: String) -> [UInt8]? {
        let isIPv6 = text.contains(":")
        var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        return inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes) == 1 ? bytes : nil
    }

    private func writtenByGlibc(_ address: IPAddress) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = inet_ntop(address.isIPv6 ? AF_INET6 : AF_INET, address.bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test(arguments: [
        "0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "1::", "2001:db8::1", "fe80::1:2:3:4",
        "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "2001:db8:0:0:1::1", "::ffff:192.0.2.1",
        "64:ff9b::192.0.2.33", "2001:DB8::A", "0001::", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4",
    ])
    func isReadAsGlibcReadsIt(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.bytes == parsedByGlibc(text))
        #expect(address.isIPv6 == text.contains(":"))
        #expect(IPAddress(bytes: address.bytes) == address)
        #expect(IPAddress(address.description) == address)
    }

    @Test(arguments: [
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.+4", "1.2.3.0x4",
        "1.2.3.", ".1.2.3", "1..2.3", "１.2.3.4", ":", ":::", "1:", ":1", "1::2::3", "1:2:3:4:5:6:7", "12345::",
        "1:2:3:4:5:6:7:8:9", "g::", "::1%eth0", "[::1]", "::1/64", "1.2.3.4::", "::1.2.3", "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4::5:6:7:8", "::+1", "::-1", "::\0",
    ])
    func isRefused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func anyTextIsReadAsGlibcReadsIt() {
        var random = Xorshift(state: 0x9E37_79B9)
        let alphabet = Array("0123456789abcfF:.::.")
        for _ in 0..<30_000 {
            let text = String(
                (0..<Int.random(in: 0...20, using: &random)).map { _ in
                    alphabet.randomElement(using: &random) ?? ":"
                })
            #expect(IPAddress(text)?.bytes == parsedByGlibc(text), "\(text)")
        }
    }

    @Test func anyAddressIsWrittenAsRFC5952WantsIt() {
        var random = Xorshift(state: 0xDEAD_BEEF)
        for _ in 0..<10_000 {
            // Many zero groups, since those are what the short form is about.
            let bytes = (0..<8).flatMap { _ -> [UInt8] in
                Bool.random(using: &random)
                    ? [0, 0] : [UInt8.random(in: 0...255, using: &random), UInt8.random(in: 0...255, using: &random)]
            }
            guard let address = IPAddress(bytes: bytes), let v4 = IPAddress(bytes: bytes.suffix(4)) else {
                Issue.record("sixteen and four bytes are addresses")
                return
            }
            #expect(IPAddress(address.description) == address)
            #expect(v4.description == writtenByGlibc(v4))
            // glibc writes the deprecated IPv4-compatible ::a.b.c.d as a dotted quad, which RFC 5952 does not ask for.
            if bytes.prefix(12).contains(where: { $0 != 0 }) { #expect(address.description == writtenByGlibc(address)) }
        }
    }

    /// The examples of RFC 5952, section 4.
    @Test(arguments: [
        ("2001:0db8::0001", "2001:db8::1"), ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:DB8::AAAA", "2001:db8::aaaa"),
    ])
    func shortForm(text: String, expected: String) {
        #expect(IPAddress(text)?.description == expected)
    }

    @Test(arguments: 0...20) func onlyFourAndSixteenBytesAreAnAddress(count: Int) {
        #expect((IPAddress(bytes: [UInt8](repeating: 1, count: count)) != nil) == (count == 4 || count == 16))
    }

    @Test func classesOfAddresses() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        for text in ["127.0.0.1", "127.255.255.255", "::1"] { #expect(try address(text).isLoopback) }
        for text in ["126.255.255.255", "128.0.0.0", "::2", "0.0.0.1"] { #expect(try !address(text).isLoopback) }
        for text in ["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1"] {
            #expect(try address(text).isLinkLocal)
        }
        for text in ["169.253.255.255", "169.255.0.0", "fec0::", "fe7f::"] { #expect(try !address(text).isLinkLocal) }
        for text in ["224.0.0.1", "239.255.255.255", "ff02::1"] { #expect(try address(text).isMulticast) }
        for text in ["223.255.255.255", "240.0.0.0", "feff::"] { #expect(try !address(text).isMulticast) }
        for text in ["0.0.0.0", "::"] { #expect(try address(text).isUnspecified) }
        #expect(try address("0.0.0.0") != address("::"))
        #expect(try address("192.0.2.1").isIPv4)
        #expect(try address("192.0.2.1").bitCount == 32)
        #expect(try address("::1").bitCount == 128)
    }

    @Test func ipv4SortsFirstAndByNumber() throws {
        let sorted = try ["10.0.0.2", "192.0.2.1", "::", "2001:db8::1", "2001:db8::2", "fe80::"].map {
            try #require(IPAddress($0))
        }
        #expect(sorted.shuffled().sorted() == sorted)
    }

    @Test func masksKeepTheFirstBits() throws {
        let v6 = try #require(IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
        for length in 0...128 {
            let masked = v6.masked(to: length)
            let bits = masked.bytes.reduce(0) { $0 + $1.nonzeroBitCount }
            #expect(bits == length)
            #expect(masked.bytes.prefix(length / 8).allSatisfy { $0 == 0xFF })
        }
        let v4 = try #require(IPAddress("255.255.255.255"))
        for length in 0...32 { #expect(v4.masked(to: length).v4Bits.leadingZeroBitCount == (length == 0 ? 32 : 0)) }
        for length in 0...32 { #expect(v4.masked(to: length).v4Bits.nonzeroBitCount == length) }
        #expect(v4.masked(to: -1) == v4.masked(to: 0))
        #expect(v4.masked(to: 1_000) == v4)
        #expect(v6.masked(to: .min).isUnspecified)
        #expect(v6.masked(to: .max) == v6)
    }
}

/// A reproducible generator: Marsaglia's xorshift64.
private struct Xorshift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
