import Control
import Foundation
import Testing

@testable import CommandKit

@Suite struct PagerCommandTests {
    private func arguments(_ variables: [String: String], isElevated: Bool = false) -> [String]? {
        PagerCommand(variables, isElevated: isElevated)?.arguments
    }

    @Test func ourVariableThenTheUsualOneThenLess() {
        #expect(arguments([:]) == ["less"])
        #expect(arguments(["PAGER": "more -s"]) == ["more", "-s"])
        #expect(arguments(["PAGER": "more", "TAUT_PAGER": "most"]) == ["most"])
        #expect(arguments(["PAGER": "sed 's/^/> /' | less"]) == ["sh", "-c", "sed 's/^/> /' | less"])
    }

    @Test(arguments: ["", "  ", "cat"])
    func thesePageNothing(value: String) {
        #expect(arguments(["TAUT_PAGER": value, "PAGER": "less"]) == nil)
    }

    @Test func lessLeavesShortTextAndKeepsColours() {
        #expect(PagerCommand([:], isElevated: false)?.environment["LESS"] == "FRX")
        #expect(PagerCommand(["LESS": "-S"], isElevated: false)?.environment["LESS"] == "-S")
    }

    /// `sudo taut status` must not be a way to a root shell.
    @Test func withPrivilegeOnlyASecureLess() {
        let hostile = [
            "PAGER": "sh", "TAUT_PAGER": "sh", "LESS": "+!sh", "LESSOPEN": "|sh", "LESSSECURE": "0",
            "LESSSECURE_ALLOW": "shell",
        ]
        let command = PagerCommand(hostile, isElevated: true)
        #expect(command?.arguments == ["less"])
        #expect(command?.environment["LESSSECURE"] == "1")
        #expect(command?.environment["LESS"] == "FRX")
        #expect(command?.environment["LESSOPEN"] == nil)
        #expect(command?.environment["LESSSECURE_ALLOW"] == nil)
        #expect(PagerCommand.isElevated(["SUDO_UID": "1000"]))
        #expect(!PagerCommand.isElevated([:]))
    }
}

/// Long answers of the built `taut` on a terminal.
@Suite(.serialized) struct PagerTerminalTests {
    private let long = Fixtures.many(60)

    private func run(
        _ arguments: [String], _ report: StatusReport, pager: String, environment: [String: String] = [:]
    ) throws -> (code: Int32, terminal: PseudoTerminal) {
        let daemon = try FakeDaemon(report)
        let terminal = try PseudoTerminal(columns: 160, rows: 24)
        let code = try terminal.run(
            arguments + daemon.options, environment: ["TAUT_PAGER": pager].merging(environment) { $1 })
        return (code, terminal)
    }

    @Test func aLongAnswerGoesThroughIt() throws {
        let (code, terminal) = try run(["status"], long, pager: "sed 's/^/paged: /'")
        #expect(code == 0)
        let text = String(decoding: terminal.received, as: UTF8.self)
        #expect(text.components(separatedBy: "paged: ").count > 60)
        // The width is that of the terminal, and so are the colours.
        #expect(text.contains("\u{1B}[32m"))
        #expect(text.contains("host-59"))
    }

    @Test func aShortAnswerDoesNot() throws {
        let (code, terminal) = try run(["status"], Fixtures.report, pager: "sed 's/^/paged: /'")
        #expect(code == 0)
        #expect(!terminal.text.contains("paged: "))
        #expect(terminal.text.contains("VPN west"))
    }

    @Test(arguments: [["status", "--no-pager"], ["--no-pager", "status"], ["status", "--json"]])
    func theseNeverDo(arguments: [String]) throws {
        let (code, terminal) = try run(arguments, long, pager: "sed 's/^/paged: /'")
        #expect(code == 0)
        #expect(!String(decoding: terminal.received, as: UTF8.self).contains("paged: "))
    }

    /// Whatever its user does, and whether or not it exists: the exit code is that of the answer.
    @Test(arguments: ["true", "false", "head -n 2", "no-such-pager-anywhere", "exit 3; true", "sh -c 'kill -9 $$'"])
    func theExitCodeIsThatOfTheAnswer(pager: String) throws {
        let (code, terminal) = try run(["status"], long, pager: pager)
        #expect(code == 0)
        let text = String(decoding: terminal.received, as: UTF8.self)
        #expect(!text.contains("Broken pipe") && !text.contains("taut:"))
        if pager.hasPrefix("no-such") { #expect(text.contains("host-59")) }
    }

    @Test func aFailureAfterALongAnswerIsStillOne() throws {
        // A configuration with more errors than rows.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("taut-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("tautline.yaml").path
        let wrong = (0..<40).map { "  t\($0): {kind: nonsense, address: 192.0.2.1}" }
        try ("targets:\n" + wrong.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let terminal = try PseudoTerminal()
        #expect(try terminal.run(["config", "check", file], environment: ["TAUT_PAGER": "head -n 1"]) == 1)
    }
}
