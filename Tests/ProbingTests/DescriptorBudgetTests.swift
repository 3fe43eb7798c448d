import Testing

@testable import Probing

struct DescriptorBudgetTests {
    @Test
    func waitersAreServedInOrder() {
        let budget = DescriptorBudget(limit: 2)
        var log: [String] = []
        for name in ["a", "b", "c", "d"] {
            budget.acquire(until: 100, granted: { log.append(name) }, expired: { log.append("-" + name) })
        }
        #expect(log == ["a", "b"])
        #expect(budget.awaited == 2)
        budget.release()
        #expect(log == ["a", "b", "c"])
        budget.fire(now: 99)
        #expect(budget.awaited == 1)
        budget.fire(now: 100)
        #expect(log == ["a", "b", "c", "-d"])
        #expect(budget.awaited == 0)
        budget.release()
        budget.release()
        #expect(budget.inUse == 0)
    }

    @Test
    func aLongLineOfFailuresDoesNotRecurse() {
        let budget = DescriptorBudget(limit: 1)
        budget.acquire(until: 10, granted: {}, expired: {})
        var granted = 0
        for _ in 0..<100_000 {
            budget.acquire(
                until: 10,
                granted: {
                    granted += 1
                    budget.release()
                }, expired: {})
        }
        budget.release()
        #expect(granted == 100_000)
        #expect(budget.inUse == 0)
    }

    @Test
    func aReserveIsLeftToTheRestOfTheDaemon() {
        #expect(DescriptorBudget.limit(forProcessLimit: 1_024) == 960)
        #expect(DescriptorBudget.limit(forProcessLimit: 32) == 16)
        #expect(DescriptorBudget.limit(forProcessLimit: 1) == 1)
    }
}
