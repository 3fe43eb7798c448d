import ArgumentParser
import Control
import Foundation
import Glibc
import Model
import Storing
import Synchronization
import Testing

@testable import CommandKit

/// Whole command lines: what is printed where, and the exit code.
@Suite struct CommandLineTests {
    struct Outcome {
        var code: Int32
        var output: String
        var notes: String
    }

    private final class Captured: Sendable {
        let output = Mutex("")
        let notes = Mutex("")
    }

    /// - Parameter refusal: what becomes of every attempt to write the answer.
    static func run(_ arguments: [String], refusal: OutputError? = nil) -> Outcome {
        let captured = Captured()
        let context = CommandContext(
            now: { Fixtures.now }, timeZone: Fixtures.zone, environment: [:],
            console: { _ in
                Console(
                    palette: .plain, width: nil, height: nil, isTerminal: false,
                    write: { text in
                        if refusal == nil { captured.output.withLock { $0 += text } }
                        return refusal
                    }, note: { text in captured.notes.withLock { $0 += text + "\n" } }, progress: nil)
            })
        let code = CommandContext.$current.withValue(context) { TautProgram.run(arguments) }
        return Outcome(
            code: code, output: captured.output.withLock { $0 }, notes: captured.notes.withLock { $0 })
    }

    /// The same on a database that no daemon writes.
    static func run(_ arguments: [String], _ path: String) -> Outcome {
        run(arguments + ["--db", path, "--socket", "/nonexistent/control.sock"])
    }

    private static let nowhere = ["--db", "/nonexistent/tautline.db", "--socket", "/nonexistent/control.sock"]

    @Test func help() throws {
        try expectSnapshot("help", [TautCommand.helpMessage(columns: 80)])
        let verbs: [(String, any ParsableCommand.Type)] = [
            ("status", StatusVerb.self), ("watch", WatchVerb.self), ("why", WhyVerb.self), ("check", CheckVerb.self),
            ("history", HistoryVerb.self), ("graph", GraphVerb.self), ("compare", CompareVerb.self),
            ("flows", FlowsVerb.self),
            ("probe", ProbeVerb.self), ("analyze", AnalyzeVerb.self), ("incidents", IncidentsVerb.self),
            ("ack", AckVerb.self), ("silence", SilenceVerb.self), ("silences", SilencesVerb.self),
            ("config", ConfigVerb.self), ("config-check", ConfigVerb.Check.self),
            ("config-explain", ConfigVerb.Explain.self), ("config-diff", ConfigVerb.Diff.self),
            ("config-init", ConfigVerb.Init.self), ("hooks", HooksVerb.self), ("hooks-list", HooksVerb.List.self),
            ("hooks-test", HooksVerb.Test.self), ("hooks-replay", HooksVerb.Replay.self),
            ("version", VersionVerb.self), ("report", ReportVerb.self),
            ("export", ExportVerb.self), ("db", DatabaseVerb.self), ("db-stat", DatabaseStatVerb.self),
            ("db-check", DatabaseCheckVerb.self), ("db-recover", DatabaseRecoverVerb.self),
            ("db-import", DatabaseImportVerb.self),
        ]
        for (name, verb) in verbs {
            try expectSnapshot("help-\(name)", [TautCommand.helpMessage(for: verb, columns: 80)])
        }
    }

    /// A full disk once looked like a reader that had seen enough: half an export, and code 0.
    @Test func anAnswerThatCannotBeWrittenIsAFailure() throws {
        let full = OutputError(code: ENOSPC)
        let gone = OutputError(code: EPIPE)
        try StoredStatusTests.withDatabase { path in
            let options = ["--db", path, "--socket", "/nonexistent/control.sock"]
            for verb in [
                ["export"], ["status"], ["status", "--json"], ["history", "gw"], ["incidents"], ["db", "stat"],
                ["config", "init"], ["--help"], ["probe", "tcp", "127.0.0.1:1", "--count", "1"],
            ] {
                let failed = Self.run(verb + (verb == ["--help"] ? [] : options), refusal: full)
                #expect(failed.code == 1, "\(verb)")
                #expect(failed.notes.contains("taut: cannot write the answer: No space left on device"), "\(verb)")
                if verb[0] == "probe" { continue }
                #expect(Self.run(verb + (verb == ["--help"] ? [] : options), refusal: gone).code == 0, "\(verb)")
            }
            #expect(!OutputError(code: EIO).isReaderGone && OutputError(code: EIO, isDevice: true).isReaderGone)
            // The code of a plugin is its answer: it stays with nobody reading, and is never OK on a failure.
            #expect(Self.run(["check", "vpn-west"] + options, refusal: gone).code == 2)
            #expect(Self.run(["check", "gw"] + options, refusal: full).code == 3)
        }
    }

