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
        let settings = StorageSettings(rawRetention: day * 2, hourRetention: day * 10)
        let store = try scratch.open(settings).store
        for step in 0..<20 { store.append(round(at: noon + .seconds(1800 * step), [ok(1)], sequence: UInt32(step))) }
        store.record(
            Transition(target: target("gw"), from: .up, verdict: Verdict(state: .down, since: noon, reason: "")))
        store.flush()
        let later = noon + day * 3
        // A clock that has just stepped deletes nothing, however old the rows look.
        var chores = try store.write { try $0.housekeep(now: noon, monotonic: 0) }
        chores = try store.write { try $0.housekeep(now: later, monotonic: 10) }
        chores = try store.write { try $0.housekeep(now: later + .nanoseconds(hour - 11), monotonic: hour - 1) }
        #expect(chores?.purged == 0)
        #expect(try rows(store, "results") == 20)
        for step in 1...4 {
            _ = try store.write {
                try $0.housekeep(now: later + .seconds(3600 + step), monotonic: hour + Int64(step) * 1_000_000_000)
            }
        }
        #expect(try rows(store, "results") == 0 && rows(store, "hour_rows") == 10, "raw rows go, their hours stay")
        #expect(try rows(store, "pending_hours") == 0)
        let muchLater = later + day * 10
        for (now, monotonic) in [(muchLater, 3 * hour), (muchLater + .seconds(3601), 4 * hour + 1_000_000_000)] {
            _ = try store.write { try $0.housekeep(now: now, monotonic: monotonic) }
        }
        #expect(try rows(store, "hour_rows") == 0 && rows(store, "transitions") == 0)
        store.append(round(at: muchLater, [ok(1)]))
        #expect(store.flush(), "series that were removed are made again")
        store.close()
    }

    @Test func theFileStaysWithinItsBound() throws {
        let scratch = Scratch()
        let settings = StorageSettings(maxSize: 1 << 20)
        let store = try scratch.open(settings).store
        var sequence: UInt32 = 0
        for batch in 0..<30 {
            for step in 0..<2000 {
                let time = noon + .seconds(batch * 2000 + step)
                store.append(round(at: time, [ok(12.345)], sequence: sequence))
                sequence += 1
            }
            store.flush()
            _ = try store.write { try $0.housekeep(now: noon + .seconds(batch * 2000 + 2000), monotonic: 0) }
        }
        #expect(store.flush())
        #expect(store.counters.dropped == 0)
        store.updateSizes()
        #expect(store.counters.databaseBytes <= 1 << 20)
        #expect(try rows(store, "results") > 10_000)
        let last = try scratch.reader().results(of: target("gw"), limit: 1)
        #expect(last.first?.result.sequence == sequence - 1, "the newest rows are there")
        #expect(try rows(store, "hour_rows") >= 16, "the hours outlive their rows")
        store.close()
        #expect(!(try scratch.open(settings).events.contains { $0.kind == .databaseSetAside }))
    }
}
