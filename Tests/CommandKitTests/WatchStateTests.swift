import Control
import Model
import Testing

@testable import CommandKit

/// What keys and answers do.
@Suite struct WatchStateTests {
    private func ids(_ state: WatchState) -> [String] { state.rows.map { $0.target } }

    @Test func theWorstStandsFirstAndIsMarked() {
        let state = Fixtures.watch(80, 24)
        #expect(ids(state) == ["vpn-west", "vpn-east", "mail", "gw"])
        #expect(state.selection == "vpn-west")
    }

    @Test func theMarkMovesAndStaysWithinTheRows() {
        var state = Fixtures.watch(80, 24)
        Fixtures.press("jj", &state)
        #expect(state.selection == "mail")
        _ = state.handle(.up)
        #expect(state.selection == "vpn-east")
        _ = state.handle(.end)
        Fixtures.press("j", &state)
        #expect(state.selection == "gw")
        _ = state.handle(.home)
        Fixtures.press("k", &state)
        #expect(state.selection == "vpn-west")
    }

    @Test func theMarkStaysOnItsTargetWhenTheOrderChanges() {
        var state = Fixtures.watch(80, 24)
        _ = state.handle(.down)
        #expect(state.selection == "vpn-east")
        for _ in WatchSort.allCases {
            Fixtures.press("s", &state)
            #expect(state.selection == "vpn-east")
        }
        #expect(state.sort == .state)
    }

    @Test func untilItIsMovedTheFirstRowIsMarked() {
        var state = Fixtures.watch(80, 24)
        Fixtures.press("s", &state)
        #expect(state.sort == .target)
        #expect(state.selection == ids(state).first)
    }

    @Test func screensScrollSoThatTheMarkIsSeen() {
        var state = Fixtures.watch(80, 24, report: Fixtures.many(100))
        let body = WatchLayout(state).body
        _ = state.handle(.pageDown)
        #expect(state.selection == "host-\(body - 1)")
        _ = state.handle(.pageDown)
        #expect(state.selection == "host-\(2 * (body - 1))")
        #expect(state.top == 2 * (body - 1) - body + 1)
        _ = state.handle(.end)
        #expect(state.top == 100 - body)
        state.size = TerminalSize(columns: 80, rows: 10)
        state.settle()
        #expect(state.top == 100 - WatchLayout(state).body)
        _ = state.handle(.home)
        #expect(state.top == 0)
    }

    @Test func sortingPutsTheUnknownLastInBothDirections() {
        var state = Fixtures.watch(80, 24)
        while state.sort != .p50 { Fixtures.press("s", &state) }
        #expect(ids(state) == ["vpn-west", "vpn-east", "gw", "mail"])
        Fixtures.press("S", &state)
        #expect(ids(state) == ["gw", "vpn-east", "vpn-west", "mail"])
        while state.sort != .since { Fixtures.press("s", &state) }
        #expect(ids(state) == ["vpn-west", "gw", "vpn-east", "mail"])
        while state.sort != .target { Fixtures.press("s", &state) }
        #expect(ids(state) == ["gw", "mail", "vpn-east", "vpn-west"])
        while state.sort != .configured { Fixtures.press("s", &state) }
        #expect(ids(state) == ["vpn-west", "vpn-east", "gw", "mail"])
    }

    @Test func theFilterWorksWhileItIsWrittenAndEscClearsIt() {
        var state = Fixtures.watch(80, 24)
        Fixtures.press("/VPN ea", &state)
        #expect(ids(state) == ["vpn-east"])
        #expect(state.selection == "vpn-east")
        _ = state.handle(.backspace)
        #expect(ids(state) == ["vpn-west", "vpn-east"])
        // Keys of the list are text now, and arrows still move.
        Fixtures.press("q", &state)
        #expect(ids(state).isEmpty)
        #expect(state.selection == nil)
        _ = state.handle(.backspace)
        _ = state.handle(.down)
        #expect(state.selection == "vpn-east")
        _ = state.handle(.enter)
        #expect(!state.isFiltering)
        #expect(state.filter == "VPN e")
        #expect(ids(state).count == 2)
        _ = state.handle(.escape)
        #expect(ids(state).count == 4)
        Fixtures.press("/" + String(repeating: "x", count: 500), &state)
        #expect(state.filter.count == WatchState.longestFilter)
        _ = state.handle(.escape)
        #expect(state.filter.isEmpty && !state.isFiltering)
    }

