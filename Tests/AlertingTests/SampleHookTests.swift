import Alerting
import Foundation
import Model
import Testing

/// The two hooks that are shipped, run with a stand-in for sendmail and for curl.
@Suite(.enabled(if: HookBench.isPossible, "no directory here whose parents only root or we can write"))
struct SampleHookTests {
    private static let hooks = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "etc/hooks")

    private func install(_ name: String, in bench: HookBench) throws -> String {
        let text = try String(contentsOf: Self.hooks.appending(path: name), encoding: .utf8)
        return try bench.script(name, text)
    }

    @Test(arguments: [
        "plain", "x\nBcc: victim@example.com", "x\r\n\r\nbody", "x\rBcc: a@b", "ümläut \u{2028} \u{85}Bcc: a@b",
        "%s%n $(reboot) `id`",
    ])
    func mailCannotBeGivenAHeader(title: String) async throws {
        let bench = try HookBench()
        let sendmail = try bench.script(
            "sendmail", "printf '%s\\n' \"$@\" > \(bench.path("arguments")); cat > \(bench.path("mail"))")
        let hook = HookSpec(
            name: "pager", command: [try install("mail", in: bench)],
            environment: ["MAIL_TO": "noc@example.com", "SENDMAIL": sendmail])
        let delivery = try bench.delivery([hook])
        try delivery.start()
        delivery.enqueue(.sample(1, title: title, reason: title))
        #expect(await eventually { delivery.pending == 0 })
        delivery.stop()
        #expect(delivery.counters.delivered == 1, "\(delivery.counters.lastError ?? "")")
        #expect(bench.lines("arguments") == ["-i", "-f", "tautline", "--", "noc@example.com"])
        let mail = bench.text("mail")
        let head = mail.components(separatedBy: "\n\n")[0].split(separator: "\n")
        #expect(
            head.map { $0.split(separator: ":")[0] } == [
                "From", "To", "Subject", "X-Tautline-Notice", "Auto-Submitted", "MIME-Version", "Content-Type",
                "Content-Transfer-Encoding",
            ])
        #expect(head.allSatisfy { $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
        #expect(mail.contains("\"schema\":\"tautline/hook/1\""))
        #expect(mail.split(separator: "\n").allSatisfy { $0.utf8.count <= 998 })
    }

    @Test func mailRefusesARecipientThatIsAnOption() async throws {
        let bench = try HookBench()
        for address in ["-oQ/tmp", "a@b\nc@d", "a b"] {
            let hook = HookSpec(
                name: "pager", command: [try install("mail", in: bench)],
                environment: ["MAIL_TO": address, "SENDMAIL": "/bin/false"])
            #expect(await HookDelivery.test(hook: hook, site: "").ending == .exited(code: 64), "\(address)")
        }
    }

    @Test func webhookPostsTheEventAsItIs() async throws {
        let bench = try HookBench()
        try bench.script("curl", "printf '%s\\n' \"$@\" > \(bench.path("arguments")); cat > \(bench.path("body"))")
        let hook = HookSpec(
            name: "pager", command: [try install("webhook", in: bench)],
            environment: ["WEBHOOK_URL": "https://alerts.example.com/x", "PATH": "\(bench.directory):/usr/bin:/bin"])
        let delivery = try bench.delivery([hook])
        try delivery.start()
        delivery.enqueue(.sample(1, title: "a\nX-Evil: 1"))
        #expect(await eventually { delivery.pending == 0 })
        delivery.stop()
        #expect(delivery.counters.delivered == 1, "\(delivery.counters.lastError ?? "")")
        let arguments = bench.lines("arguments")
        #expect(arguments.first == "-q" && arguments.last == "https://alerts.example.com/x")
        #expect(arguments.contains("Idempotency-Key: 1-firing-pager"))
        let object = try JSONSerialization.jsonObject(with: Data(bench.text("body").utf8)) as? [String: Any]
        #expect(object?["title"] as? String == "a\nX-Evil: 1")
    }

    @Test func webhookTakesOnlyWebAddresses() async throws {
        let bench = try HookBench()
        let hook = HookSpec(
            name: "pager", command: [try install("webhook", in: bench)],
            environment: ["WEBHOOK_URL": "file:///etc/passwd"])
        #expect(await HookDelivery.test(hook: hook, site: "").ending == .exited(code: 64))
    }
}
