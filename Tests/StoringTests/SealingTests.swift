import Foundation
import GRDB
import Model
import Statistics
import Testing

@testable import Storing

@Suite struct SealingTests {
    private func fill(_ store: Store, hours: Int, series: Int = 1, seed: UInt64 = 3) -> [String: [(WallTime, Outcome)]]
    {
        var generator = SplitMix(state: seed)
        var all: [String: [(WallTime, Outcome)]] = [:]
        for step in 0..<(hours * 360) {
            let time = noon + .seconds(10 * step)
            for number in 0..<series {
                let outcome = sample(&generator)
                all["t\(number)", default: []].append((time, outcome))
                store.append(round(key("t\(number)"), at: time, [outcome], sequence: UInt32(step)))
            }
            if step % 360 == 0 { store.flush() }
        }
        store.flush()
        return all
    }

    private func count(_ store: Store, _ sql: String) throws -> Int {
        try store.write { try $0.queue.read { try Int.fetchOne($0, sql: sql) ?? -1 } } ?? -1
    }

    @Test func sealedResultsAreWhatTheyWere() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let all = fill(store, hours: 3, series: 4)
        let slices = try store.write { writer -> Int in
            var slices = 0
            while try writer.rollUp(now: noon + .seconds(7200 + 121)) > 0 { slices += 1 }
            return slices
        }
        #expect(slices == 2)
        #expect(try count(store, "SELECT count(*) FROM results") == 4 * 360, "the running hour stays as it is")
        #expect(try count(store, "SELECT sum(results) FROM chunks") == 8 * 360)
        let reader = try scratch.reader()
        for (name, samples) in all {
            let stored = try reader.results(of: target(name), limit: 5000)
            #expect(stored.map(\.result.sent) == samples.map(\.0))
            #expect(stored.map(\.result.outcome.name) == samples.map(\.1.name))
            #expect(stored.map(\.result.sequence) == (0..<1080).map { UInt32($0) })
            for (one, sample) in zip(stored, samples) {
                let (a, b) = (one.result.outcome.rtt?.inSeconds ?? 0, sample.1.rtt?.inSeconds ?? 0)
                #expect(abs(a - b) <= 0.000_000_501)
            }
        }
        var streamed = 0
        var last = WallTime.earliest
        let damaged = try reader.eachResult(since: noon + .seconds(10)) { result in
            #expect(result.result.sent >= last)
            last = result.result.sent
            streamed += 1
        }
        #expect(streamed == 4 * 1079 && damaged.isEmpty)
        let recent = try reader.recentResults(since: noon, limit: 500)
        #expect(recent.values.allSatisfy { $0.count == 500 && $0.last?.result.sent == noon + .seconds(10 * 1079) })
        store.close()
    }

    @Test func lateResultsAreAddedAndNothingIsOverwritten() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        _ = fill(store, hours: 1)
        let later = noon + .seconds(9000)
        _ = try store.write { try $0.rollUpAll(now: later) }
        for attempt in 0..<3 {
            // After a step back of the clock: the same times, other sequence numbers.
            for step in 0..<50 {
                store.append(
                    round(
                        key("t0"), at: noon + .seconds(10 * step), [ok(99)],
                        sequence: UInt32(5000 + 100 * attempt + step)))
            }
            store.flush()
            _ = try store.write { try $0.rollUpAll(now: later) }
        }
        #expect(try count(store, "SELECT count(*) FROM results") == 0)
        #expect(try count(store, "SELECT sum(results) FROM chunks") == 510)
        #expect(try count(store, "SELECT count(*) FROM hour_rows") == 1)
        #expect(try count(store, "SELECT ok + late + lost FROM day_rows") == 510)
        let reader = try scratch.reader()
        let stored = try reader.results(of: target("t0"), limit: 5000).map(\.result.sent)
        #expect(stored.count == 510 && stored == stored.sorted())
        let raw = try reader.history(
            of: target("t0"), since: noon, until: noon + .seconds(3600), step: .seconds(3600))
        let hours = try reader.history(
            of: target("t0"), since: noon - .seconds(3 * 86_400), until: noon + .seconds(3600), step: .seconds(3600))
        #expect(raw?.level == .raw && hours?.level == .hours)
        #expect(raw?.buckets.last?.counts == hours?.buckets.last?.counts)
        store.close()
    }

    @Test func daysAreTheSumOfTheirHours() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let all = fill(store, hours: 30)
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(31 * 3600)) }
        let reader = try scratch.reader()
        let samples = all["t0"] ?? []
        for edges in [[noon, noon + .seconds(20 * 3600), noon + .seconds(30 * 3600)]] {
            _ = try store.write { try $0.queue.write { try $0.execute(sql: "DELETE FROM hour_rows") } }
            let history = try #require(try reader.history(of: target("t0"), edges: edges))
            #expect(history.level == .days)
            #expect(history.buckets.map(\.sent).reduce(0, +) == UInt64(samples.count))
            #expect(history.buckets.first?.sent == 20 * 360, "the first day of UTC ends there")
        }
        store.close()
    }

    /// Any window, any step: what hours and days say is within the histogram's bound of what the results say.
    @Test func rollUpsAreWithinTheirBoundOverRandomWindows() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let hours = 24 * 6
        let samples = fill(store, hours: hours, seed: 21)["t0"] ?? []
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(3600 * hours)) }
        let reader = try scratch.reader()
        var generator = SplitMix(state: 2)
        for _ in 0..<60 {
            let width = Int.random(in: 49...hours, using: &generator)
            let from = Int.random(in: 0...(hours - width), using: &generator)
            let step = Int.random(in: 1...30, using: &generator)
            // Edges need not lie on hours: those are then read from the single results.
            let shift = Bool.random(using: &generator) ? 0 : Int.random(in: 1..<3600, using: &generator)
            var edges = Array(stride(from: from * 3600 + shift, to: (from + width) * 3600, by: step * 3600))
            edges.append((from + width) * 3600)
            let times = edges.map { noon + .seconds($0) }
            let history = try #require(try reader.history(of: target("t0"), edges: times))
            #expect(history.level != .raw || step < 1 || edges.count < 3 || shift != 0)
            for (index, bucket) in history.buckets.enumerated() {
                let own = samples.filter { $0.0 >= times[index] && $0.0 < times[index + 1] }
                let values = own.compactMap { $0.1.rtt?.clampedNanoseconds }.sorted()
                #expect(bucket.sent == UInt64(own.count) && bucket.lost == UInt64(own.count - values.count))
                for (figure, share) in [(bucket.p50, 0.5), (bucket.p95, 0.95), (bucket.p99, 0.99)] {
                    let truth = Double(Quantiles.exact(sorted: values, share) ?? -1)
                    // Single results are rounded to the microsecond once they are sealed.
                    #expect(abs(Double(figure ?? -1) - truth) <= truth * Histogram.relativeError + 501)
                }
            }
        }
        store.close()
    }

    @Test func aCrashBetweenSlicesLosesAndDoublesNothing() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        _ = fill(store, hours: 1, series: 60)
        var copies = [try scratch.copy()]
        _ = try store.write { writer in
            while try writer.rollUp(now: noon + .seconds(9000)) > 0 { copies.append(try scratch.copy()) }
        }
        store.close()
        #expect(copies.count >= 3, "21,600 rows are more than one slice")
        for copy in copies {
            let opened = try copy.open(at: noon + .seconds(9000))
            let before = try count(
                opened.store, "SELECT (SELECT count(*) FROM results) + (SELECT coalesce(sum(results), 0) FROM chunks)")
            #expect(before == 60 * 360)
            _ = try opened.store.write { try $0.rollUpAll(now: noon + .seconds(9000)) }
            #expect(try count(opened.store, "SELECT sum(ok + late + lost) FROM day_rows") == 60 * 360)
            opened.store.close()
        }
    }
}
