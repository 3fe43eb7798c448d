import Foundation
import Model
import Testing

@testable import Control

@Suite struct ControlCodingTests {
    static let requests: [ControlRequest] = [
        .status, .flows(by: .peer), .stat, .reload, .hooksTest(name: "mail"), .hooksReplay(id: "17-down"), .ack(id: 9),
        .silence(match: "vpn-*", duration: .seconds(5_400), reason: "line \"swap\"\n\u{1b}[2J"), .silences,
        .unsilence(id: .max),
    ]

    @Test(arguments: requests)
    func requestsReadBackAsTheyWereWritten(_ request: ControlRequest) throws {
        let bytes = try #require(ControlFrame.encode(request))
        #expect(bytes.last == 10)
        #expect(!bytes.dropLast().contains { $0 < 0x20 })
        #expect(try ControlFrame.decode(ControlRequest.self, from: bytes) == request)
    }

    @Test func theWireFormIsPlain() throws {
        let request = ControlRequest.silence(match: "a", duration: .seconds(60), reason: "r")
        let text = String(decoding: try #require(ControlFrame.encode(request)), as: UTF8.self)
        #expect(text == "{\"duration_s\":60,\"match\":\"a\",\"reason\":\"r\",\"request\":\"silence\"}\n")
    }

    @Test(arguments: ["0", "-5", "1e300", "\"x\"", "null"])
    func aSilenceNeedsAUsableDuration(_ duration: String) {
        let text = "{\"request\":\"silence\",\"match\":\"a\",\"reason\":\"r\",\"duration_s\":\(duration)}"
        #expect(throws: (any Error).self) {
            try ControlFrame.decode(ControlRequest.self, from: Array(text.utf8))
        }
    }

    @Test func repliesReadBackAsTheyWereWritten() throws {
        let now = WallTime(seconds: 1_764_000_000)
        let silence = Silence(id: 3, match: "x*", from: now, until: now + .seconds(60), reason: "why")
        let stat = DaemonStat(
            generated: now, pid: 7, started: now, uptime: .milliseconds(1_500), configFile: "/etc/x",
            configRefused: ["a:1:2: no"], heartbeats: [.init(loop: "probe", age: .milliseconds(20), isLate: false)],
            counters: ["probe.sent": .max])
        let run = HookRunReport(
            hook: "mail", command: ["/bin/true"], succeeded: true, result: "exit 0", duration: .milliseconds(12),
            output: "\u{1b}")
        let replies: [ControlReply] = [
            .done("fine"), .stat(stat), .hookRun(run), .silences([SilenceReport(silence)]),
            .failed(ControlFailure(code: .refused, message: "no", details: ["a", "b"])),
            .status(StatusReport(generated: now, daemon: StatusReport.Daemon(running: true, pid: 7), targets: [])),
        ]
        for reply in replies {
            let bytes = try #require(ControlFrame.encode(reply))
            #expect(try ControlFrame.decode(ControlReply.self, from: bytes) == reply)
        }
        #expect(SilenceReport(silence).silence == silence)
    }
}
