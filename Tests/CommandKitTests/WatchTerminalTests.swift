import Control
import Foundation
import Glibc
import Model
import Testing

@testable import CommandKit

/// `taut watch` on a real terminal.
@Suite(.serialized) struct WatchTerminalTests {
    /// As the fixtures have it, at the time of the machine: ages are real here.
    static var report: StatusReport {
        var report = Fixtures.report
        let now = WallTime(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
        let shift = now - Fixtures.now
        report.generated = ReportTime(now)
        for index in report.targets.indices {
            for probe in report.targets[index].probes.indices {
                guard let last = report.targets[index].probes[probe].last else { continue }
                report.targets[index].probes[probe].last?.t = ReportTime(last.t.time + shift)
            }
        }
        return report
    }

    private func watching(
        columns: Int = 80, rows: Int = 24, environment: [String: String] = [:]
    ) throws -> (PseudoTerminal, FakeDaemon) {
        let daemon = try FakeDaemon { _ in .status(Self.report) }
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        try terminal.start([PseudoTerminal.taut, "watch"] + daemon.options, environment: environment)
        try terminal.wait(for: "> VPN west")
        #expect(terminal.screen.isAlternate)
        #expect(!terminal.screen.isCursorShown)
        return (terminal, daemon)
    }

    private func expectRestored(_ terminal: PseudoTerminal, _ before: [UInt32]) {
        #expect(!terminal.screen.isAlternate)
        #expect(terminal.screen.isCursorShown)
        #expect(terminal.screen.wraps)
        #expect(terminal.modes == before)
    }

    @Test(arguments: ["q", "\u{3}", "\u{4}"])
    func aKeyEndsItAndTheTerminalIsAsItWas(key: String) throws {
        let before = try PseudoTerminal().modes
        let (terminal, daemon) = try watching()
        #expect(terminal.modes != before)
        try terminal.type(key)
        #expect(try terminal.end() == 0)
        expectRestored(terminal, before)
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGQUIT])
    func aSignalEndsItAndTheTerminalIsAsItWas(signal: Int32) throws {
        let before = try PseudoTerminal().modes
        let (terminal, daemon) = try watching()
        terminal.signal(signal)
        #expect(try terminal.end() == 0)
        expectRestored(terminal, before)
        withExtendedLifetime(daemon) {}
    }

    /// A trap is SIGILL or SIGTRAP; whatever ends it, the shell has a terminal that echoes.
    @Test(arguments: [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGALRM, SIGUSR1])
    func aCrashLeavesTheTerminalAsItWas(signal: Int32) throws {
        let before = try PseudoTerminal().modes
        let (terminal, daemon) = try watching(environment: ["SWIFT_BACKTRACE": "enable=no"])
        terminal.signal(signal)
        #expect(try terminal.end() & 0x7F == signal)
        expectRestored(terminal, before)
        withExtendedLifetime(daemon) {}
    }

    @Test func anErrorIsReadOnTheTerminalAsItWas() throws {
        let daemon = try FakeDaemon { _ in .status(Self.report) }
        let terminal = try PseudoTerminal()
        let before = terminal.modes
        #expect(try terminal.run(["watch", "vpn-wst"] + daemon.options) == 2)
        expectRestored(terminal, before)
        #expect(terminal.text.contains("did you mean \"vpn-west\""))
    }

    @Test func keysMoveOpenAndGoBack() throws {
        let (terminal, daemon) = try watching()
        try terminal.type("\u{1B}[B")
        try terminal.wait(for: "> VPN east")
        try terminal.type("\r")
        try terminal.wait(for: "Esc back")
        try terminal.wait(for: "because: 20 % of 10 packets lost")
        // A lone ESC is told from a sequence by the silence after it.
        try terminal.type("\u{1B}")
        try terminal.wait(for: "> VPN east")
        try terminal.type("/gate")
        try terminal.wait(for: "> gateway")
        #expect(!terminal.text.contains("VPN east  "))
        try terminal.type("\u{1B}")
        try terminal.wait(for: "VPN east  ")
        try terminal.type("?")
        try terminal.wait(for: "Keys")
        try terminal.type("xq")
        #expect(try terminal.end() == 0)
        withExtendedLifetime(daemon) {}
    }

