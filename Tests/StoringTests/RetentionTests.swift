import Foundation
import GRDB
import Model
import Testing

@testable import Storing

@Suite struct RetentionTests {
    private let day = Duration.seconds(86_400)
    private let hour: Int64 = 3_600_000_000_000

    private func rows(_ store: Store, _ table: String) throws -> Int {
        try store.write { try $0.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? 0 } } ?? -1
    }

    @Test func ageEndsRowsOnceTheClockIsSteady() throws {
        let scratch = Scratch()
        let settings = StorageSettings(rawRetention: day * 2, hourRetention: day * 10, dayRetention: day * 400)
        let store = try scratch.open(settings).store
        for step in 0..<20 { store.append(round(at: noon + .seconds(1800 * step), [ok(1)], sequence: UInt32(step))) }
        store.record(
            Transition(target: target("gw"), from: .up, verdict: Verdict(state: .down, since: noon, reason: "")))
        store.flush()
        func keep(_ now: WallTime, _ monotonic: Int64) throws -> Int {
            var purged = 0
            for step in 0..<30 {
                purged += try store.write { try $0.housekeep(now: now, monotonic: monotonic + Int64(step)).purged } ?? 0
            }
            return purged
        }
        let later = noon + day * 4
        // A clock that has just stepped deletes nothing, however old the rows look.
        #expect(try keep(noon, 0) == 0)
        #expect(try keep(later, 1000) == 0)
        #expect(try keep(later + .nanoseconds(hour - 2000), hour - 2000) == 0)
        #expect(try rows(store, "results") == 0 && rows(store, "chunks") == 10, "what is over is sealed")
        #expect(try keep(later + .seconds(3601), hour + 1_000_000_000) == 10)
        #expect(try rows(store, "chunks") == 0 && rows(store, "hour_rows") == 10, "raw rows go, their hours stay")
        let muchLater = later + day * 20
        for (now, monotonic) in [(muchLater, 3 * hour), (muchLater + .seconds(3601), 4 * hour + 1_000_000_000)] {
            _ = try keep(now, monotonic)
        }
        #expect(try rows(store, "hour_rows") == 0 && rows(store, "transitions") == 0 && rows(store, "day_rows") == 1)
        let end = noon + day * 600
        for (now, monotonic) in [(end, 6 * hour), (end + .seconds(3601), 7 * hour + 1_000_000_000)] {
            _ = try keep(now, monotonic)
        }
        _ = try keep(end + .seconds(10_801), 9 * hour + 1_000_000_000)
        #expect(try rows(store, "day_rows") == 0 && rows(store, "series_rows") == 0)
        store.append(round(at: end, [ok(1)]))
        #expect(store.flush(), "series that were removed are made again")
        store.close()
    }

    /// Days outlive hours by years; without its gaps, a year of which half was not measured would look measured.
    @Test func gapsStayAsLongAsTheDaysThatTheyExplain() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let gap = MonitorEvent(kind: .gap, start: noon + .seconds(60), end: noon + .seconds(660), text: "")
        store.record(gap)
        store.record(MonitorEvent(kind: .reloaded, start: noon + .seconds(60), end: nil, text: ""))
        store.flush()
        func kinds(_ days: Int) throws -> [MonitorEvent.Kind] {
            _ = try store.write { writer in
                try writer.queue.write { try Purge.old($0, before: noon + day * days, gaps: noon + day * (days - 20)) }
            }
            return try scratch.reader().events().map(\.kind).filter { $0 == .gap || $0 == .reloaded }
        }
        #expect(Set(try kinds(0)) == [.gap, .reloaded])
        #expect(try kinds(19) == [.gap])
        #expect(try kinds(21).isEmpty)
        store.close()
    }

    @Test func theFileStaysWithinItsBound() throws {
        let scratch = Scratch()
        let settings = StorageSettings(maxSize: 1 << 20)
        let store = try scratch.open(settings).store
        var generator = SplitMix(state: 8)
        var sequence: UInt32 = 0
        for batch in 0..<120 {
            for step in 0..<2000 {
                let time = noon + .seconds(batch * 2000 + step)
                store.append(
                    round(
                        at: time, [.ok(rtt: .nanoseconds(Int64.random(in: 0..<1 << 40, using: &generator)))],
                        sequence: sequence))
                sequence += 1
            }
            store.flush()
            for _ in 0..<3 {
                _ = try store.write { try $0.housekeep(now: noon + .seconds(batch * 2000 + 2000), monotonic: 0) }
            }
        }
        #expect(store.flush())
        #expect(store.counters.dropped == 0)
        store.updateSizes()
        #expect(store.counters.databaseBytes <= 1 << 20)
        #expect(try rows(store, "chunks") > 200)
        let last = try scratch.reader().results(of: target("gw"), limit: 1)
        #expect(last.first?.result.sequence == sequence - 1, "the newest rows are there")
        #expect(try rows(store, "hour_rows") >= 60, "the hours outlive their rows")
        store.close()
        #expect(!(try scratch.open(settings).events.contains { $0.kind == .databaseSetAside }))
    }
}
