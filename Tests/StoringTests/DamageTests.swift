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
    private func isHonest(_ found: [History], _ truth: [History]) -> Bool {
        let buckets = Dictionary(
            truth.flatMap { history in history.buckets.map { ("\(history.level) \($0.start.nanoseconds)", $0) } },
            uniquingKeysWith: { first, _ in first })
        for history in found {
            for bucket in history.buckets {
                // Of a sealed hour that is not found there is no figure at all; of results that are not, fewer.
                if bucket.sent == 0 && bucket.unknown == 0 && bucket.start < noon + .seconds(4 * 3600) {
                    continue
                }
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

    /// Whether the newest results are those that were written, but for some about which nothing is said to be known.
    private func isHonest(_ found: [TargetID: [StoredResult]], _ truth: [TargetID: [StoredResult]])
        -> Bool
    {
        let written = Set(truth.values.joined().map { $0.result })
        let results = found.values.joined().map { $0.result }
        let unknown = results.filter { $0.note == "damaged in the database" }
        // With a hole in them they reach further back than the truth does, which has 60 at most.
        let isWritten = results.allSatisfy { result in
            written.contains(result) || result.note != nil
                || result.sent < (written.map(\.sent).min() ?? noon)
        }
        return isWritten && (!unknown.isEmpty || results.isEmpty)
    }

    @Test func aFlippedByteIsNeverShownAsANumber() throws {
        let scratch = Scratch()
        try filled(scratch)
        let truth = try histories(try scratch.reader())
        #expect(truth.map(\.level) == [.raw, .hours])
        let newestTruth = try scratch.reader().recentResults(since: noon, limit: 60)
        let pages = try scratch.reader().read { db in
            try Int.fetchAll(
                db, sql: "SELECT pageno FROM dbstat WHERE name IN ('results', 'result_tallies')")
        }
        let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        var generator = SplitMix(state: 500)
        var outcomes: [String: Int] = [:]
        for number in 0..<500 {
            var bytes = good
            var index = Int.random(in: 0..<bytes.count, using: &generator)
            // Every other one where nothing is sealed yet, which is a small part of the file.
            if number % 2 == 1, let page = pages.randomElement(using: &generator) {
                index = (page - 1) * 4096 + index % 4096
            }
            bytes[index] ^= UInt8.random(in: 1...255, using: &generator)
            let copy = Scratch()
            try Data(bytes).write(to: URL(fileURLWithPath: copy.database))
            var outcome = "refused"
            if let reader = try? copy.reader(), let found = try? histories(reader) {
                outcome = found == truth ? "unharmed" : "told"
                if !isHonest(found, truth) { Issue.record("byte \(index) makes a wrong number") }
                if let newest = try? reader.recentResults(since: noon, limit: 60), newest != newestTruth {
                    #expect(isHonest(newest, newestTruth), "byte \(index) makes a wrong newest result")
                }
                if number % 4 == 0 { _ = try? reader.check() }
            }
            outcomes[outcome, default: 0] += 1
        }
        print(
            "500 flips: \(outcomes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))"
        )
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
        #expect(
            check.tables.map(\.name)
                == ["results", "result_tallies", "chunks", "hour_rows", "day_rows", "levels"])
        #expect(check.tables.map(\.damaged) == [1, 0, 1, 1, 0, 0])
        let saved = scratch.path + "/saved.db"
        let recovery = try StoreRecovery.run(from: scratch.database, to: saved)
        #expect(recovery.tables.first { $0.name == "chunks" }?.rows == 3)
        #expect(recovery.tables.filter { $0.refused > 0 }.map(\.name) == ["results", "chunks", "hour_rows"])
        let after = try StoreReader(path: saved)
        // What is gone for good is still missing beside its hour.
        #expect(try after.check().tables.filter { $0.damaged > 0 }.map(\.name) == ["levels"])
        #expect(try histories(after)[0].buckets.map(\.sent) == [360, 0, 360, 360, 359])
        #expect(throws: StoreError.self) { _ = try StoreRecovery.run(from: scratch.database, to: saved) }
    }

    @Test(arguments: ["chunks", "hour_rows", "day_rows", "results"])
    func aHiddenRowIsFoundByTheCheck(table: String) throws {
        let scratch = Scratch()
        try filled(scratch)
        let queue = try DatabaseQueue(path: scratch.database)
        let column = table == "chunks" ? "t0_ms" : table == "results" ? "sequence" : "start_s"
        try queue.write { db in
            try db.execute(sql: "DELETE FROM \(table) WHERE \(column) = (SELECT max(\(column)) FROM \(table))")
        }
        try queue.close()
        let check = try scratch.reader().check()
        #expect(check.structure.isEmpty)
        #expect(
            check.tables.filter { $0.damaged > 0 }.map(\.name) == [table == "results" ? "result_tallies" : "levels"])
    }

    @Test func hiddenRowsStayUnknownWhenTheirHourIsSealed() throws {
        let scratch = Scratch()
        let clock = TestClock(noon + .seconds(1800))
        let store = try scratch.open(clock: clock).store
        for step in 0..<180 { store.append(round(at: noon + .seconds(10 * step), [ok(1)], sequence: UInt32(step))) }
        store.flush()
        _ = try store.write { try $0.queue.write { try $0.execute(sql: "DELETE FROM results WHERE sequence = 100") } }
        let before = try #require(
            try scratch.reader().history(
                of: target("gw"), since: noon, until: noon + .seconds(1800), step: .seconds(600)))
        #expect(before.buckets.map(\.sent) == [60, 59, 60])
        #expect(before.buckets.map(\.gap) == [.zero, .seconds(600), .zero])
        let newest = try scratch.reader().recentResults(since: noon, limit: 500)[target("gw")] ?? []
        #expect(newest.count == 180 && newest.filter { $0.result.outcome.standing == .unknown }.count == 1)
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(3600 + 121)) }
        let after = try #require(
            try scratch.reader().history(
                of: target("gw"), since: noon, until: noon + .seconds(1800), step: .seconds(600)))
        #expect(after.buckets.map(\.sent) == [60, 59, 60])
        #expect(after.buckets.map(\.gap) == [.zero, .seconds(600), .zero])
        #expect(try scratch.reader().check().isSound, "what is lost is known")
        store.close()
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
        let check = try StoreReader(path: saved).check()
        #expect(check.structure.isEmpty && check.tables.allSatisfy { $0.damaged == 0 || $0.name == "levels" })
    }

    /// Damage within pages of rows fails the end of SQLite's transaction as well: recovery once ended there with an error,
    /// and what lies between two damaged pages was left behind.
    @Test func rowsBetweenDamagedPagesAreSaved() throws {
        let scratch = Scratch()
        let store = try scratch.open(clock: TestClock(noon + .seconds(3000))).store
        store.sync(targets: [spec("gw")])
        for step in 0..<3_000 { store.append(round(at: noon + .seconds(step), [ok(5)], sequence: UInt32(step))) }
        store.close()
        let queue = try DatabaseQueue(path: scratch.database)
        let pages = try queue.read {
            try Int.fetchAll($0, sql: "SELECT pageno FROM dbstat WHERE name = 'results' AND pagetype = 'leaf'")
        }
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        try queue.close()
        try #require(pages.count >= 20)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        // Pointers to the cells of three pages, one of them in the middle.
        for page in [pages[3], pages[pages.count / 2], pages[pages.count - 4]] {
            for index in 150..<160 { bytes[(page - 1) * 4096 + index] ^= 0x55 }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: scratch.database))
        let saved = scratch.path + "/saved.db"
        let recovery = try StoreRecovery.run(from: scratch.database, to: saved)
        let results = try #require(recovery.tables.first { $0.name == "results" })
        #expect(results.isIncomplete)
        // Three pages of some hundred rows, and rows of the same minute beside them.
        #expect(results.rows > 2_400 && results.rows < 3_000, "\(results.rows)")
        #expect(try StoreReader(path: saved).check().isSound)
        let nowhere = scratch.path + "/none/saved.db"
        #expect {
            _ = try StoreRecovery.run(from: scratch.database, to: nowhere)
        } throws: { error in
            "\(error)".hasPrefix("cannot open \(nowhere)")
        }
    }

    /// The first hours stand for a day in proportion: days left were once promised as if a day had no more of them.
    @Test func aShortPastIsScaledToADay() throws {
        let scratch = Scratch()
        let empty = try scratch.open().store
        empty.flush()
        #expect(try scratch.reader().figures().resultsADay == nil)
        empty.close()
        try filled(scratch)
        let figures = try scratch.reader().figures()
        let hours = try #require(figures.levels.first { $0.name == "hours" })
        let results = try #require(hours.results)
        #expect(results == 4 * 360)
        // A result each ten seconds.
        #expect(figures.resultsADay == 8_640)
        #expect((figures.growthADay ?? 0) > 0 && (figures.daysLeft ?? 0) > 0)
    }

    /// Numbers at the ends of what there is, as damage makes them, are counted with and end nothing.
    @Test func numbersOutOfAllBoundsAreNoTrap() throws {
        let scratch = Scratch()
        try filled(scratch)
        let queue = try DatabaseQueue(path: scratch.database)
        for (start, count) in [(Int64.max, Int64.max / 8), (.min, Int64.max / 8)] {
            try queue.write {
                try $0.execute(
                    sql: """
                        UPDATE hour_rows SET start_s = ?, ok = ?
                        WHERE start_s = (SELECT max(start_s) FROM hour_rows)
                        """, arguments: [start, count])
            }
            #expect((try scratch.reader().figures().resultsADay ?? 0) >= 0)
        }
        #expect((Int64.min...Int64.max).middle == -1)
        #expect((Int64.max - 1...Int64.max).middle == Int64.max - 1)
        #expect((-3...6).middle == 1)
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
