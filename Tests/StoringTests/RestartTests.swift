import Foundation
import GRDB
import Model
import Testing

@testable import Storing

@Suite struct RestartTests {
    @Test func aCleanStopLeavesAGap() throws {
        let scratch = Scratch()
        let first = try scratch.open()
        #expect(first.events.map(\.kind) == [.started])
        #expect(first.restored.lastAlive == nil)
        first.store.append(round(at: noon, [ok(3)]))
        first.store.close()
        #expect(try scratch.reader().wasStoppedCleanly())
        let later = noon + .seconds(600)
        let second = try scratch.open(at: later)
        #expect(second.events.map(\.kind) == [.gap, .started])
        #expect(second.events.first?.start == noon && second.events.first?.end == later)
        #expect(try scratch.reader().events().map(\.kind) == [.started, .stopped, .gap, .started])
        #expect(try !scratch.reader().wasStoppedCleanly())
        second.store.close()
    }

    @Test func aCrashLeavesAnUncleanGapFromTheLastCommit() throws {
        let scratch = Scratch()
        let clock = TestClock(noon)
        let store = try scratch.open(clock: clock).store
        store.append(round(at: noon, [ok(3)]))
        clock.now = noon + .seconds(20)
        store.flush()
        let crashed = try scratch.copy()
        store.close()
        let opened = try crashed.open(at: noon + .seconds(500))
        #expect(opened.events.map(\.kind) == [.uncleanStop, .started])
        #expect(opened.events.first?.start == noon + .seconds(20))
        #expect(opened.events.first?.end == noon + .seconds(500))
        let gaps = try crashed.reader().unknownTime(since: noon, until: noon + .seconds(510))
        #expect(gaps == [TimeSpan(start: noon + .seconds(20), end: noon + .seconds(500))])
        opened.store.close()
    }

    @Test func aClockThatWentBackGivesNoNegativeGap() throws {
        let scratch = Scratch()
        try scratch.open().store.close()
        let opened = try scratch.open(at: WallTime(seconds: 100))
        let gap = try #require(opened.events.first)
        #expect(gap.end == gap.start && gap.text.contains("earlier"))
        opened.store.close()
    }

