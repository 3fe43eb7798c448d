import Testing
import Wire

@Suite struct IPPrefixTests {
    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.0/24"), ("192.0.2.77/24", "192.0.2.0/24"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.1.2.3/0", "0.0.0.0/0"), ("192.0.2.1/32", "192.0.2.1/32"), ("192.0.2.1", "192.0.2.1/32"),
        ("2001:db8::1", "2001:db8::1/128"), ("2001:db8:ffff::/33", "2001:db8:8000::/33"), ("::/0", "::/0"),
        ("2001:db8::ffff:ffff:ffff:ffff/65", "2001:db8:0:0:8000::/65"), ("fe80::1/64", "fe80::/64"),
    ])
    func isReadAndMasked(text: String, expected: String) throws {
        let prefix = try #require(IPPrefix(text))
        #expect(prefix.description == expected)
        #expect(IPPrefix(prefix.description) == prefix)
    }

    @Test(arguments: [
        "", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/24/24", "::/129",
        "192.0.2.0/255.255.255.0", "192.0.2/24", "192.0.2.0 /24", "192.0.2.0/99999999999999999999", "vpn/24",
    ])
    func isRefused(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test func holdsItsFirstAndLastAddressAndNoNeighbour() throws {
        for length in 1...32 {
            let base = UInt32(0x0A55_AA00)
            let prefix = try #require(IPPrefix(IPAddress(v4: base), length: length))
            let first = prefix.address.v4Bits
            let last = first | (length == 32 ? 0 : UInt32.max >> UInt32(length))
            #expect(prefix.contains(IPAddress(v4: first)))
            #expect(prefix.contains(IPAddress(v4: last)))
            if first > 0 { #expect(!prefix.contains(IPAddress(v4: first - 1))) }
            if last < .max { #expect(!prefix.contains(IPAddress(v4: last + 1))) }
        }
    }

    @Test func neverHoldsTheOtherFamily() throws {
        let all4 = try #require(IPPrefix("0.0.0.0/0"))
        let all6 = try #require(IPPrefix("::/0"))
        let v4 = try #require(IPAddress("192.0.2.1"))
        let mapped = try #require(IPAddress("::ffff:192.0.2.1"))
        #expect(all4.contains(v4) && !all4.contains(mapped))
        #expect(all6.contains(mapped) && !all6.contains(v4))
    }

    @Test func lengthsOutsideTheFamilyAreNoPrefix() {
        let v4 = IPAddress(v4: 0)
        let v6 = IPAddress(v6High: 0, low: 0)
        #expect(IPPrefix(v4, length: 33) == nil)
        #expect(IPPrefix(v4, length: -1) == nil)
        #expect(IPPrefix(v6, length: 129) == nil)
        #expect(IPPrefix(v6, length: .min) == nil)
        #expect(IPPrefix(v6, length: 128) != nil)
    }
}