    /// A silence that was asked of a stopped daemon came into force when it went on.
    @Test func aRequestWithoutAnAnswerIsNotSaidToHaveFailed() throws {
        let daemon = try FakeDaemon { _ in
            sleep(7)
            return .done("acknowledged")
        }
        let outcome = Self.run(["ack", "1"] + daemon.options)
        #expect(outcome.code == 1)
        #expect(outcome.notes.contains("did not answer in time; it may still do what was asked"))
    }

    @Test func helpAndVersionEndWithZero() {
        #expect(Self.run(["--help"]).code == 0)
        #expect(Self.run(["status", "--help"]).output.contains("USAGE: taut status"))
        #expect(Self.run(["--version"]).output == "\(Version.current)\n")
        #expect(Self.run(["version"]).output == "taut \(Version.current)\n")
    }

    @Test(arguments: ["this is no capture at all, only text that goes on", "", "\u{D4}"])
    func aFileThatIsNoCaptureIsOneClearLine(content: String) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pcap")
        try Data(content.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let outcome = Self.run(["analyze", file.path])
        #expect(outcome.code == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.notes.hasPrefix("taut: \(file.path): "))
        #expect(outcome.notes.split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        ["no-such-verb"], ["status", "--no-such-option"], ["history"], ["probe", "icmp"],
        ["probe", "smtp", "192.0.2.1"],
        ["probe", "icmp", "192.0.2.1", "--count", "0"], ["probe", "icmp", "192.0.2.1", "--interval", "5"],
        ["probe", "tcp", "not an address"], ["history", "gw", "--since", "soon"], ["silence", "gw", "--reason", "x"],
        ["history", "gw", "--since", "30d", "--step", "1s"], ["ack", "twelve"], ["watch", "--interval", "1ms"],
    ])
    func usageEndsWith64(arguments: [String]) {
        let outcome = Self.run(arguments)
        #expect(outcome.code == 64)
        #expect(outcome.output.isEmpty)
        #expect(!outcome.notes.isEmpty)
    }

    @Test func aMistypedVerbSuggestsTheNearest() {
        #expect(Self.run(["stauts"]).notes == "taut: there is no verb \"stauts\"; did you mean \"status\"?\n")
        #expect(Self.run(["chekc", "gw"]).code == 64)
    }

    /// A plugin that could not check is UNKNOWN on standard output, whatever the cause.
    @Test(arguments: [["check"], ["check", "gw", "--warning", "fast"], ["check", "gw", "--nope"], ["check", "gw"]])
    func checkIsNeverOKWithoutAnAnswer(arguments: [String]) {
        let outcome = Self.run(arguments + (arguments.count > 1 ? Self.nowhere : []))
        #expect(outcome.code == 3)
        #expect(outcome.output.hasPrefix("UNKNOWN - "))
        #expect(outcome.output.filter { $0 == "\n" }.count == 1)
    }

    @Test func withoutDaemonAndDatabaseASentenceSaysSo() {
        let status = Self.run(["status"] + Self.nowhere)
        #expect(status.code == 1)
        #expect(status.notes.contains("no daemon answers on /nonexistent/control.sock"))
        #expect(status.notes.filter { $0 == "\n" }.count == 1)
        #expect(Self.run(["history", "gw"] + Self.nowhere).code == 2)
        #expect(Self.run(["ack", "3"] + Self.nowhere).code == 1)
    }

    @Test func globalOptionsMayStandBeforeTheVerb() {
        #expect(
            TautProgram.globalsLast(["--db", "x", "--json", "status", "gw"]) == ["status", "--db", "x", "--json", "gw"])
        #expect(TautProgram.globalsLast(["--db=x", "status", "--", "gw"]) == ["status", "--db=x", "--", "gw"])
        #expect(TautProgram.globalsLast(["status", "--json"]) == ["status", "--json"])
        #expect(TautProgram.globalsLast(["--json"]) == ["--json"])
        // Of an option given twice the last one holds.
        #expect(
            TautProgram.globalsLast(["--db", "x", "db", "stat", "--db", "y"])
                == ["db", "stat", "--db", "x", "--db", "y"])
        #expect(Self.run(["--db", "x", "help"]).code == 0)
        #expect(Self.run(["--db", "x", "help", "status"]).output.contains("USAGE: taut status"))
        #expect(Self.run(["--json", "version"]).output.hasPrefix("{\n  \"schema\": \"taut/version/1\""))
    }

    @Test func configExplainNamesErrorsNearestAndOrigins() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("taut-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("tautline.yaml").path
        func write(_ interval: String) throws {
            try """
            defaults:
              interval: \(interval)
            targets:
              crm:
                kind: saas
                address: 192.0.2.7
                probes: [icmp]
            """.write(toFile: file, atomically: true, encoding: .utf8)
        }
        try write("20s")
        let explained = Self.run(["config", "explain", "crm", "--config", file])
        #expect(explained.code == 0 && explained.output.contains("20s") && explained.output.contains("\(file):2:"))
        let slip = Self.run(["config", "explain", "crn", "--config", file])
        #expect(slip.code == 2 && slip.notes.contains("did you mean \"crm\"?"))
        let copy = file + ".old"
        try FileManager.default.copyItem(atPath: file, toPath: copy)
        #expect(Self.run(["config", "diff", copy, file]).code == 0)
        try write("30s")
        let diff = Self.run(["config", "diff", copy, file])
        #expect(diff.code == 1 && diff.output.contains("crm") && diff.output.contains("30s"))
        try write("soon")
        let broken = Self.run(["config", "explain", "crm", "--config", file])
        #expect(broken.code == 1 && broken.notes.contains("\(file):2:"), "\(broken.notes)")
        #expect(Self.run(["config", "diff", copy, "/nonexistent/x.yaml"]).code == 1)
    }

    @Test func watchRepeatsWhereThereIsNoTerminal() {
        let outcome = Self.run(["watch", "--count", "2", "--interval", "100ms"] + Self.nowhere)
        #expect(outcome.code == 0)
        #expect(outcome.output.components(separatedBy: "waiting: ").count == 3)
    }

    @Test func watchEndsAtAWrongName() throws {
        try StoredStatusTests.withDatabase { path in
            let nearly = Self.run(["watch", "vpn-wst", "--db", path, "--socket", "/nonexistent/control.sock"])
            #expect(nearly.code == 2)
            #expect(nearly.notes.contains("did you mean \"vpn-west\""))
            let one = Self.run(
                ["watch", "gw", "--json", "--count", "1", "--db", path, "--socket", "/nonexistent/control.sock"])
            #expect(one.code == 0)
            #expect(one.output.contains("\"target\":\"gw\",\"title\""))
            #expect(!one.output.contains("\"target\":\"vpn-west\",\"title\""))
        }
    }

    @Test func configInitWritesOnceAndCheckAcceptsIt() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("taut-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("tautline.yaml").path
        #expect(Self.run(["config", "init", file]).code == 0)
        #expect(Self.run(["config", "init", file]).code == 1)
        #expect(Self.run(["config", "init"]).output == (try String(contentsOfFile: file, encoding: .utf8)))
        let check = Self.run(["config", "check", file])
        #expect(check.code == 0)
        #expect(check.output.hasPrefix("ok: "))
        try "targets: [".write(toFile: file, atomically: true, encoding: .utf8)
        let broken = Self.run(["config", "check", file])
        #expect(broken.code == 1)
        #expect(broken.output.hasPrefix("\(file):2:"))
        #expect(Self.run(["hooks", "list", "--config", file]).code == 1)
    }
}

