import Control
import Model
import Testing

@testable import CommandKit

/// What the screen shows, letter by letter and at every size.
@Suite struct WatchRendererTests {
    private static let sizes = [(80, 24), (200, 50), (40, 10)]

    @Test(arguments: sizes)
    func list(columns: Int, rows: Int) throws {
        var state = Fixtures.watch(columns, rows)
        try expectSnapshot("watch-list-\(columns)x\(rows)", Fixtures.picture(&state))
    }

    @Test(arguments: sizes)
    func page(columns: Int, rows: Int) throws {
        var state = Fixtures.watch(columns, rows)
        _ = state.handle(.enter)
        state.take(.detail(Fixtures.detail))
        try expectSnapshot("watch-page-\(columns)x\(rows)", Fixtures.picture(&state))
    }

    @Test(arguments: sizes)
    func help(columns: Int, rows: Int) throws {
        var state = Fixtures.watch(columns, rows)
        Fixtures.press("?", &state)
        try expectSnapshot("watch-help-\(columns)x\(rows)", Fixtures.picture(&state))
    }

    @Test func filterAndSort() throws {
        var state = Fixtures.watch(80, 24)
        Fixtures.press("sssS/vpn", &state)
        try expectSnapshot("watch-filter-80x24", Fixtures.picture(&state))
    }

    @Test func aLostDaemonIsSaid() throws {
        var report = Fixtures.report
        report.daemon.running = false
        report.daemon.dataAge = 75
        var state = Fixtures.watch(
            80, 24, report: report, note: "from the database: no daemon answers on /run/tautline/control.sock; …")
        let lines = Fixtures.picture(&state)
        try expectSnapshot("watch-lost-80x24", lines)
        #expect(!lines.contains { $0.contains("● up") })
    }

    @Test func noAnswerForLongIsSaid() {
        var state = Fixtures.watch(80, 24, seconds: 42)
        let lines = Fixtures.picture(&state)
        #expect(lines[0].contains("unknown"))
        #expect(lines[1].contains("no answer for 42 s"))
        #expect(lines[1].contains("data 43 s old"))
    }

    @Test func nothingKnownYetIsSaid() {
        var state = WatchState(size: TerminalSize(columns: 80, rows: 24))
        #expect(Fixtures.picture(&state)[0] == " ? unknown  asking tautd")
        state.take(.failure("no daemon answers on /x, and there is no database /y"))
        #expect(Fixtures.picture(&state)[1].contains("no daemon answers on /x"))
        _ = state.handle(.enter)
        #expect(state.drilled == nil)
    }

    @Test func aPauseIsSaidWithItsAge() {
        var state = Fixtures.watch(80, 24)
        Fixtures.press("p", &state)
        state.now += 34_000_000_000
        #expect(Fixtures.picture(&state)[1].contains("paused  picture of 14:30:00, 35 s old"))
    }

    @Test(arguments: [(80, 5), (20, 24), (1, 1), (3, 2)])
    func tooSmallIsSaid(columns: Int, rows: Int) {
        var state = Fixtures.watch(columns, rows)
        let lines = Fixtures.picture(&state)
        #expect(lines.count == rows)
        #expect(lines[0] == DisplayWidth.cut("terminal too small", to: columns))
    }

