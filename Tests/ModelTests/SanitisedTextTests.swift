import Model
import Testing

@Suite struct SanitisedTextTests {
    private static let forbidden: [ClosedRange<UInt32>] = [
        0...0x1F, 0x7F...0x9F, 0xAD...0xAD, 0x034F...0x034F, 0x061C...0x061C, 0x115F...0x1160, 0x17B4...0x17B5,
        0x180B...0x180F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0x3164...0x3164, 0xFEFF...0xFEFF,
        0xFFA0...0xFFA0, 0xFFF0...0xFFFB, 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE0FFF,
        // Signs of Arabic and other scripts that are format characters though they are drawn.
        0x0600...0x0605, 0x06DD...0x06DD, 0x070F...0x070F, 0x0890...0x0891, 0x08E2...0x08E2, 0x110BD...0x110BD,
        0x110CD...0x110CD, 0x13430...0x1343F,
    ]

    private func isHarmless(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in !Self.forbidden.contains { $0.contains(scalar.value) } }
    }

    @Test(arguments: [
        ("", ""), ("plain text, with spaces", "plain text, with spaces"), ("naïve 日本 🛰", "naïve 日本 🛰"),
        ("\u{1B}[31mred\u{1B}[0m", #"\x1B[31mred\x1B[0m"#), ("a\nb\tc\r", #"a\x0Ab\x09c\x0D"#), ("\u{7F}", #"\x7F"#),
        ("\u{9B}31m", #"\x9B31m"#), ("\0", #"\x00"#), ("a\u{202E}txt.exe", #"a\u{202E}txt.exe"#),
        ("\u{2028}\u{2029}", #"\u{2028}\u{2029}"#), ("\u{2066}x\u{2069}", #"\u{2066}x\u{2069}"#),
        ("\u{FEFF}", #"\u{FEFF}"#), ("\u{E0041}", #"\u{E0041}"#), ("\u{200B}", #"\u{200B}"#),
        ("a\u{AD}b", #"a\xADb"#), ("\u{3164}", #"\u{3164}"#), ("❤\u{FE0F}", "❤\u{FE0F}"), ("\\x1B", #"\x1B"#),
    ])
    func escapesWhatATerminalWouldObey(text: String, expected: String) {
        #expect(Text.sanitised(text) == expected)
        #expect(Text.sanitised(bytes: Array(text.utf8)) == expected)
    }

    @Test(
        arguments: [
            ([0xFF], #"\xFF"#), ([0xC0, 0x80], #"\xC0\x80"#), ([0x61, 0xC3], #"a\xC3"#),
            ([0xED, 0xA0, 0x80], #"\xED\xA0\x80"#),
            ([0xF4, 0x90, 0x80, 0x80], #"\xF4\x90\x80\x80"#), ([0x80, 0x62], #"\x80b"#), ([0xE2, 0x82, 0xAC], "€"),
            ([0xE2, 0x82, 0x41], #"\xE2\x82A"#),
        ] as [([UInt8], String)])
    func bytesThatAreNoTextBecomeEscapes(bytes: [UInt8], expected: String) {
        #expect(Text.sanitised(bytes: bytes) == expected)
    }

    @Test func isHarmlessShortAndIdempotentForAnyBytes() {
        var random = SplitMix(state: 2_026)
        for _ in 0..<4_000 {
            let bytes = (0..<Int.random(in: 0...400, using: &random)).map { _ in
                // Half of the bytes from the ranges in which control characters and UTF-8 leads lie.
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random)
                    : [0x1B, 0x0A, 0xE2, 0x80, 0xAE, 0xC2, 0x9B, 0xF3, 0xA0, 0x81, 0x7F].randomElement(using: &random)
                        ?? 0
            }
            let text = Text.sanitised(bytes: bytes)
            #expect(isHarmless(text))
            #expect(text.utf8.count <= Text.maximumLength)
            #expect(Text.sanitised(text) == text)
            #expect(Text.sanitised(bytes: Array(text.utf8)) == text)
        }
    }

    @Test func everyScalarIsEitherShownOrEscaped() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = Text.sanitised(String(scalar))
            let isForbidden = Self.forbidden.contains { $0.contains(value) }
            guard text == String(scalar) || (isForbidden && text.hasPrefix("\\")) else {
                Issue.record("U+\(String(value, radix: 16)) became \(text)")
                return
            }
            if isForbidden, text == String(scalar) {
                Issue.record("U+\(String(value, radix: 16)) came through")
                return
            }
        }
    }

    @Test func isCutAtAWholeScalarOrEscape() {
        #expect(Text.sanitised(String(repeating: "x", count: 300)).utf8.count == 255)
        #expect(Text.sanitised(String(repeating: "€", count: 100)) == String(repeating: "€", count: 85))
        #expect(Text.sanitised(String(repeating: "\u{1B}", count: 100)) == String(repeating: #"\x1B"#, count: 63))
    }
}

/// A reproducible generator: Steele, Lea and Flood's SplitMix64.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
