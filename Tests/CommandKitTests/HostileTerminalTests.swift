import Control
import Foundation
import Model
import Storing
import TestSupport
import Testing
import Wire

@testable import CommandKit

/// The terminal of these tests itself.
@Suite struct TerminalModelTests {
    @Test(arguments: [
        "\u{1B}]0;owned\u{7}", "\u{1B}[2J", "\u{1B}[?1000h", "\u{1B}[6n", "\u{1B}c", "\u{1B}[31;5m", "\u{9B}31m",
        "\u{85}",
        "\u{7}", "\u{8}", "\t", "\u{7F}", "\u{202E}", "\u{200B}", "\u{2028}", "\u{AD}", "\u{1B}[31", "\u{1B}P",
    ])
    func itRefusesWhatWeNeverSend(text: String) {
        var model = TerminalModel(columns: 20, rows: 4)
        #expect(throws: TerminalModel.Refused.self) { try model.feed("a" + text) }
    }

    @Test func itRefusesWhatIsNoText() {
        var model = TerminalModel(columns: 20, rows: 4)
        #expect(throws: TerminalModel.Refused.self) { try model.feed([0x61, 0x9B, 0x33]) }
    }

    @Test func itDrawsWhatWeSend() throws {
        var model = TerminalModel(columns: 6, rows: 3)
        try model.feed("ab\u{1B}[30;43mcd\u{1B}[0m\r\n漢字漢字\u{1B}[1;2Hx\u{1B}[K")
        #expect(model.lines == ["ax", "漢字漢", "字"])
    }

    @Test(
        arguments: [
            ([0x61], 0), ([0x61, 0x1B], 1), ([0x1B, 0x5B], 2), ([0x1B, 0x5B, 0x31, 0x3B], 4), ([0x1B, 0x5B, 0x6D], 0),
            ([0xE2], 1), ([0xE2, 0x96], 2), ([0xE2, 0x96, 0x81], 0), ([0x1B, 0x63], 0), ([], 0),
        ] as [([UInt8], Int)])
    func itWaitsForTheRest(bytes: [UInt8], count: Int) { #expect(PseudoTerminal.unfinished(bytes) == count) }
}

/// Every verb of the built `taut` on a real terminal, with hostile text wherever text comes from outside: only the
/// sequences that `taut` itself has go to the terminal.
@Suite(.serialized) struct HostileTerminalTests {
    /// What terminals obey or draw wrongly: both control sets, as bytes and as code points, and Unicode's format
    /// characters.
    static let hostile =
        "\u{1B}[2J\u{1B}]0;owned\u{7}\u{9B}31m\u{90}q\u{9C}\u{85}\u{8}\r\n\u{7F}\u{E}\u{202E}exe\u{2066}\u{200B}\u{200F}"
        + "\u{2028}\u{FEFF}\u{E0041}\u{AD}\u{1B}c\u{5}"

    private static func status() -> StatusReport {
        let text = hostile
        var report = WatchTerminalTests.report
        report.verdict = text
        report.site = text
        report.daemon.configRefused = [text]
        report.daemon.version = text
        report.daemon.capture[0].source = text
        report.daemon.capture[0].running = false
        report.daemon.capture[0].problem = text
        report.daemon.storage?.lastError = text
        for index in report.targets.indices {
            report.targets[index].title = "\(index)\(text)"
            report.targets[index].kind = text
            report.targets[index].address = text
            report.targets[index].site = text
            report.targets[index].reason = text
            report.targets[index].layer = text
            report.targets[index].evidence = [text, text]
            report.targets[index].sparkOutcomes = [String](
                repeating: text, count: report.targets[index].sparkOutcomes.count)
            for probe in report.targets[index].probes.indices {
                report.targets[index].probes[probe].probe = text
                report.targets[index].probes[probe].address = text
                report.targets[index].probes[probe].last?.outcome = text
                report.targets[index].probes[probe].last?.detail = text
                report.targets[index].probes[probe].last?.note = text
                report.targets[index].probes[probe].last?.source = text
            }
        }
        report.targets[1].state = text
        report.incidentsOpen[0].reason = text
        report.incidentsOpen[0].rule = text
        report.incidentsOpen[0].severity = text
        report.notices[0].text = text
        return report
    }