    @Test func itFollowsTheSizeOfTheTerminal() throws {
        let (terminal, daemon) = try watching()
        for (columns, rows) in [(200, 50), (40, 10), (60, 9), (120, 30)] {
            try terminal.setSize(columns: columns, rows: rows)
            try terminal.wait("\(columns)×\(rows)") { screen in
                screen.lines[0].contains("down") && screen.lines[rows - 1].hasPrefix("q quit")
                    && (columns < 80 || screen.lines[rows - 1].hasSuffix("1/4"))
            }
        }
        try terminal.setSize(columns: 20, rows: 4)
        try terminal.wait(for: "terminal too small")
        try terminal.type("q")
        #expect(try terminal.end() == 0)
        withExtendedLifetime(daemon) {}
    }

    @Test func aDaemonThatGoesIsSaidAndNothingStaysGreen() throws {
        let (terminal, daemon) = try watching()
        #expect(terminal.text.contains("● up"))
        daemon.stop()
        try terminal.wait(for: "no daemon answers on")
        try terminal.wait("no green", seconds: 40) { !$0.lines.contains { $0.contains("● up") } }
        #expect(terminal.screen.lines[0].contains("unknown"))
        try terminal.type("q")
        #expect(try terminal.end() == 0)
    }

    /// Ctrl-Z under a shell with job control: the shell has its terminal, and fg goes on.
    @Test func itStopsAndGoesOn() throws {
        let daemon = try FakeDaemon { _ in .status(Self.report) }
        let terminal = try PseudoTerminal()
        let words = ([PseudoTerminal.taut, "watch"] + daemon.options).joined(separator: " ")
        try terminal.start(["sh", "-c", "set -m; \(words); echo stopped; sleep 0.3; fg; echo done"])
        try terminal.wait(for: "> VPN west")
        try terminal.type("\u{1A}")
        try terminal.wait("the shell's screen") { !$0.isAlternate && $0.lines.contains("stopped") && $0.isCursorShown }
        try terminal.wait("the picture again") { $0.isAlternate && $0.lines.contains { $0.hasPrefix("> VPN west") } }
        try terminal.type("j")
        try terminal.wait(for: "> VPN east")
        try terminal.type("q")
        #expect(try terminal.end() == 0)
        #expect(!terminal.screen.isAlternate)
        #expect(terminal.screen.lines.contains("done"))
    }

    /// Stopped from outside, without a chance to give the terminal back: the picture is drawn anew.
    @Test func itGoesOnAfterAStopThatNobodyAskedFor() throws {
        let (terminal, daemon) = try watching()
        terminal.signal(SIGSTOP)
        usleep(200_000)
        let moves = terminal.screen.moves
        terminal.signal(SIGCONT)
        try terminal.wait("the whole picture") { $0.moves >= moves + 24 && $0.isAlternate }
        try terminal.wait(for: "> VPN west")
        try terminal.type("q")
        #expect(try terminal.end() == 0)
        withExtendedLifetime(daemon) {}
    }

    @Test func noColourMeansNone() throws {
        let (terminal, daemon) = try watching(environment: ["NO_COLOR": "1"])
        try terminal.type("q")
        #expect(try terminal.end() == 0)
        let text = String(decoding: terminal.received, as: UTF8.self)
        #expect(!text.replacingOccurrences(of: "\u{1B}[0m", with: "").contains(/\e\[[0-9;]*m/))
        withExtendedLifetime(daemon) {}
    }

    @Test func aDumbTerminalGetsLines() throws {
        let daemon = try FakeDaemon { _ in .status(Self.report) }
        let terminal = try PseudoTerminal(columns: 120, rows: 40)
        #expect(try terminal.run(["watch", "--count", "1"] + daemon.options, environment: ["TERM": "dumb"]) == 0)
        #expect(!terminal.received.contains(0x1B))
        #expect(terminal.text.contains("VPN west"))
    }

    /// An unchanged picture costs a few bytes for the clock, not a screen.
    @Test func onlyWhatChangesIsWritten() throws {
        let (terminal, daemon) = try watching(columns: 200, rows: 50)
        let before = terminal.received.count
        let moves = terminal.screen.moves
        try terminal.wait("three seconds") { $0.moves >= moves + 3 }
        #expect(terminal.received.count - before < 2_000)
        try terminal.type("q")
        #expect(try terminal.end() == 0)
        withExtendedLifetime(daemon) {}
    }
}