@Suite struct ProbeAddressTests {
    @Test(
        arguments: [
            ("192.0.2.1", "192.0.2.1", nil), ("192.0.2.1:443", "192.0.2.1", 443), ("2001:db8::1", "2001:db8::1", nil),
            ("[2001:db8::1]:853", "2001:db8::1", 853), ("fe80::1%eth0", "fe80::1%eth0", nil),
            ("Example.COM.", "example.com", nil),
            ("example.com:8443", "example.com", 8_443),
        ] as [(String, String, UInt16?)])
    func forms(text: String, address: String, port: UInt16?) throws {
        let parsed = try ProbeAddress(text)
        #expect(parsed.address.text == address)
        #expect(parsed.port == port)
    }

    @Test(arguments: [
        "", "192.0.2.1:0", "192.0.2.1:99999", "192.0.2.300", "[2001:db8::1", "a b", "-x.example", "x..y", "fe80::1%",
    ])
    func refusals(text: String) {
        #expect(throws: ProbeAddress.Problem.self) { try ProbeAddress(text) }
    }

    @Test func listsTakeCommentsAndBlanks() throws {
        let list = try ProbeAddress.list("# sites\n192.0.2.1  # west\n\n example.com:443\r\n")
        #expect(list.map { $0.address.text } == ["192.0.2.1", "example.com"])
    }
}