    private static func daemon() throws -> FakeDaemon {
        var flows = FlowsFixture.report
        for index in flows.rows.indices {
            flows.rows[index].name = hostile
            flows.rows[index].kind = hostile
        }
        flows.capture = status().daemon.capture
        let silence = Silence(
            id: 1, match: hostile, from: Fixtures.now, until: Fixtures.now + .seconds(60), reason: hostile)
        let run = HookRunReport(
            hook: hostile, command: [hostile], succeeded: false, result: hostile, duration: .seconds(1), output: hostile
        )
        let live = flows
        return try FakeDaemon { request in
            switch request {
            case .status: .status(status())
            case .flows: .flows(live)
            case .silences, .silence: .silences([SilenceReport(silence)])
            case .hooksTest: .hookRun(run)
            case .stat, .reload, .unsilence, .hooksReplay: .done(hostile)
            case .ack: .failed(.refused, hostile)
            }
        }
    }

    /// - Parameter shows: something that must be seen, so that nothing passes by showing nothing.
    private func run(_ arguments: [String], shows: String, environment: [String: String] = [:]) throws {
        let terminal = try PseudoTerminal(columns: 100, rows: 30)
        try terminal.run(arguments, environment: environment)
        let text = String(decoding: terminal.received, as: UTF8.self)
        #expect(text.contains(shows), "\(arguments): \(text)")
    }

    @Test(arguments: [
        ["status"], ["status", "--json"], ["why", "gw"], ["why", "gw", "--json"], ["flows"], ["flows", "--json"],
        ["silences"], ["silences", "--json"], ["silence", "gw", "--for", "1h", "--reason", "x"], ["ack", "3"],
        ["hooks", "test", "x"], ["check", "gw"],
    ])
    func whatTheDaemonSays(arguments: [String]) throws {
        let daemon = try Self.daemon()
        try run(arguments + daemon.options + ["--no-pager"], shows: "owned")
    }

    @Test func whatIsPaged() throws {
        let daemon = try Self.daemon()
        try run(["why", "gw"] + daemon.options, shows: "owned", environment: ["TAUT_PAGER": "sed p"])
    }

    @Test func everyScreenOfWatch() throws {
        let daemon = try Self.daemon()
        let terminal = try PseudoTerminal(columns: 120, rows: 40)
        try terminal.start([PseudoTerminal.taut, "watch"] + daemon.options)
        try terminal.wait(for: "\\x1B[2J")
        try terminal.type("jj/\u{202E}\u{9B}owned")
        try terminal.wait(for: "/\\u{202E}\\x9Bowned")
        try terminal.type("\u{1B}")
        try terminal.wait(for: "q quit")
        try terminal.type("\r")
        try terminal.wait(for: "Esc back")
        try terminal.type("G")
        try terminal.wait(for: "evidence:")
        try terminal.type("g\u{1B}")
        try terminal.wait(for: "q quit")
        for key in ["s", "s", "S", "p", "?", "x"] { try terminal.type(key) }
        daemon.stop()
        try terminal.wait(for: "paused")
        try terminal.type("q")
        #expect(try terminal.end() == 0)
    }

    @Test(arguments: [
        [hostile], ["status", hostile], ["why", hostile], ["status", "--\(hostile)"], ["probe", "icmp", hostile],
        ["analyze", "/nonexistent/\(hostile)"], ["config", "check", "/nonexistent/\(hostile)"],
        ["report", "--month", hostile], ["history", "gw", "--since", hostile], ["ack", hostile],
        ["export", "--db", "/nonexistent/\(hostile)"],
    ])
    func whatTheCommandLineHolds(arguments: [String]) throws {
        // A shell may have put a file's name there.
        let daemon = try Self.daemon()
        let options = arguments.count == 2 && ["status", "why"].contains(arguments[0]) ? daemon.options : []
        try run(arguments + options, shows: "owned")
    }