    @Test func resultsFromBeforeTheClockWasSetBackAreMeasured() throws {
        let scratch = Scratch()
        let clock = TestClock(noon)
        let store = try scratch.open(clock: clock).store
        store.sync(targets: [spec("gw")])
        for minute in 0...30 {
            clock.now = noon + .seconds(60 * minute)
            store.append(round(at: clock.now, [ok(3)], sequence: UInt32(minute)))
            store.flush()
        }
        // Two hours back: the last sign of life is earlier than the newest result.
        clock.now = noon - .seconds(7_200)
        store.append(round(at: clock.now, [ok(3)], sequence: 31))
        store.flush()
        let reader = try scratch.reader()
        let until = noon + .seconds(1_800)
        #expect(try reader.unknownTime(since: noon, until: until + .seconds(1)).isEmpty)
        let back = noon - .seconds(7_200)
        #expect(
            try reader.unknownTime(since: back - .seconds(600), until: noon)
                == [TimeSpan(start: back - .seconds(600), end: back)], "the database was begun later by the clock")
        #expect(
            try reader.unknownTime(since: noon, until: until + .seconds(600))
                == [TimeSpan(start: until + .nanoseconds(1), end: until + .seconds(600))])
        store.close()
    }

    @Test func anyPrefixOfTheLogOpens() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        var generator = SplitMix(state: 5)
        for step in 0..<40 {
            store.append(round(at: noon + .seconds(10 * step), [sample(&generator)], sequence: UInt32(step)))
            #expect(store.flush())
        }
        let whole = try FileManager.default.attributesOfItem(atPath: scratch.database + "-wal")[.size] as? Int ?? 0
        #expect(whole > 100_000)
        for _ in 0..<25 {
            let crashed = try scratch.copy()
            let length = Int.random(in: 0...whole, using: &generator)
            truncate(crashed.database + "-wal", length)
            let opened = try crashed.open(at: noon + .seconds(1000))
            #expect(!opened.events.contains { $0.kind == .databaseSetAside })
            let results = try crashed.reader().results(of: target("gw"), limit: 100)
            #expect(results.map(\.result.sequence) == (0..<UInt32(results.count)).map { $0 }, "a prefix of the commits")
            opened.store.close()
        }
        store.close()
    }

    @Test func aSecondInstanceIsRefusedWithThePid() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        #expect(error == .locked(path: scratch.database + ".lock", pid: getpid()))
        #expect(error?.exitStatus == 78)
        #expect("\(error, default: "")".contains("process \(getpid())"))
        store.close()
        try scratch.open().store.close()
    }

    @Test(arguments: ["garbage", "text", "truncated", "page"])
    func aDamagedFileIsSetAside(damage: String) throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        for step in 0..<500 { store.append(round(at: noon + .seconds(10 * step), [ok(3)], sequence: UInt32(step))) }
        store.close()
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        switch damage {
        case "garbage": bytes = bytes.map { $0 ^ 0x5A }
        case "text": bytes = Array("this is not a database, whatever its name says\n".utf8)
        case "truncated": bytes.removeLast(bytes.count / 2)
        default: for index in 8192..<(8192 + 2048) { bytes[index] = 0xEE }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: scratch.database))
        let opened = try scratch.open(at: noon + .seconds(60))
        #expect(opened.events.map(\.kind) == [.databaseSetAside, .started])
        let aside = try scratch.names().first { $0.hasPrefix("tautline.db.corrupt-20261124T") && !$0.hasSuffix("-wal") }
        let name = try #require(aside)
        #expect(opened.events.first?.text.contains(name) == true)
        #expect(
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/" + name))) == bytes, "kept as it was")
        opened.store.append(round(at: noon + .seconds(60), [ok(4)]))
        #expect(opened.store.flush())
        #expect(try scratch.reader().results(of: target("gw"), limit: 9).count == 1)
        #expect(try scratch.reader().events().first?.kind == .databaseSetAside)
        opened.store.close()
    }

    @Test func flippedBytesNeverTrap() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        var generator = SplitMix(state: 77)
        store.sync(targets: [spec("gw")])
        for step in 0..<400 { store.append(round(at: noon + .seconds(10 * step), [sample(&generator)])) }
        store.flush()
        _ = try store.write { try $0.rollUp(now: noon + .seconds(8000)) }
        store.close()
        let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        var setAside = 0
        for _ in 0..<40 {
            var bytes = good
            for _ in 0..<8 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8(truncatingIfNeeded: generator.next())
            }
            let copy = Scratch()
            try Data(bytes).write(to: URL(fileURLWithPath: copy.database))
            if let reader = try? copy.reader() {
                _ = try? reader.targets()
                _ = try? reader.results(of: target("gw"), limit: 50)
                _ = try? reader.history(
                    of: target("gw"), since: noon, until: noon + .seconds(7200), step: .seconds(3600))
                _ = try? reader.history(of: target("gw"), since: noon, until: noon + .seconds(7200), step: .seconds(60))
            }
            do {
                let opened = try copy.open(at: noon + .seconds(9000))
                if opened.events.contains(where: { $0.kind == .databaseSetAside }) { setAside += 1 }
                opened.store.append(round(at: noon + .seconds(9000), [ok(1)]))
                opened.store.flush()
                opened.store.close()
            } catch let error as StoreError {
                #expect(error.exitStatus == 78)
            }
        }
        #expect(setAside > 0)
    }

    @Test func aNewerSchemaIsRefusedAndLeftAlone() throws {
        let scratch = Scratch()
        try scratch.open().store.close()
        let queue = try DatabaseQueue(path: scratch.database)
        try queue.write { try $0.execute(sql: "PRAGMA user_version = 99") }
        try queue.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: scratch.database))
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        #expect(error == .newerSchema(path: scratch.database, found: 99, supported: Schema.current.version))
        #expect(error?.exitStatus == 78)
        #expect(throws: StoreError.self) { _ = try scratch.reader() }
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.database)) == before)
        #expect(try !scratch.names().contains { $0.contains("corrupt") })
    }

    @Test func anOlderSchemaIsMigratedAfterACopy() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.append(round(at: noon, [ok(3)]))
        store.close()
        var schema = Schema.current
        schema.migrations.append(
            Schema.Migration(version: Schema.current.version + 1) { db in
                try db.execute(sql: "ALTER TABLE series_rows ADD COLUMN extra TEXT")
            })
        let opened = try scratch.open(at: noon + .seconds(60), schema: schema)
        opened.store.close()
        let copy = try #require(try scratch.names().first { $0.hasPrefix("tautline.db.v\(Schema.current.version)-") })
        let old = try StoreReader(path: scratch.path + "/" + copy)
        #expect(try old.results(of: target("gw"), limit: 9).count == 1)
        let attributes = try FileManager.default.attributesOfItem(atPath: scratch.path + "/" + copy)
        #expect(attributes[.posixPermissions] as? Int == 0o640)
        let error = #expect(throws: StoreError.self) { _ = try scratch.open(at: noon + .seconds(90)) }
        #expect(
            error == .newerSchema(path: scratch.database, found: schema.version, supported: Schema.current.version),
            "a downgrade is refused")
    }

    @Test func aFileWhoseMakingWasCutShortBecomesOurs() throws {
        let scratch = Scratch()
        let queue = try DatabaseQueue(path: scratch.database)
        // What a kill between the first two statements leaves: a page, and nothing that says whose.
        let pages = try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            return try Int.fetchOne(db, sql: "PRAGMA page_count")
        }
        try queue.close()
        #expect(pages == 1)
        let store = try scratch.open().store
        store.append(round(at: noon, [ok(3)]))
        store.close()
        #expect(try scratch.reader().results(of: target("gw"), limit: 9).count == 1)
        try scratch.open(at: noon + .seconds(60)).store.close()
    }

    @Test func anotherProgramsDatabaseIsLeftAlone() throws {
        let scratch = Scratch()
        let queue = try DatabaseQueue(path: scratch.database)
        try queue.write { try $0.execute(sql: "CREATE TABLE theirs (x)") }
        try queue.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: scratch.database))
        let error = #expect(throws: StoreError.self) { _ = try scratch.open() }
        #expect(error == .foreign(path: scratch.database))
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.database)) == before)
        #expect(throws: StoreError.foreign(path: scratch.database)) { _ = try scratch.reader() }
    }

    @Test func whatCannotBeOpenedIsSaid() throws {
        let scratch = Scratch()
        try FileManager.default.createDirectory(atPath: scratch.database, withIntermediateDirectories: false)
        #expect(throws: StoreError.self) { _ = try scratch.open() }
        try Data().write(to: URL(fileURLWithPath: scratch.path + "/file"))
        let error = #expect(throws: StoreError.self) {
            _ = try Store.open(directory: scratch.path + "/file/state", settings: StorageSettings(), now: noon)
        }
        #expect("\(error, default: "")".hasPrefix("cannot open "))
        #expect(throws: StoreError.notFound(path: scratch.path + "/none.db")) {
            _ = try StoreReader(path: scratch.path + "/none.db")
        }
    }
}
