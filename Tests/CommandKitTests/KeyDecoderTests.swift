import Testing

@testable import CommandKit

@Suite struct KeyDecoderTests {
    private static func keys(_ text: String) -> [WatchKey] {
        var decoder = KeyDecoder()
        return decoder.feed(Array(text.utf8)) + decoder.flush()
    }

    @Test(
        arguments: [
            ("\u{1B}[A", .up), ("\u{1B}OB", .down), ("\u{1B}[1;5C", .right), ("\u{1B}[D", .left),
            ("\u{1B}[5~", .pageUp), ("\u{1B}[6~", .pageDown), ("\u{1B}[1~", .home), ("\u{1B}[7~", .home),
            ("\u{1B}OH", .home), ("\u{1B}[F", .end), ("\u{1B}[4~", .end), ("\u{1B}[8~", .end), ("\r", .enter),
            ("\n", .enter), ("\u{1B}OM", .enter), ("\u{1B}", .escape), ("\u{7F}", .backspace), ("\u{8}", .backspace),
            ("\u{3}", .control("c")), ("\u{1A}", .control("z")), ("j", .character("j")), ("漢", .character("漢")),
            ("é", .character("é")), ("🎉", .character("🎉")),
        ] as [(String, WatchKey)])
    func oneKey(text: String, key: WatchKey) { #expect(Self.keys(text) == [key]) }

    @Test func escapeAndWhatWasTypedQuicklyAfterIt() {
        #expect(Self.keys("\u{1B}q") == [.escape, .character("q")])
        #expect(Self.keys("\u{1B}\u{1B}[A") == [.escape, .up])
    }

    @Test(arguments: [
        "\u{1B}[[A", "\u{1B}[200~", "\u{1B}[15;2~", "\u{1B}OP", "\u{1B}[", "\u{1B}[1;", "\u{0}", "\u{1B}[?25",
    ])
    func whatIsNoKeyOfOursIsNothing(text: String) { #expect(Self.keys(text).isEmpty) }

    /// A sequence that comes in pieces waits for its end, and only a lone ESC is the escape key.
    @Test func piecesWait() {
        var decoder = KeyDecoder()
        #expect(decoder.feed([0x1B]).isEmpty)
        #expect(decoder.isWaiting)
        #expect(decoder.feed([0x5B]).isEmpty)
        #expect(decoder.feed([0x41]) == [.up])
        #expect(!decoder.isWaiting)
        #expect(decoder.feed([0xE6, 0xBC]).isEmpty)
        #expect(decoder.feed([0xA2]) == [.character("漢")])
    }

    @Test func anyBytesGiveTheSameKeysHoweverTheyAreCut() {
        var generator = SystemRandomNumberGenerator()
        let pieces: [[UInt8]] = [
            [0x1B], [0x5B], [0x4F], [0x41], [0x7E], [0x3B], [0x31], [0xE6], [0xBC, 0xA2], [0xFF], [0xC2], [0x80],
            [0xF4],
        ]
        for _ in 0..<3_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                bytes +=
                    Bool.random(using: &generator)
                    ? pieces.randomElement(using: &generator) ?? [] : [UInt8.random(in: 0...255, using: &generator)]
            }
            var whole = KeyDecoder()
            var cut = KeyDecoder()
            let expected = whole.feed(bytes)
            var found: [WatchKey] = []
            for byte in bytes { found += cut.feed([byte]) }
            #expect(found == expected, "\(bytes)")
            #expect(cut.flush() == whole.flush())
        }
    }

    @Test func anEndlessSequenceIsNotKept() {
        var decoder = KeyDecoder()
        _ = decoder.feed([0x1B, 0x5B] + [UInt8](repeating: 0x30, count: 10_000))
        #expect(decoder.feed([UInt8(ascii: "q")]).last == .character("q"))
    }
}
