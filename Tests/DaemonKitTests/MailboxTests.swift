import Synchronization
import Testing

@testable import DaemonKit

@Suite struct MailboxTests {
    @Test func keepsOrderWakesOnceAndCountsWhatDoesNotFit() {
        let wakes = Mutex(0)
        let mailbox = Mailbox<Int>(capacity: 3) { wakes.withLock { $0 += 1 } }
        #expect((0..<5).map { mailbox.post($0) } == [true, true, true, false, false])
        #expect(wakes.withLock { $0 } == 1)
        #expect(mailbox.takeAll() == [0, 1, 2])
        #expect(mailbox.dropped == 2)
        mailbox.post(9)
        #expect(wakes.withLock { $0 } == 2)
        #expect(mailbox.takeAll() == [9])
    }
}

@Suite struct LogBudgetTests {
    @Test func holdsBackARepeatedLineAndSaysHowManyWereHeld() {
        let budget = LogBudget()
        let admitted = (0..<100).compactMap { _ in budget.admit(site: "a:1", now: 60) }
        #expect(admitted.count == LogBudget.perMinute)
        #expect(budget.admit(site: "b:1", now: 60) == 0)
        #expect(budget.admit(site: "a:1", now: 120) == 70)
        #expect(budget.admit(site: "a:1", now: 121) == 0)
    }
}
