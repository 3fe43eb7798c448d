import Foundation
import TestSupport
import Testing
import Wire

/// The lab has to be true before anything is measured with it: the judge here is the kernel's own ping.
///
/// What the emulator adds is the difference to the same path without a delay, since waking up a process at each end takes
/// time of its own: some ten microseconds on one host, half a millisecond on another. A packet that waits also meets a timer
/// and an emulator that has gone to sleep; how late that made it is in the emulator's truth, so only that much more is let by.
@Suite(
    .serialized,
    .enabled(if: Namespace.isPermitted && Command.path(of: "ping") != nil, "\(Namespace.requirement) and iputils-ping"))
struct LabEmulatorTests {
    @Test func fortyMillisecondsAreFortyMilliseconds() throws {
        let pair = try LabPair(PathConditions())
        let base = try pair.baseRTT()
        pair.set(PathConditions(delay: .milliseconds(20)))
        let before = pair.emulator.truth(of: LabPair.there)
        let report = try pair.ping(count: 40, interval: 0.05)
        let median = try #require(report.median)
        #expect(report.received == 40)
        #expect(pair.isTrue(median - base, to: 40, over: 40), "median \(median) ms, \(base) ms of it without a delay")
        let truth = pair.emulator.truth(of: LabPair.there)
        #expect(truth.delivered - before.delivered == 40)
        let mean = Double(truth.delaySum - before.delaySum) / 40
        let lateness = Double(truth.latenessSum - before.latenessSum) / 40
        // To the nanosecond it says what it did, on time or not.
        #expect(abs(mean - 20e6 - lateness) < 1, "mean delay \(mean / 1e6) ms, mean lateness \(lateness) ns")
    }

    @Test func sixGoesTheSameWay() throws {
        let pair = try LabPair(PathConditions())
        let base = try pair.baseRTT("fd09:2::1")
        pair.set(PathConditions(delay: .milliseconds(15)))
        let report = try pair.ping("fd09:2::1", count: 20, interval: 0.05)
        let median = try #require(report.median)
        #expect(pair.isTrue(median - base, to: 30, over: 20), "median \(median) ms, \(base) ms of it without a delay")
    }

    @Test func directionsAreApart() throws {
        let pair = try LabPair(PathConditions())
        let base = try pair.baseRTT()
        pair.emulator.set(PathConditions(delay: .milliseconds(30)), on: LabPair.there)
        pair.emulator.set(PathConditions(delay: .milliseconds(5)), on: LabPair.back)
        let before = [LabPair.there, LabPair.back].map { pair.emulator.truth(of: $0) }
        let report = try pair.ping(count: 20, interval: 0.05)
        let median = try #require(report.median)
        #expect(pair.isTrue(median - base, to: 35, over: 20), "median \(median) ms, base \(base) ms")
        let after = [LabPair.there, LabPair.back].map { pair.emulator.truth(of: $0) }
        for (index, milliseconds) in [30.0, 5.0].enumerated() {
            let delay = Double(after[index].delaySum - before[index].delaySum) / 20e6
            let lateness = Double(after[index].latenessSum - before[index].latenessSum) / 20e6
            #expect(abs(delay - lateness - milliseconds) < 0.001)
        }
    }

    @Test func lossIsWhatWasAsked() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(1)))
        pair.emulator.set(PathConditions(delay: .milliseconds(1), loss: 0.10), on: LabPair.there)
        let report = try pair.ping(count: 1_000, interval: 0.004)
        #expect(report.transmitted == 1_000)
        #expect(report.loss > 0.07 && report.loss < 0.13, "loss \(report.loss)")
        // Truth and ping agree to the packet.
        #expect(pair.emulator.truth(of: LabPair.there).lost == UInt64(report.transmitted - report.received))
    }

    @Test func jitterSpreadsAndKeepsOrder() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(20), jitter: .milliseconds(5)))
        let report = try pair.ping(count: 100, interval: 0.02)
        let spread = (report.times.max() ?? 0) - (report.times.min() ?? 0)
        #expect(spread > 8 && spread < 21, "spread \(spread) ms")
        #expect(report.sequence == report.sequence.sorted())
    }

    @Test func reorderedPacketsAreOvertaken() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(2)))
        pair.emulator.set(
            PathConditions(delay: .milliseconds(2), reordering: 0.2, reorderHold: .milliseconds(30)), on: LabPair.there)
        let report = try pair.ping(count: 200, interval: 0.01)
        #expect(report.received == 200)
        let inversions = zip(report.sequence, report.sequence.dropFirst()).count { $0 > $1 }
        #expect(inversions > 10)
        let reordered = pair.emulator.truth(of: LabPair.there).reordered
        #expect(reordered > 20 && reordered < 65, "\(reordered) of 200")
    }

    @Test func duplicatesArriveTwice() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(2)))
        pair.emulator.set(PathConditions(delay: .milliseconds(2), duplication: 0.25), on: LabPair.there)
        let report = try pair.ping(count: 200, interval: 0.01)
        let duplicated = pair.emulator.truth(of: LabPair.there).duplicated
        #expect(report.received == 200)
        #expect(duplicated > 25 && duplicated < 80)
        // ping does not wait for the duplicate of its last reply.
        #expect(UInt64(report.duplicates) + 1 >= duplicated && UInt64(report.duplicates) <= duplicated)
    }

    @Test func aBlackHoleSwallowsLongPacketsOnly() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(1)))
        pair.emulator.set(PathConditions(delay: .milliseconds(1), maximumLength: 1_400), on: LabPair.there)
        // 28 bytes of IPv4 and ICMP header come on top of -s.
        #expect(try pair.ping(count: 5, interval: 0.02, options: ["-s", "1372", "-M", "do"]).received == 5)
        #expect(try pair.ping(count: 5, interval: 0.02, options: ["-s", "1373", "-M", "do"]).received == 0)
        #expect(pair.emulator.truth(of: LabPair.there).blackHoled == 5)
    }

    @Test func conditionsChangeWhilePacketsFlow() throws {
        let pair = try LabPair(PathConditions())
        let base = try pair.baseRTT()
        pair.set(PathConditions(delay: .milliseconds(5)))
        #expect(try pair.ping(count: 5, interval: 0.02).received == 5)
        pair.emulator.set(PathConditions(isCut: true), on: LabPair.back)
        #expect(try pair.ping(count: 5, interval: 0.02).received == 0)
        pair.emulator.set(PathConditions(delay: .milliseconds(60)), on: LabPair.back)
        let report = try pair.ping(count: 20, interval: 0.05)
        let median = try #require(report.median)
        #expect(pair.isTrue(median - base, to: 65, over: 20), "median \(median) ms, base \(base) ms")
    }

    @Test func theSameSeedLosesTheSamePackets() throws {
        func lost(seed: UInt64) throws -> [Int] {
            let pair = try LabPair(PathConditions(), seed: seed)
            pair.emulator.set(PathConditions(loss: 0.3), on: LabPair.there)
            return try pair.ping(count: 60, interval: 0.01).sequence
        }
        let first = try lost(seed: 7)
        #expect(try first == lost(seed: 7))
        #expect(try first != lost(seed: 8))
    }
}
