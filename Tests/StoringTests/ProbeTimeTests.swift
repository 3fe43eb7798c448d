import Foundation
import Model
import Testing

@testable import Storing

/// Time in which a probe was not there counts as not measured.
@Suite struct ProbeTimeTests {
    /// Rounds of every minute, `added` from its own minute on; after `removed` minutes the config has it no more.
    private func filled(_ scratch: Scratch, minutes: Int, added: Int, removed: Int) throws {
        let clock = TestClock(noon)
        let store = try scratch.open(clock: clock).store
        store.sync(targets: [spec("gw"), spec("added"), spec("silent", probes: ["icmp", "tcp"])])
        for minute in 0..<minutes {
            clock.now = noon + .seconds(60 * minute)
            store.append(round(at: clock.now, [ok(3)], sequence: UInt32(minute)))
            if (added..<removed).contains(minute) {
                store.append(round(key("added"), at: clock.now, [ok(3)], sequence: UInt32(minute)))
            }
            if minute == removed { store.sync(targets: [spec("gw"), spec("silent", probes: ["icmp", "tcp"])]) }
            store.flush()
        }
        clock.now = noon + .seconds(60 * minutes)
        _ = try store.write { try $0.rollUpAll(now: clock.now) }
        store.close()
    }

    @Test func aConfiguredProbeWithoutAResultStandsInTheTotals() throws {
        let scratch = Scratch()
        try filled(scratch, minutes: 30, added: 10, removed: 20)
        let reader = try scratch.reader()
        let totals = try reader.totals(since: noon, until: noon + .seconds(1_800))
        #expect(
            totals.lines.map { "\($0.target) \($0.probe)" } == ["added icmp", "gw icmp", "silent icmp", "silent tcp"])
        let silent = try #require(totals.lines.last)
        #expect(silent.figures.sent == 0 && silent.figures.loss == nil && silent.figures.gap == .seconds(1_800))
        #expect(totals.lines[1].figures.gap == .zero && totals.unknown.isEmpty)
        // One that is configured no more is not missed where it has nothing.
        let late = try reader.totals(since: noon + .seconds(1_300), until: noon + .seconds(1_800))
        #expect(late.lines.map(\.target.rawValue) == ["gw", "silent", "silent"])
    }

    @Test(arguments: [30, 300, 60 * 60]) func timeBeforeAndAfterAProbeIsNotMeasured(minutes: Int) throws {
        let scratch = Scratch()
        let (added, removed) = (minutes / 3, minutes * 2 / 3)
        try filled(scratch, minutes: minutes, added: added, removed: removed)
        let reader = try scratch.reader()
        let window = (since: noon, until: noon + .seconds(60 * minutes))
        let first = noon + .seconds(60 * added)
        let last = noon + .seconds(60 * (removed - 1))
        let without = (first - window.since) + (window.until - last)
        let line = try #require(
            try reader.totals(since: window.since, until: window.until).lines.first { $0.target == target("added") })
        #expect(line.figures.gap == without && line.figures.sent == UInt64(removed - added))
        let figures = try #require(
            try reader.window(of: target("added"), since: window.since, until: window.until).first)
        #expect(figures.gap == without)
        let history = try #require(
            try reader.history(of: target("added"), since: window.since, until: window.until, step: .seconds(3_600)))
        #expect(
            history.unmeasured == [
                TimeSpan(start: window.since, end: first), TimeSpan(start: last, end: window.until),
            ])
        #expect(history.buckets.reduce(.zero) { $0 + $1.gap } == without)
        // One that the config still has, but that has given nothing for long, is no different; a short silence says nothing.
        let silent = noon + .seconds(60 * minutes + 300)
        let store = try scratch.open(at: silent).store
        store.sync(targets: [spec("gw"), spec("added")])
        store.close()
        let after = try #require(try reader.window(of: target("added"), since: window.since, until: window.until).first)
        #expect(after.gap == without)
        let short = try #require(try reader.window(of: target("added"), since: first, until: last + .seconds(60)).first)
        #expect(short.gap == .zero)
        let gw = try #require(
            try reader.history(of: target("gw"), since: window.since, until: window.until, step: .seconds(60)))
        #expect(gw.unmeasured.isEmpty)
    }
}
