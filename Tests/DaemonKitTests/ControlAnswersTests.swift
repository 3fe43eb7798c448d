import Control
import Model
import Testing

@testable import Alerting
@testable import DaemonKit

@Suite struct ControlAnswersTests {
    /// It once went as one line of 255 bytes with `\x0A` in it.
    @Test func theOutputOfATriedHookKeepsItsLines() {
        let text = String(repeating: "a line of a mailer\n", count: 40)
        let run = HookRunResult(
            hook: "mail", ending: .exited(code: 1), duration: .seconds(1), output: Array(text.utf8), discarded: 0)
        let report = ControlAnswers.report(run, of: HookSpec(name: "mail", command: ["/bin/mail"]))
        #expect(report.output == text)
        #expect(!report.succeeded && report.command == ["/bin/mail"])
        #expect(report.result == "exit code 1: a line of a mailer")
    }
}
