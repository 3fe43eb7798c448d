import Foundation
import TestSupport
import Testing

@testable import CommandKit

/// The scripts that shells read, and what they are offered.
@Suite struct CompletionTests {
    private static func script(_ shell: String) throws -> String {
        let outcome = CommandLineTests.run(["--generate-completion-script", shell])
        try #require(outcome.code == 0 && outcome.output.utf8.count > 5_000)
        return outcome.output
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func scriptsParse(shell: String) throws {
        guard let program = Command.path(of: shell) else {
            // bash is everywhere; the others are in TEST_PACKAGES.
            #expect(shell != "bash")
            return
        }
        let file = NSTemporaryDirectory() + "taut-completion-\(UUID().uuidString).\(shell)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Self.script(shell).write(toFile: file, atomically: true, encoding: .utf8)
        let result = try Command.attempt([program, "-n", file])
        let said = result.output + result.errors
        #expect(result.status == 0 && said.isEmpty, "\(said)")
    }

    @Test func verbsAndOptionsAreInTheScript() throws {
        let script = try Self.script("bash")
        for word in ["compare", "graph", "--svg", "--since", "config", "explain"] { #expect(script.contains(word)) }
        // What the script asks for is what `offered` below asks for.
        #expect(script.contains("---completion compare -- positional@0"))
        #expect(script.contains("---completion history -- --probe"))
    }

    private func offered(_ verb: [String], _ argument: String, _ words: [String], prefix: String = "") -> [String] {
        let index = words.count - 1
        let outcome = CommandLineTests.run(
            ["---completion"] + verb + ["--", argument, "\(index)", "\(prefix.count)"] + words)
        #expect(outcome.notes.isEmpty)
        // The parser remembers the last shell, and gives zsh a blank line where there is one choice or none.
        return outcome.output.split(separator: "\n").map(String.init).filter { $0 != " " }
    }

    @Test func targetsComeFromTheDatabase() throws {
        try StoredStatusTests.withDatabase { path in
            let start = ["taut", "compare", "--db", path]
            #expect(offered(["compare"], "positional@0", start + [""]) == ["gw", "vpn-west"])
            #expect(offered(["compare"], "positional@0", start + ["vp"], prefix: "vp") == ["vpn-west"])
            #expect(
                offered(["status"], "positional@0", ["taut", "status", "--db=\(path)", "g"], prefix: "g") == ["gw"])
            #expect(
                offered(["history"], "--probe", ["taut", "history", "--db", path, "gw", "--probe", ""]) == ["icmp"])
            #expect(offered(["ack"], "positional@0", ["taut", "ack", "--db", path, ""]) == ["1"])
        }
    }

    @Test func targetsComeFromTheConfigurationWhereThereIsNothingElse() throws {
        let folder = NSTemporaryDirectory() + "taut-completion-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/tautline.yaml"
        try """
        targets:
          crm:
            kind: saas
            address: 192.0.2.7
            probes: [icmp]
        """.write(toFile: file, atomically: true, encoding: .utf8)
        let words = ["taut", "config", "explain", "--config", file, ""]
        #expect(offered(["config", "explain"], "positional@0", words) == ["crm"])
    }

    /// At a prompt an error would be in the way, and a name that a shell reads something into would be worse.
    @Test func errorsAndNamesForShellsAreSilent() throws {
        let nowhere = [
            "taut", "why", "--db", "/nonexistent/x.db", "--socket", "/nonexistent/s", "--config", "/nonexistent",
        ]
        #expect(offered(["why"], "positional@0", nowhere + [""]) == [])
        let folder = NSTemporaryDirectory() + "taut-completion-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("not a database".utf8).write(to: URL(fileURLWithPath: folder + "/x.db"))
        let words = ["taut", "why", "--db", folder + "/x.db", "--config", folder + "/x.db", "--socket", folder, ""]
        #expect(offered(["why"], "positional@0", words) == [])
        #expect(TargetCompletion.offer(["gw", "a b", "$(reboot)", "`x`", "g\u{1B}[2J", "", "é", "g;x"], "") == ["gw"])
        #expect(TargetCompletion.offer((0..<2_000).map { "t\($0)" }, "t").count == 500)
    }
}