    @Test(arguments: [WatchKey.escape, .backspace, .left, .character("q")])
    func enterOpensATargetAndTheseGoBack(key: WatchKey) {
        var state = Fixtures.watch(80, 24)
        _ = state.handle(.down)
        _ = state.handle(.enter)
        #expect(state.drilled == "vpn-east")
        #expect(state.drilledTarget?.title == "VPN east")
        #expect(state.handle(key) == .none)
        #expect(state.drilled == nil)
        #expect(state.selection == "vpn-east")
    }

    @Test func aPageScrollsWithinItsLength() {
        var state = Fixtures.watch(80, 24)
        _ = state.handle(.enter)
        state.take(.detail(Fixtures.detail))
        _ = Fixtures.picture(&state)
        let last = state.pageLength - WatchLayout(state).body
        #expect(last > 0)
        _ = state.handle(.end)
        #expect(state.top == last)
        _ = state.handle(.pageUp)
        _ = state.handle(.home)
        _ = state.handle(.up)
        #expect(state.top == 0)
    }

    @Test func whatEndsAndStops() {
        var state = Fixtures.watch(80, 24)
        #expect(state.handle(.control("z")) == .suspend)
        #expect(state.handle(.control("l")) == .redraw)
        #expect(state.handle(.character("q")) == .quit)
        Fixtures.press("/", &state)
        #expect(state.handle(.control("c")) == .quit)
    }

    @Test func helpComesAndAnyKeyThatDoesNotScrollGoes() {
        var state = Fixtures.watch(40, 10)
        Fixtures.press("?", &state)
        _ = Fixtures.picture(&state)
        _ = state.handle(.down)
        #expect(state.isHelpShown && state.top == 1)
        #expect(state.handle(.character("q")) == .none)
        #expect(!state.isHelpShown)
    }

    @Test func aPauseKeepsThePictureAndNotTheNews() {
        var state = Fixtures.watch(80, 24)
        Fixtures.press("p", &state)
        state.take(.answer(WatchAnswer(report: Fixtures.many(3), note: nil, received: 150_000_000_000)))
        state.now = 160_000_000_000
        #expect(state.targets.count == 4)
        #expect(state.age == .seconds(60))
        #expect(state.targets.map { $0.state } == ["down", "degraded", "up", "unknown"])
        Fixtures.press(" ", &state)
        state.take(.answer(WatchAnswer(report: Fixtures.many(3), note: nil, received: 160_000_000_000)))
        #expect(state.targets.count == 3)
    }

    // MARK: Truth

    /// Without a daemon nobody judges: the last green is not shown as now.
    @Test func aDaemonThatIsGoneMakesEverythingUnknown() {
        var report = Fixtures.report
        report.daemon.running = false
        let state = Fixtures.watch(80, 24, report: report, note: "from the database: tautd was stopped")
        #expect(!state.isLive)
        #expect(Set(state.targets.map { $0.state }) == ["unknown"])
        #expect(state.targets[0].reason == "tautd does not answer; was down")
        #expect(state.targets[0].lastKnownState == "down")
    }

    @Test func anAnswerThatIsOldSaysNothingAboutNow() {
        #expect(Fixtures.watch(80, 24, seconds: 9).targets[2].state == "up")
        let silent = Fixtures.watch(80, 24, seconds: 11)
        #expect(silent.isSilent)
        #expect(Set(silent.targets.map { $0.state }) == ["unknown"])
        var slow = Fixtures.watch(80, 24, seconds: 11)
        slow.interval = .seconds(30)
        #expect(!slow.isSilent)
    }

    @Test func aTargetThatIsNotMeasuredAnyMoreIsUnknown() {
        var report = Fixtures.report
        report.generated = ReportTime(Fixtures.now + .seconds(300))
        let states = Fixtures.watch(80, 24, report: report).targets.map { $0.state }
        #expect(states == ["unknown", "unknown", "unknown", "unknown"])
    }

    @Test func aTargetThatGoesLeavesTheListAndItsPage() {
        var state = Fixtures.watch(80, 24)
        _ = state.handle(.down)
        _ = state.handle(.enter)
        state.take(.answer(WatchAnswer(report: Fixtures.many(3), note: nil, received: 101_000_000_000)))
        #expect(state.drilledTarget == nil)
        #expect(Fixtures.picture(&state).contains("this target is not watched any more"))
        _ = state.handle(.escape)
        #expect(state.selection == "host-0")
    }
}
