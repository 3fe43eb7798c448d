import Foundation
import GRDB
import Model
import Statistics
import Testing

@testable import Storing

@Suite struct PassiveTests {
    private let web = PassiveKey(interface: "eth0", service: "web", peer: nil, kind: .tcpHandshake, side: .server)
    private let bare = PassiveKey(interface: "eth0", service: nil, peer: "198.51.100.0/24", kind: .dns, side: .client)

    private func summary(_ start: WallTime, _ cells: [PassiveKey: [Int64]]) -> PassiveSummary {
        var counters = CaptureCounters()
        counters.packets = 5
        counters.drops = ["fragment": 2]
        return PassiveSummary(
            source: "any", start: start, end: start + .seconds(10),
            cells: cells.mapValues { values in
                var cell = PassiveCell(failures: 1, retransmissions: 2)
                for value in values { cell.histogram.record(nanoseconds: value) }
                return cell
            }, counters: counters)
    }

    @Test func windowsMergeHoursAndIntervals() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        var all: [(WallTime, Int64)] = []
        for step in 0..<1080 {
            let time = noon + .seconds(10 * step)
            all.append((time, Int64(20_000_000 + step)))
            store.append(summary(time, [web: [Int64(20_000_000 + step)]]))
        }
        store.append(summary(noon + .seconds(15), [bare: [7]]))
        store.flush()
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(7200 + 121)) }
        let reader = try scratch.reader()
        for (from, to) in [(0, 10_800), (0, 3600), (50, 7000), (3590, 3600), (100, 10_000), (3600, 7200), (5, 9)] {
            let window = (noon + .seconds(from))..<(noon + .seconds(to))
            var truth = Histogram()
            for (time, value) in all where window.contains(time) { truth.record(nanoseconds: value) }
            let figures = try reader.passive(since: window.lowerBound, until: window.upperBound)
            #expect(figures.cells[web]?.histogram ?? Histogram() == truth, "from \(from) to \(to)")
            #expect(figures.cells[web]?.retransmissions ?? 0 == truth.count * 2)
            #expect(figures.since == window.lowerBound)
        }
        let hour = try reader.passive(since: noon, until: noon + .seconds(3600))
        #expect(hour.cells[bare]?.histogram.count == 1 && hour.cells.count == 2)
        let captures = try reader.captures()
        #expect(captures.map(\.source) == ["any"])
        #expect(captures.first?.counters.packets == 5 && captures.first?.counters.drops == ["fragment": 2])
        // Single intervals gone: whole hours serve, and the answer says from when.
        _ = try store.write {
            try $0.queue.write {
                try $0.execute(sql: "DELETE FROM passive_rows WHERE start_us < \(noon.seconds + 7200)000000")
            }
        }
        let old = try reader.passive(since: noon + .seconds(1800), until: noon + .seconds(7200))
        #expect(old.since == noon && old.cells[web]?.histogram.count == 720)
        // An end on the hour takes in nothing of the next hour; one within an hour takes it in, and says so.
        let first = try reader.passive(since: noon, until: noon + .seconds(3_600))
        #expect(first.cells[web]?.histogram.count == 360 && first.until == noon + .seconds(3_600))
        let part = try reader.passive(since: noon, until: noon + .seconds(3_601))
        #expect(part.cells[web]?.histogram.count == 720 && part.until == noon + .seconds(7_200))
        #expect(try reader.passive(since: noon, until: noon).cells.isEmpty)
        store.close()
    }

    /// A window that begins in an hour of which the rest alone is left would seem whole.
    @Test func intervalsGoByWholeHours() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        for step in 0..<1080 { store.append(summary(noon + .seconds(10 * step), [web: [20_000_000]])) }
        store.flush()
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(10_800 + 121)) }
        let reader = try scratch.reader()
        for hours in 1...2 {
            let cutoff = (noon + .seconds(hours * 3_600 + 1_800)).nanoseconds / 1_000
            for rows in [360, 0] {
                #expect(try store.write { try $0.queue.write { try Purge.passive($0, before: cutoff) } } == rows)
            }
            let from = noon + .seconds(hours * 3_600 + 900)
            let figures = try reader.passive(since: from, until: noon + .seconds(10_800))
            #expect(figures.since == from)
            #expect(figures.cells[web]?.histogram.count == UInt64(1_080 - hours * 360 - 90))
        }
        store.close()
    }

    @Test func howAServiceWasLearnedIsKeptWithItsKey() throws {
        let scratch = Scratch()
        var store = try scratch.open().store
        for (step, sources) in [ServiceSources.dns, [], .sni].enumerated() {
            let cells = [web: PassiveCell(failures: 1, serviceSources: sources), bare: PassiveCell(failures: 1)]
            let start = noon + .seconds(10 * step)
            store.append(PassiveSummary(source: "any", start: start, end: start + .seconds(10), cells: cells))
            if step == 1 {
                // What the writer remembers is gone; the file knows.
                store.close()
                store = try scratch.open().store
            }
        }
        store.flush()
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(3600 + 121)) }
        let reader = try scratch.reader()
        let cells = try reader.passive(since: noon, until: noon + .seconds(3600)).cells
        #expect(cells[web]?.serviceSources == [.sni, .dns])
        #expect(cells[web]?.failures == 3)
        #expect(cells[bare]?.serviceSources == [])
        let shown = try reader.read { db in
            try Row.fetchAll(db, sql: "SELECT service_sources FROM passive_hours ORDER BY service IS NULL").map {
                $0["service_sources"] as String?
            }
        }
        #expect(shown == ["sni,dns", nil])
        store.close()
    }

    @Test func lossesAddUpASlotAndGoWithTheHours() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        for step in 0..<90 {
            var summary = summary(noon + .seconds(10 * step), [:])
            summary.loss.packets = 1_000
            summary.loss.kernelDrops = step < 30 ? 2 : 0
            summary.loss.acknowledgements = 100
            summary.loss.gaps = 1
            summary.loss.shed = step >= 60 ? 500 : 0
            store.append(summary)
        }
        store.flush()
        let reader = try scratch.reader()
        let all = try reader.captureLosses(since: noon, until: noon + .seconds(900))
        #expect(all.map(\.source) == ["any"])
        let loss = try #require(all.first?.loss)
        #expect(loss.packets == 90_000 && loss.kernelDrops == 60 && loss.interfaceDrops == 0)
        #expect(loss.gaps == 90 && loss.gapShare == 0.01 && loss.shed == 15_000)
        let first = try #require(try reader.captureLosses(since: noon, until: noon + .seconds(300)).first?.loss)
        #expect(first.packets == 30_000 && first.kernelDrops == 60 && first.shed == 0)
        #expect(try reader.captureLosses(since: noon + .seconds(3_600), until: noon + .seconds(7_200)).isEmpty)
        _ = try store.write { try $0.queue.write { try Purge.old($0, before: noon + .seconds(300), gaps: noon) } }
        #expect(try reader.captureLosses(since: noon, until: noon + .seconds(900)).first?.loss.packets == 60_000)
        store.close()
    }
}
