import Model
import Testing
import Wire

@Suite struct TargetTests {
    @Test(arguments: ["a", "vpn-west", "192.0.2.1", "gateway:eth0", "x_y", String(repeating: "a", count: 64)])
    func idsThatAre(text: String) {
        #expect(TargetID(rawValue: text)?.rawValue == text)
        #expect(TargetID(sanitising: text).rawValue == text)
    }

    @Test(arguments: [
        "", "-a", ".a", ":a", "_a", "A", "vpn west", "vpn/west", "ü", "a\n", "a\0", String(repeating: "a", count: 65),
    ])
    func idsThatAreNot(text: String) {
        #expect(TargetID(rawValue: text) == nil)
    }

    @Test(arguments: [
        ("VPN West", "vpn-west"), ("", "x"), ("---", "x"), ("--a", "a"), ("a/b", "a-b"), ("Zürich", "z--rich"),
        ("fe80::1%eth0", "fe80::1-eth0"), (String(repeating: "b", count: 80), String(repeating: "b", count: 64)),
    ])
    func sanitisedIds(text: String, expected: String) {
        #expect(TargetID(sanitising: text).rawValue == expected)
    }

    @Test func everySanitisedIdIsAnId() {
        var random = SplitMix(state: 3)
        for _ in 0..<3_000 {
            let scalars = (0..<Int.random(in: 0...80, using: &random)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...(Bool.random(using: &random) ? 0x7F : 0x10FFFF), using: &random))
            }
            let id = TargetID(sanitising: String(String.UnicodeScalarView(scalars)))
            #expect(TargetID(rawValue: id.rawValue) == id)
        }
    }

    @Test func addressesAsText() throws {
        let address = try #require(IPAddress("fe80::1"))
        #expect(TargetAddress.ip(address, zone: nil).text == "fe80::1")
        #expect(TargetAddress.ip(address, zone: "eth0").text == "fe80::1%eth0")
        #expect(TargetAddress.name("vpn.example").text == "vpn.example")
        #expect(TargetAddress.interface("wg0").text == "wg0")
    }

    @Test func theTitleIsTheIdWhereNoneIsWritten() throws {
        let id = try #require(TargetID(rawValue: "vpn"))
        #expect(TargetSpec(id: id, kind: .vpn, address: .name("a.example"), probes: []).title == "vpn")
        #expect(TargetSpec(id: id, kind: .vpn, title: "VPN", address: .name("a.example"), probes: []).title == "VPN")
    }

    @Test func kindsOfProbesFollowTheirOptions() {
        let options: [(ProbeOptions, ProbeKind)] = [
            (.icmp(ICMPOptions()), .icmp), (.tcp(TCPOptions(port: 443)), .tcp),
            (.dns(DNSOptions(name: "example.com")), .dns), (.link, .link),
        ]
        for (option, kind) in options {
            #expect(ProbeSpec(id: "p", interval: .seconds(1), timeout: .seconds(1), options: option).kind == kind)
        }
    }
}
