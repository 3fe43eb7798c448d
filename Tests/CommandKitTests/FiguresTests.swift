import Testing

@testable import CommandKit

@Suite struct FiguresTests {
    @Test(
        arguments: [
            (nil, "–"), (0, "0 µs"), (0.4, "0.4 µs"), (9.99, "10.0 µs"), (12.3, "12 µs"), (999.4, "999 µs"),
            (999.6, "1.00 ms"),
            (9_994, "9.99 ms"), (9_996, "10.0 ms"), (40_123, "40.1 ms"), (412_000, "412 ms"), (999_600, "1.00 s"),
            (12_345_678, "12.3 s"), (.nan, "–"),
        ] as [(Double?, String)])
    func times(microseconds: Double?, text: String) {
        #expect(Figures.time(microseconds: microseconds) == text)
    }

    /// Loss that is there never reads as none, and loss that is not total never as total.
    @Test(
        arguments: [
            (nil, "–"), (0, "0 %"), (0.001, "<0.1 %"), (0.4, "0.4 %"), (12.4, "12 %"), (99.4, ">99 %"),
            (99.99, ">99 %"),
            (100, "100 %"),
        ] as [(Double?, String)])
    func percents(value: Double?, text: String) {
        #expect(Figures.percent(value) == text)
    }

    @Test(arguments: [
        (59.9, "59 s"), (3_599, "59 min"), (7_800, "2 h 10 min"), (93_600, "1 d 2 h"), (-5, "0 s"),
        (1e300, "11574074 d 1 h"),
    ])
    func spans(seconds: Double, text: String) {
        #expect(Figures.span(seconds: seconds) == text)
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567"), (Int.min, "-9,223,372,036,854,775,808"),
    ])
    func counts(value: Int, text: String) {
        #expect(Figures.count(value) == text)
    }

    @Test(arguments: [
        ("abc", 3), ("漢字", 4), ("e\u{301}", 1), ("🎉", 2), ("▁█", 2), ("", 0), ("✅⏰", 4), ("●◐✖▲", 4),
        ("\u{1112}\u{1161}\u{11AB}", 2), ("\u{202E}a", 1), ("क\u{94D}", 1), ("🛰", 1), ("ＡＢ", 4),
    ])
    func widths(text: String, columns: Int) {
        #expect(DisplayWidth.of(text) == columns)
        for limit in 0..<6 { #expect(DisplayWidth.of(DisplayWidth.cut(text, to: limit)) <= limit) }
    }

    @Test(
        arguments: [
            ("vpn-wst", "vpn-west"), ("VPN-WEST", "vpn-west"), ("gwa", "gw"), ("west", "vpn-west"), ("zzzzzz", nil),
        ] as [(String, String?)])
    func suggestions(word: String, nearest: String?) {
        #expect(Suggestion.nearest(to: word, among: ["gw", "vpn-east", "vpn-west"]) == nearest)
    }

    @Test func sparklineMarksLossAndUnknown() {
        #expect(
            Sparkline.text([1, nil, nil, 2, nil], outcomes: ["ok", "lost", "indeterminate", "late", "ok"], columns: 9)
                == "▁×?█▪")
        #expect(Sparkline.text([100, 101], outcomes: ["ok", "ok"], columns: 9) == "▁▁")
    }
}
