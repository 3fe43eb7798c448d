import Foundation
import GRDB
import Model
import Statistics
import Testing

@testable import Storing

@Suite struct HistoryTests {
    /// Hours of one series, one result each ten seconds.
    private func fill(_ store: Store, hours: Int, seed: UInt64 = 1) -> [(time: WallTime, outcome: Outcome)] {
        var generator = SplitMix(state: seed)
        var samples: [(time: WallTime, outcome: Outcome)] = []
        for step in 0..<(hours * 360) {
            let time = noon + .seconds(10 * step)
            let outcome = sample(&generator)
            samples.append((time, outcome))
            store.append(round(at: time, [outcome], sequence: UInt32(step)))
        }
        store.flush()
        return samples
    }

    private func rtts(_ samples: some Sequence<(time: WallTime, outcome: Outcome)>) -> [Int64] {
        samples.compactMap { $0.outcome.rtt?.clampedNanoseconds }.sorted()
    }

    @Test func rawBucketsAreExact() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.sync(targets: [spec("gw")])
        let samples = fill(store, hours: 2)
        let history = try #require(
            try scratch.reader().history(
                of: target("gw"), since: noon, until: noon + .seconds(7200), step: .seconds(600)))
        #expect(history.level == .raw && history.probe == "icmp" && history.buckets.count == 12)
        for bucket in history.buckets {
            let own = samples.filter { $0.time >= bucket.start && $0.time < bucket.start + .seconds(600) }
            let values = rtts(own)
            #expect(bucket.sent == 60 && bucket.unknown == 0)
            #expect(bucket.lost == UInt64(own.count { $0.outcome == .lost }))
            #expect(bucket.minimum == values.first && bucket.maximum == values.last)
            #expect(bucket.p50 == Quantiles.exact(sorted: values, 0.5))
            #expect(bucket.p99 == Quantiles.exact(sorted: values, 0.99))
            var jitter = Jitter()
            for one in own { if let rtt = one.outcome.rtt { jitter.record(nanoseconds: rtt.clampedNanoseconds) } }
            #expect(bucket.jitter == jitter.nanoseconds)
        }
        store.close()
    }

    @Test func rollUpsAgreeWithTheRawRows() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let samples = fill(store, hours: 6)
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(6 * 3600 + 121)) }
        let exact = try store.write { writer in
            try writer.queue.read { db in
                try Row.fetchAll(
                    db, sql: "SELECT start_s, ok, lost, p50_ns, p99_ns, min_ns, max_ns, sum_ns FROM hour_rows"
                )
                .map { row in (0..<8).map { row.integer($0) ?? -1 } }
            }
        }
        #expect(exact?.count == 6)
        for row in exact ?? [] {
            let own = samples.filter { Hour.start(of: $0.time) == row[0] }
            let values = rtts(own)
            #expect(row[1] == Int64(values.count) && row[2] == Int64(own.count - values.count))
            #expect(row[3] == Quantiles.exact(sorted: values, 0.5) && row[4] == Quantiles.exact(sorted: values, 0.99))
            #expect(row[5] == values.first && row[6] == values.last && row[7] == values.reduce(0, +))
        }
        // Raw rows gone: any window of whole hours is within the histogram's bound of the truth.
        _ = try store.write { try $0.queue.write { try $0.execute(sql: "DELETE FROM chunks") } }
        let reader = try scratch.reader()
        var generator = SplitMix(state: 9)
        for _ in 0..<40 {
            let from = Int.random(in: 0..<6, using: &generator)
            let to = Int.random(in: (from + 1)...6, using: &generator)
            let window = (noon + .seconds(3600 * from))..<(noon + .seconds(3600 * to))
            let history = try #require(
                try reader.history(
                    of: target("gw"), since: window.lowerBound, until: window.upperBound,
                    step: window.upperBound - window.lowerBound))
            #expect(history.level == .hours && history.buckets.count == 1)
            let bucket = try #require(history.buckets.first)
            let own = samples.filter { window.contains($0.time) }
            let values = rtts(own)
            #expect(bucket.sent == UInt64(own.count) && bucket.lost == UInt64(own.count - values.count))
            #expect(bucket.minimum == values.first && bucket.maximum == values.last)
            for (q, estimate) in [(0.5, bucket.p50), (0.95, bucket.p95), (0.99, bucket.p99)] {
                let truth = Double(Quantiles.exact(sorted: values, q) ?? -1)
                #expect(abs(Double(estimate ?? -1) - truth) <= truth * Histogram.relativeError + 0.5)
            }
        }
        store.close()
    }

    @Test func onlyHoursThatAreOverAreRolledUpAndLateRowsRepairThem() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        _ = fill(store, hours: 2)
        #expect(try store.write { try $0.rollUp(now: noon + .seconds(3600 + 119)) } == 0, "rows may still come")
        #expect(try store.write { try $0.rollUp(now: noon + .seconds(3600 + 121)) } == 1)
        #expect(try store.write { try $0.rollUp(now: noon + .seconds(3600 + 121)) } == 0)
        store.append(round(at: noon + .seconds(5), [.refused(rtt: nil)], sequence: 9999, duplicates: 2))
        store.flush()
        let later = noon + .seconds(7200 + 121)
        #expect(try store.write { try $0.rollUpAll(now: later) } == 2)
        let row = try store.write { writer in
            try writer.queue.read { db in
                try Row.fetchAll(db, sql: "SELECT ok + late + lost + refused, duplicates FROM hour_rows")
                    .map { [$0.integer(0) ?? 0, $0.integer(1) ?? 0] }
            }
        }
        #expect(row == [[361, 2], [360, 0]])
        store.close()
    }

    @Test func aRestartRollsUpWhatWasLeft() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        _ = fill(store, hours: 1)
        let crashed = try scratch.copy()
        store.close()
        let later = noon + .seconds(90_000)
        let opened = try crashed.open(at: later)
        #expect(try opened.store.write { try $0.rollUp(now: later) } == 1)
        opened.store.close()
    }

    @Test func hourHistoryIncludesTheRunningHour() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let samples = fill(store, hours: 3)
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(7200 + 121)) }
        let history = try #require(
            try scratch.reader().history(
                of: target("gw"), since: noon - .seconds(3 * 86_400 - 60), until: noon + .seconds(3 * 3600),
                step: .seconds(3600)))
        #expect(history.level == .hours)
        #expect(history.buckets.count == 75 && history.buckets[0].start == noon - .seconds(3 * 86_400))
        #expect(history.buckets.suffix(3).map(\.sent) == [360, 360, 360])
        let last = rtts(samples.suffix(360))
        let p50 = Double(try #require(history.buckets.last?.p50))
        let truth = Double(Quantiles.exact(sorted: last, 0.5) ?? -1)
        #expect(abs(p50 - truth) <= truth * Histogram.relativeError + 0.5)
        #expect(history.buckets.last?.jitter != nil)
        #expect(history.buckets[0].gap == .seconds(3600), "before the monitor was installed nothing is known")
        store.close()
    }

    @Test func unknownIsApart() throws {
        let scratch = Scratch()
        let clock = TestClock(noon)
        let store = try scratch.open(clock: clock).store
        let outcomes: [Outcome] = [
            ok(1), .lost, .unresolved, .indeterminate(.noRoute), .late(rtt: .seconds(3)), .error(.hostUnreachable),
        ]
        store.append(round(at: noon, outcomes))
        store.record(MonitorEvent(kind: .suspended, start: noon + .seconds(90), end: noon + .seconds(150), text: "x"))
        store.record(MonitorEvent(kind: .gap, start: noon + .seconds(100), end: noon + .seconds(160), text: "x"))
        store.record(MonitorEvent(kind: .clockStep, start: noon, end: noon + .seconds(30), text: "x"))
        clock.now = noon + .seconds(300)
        store.append(round(at: clock.now, [ok(1)]))
        store.flush()
        let history = try #require(
            try scratch.reader().history(
                of: target("gw"), since: noon, until: noon + .seconds(400), step: .seconds(60)))
        let first = try #require(history.buckets.first)
        #expect(first.sent == 4 && first.lost == 2 && first.unknown == 2 && first.loss == 0.5)
        #expect(first.p50 == 1_000_000 && first.maximum == 3_000_000_000)
        #expect(history.buckets[3].loss == nil && history.buckets[3].p50 == nil)
        #expect(
            history.buckets.map(\.gap) == [
                .zero, .seconds(30), .seconds(40), .zero, .zero, .seconds(60), .seconds(40),
            ], "overlapping spans count once; after the last sign of life nothing is known")
        store.close()
    }

    @Test func addressesAreTakenTogetherAndProbesAreNot() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.sync(targets: [spec("gw", probes: ["tcp-443", "icmp"])])
        store.append(round(key(address: "192.0.2.1"), at: noon, [ok(1)]))
        store.append(round(key(address: "192.0.2.2"), at: noon + .seconds(1), [ok(3)]))
        store.append(round(key(probe: "dns", address: "192.0.2.2"), at: noon + .seconds(2), [ok(100)]))
        store.flush()
        let reader = try scratch.reader()
        let history = try reader.history(
            of: target("gw"), since: noon, until: noon + .seconds(60), step: .seconds(60))
        #expect(history?.probe == "icmp" && history?.buckets.first?.sent == 2)
        #expect(history?.buckets.first?.maximum == 3_000_000 && history?.buckets.first?.jitter == nil)
        let dns = try reader.history(
            of: target("gw"), probe: "dns", since: noon, until: noon + .seconds(60), step: .seconds(60))
        #expect(dns?.buckets.first?.p50 == 100_000_000)
        #expect(try reader.history(of: target("no"), since: noon, until: noon, step: .seconds(1)) == nil)
        let recent = try reader.recentResults(since: noon + .seconds(1), limit: 1)
        #expect(recent[target("gw")]?.map(\.series.probe) == ["icmp", "dns"])
        store.close()
    }

    @Test func anyWindowAndStepIsSafe() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.append(round(at: noon, [ok(1)]))
        store.append(round(at: WallTime(seconds: 5), [ok(2)], sequence: 1))
        store.append(round(at: WallTime(nanoseconds: .max), [ok(2)], sequence: 2))
        store.append(round(at: WallTime(nanoseconds: .min), [ok(2)], sequence: 3))
        store.flush()
        let reader = try scratch.reader()
        let times = [WallTime.earliest, WallTime(seconds: 0), noon, noon + .seconds(10), .latest]
        for since in times {
            for until in times {
                for step in [Duration.seconds(-1), .seconds(3600), .seconds(1 << 40)]
                where since < until || step > .zero {
                    let history = try reader.history(of: target("gw"), since: since, until: until, step: step)
                    #expect((history?.buckets.count ?? 0) <= 100_001)
                }
                _ = try reader.passive(since: since, until: until)
                _ = try reader.results(of: target("gw"), since: since, until: until, limit: 10)
            }
        }
        #expect(try reader.results(of: target("gw"), limit: 10).count == 4)
        _ = try store.write { try $0.housekeep(now: noon + .seconds(9999), monotonic: 0) }
        store.close()
    }
}