    /// Whatever is shown and however large the terminal, the picture fills it and never more.
    @Test func everySizeIsFilledAndNeverExceeded() {
        var generator = SystemRandomNumberGenerator()
        let keys: [WatchKey] = [
            .up, .down, .pageUp, .pageDown, .home, .end, .enter, .escape, .backspace, .character("s"), .character("S"),
            .character("/"), .character("v"), .character("p"), .character("?"), .character("漢"), .control("u"),
        ]
        for _ in 0..<60 {
            let columns = Int.random(in: 1...220, using: &generator)
            let rows = Int.random(in: 1...60, using: &generator)
            let report = Bool.random(using: &generator) ? Fixtures.report : Fixtures.many(Int.random(in: 0...90))
            var state = Fixtures.watch(columns, rows, report: report)
            for _ in 0..<6 {
                if let key = keys.randomElement(using: &generator) { _ = state.handle(key) }
                if state.drilled == "vpn-west" { state.take(.detail(Fixtures.detail)) }
                let lines = Fixtures.picture(&state)
                #expect(lines.count == rows)
                let widest = lines.map { StyledText.width($0) }.max() ?? 0
                #expect(widest <= columns, "\(columns)×\(rows): \(lines)")
                #expect(
                    Fixtures.picture(&state, palette: Palette(isColoured: true)).map { RendererTests.withoutColour($0) }
                        .map { Self.trimmed($0) } == lines.map { Self.trimmed($0) })
            }
        }
    }

    /// Names of two columns a letter, of letters put together, and of none: the columns behind them stand in line.
    @Test func columnsStandInLineWhateverTheNames() {
        let names = ["plain", "漢字サーバ", "e\u{301}cole a\u{30A}", "🎉✅ party", "ＷＩＤＥ", "한글 서버", "a\u{202E}b\u{200B}", "क्षि"]
        let targets = names.enumerated().map { index, name in
            Fixtures.target(
                "t\(index)", title: name, verdict: Fixtures.verdict(.up, minutesAgo: 5), milliseconds: [1, 2])
        }
        let report = StatusReport(
            generated: Fixtures.now, daemon: Fixtures.daemon, targets: targets, timeZone: Fixtures.zone)
        for columns in [30, 41, 80, 133] {
            var state = Fixtures.watch(columns, 40, report: report)
            let rows = Fixtures.picture(&state).dropFirst().filter { $0.contains("● up") }
            #expect(rows.count == names.count)
            let places = rows.map { row in DisplayWidth.of(row.prefix { $0 != "●" }) }
            #expect(Set(places).count == 1, "\(columns): \(rows.joined(separator: "\n"))")
        }
    }

    @Test func whereThereIsLittleRoomTheVerdictNamesEverybodyWithoutReasons() {
        var narrow = Fixtures.watch(120, 24)
        #expect(
            Fixtures.picture(&narrow)[0].hasSuffix(
                "VPN west since 14:03 · 1 degraded: VPN east since Nov 21 14:30 · 1 unknown: mail"))
        var wide = Fixtures.watch(200, 24)
        #expect(Fixtures.picture(&wide)[0].contains("VPN west since 14:03 (no answer to icmp)"))
    }

    @Test func theMarkedRowIsAlwaysOnTheScreen() {
        var state = Fixtures.watch(60, 12, report: Fixtures.many(50))
        for _ in 0..<49 {
            let lines = Fixtures.picture(&state)
            #expect(lines.filter { $0.hasPrefix("> ") }.count == 1)
            _ = state.handle(.down)
        }
    }

    private static func trimmed(_ text: String) -> String {
        var text = text
        while text.last == " " { text.removeLast() }
        return text
    }
}

@Suite struct ScreenDiffTests {
    /// A terminal that is only told what differs shows what one shows that is told everything.
    @Test func updatesGiveTheWholePicture() throws {
        var generator = SystemRandomNumberGenerator()
        var terminal = TerminalModel(columns: 50, rows: 16)
        try terminal.feed("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
        var shown: [String]?
        var state = Fixtures.watch(50, 16, report: Fixtures.many(30))
        let keys: [WatchKey] = [.down, .pageDown, .up, .character("s"), .enter, .escape, .character("?"), .home]
        for _ in 0..<200 {
            if let key = keys.randomElement(using: &generator) { _ = state.handle(key) }
            let lines = Fixtures.picture(&state, palette: Palette(isColoured: true))
            try terminal.feed(ScreenDiff.update(from: shown, to: lines, columns: 50))
            shown = lines
            var plain = state
            let expected = Fixtures.picture(&plain).map { line in
                var line = line
                while line.last == " " { line.removeLast() }
                return line
            }
            #expect(terminal.lines == expected)
        }
    }

    @Test func anUnchangedPictureWritesNothing() {
        #expect(ScreenDiff.update(from: ["a", "b"], to: ["a", "b"], columns: 10).isEmpty)
        #expect(ScreenDiff.update(from: ["a", "b"], to: ["a", "c"], columns: 10) == "\u{1B}[2;1Hc\u{1B}[K")
        // The cursor stands on the last character of a full line: erasing would take it away.
        #expect(ScreenDiff.update(from: nil, to: ["ab"], columns: 2).hasPrefix("\u{1B}[1;1Hab\u{1B}[1;1H"))
    }
}

@Suite struct StyledTextTests {
    @Test func coloursTakeNoColumnAndAreNotCutThrough() {
        let line = "ab\u{1B}[30;43mcdef\u{1B}[0m漢字"
        #expect(StyledText.width(line) == 10)
        #expect(StyledText.cut(line, to: 10) == line)
        #expect(StyledText.cut(line, to: 4) == "ab\u{1B}[30;43mc…\u{1B}[0m")
        #expect(StyledText.width(StyledText.cut(line, to: 8)) <= 8)
        #expect(StyledText.cut(line, to: 0).isEmpty)
    }

    @Test func foldingKeepsEveryWordAndTheIndent() {
        let folded = StyledText.folded("  because: one two three four five six", to: 20)
        #expect(folded == ["  because: one two", "    three four five", "    six"])
        #expect(StyledText.folded("short", to: 20) == ["short"])
        #expect(StyledText.folded(String(repeating: "x", count: 50), to: 20).map { DisplayWidth.of($0) } == [20])
    }
}
