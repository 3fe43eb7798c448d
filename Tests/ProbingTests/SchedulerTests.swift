import Model
import Testing

@testable import Probing

private let second: Int64 = 1_000_000_000

struct SchedulerTests {
    @Test
    func ticksLieOnTheGridAndDoNotDrift() {
        let scheduler = Box(Scheduler())
        scheduler.it.add(7, interval: second, phase: 300_000_000, now: 10 * second)
        #expect(scheduler.it.nextDeadline == 10 * second + 300_000_000)
        #expect(scheduler.it.takeTick(now: 10 * second) == nil)
        // 50 ms late each time: the ticks stay where they are.
        for round in 0..<5 {
            let due = Int64(10 + round) * second + 300_000_000
            let tick = scheduler.it.takeTick(now: due + 50_000_000)
            #expect(tick == Tick(probe: 7, scheduled: due, lateness: 50_000_000, missed: 0))
            #expect(scheduler.it.takeTick(now: due + 50_000_000) == nil)
        }
        #expect(scheduler.it.totalMissed == 0)
    }

    @Test
    func aStallIsCountedAndNotFollowedByABurst() throws {
        let scheduler = Box(Scheduler())
        for probe in 0..<1_000 {
            let key = ProbeKey(target: TargetID(sanitising: "host-\(probe)"), probe: "icmp")
            scheduler.it.add(probe, interval: second, phase: key.phase(interval: second), now: 0)
        }
        // Sixty seconds in which nobody looked.
        let now = 60 * second
        var fired = 0
        while scheduler.it.takeTick(now: now) != nil { fired += 1 }
        #expect(fired < 300, "no more than a fifth of an interval's probes, plus chance")
        var missed: UInt64 = 0
        var seen = 0
        // Each probe comes again within the next interval, at its own moment, with what it missed.
        var moment = now
        while seen < 1_000, moment < now + 2 * second {
            moment += 1_000_000
            var together = 0
            while let tick = scheduler.it.takeTick(now: moment) {
                seen += 1
                together += 1
                missed += UInt64(tick.missed)
            }
            #expect(together < 20)
        }
        #expect(seen >= 1_000)
        // In the first minute every probe had 60 ticks: taken, or missed and counted.
        #expect(scheduler.it.totalMissed + UInt64(fired) == 60_000)
    }

    @Test
    func everyTickIsTakenOrCounted() {
        // Whatever the lateness, ticks taken plus ticks missed are the grid points passed.
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let scheduler = Box(Scheduler())
            let interval = Int64.random(in: 1...5 * second, using: &generator)
            let phase = Int64.random(in: 0..<interval, using: &generator)
            scheduler.it.add(1, interval: interval, phase: phase, now: 0)
            var now: Int64 = 0
            var taken: UInt64 = 0
            var carried: UInt64 = 0
            for _ in 0..<50 {
                now += Int64.random(in: 0...4 * interval, using: &generator)
                while let tick = scheduler.it.takeTick(now: now) {
                    taken += 1
                    carried += UInt64(tick.missed)
                    #expect(tick.lateness <= Scheduler.tolerance(interval: interval))
                }
            }
            let passed = UInt64(
                (Scheduler.next(after: now, interval: interval, phase: phase)
                    - Scheduler.next(after: 0, interval: interval, phase: phase)) / interval)
            #expect(taken + scheduler.it.totalMissed == passed)
            #expect(carried <= scheduler.it.totalMissed)
        }
    }

    @Test
    func phasesAreSpreadAndStable() {
        var buckets = [Int](repeating: 0, count: 10)
        for probe in 0..<5_000 {
            let key = ProbeKey(target: TargetID(sanitising: "host-\(probe)"), probe: "icmp")
            let phase = key.phase(interval: second)
            #expect((0..<second).contains(phase))
            buckets[Int(phase * 10 / second)] += 1
        }
        for bucket in buckets { #expect((400...600).contains(bucket)) }
        // The same in every process and release: history and phase survive a restart.
        let key = ProbeKey(target: TargetID(sanitising: "gateway"), probe: "icmp")
        #expect(key.phase(interval: second) == 759_740_697)
    }

    @Test
    func removedProbesStaySilentAndChangedOnesDoNotFireTwice() {
        let scheduler = Box(Scheduler())
        scheduler.it.add(1, interval: second, phase: 0, now: 0)
        scheduler.it.add(2, interval: second, phase: 0, now: 0)
        scheduler.it.remove(1)
        scheduler.it.add(2, interval: second / 2, phase: 0, now: 0)
        #expect(scheduler.it.takeTick(now: second / 2)?.probe == 2)
        #expect(scheduler.it.takeTick(now: second / 2) == nil)
        #expect(scheduler.it.takeTick(now: second)?.probe == 2)
        #expect(scheduler.it.takeTick(now: second) == nil)
    }

    @Test
    func theGridWorksBeforeItsPhase() {
        #expect(Scheduler.next(after: -5, interval: 10, phase: 3) == 3)
        #expect(Scheduler.next(after: 0, interval: 10, phase: 3) == 3)
        #expect(Scheduler.next(after: 3, interval: 10, phase: 3) == 13)
        #expect(Scheduler.next(after: -7, interval: 10, phase: 3) == 3)
        #expect(Scheduler.next(after: -8, interval: 10, phase: 3) == -7)
    }
}
