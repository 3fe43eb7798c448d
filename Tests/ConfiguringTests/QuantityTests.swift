import Model
import Testing

@testable import Configuring

@Suite struct QuantityTests {
    @Test(arguments: [
        ("0s", Duration.zero), ("250ms", .milliseconds(250)), ("1.5s", .milliseconds(1_500)), ("10s", .seconds(10)),
        ("1h30m", .seconds(5_400)), ("1h 30m", .seconds(5_400)), ("10 s", .seconds(10)), ("2d", .seconds(172_800)),
        ("1w", .seconds(604_800)), ("1y", .seconds(31_536_000)), ("0.000001ms", .nanoseconds(1)),
    ])
    func durationsAreRead(text: String, expected: Duration) throws {
        #expect(try Quantity.duration(text) == expected)
    }

    @Test(arguments: [
        "", " ", "s", "10", "1h30", "-1s", "+1s", "1..5s", ".5s", "1e3s", "10S", "10 sec", "１０s", "1s,", "1_000s",
        "9999999999999999s", "293y", "100y100y100y",
    ])
    func whatIsNoDurationIsASentence(text: String) {
        do {
            let duration = try Quantity.duration(text)
            Issue.record("read \(text) as \(duration)")
        } catch {
            #expect(error.sentence.hasPrefix("expected a duration such as 10s"))
        }
    }

    @Test func durationsAreWrittenAsTheyAreRead() throws {
        var state: UInt64 = 42
        for _ in 0..<2_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let duration = Duration.milliseconds(Int64(state >> 24))
            #expect(try Quantity.duration(Quantity.text(duration)) == duration)
        }
    }

    @Test(arguments: [
        ("0B", Int64(0)), ("1KiB", 1_024), ("8 MiB", 8 << 20), ("1.5GiB", 3 << 29), ("2TiB", 2 << 40),
        ("64KB", 64_000), ("1kB", 1_000), ("3MB", 3_000_000), ("1GB", 1_000_000_000), ("0.0001KB", 0),
    ])
    func sizesAreRead(text: String, expected: Int64) throws {
        #expect(try Quantity.size(text) == expected)
    }

    @Test(arguments: ["", "64", "MiB", "-1MiB", "1mib", "1 M", "99999999TiB", "1MiB1KiB"])
    func whatIsNoSizeIsASentence(text: String) {
        #expect(throws: Quantity.Refusal.self) { try Quantity.size(text) }
    }

    @Test func sizesAreWrittenAsTheyAreRead() throws {
        for bytes: Int64 in [0, 1, 1_023, 1_024, 1_500, 8 << 20, 3 << 29, 1 << 40] {
            #expect(try Quantity.size(Quantity.text(bytes: bytes)) == bytes)
        }
    }

    @Test(arguments: [("0%", 0.0), ("100%", 1), ("20%", 0.2), ("12.5%", 0.125), ("5 %", 0.05), ("0.1%", 0.001)])
    func sharesAreRead(text: String, expected: Double) throws {
        let share = try Quantity.share(text)
        #expect((share - expected).magnitude < 1e-12)
        #expect(Quantity.text(share: share) == text.replacing(" ", with: ""))
    }

    @Test(arguments: ["", "%", "20", "0.2", "-1%", "101%", "1e1%", "20%%"])
    func whatIsNoShareIsASentence(text: String) {
        #expect(throws: Quantity.Refusal.self) { try Quantity.share(text) }
    }

    @Test func textOfTheFileIsQuotedHarmlessAndShort() {
        #expect(Quantity.quoted("a\u{1B}[31m") == #""a\x1B[31m""#)
        #expect(Quantity.quoted(String(repeating: "x", count: 1_000)).count == 63)
    }

    @Test func suggestionsAreNearOrNotMade() {
        let words = ["interval", "timeout", "icmp", "tcp", "dns"]
        #expect(Suggestion.nearest(to: "intervall", among: words) == "interval")
        #expect(Suggestion.nearest(to: "itnerval", among: words) == "interval")
        #expect(Suggestion.nearest(to: "Timeout", among: words) == "timeout")
        #expect(Suggestion.nearest(to: "imcp", among: words) == "icmp")
        #expect(Suggestion.nearest(to: "snmp-walk", among: words) == nil)
        #expect(Suggestion.nearest(to: "", among: words) == nil)
        #expect(Suggestion.nearest(to: String(repeating: "i", count: 100_000), among: words) == nil)
    }

    @Test(arguments: [
        ("*", "", true), ("*", "vpn", true), ("vpn-*", "vpn-west", true), ("vpn-*", "vpn", false),
        ("*-west", "vpn-west", true), ("*w*t*", "vpn-west", true), ("a*b*c", "aXbYc", true), ("a*b*c", "aXcYb", false),
        ("vpn", "vpn", true), ("", "", true), ("", "a", false), ("**", "a", true),
    ])
    func patternsMatch(pattern: String, text: String, expected: Bool) {
        #expect(Glob.matches(pattern, text) == expected)
    }

    @Test func patternsAreNotExponential() {
        let pattern = String(repeating: "*a", count: 60) + "b"
        #expect(!Glob.matches(pattern, String(repeating: "a", count: 4_000)))
    }
}