    @Test(arguments: [["analyze"], ["analyze", "--by", "service"], ["analyze", "--samples"], ["analyze", "--json"]])
    func whatACaptureHolds(arguments: [String]) throws {
        let folder = "/tmp/taut-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = "\(folder)/\u{1B}[31mowned\u{202E}.pcap"
        try Data(try Self.capture().file()).write(to: URL(fileURLWithPath: file))
        let isOfServices = ["service", "--samples"].contains(arguments.last)
        try run(arguments + [file, "--no-pager"], shows: isOfServices ? "wic" : "owned")
    }

    @Test(arguments: [["config", "check"], ["config", "diff"], ["hooks", "list", "--config"]])
    func whatAConfigurationHolds(arguments: [String]) throws {
        let folder = "/tmp/taut-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/\u{1B}]0;owned\u{7}.yaml"
        let text = """
            targets:
              "\\e[31mowned\\u202e\\x9b": {kind: "\\e[2Jowned", title: "\\e]0;owned\\a\\u200f", address: "\\e[1m"}
            "\\e[5mowned": 3
            """
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try run(arguments + [file], shows: "owned")
    }

    @Test(arguments: [
        ["status"], ["history", "vpn-west"], ["graph", "vpn-west"], ["why", "vpn-west"], ["incidents"],
        ["history", hostile],
        ["report"], ["report", "--format", "csv"], ["report", "--json"], ["report", "--by", "site"], ["export"],
        ["history", "vpn-west", "--json"], ["watch", "--count", "1"],
        ["export", "--format", "csv"], ["incidents", "--json"], ["db", "stat"],
    ])
    func whatADatabaseHolds(arguments: [String]) throws {
        try StoredStatusTests.withDatabase(text: Self.hostile) { path in
            let range =
                ["status", "db", "why", "watch"].contains(arguments[0])
                ? [] : ["--since", "@1795520000", "--until", "@1795527100"]
            let terminal = try PseudoTerminal(columns: 100, rows: 30)
            try terminal.run(
                arguments + range + ["--db", path, "--socket", "/nonexistent/s", "--no-pager"])
            // These name a target by its id.
            let isOfIDs = arguments.last != Self.hostile && ["history", "graph", "report"].contains(arguments[0])
            let shown = isOfIDs ? "vpn-west" : arguments[0] == "db" ? "series" : "owned"
            let text = String(decoding: terminal.received, as: UTF8.self)
            #expect(text.contains(shown), "\(arguments): \(text)")
        }
    }

    /// A DNS name and a server name, each with bytes that are no text and bytes that terminals obey.
    private static func capture() throws -> PacketBuilder {
        var builder = PacketBuilder()
        let label: [UInt8] =
            [0x1B, 0x5B, 0x33, 0x31, 0x6D] + Array("wicked".utf8) + [0x9B, 0xC2, 0x9B, 0xFF, 0x07, 0x0A]
        let other = Array("\u{202E}\u{200B}x".utf8)
        let name = [UInt8(label.count)] + label + [UInt8(other.count)] + other + [0]
        let question = name + [0, 1, 0, 1]
        builder.udp(0, fromClient: true, payload: [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + question)
        builder.udp(
            20, fromClient: false,
            payload: [0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + question
                + [0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 9])
        builder.cleanConversation(timestamps: true, from: 100)
        let second = Endpoints(
            client: IPAddress(v4: 0x0A00_0001), clientPort: 40_001, server: IPAddress(v4: 0xC000_020A), serverPort: 443)
        builder.opening(endpoints: second, from: 400)
        var hello: [UInt8] = []
        TLSRecordHeader(contentType: TLSContentType.handshake)
            .write(fragment: TLSClientHelloFields(serverName: hostile).write(), to: &hello)
        builder.tcp(451, fromClient: true, seq: 1001, ack: 5001, content: hello, endpoints: second)
        var answer: [UInt8] = []
        TLSRecordHeader(contentType: TLSContentType.handshake)
            .write(fragment: TLSServerHelloFields().write(), to: &answer)
        builder.tcp(
            481, fromClient: false, seq: 5001, ack: 1001 + UInt32(hello.count), content: answer, endpoints: second)
        return builder
    }
}
