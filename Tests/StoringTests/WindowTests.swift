import Foundation
import Model
import Statistics
import Testing

@testable import Storing

/// Figures of a window, which comparisons rest on, against the samples themselves.
@Suite struct WindowTests {
    private func filled(_ scratch: Scratch, hours: Int) throws -> [(time: WallTime, outcome: Outcome)] {
        let clock = TestClock(noon)
        let store = try scratch.open(clock: clock).store
        store.sync(targets: [spec("gw", probes: ["tcp", "icmp"])])
        var generator = SplitMix(state: 21)
        var samples: [(time: WallTime, outcome: Outcome)] = []
        for step in 0..<(hours * 360) {
            let time = noon + .seconds(10 * step)
            let outcome = step % 977 == 0 ? .indeterminate(.stopped) : sample(&generator)
            samples.append((time, outcome))
            // The name resolves to another address half-way.
            let address = step < hours * 180 ? "192.0.2.1" : "192.0.2.2"
            store.append(round(key(address: address), at: time, [outcome], sequence: UInt32(truncatingIfNeeded: step)))
            if step % 3_600 == 0 { store.flush() }
        }
        store.flush()
        // The last hours stay unsealed.
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds((hours - 2) * 3_600 + 121)) }
        clock.now = noon + .seconds(hours * 3_600)
        store.close()
        return samples
    }

    /// Single results and hour rows, whole hours or not, sealed or not: counts are exact, percentiles within the bound.
    @Test func anyWindowAgreesWithItsSamples() throws {
        let scratch = Scratch()
        let hours = 60
        let samples = try filled(scratch, hours: hours)
        let reader = try scratch.reader()
        var generator = SplitMix(state: 22)
        var levels: Set<StorageLevel> = []
        for _ in 0..<40 {
            let from = Int.random(in: 0..<(hours * 3_600 - 1), using: &generator)
            let to = Int.random(in: (from + 1)...(hours * 3_600), using: &generator)
            let window = (noon + .seconds(from))..<(noon + .seconds(to))
            let all = try reader.window(of: target("gw"), since: window.lowerBound, until: window.upperBound)
            let found = try #require(all.first { $0.probe == "icmp" })
            levels.insert(found.level)
            let own = samples.filter { window.contains($0.time) }
            let values = own.compactMap { $0.outcome.rtt?.clampedNanoseconds }.sorted()
            #expect(found.counts.answered == UInt64(values.count), "\(found.level) \(from) \(to)")
            #expect(found.counts.failed == UInt64(own.count { $0.outcome == .lost }))
            #expect(found.counts.unknown == UInt64(own.count { $0.outcome == .indeterminate(.stopped) }))
            #expect(found.times.count == UInt64(values.count))
            // Sealed times are rounded to a thousandth at most; hour rows have the exact ends.
            for (value, truth) in [(found.times.minimum, values.first), (found.times.maximum, values.last)] {
                #expect(abs(Double((value ?? 0) - (truth ?? 0))) <= Double(truth ?? 0) / 1_000)
            }
            for q in [0.5, 0.9, 0.99] {
                guard let truth = Quantiles.exact(sorted: values, q), let estimate = found.times.quantile(q) else {
                    continue
                }
                let bound = Double(truth) * (Histogram.relativeError + 0.001) + 0.5
                #expect(abs(Double(estimate - truth)) <= bound)
            }
            #expect(found.sources == (values.isEmpty ? [:] : [.kernel: UInt64(values.count)]))
        }
        #expect(levels == [.raw, .hours])
    }

    /// A series that ended (its name resolved anew) and a window that ends in the past: neither makes a history coarser or
    /// lets it take in what lies outside.
    @Test func anEndedSeriesDoesNotMakeAHistoryCoarser() throws {
        let scratch = Scratch()
        let samples = try filled(scratch, hours: 60)
        let reader = try scratch.reader()
        // The first address was left after 30 hours; on that day, in UTC, hours follow that it has no part in.
        let since = noon + .seconds(33 * 3_600)
        let until = since + .seconds(5 * 3_600)
        let history = try #require(
            try reader.history(of: target("gw"), probe: "icmp", since: since, until: until, step: .seconds(600)))
        #expect(history.level == .raw && history.buckets.count == 30)
        let own = samples.filter { (since..<until).contains($0.time) }
        #expect(history.buckets.reduce(0) { $0 + $1.sent + $1.unknown } == UInt64(own.count))
        let totals = try reader.totals(since: noon + .seconds(100), until: noon + .seconds(55 * 3_600 + 100))
        let line = try #require(totals.lines.first)
        #expect(totals.lines.map(\.probe) == ["icmp", "tcp"])
        #expect(line.figures.sent + line.figures.unknown == 55 * 360)
    }

    @Test func addressesAndTimeBeforeTheDatabaseAreTold() throws {
        let scratch = Scratch()
        _ = try filled(scratch, hours: 4)
        let reader = try scratch.reader()
        func icmp(_ since: Int, _ until: Int) throws -> WindowFigures? {
            try reader.window(of: target("gw"), since: noon + .seconds(since), until: noon + .seconds(until))
                .first { $0.probe == "icmp" }
        }
        #expect(try icmp(0, 3_600)?.addresses == ["192.0.2.1"])
        #expect(try icmp(0, 4 * 3_600)?.addresses == ["192.0.2.1", "192.0.2.2"])
        let before = try #require(try icmp(-7_200, -3_600))
        #expect(before.sent == 0 && before.loss == nil && before.times.isEmpty && before.gap == .seconds(3_600))
        #expect(try icmp(-1_800, 1_800)?.gap == .seconds(1_800))
        #expect(try icmp(0, 0) == nil)
        #expect(try reader.window(of: target("other"), since: noon, until: noon + .seconds(60)).isEmpty)
    }
}
