import Foundation
import GRDB
import Model
import Testing

@testable import Storing

@Suite struct DamageTests {
    private static let hours = 5

    /// Four sealed hours, one that runs.
    private func filled(_ scratch: Scratch) throws {
        let clock = TestClock(noon + .seconds(3600 * DamageTests.hours))
        let store = try scratch.open(clock: clock).store
        store.sync(targets: [spec("gw")])
        var generator = SplitMix(state: 77)
        for step in 0..<(DamageTests.hours * 360) {
            store.append(round(at: noon + .seconds(10 * step), [sample(&generator)], sequence: UInt32(step)))
        }
        store.flush()
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(4 * 3600 + 121)) }
        _ = try store.write {
            try $0.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        }
        store.close()
    }

    private func histories(_ reader: StoreReader) throws -> [History] {
        let end = noon + .seconds(3600 * DamageTests.hours)
        return try [noon, end - .seconds(3 * 86_400)].compactMap {
            try reader.history(of: target("gw"), probe: "icmp", since: $0, until: end, step: .seconds(3600))
        }
    }

    /// Whether each bucket is what it was, or says that something of it is unknown, or has nothing at all.
    private func isHonest(_ found: [History], _ truth: [History], sealedOnly: Bool) -> Bool {
        let buckets = Dictionary(
            truth.flatMap { history in history.buckets.map { ("\(history.level) \($0.start.nanoseconds)", $0) } },
            uniquingKeysWith: { first, _ in first })
        for history in found {
            for bucket in history.buckets where bucket.sent > 0 || bucket.unknown > 0 {
                if sealedOnly && bucket.start >= noon + .seconds(4 * 3600) { continue }
                // A history may come from the other level where one is damaged; the counts are the same in both.
                let same = ["raw", "hours"].compactMap { buckets["\($0) \(bucket.start.nanoseconds)"] }
                let isExact = same.contains { $0 == bucket }
                let isCounted = same.contains {
                    $0.counts == bucket.counts && abs(($0.p50 ?? 0) - (bucket.p50 ?? 0)) < 700_000
                }
                if !isExact && !isCounted && bucket.gap <= (same.map(\.gap).max() ?? .zero) { return false }
            }
        }
        return true
    }

    @Test func aFlippedByteIsNeverShownAsANumber() throws {
        let scratch = Scratch()
        try filled(scratch)
        let truth = try histories(try scratch.reader())
        #expect(truth.map(\.level) == [.raw, .hours])
        let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        var generator = SplitMix(state: 500)
        var outcomes: [String: Int] = [:]
        for _ in 0..<500 {
            var bytes = good
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[index] ^= UInt8.random(in: 1...255, using: &generator)
            let copy = Scratch()
            try Data(bytes).write(to: URL(fileURLWithPath: copy.database))
            var outcome = "refused"
            if let reader = try? copy.reader(), let found = try? histories(reader) {
                outcome = found == truth ? "unharmed" : "told"
                if !isHonest(found, truth, sealedOnly: true) { Issue.record("byte \(index) makes a wrong number") }
                // A row of the running hour whose key is damaged is not found by its key; only the check sees that.
                if !isHonest(found, truth, sealedOnly: false) { #expect((try? reader.check().isSound) != true) }
                _ = try? reader.recentResults(since: noon, limit: 60)
                _ = try? reader.check()
            }
            outcomes[outcome, default: 0] += 1
        }
        #expect(
            outcomes["refused", default: 0] > 10 && outcomes["unharmed", default: 0] > 0
                && outcomes["told", default: 0] > 10, "\(outcomes)")
    }

    @Test func aDamagedChunkIsUnknownTimeAndIsFoundAndSavedAround() throws {
        let scratch = Scratch()
        try filled(scratch)
        let queue = try DatabaseQueue(path: scratch.database)
        try queue.write { db in
            let data = try Data.fetchOne(db, sql: "SELECT data FROM chunks ORDER BY t0_ms LIMIT 1 OFFSET 1") ?? Data()
            var bytes = [UInt8](data)
            bytes[40] ^= 1
            try db.execute(
                sql: "UPDATE chunks SET data = ? WHERE t0_ms = ?",
                arguments: [Data(bytes), (noon + .seconds(3600)).nanoseconds / 1_000_000])
            try db.execute(
                sql: "UPDATE hour_rows SET lost = lost + 1 WHERE start_s = ?", arguments: [noon.seconds + 7200])
            try db.execute(sql: "UPDATE results SET rtt_ns = 5 WHERE sequence = 1500")
        }
        try queue.close()
        let reader = try scratch.reader()
        let found = try histories(reader)
        #expect(found[0].buckets.map(\.sent) == [360, 0, 360, 360, 359])
        #expect(found[0].buckets[1].gap == .seconds(3600) && found[0].damaged.count == 2)
        #expect(found[1].buckets.suffix(5).map(\.sent) == [360, 360, 0, 360, 359])
        let check = try reader.check()
        #expect(!check.isSound && check.structure.isEmpty)
        #expect(check.tables.map(\.damaged) == [1, 1, 1, 0])
        let saved = scratch.path + "/saved.db"
        let recovery = try StoreRecovery.run(from: scratch.database, to: saved)
        #expect(recovery.tables.first { $0.name == "chunks" }?.rows == 3)
        #expect(recovery.tables.filter { $0.refused > 0 }.map(\.name) == ["results", "chunks", "hour_rows"])
        let after = try StoreReader(path: saved)
        #expect(try after.check().isSound)
        #expect(try histories(after)[0].buckets.map(\.sent) == [360, 0, 360, 360, 359])
        #expect(throws: StoreError.self) { _ = try StoreRecovery.run(from: scratch.database, to: saved) }
    }

    @Test func whatIsLeftOfABrokenFileIsSaved() throws {
        let scratch = Scratch()
        try filled(scratch)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        // Some pages in the middle are gone; the schema is not.
        for page in 40..<46 where (page + 1) * 4096 <= bytes.count {
            for index in (page * 4096)..<((page + 1) * 4096) { bytes[index] = 0xEE }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: scratch.database))
        let saved = scratch.path + "/saved.db"
        let recovery = try StoreRecovery.run(from: scratch.database, to: saved)
        #expect(recovery.tables.map(\.rows).reduce(0, +) > 50)
        #expect(try StoreReader(path: saved).check().isSound)
    }

    @Test func importBuildsWhatTheDaemonBuilds() throws {
        let scratch = Scratch()
        try filled(scratch)
        let reader = try scratch.reader()
        let path = scratch.path + "/imported.db"
        let target = try StoreImport(path: path)
        _ = try reader.eachResult { try target.add($0.result, of: $0.series, kind: $0.kind) }
        try target.finish()
        let imported = try StoreReader(path: path)
        #expect(try imported.check().isSound)
        let window = noon...(noon + .seconds(3600 * DamageTests.hours))
        let (a, b) = (
            try reader.totals(since: window.lowerBound, until: window.upperBound),
            try imported.totals(since: window.lowerBound, until: window.upperBound)
        )
        #expect(a.lines.map(\.figures.counts) == b.lines.map(\.figures.counts) && a.lines.count == 1)
        #expect(try histories(imported)[0].buckets.map(\.p50) == histories(reader)[0].buckets.map(\.p50))
        #expect(try imported.figures().levels.map(\.name) == ["hot", "sealed", "hours", "days", "passive", "other"])
        #expect(throws: StoreError.self) { _ = try StoreImport(path: path) }
    }
}
