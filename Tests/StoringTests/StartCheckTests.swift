import Foundation
import GRDB
import Glibc
import Model
import Synchronization
import Testing

@testable import Storing

/// A large file is checked after an unclean stop, beside the writer.
@Suite struct StartCheckTests {
    private func filled(_ scratch: Scratch) throws {
        let store = try scratch.open().store
        store.sync(targets: [spec("gw")])
        for step in 0..<4000 {
            store.append(round(at: noon + .seconds(step), [ok(3)], sequence: UInt32(step)))
        }
        #expect(store.flush())
        _ = try store.write {
            try $0.queue.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
        }
        store.close()
        // As a crash leaves it.
        let crashed = try scratch.open().store
        _ = try crashed.write { try $0.queue.close() }
        crashed.lock.withLock { $0 = nil }
    }

    /// Opens as if every file were a large one.
    private func open(_ scratch: Scratch) throws -> OpenedStore {
        var opening = Opening(
            files: StateFiles(directory: scratch.path),
            settings: StorageSettings(commitInterval: .milliseconds(50)))
        opening.alwaysCheckedBytes = 0
        let clock = TestClock(noon + .seconds(5000))
        return try Store.open(opening, now: clock.now, limits: StoreQueue.Limits()) { clock.now }
    }

    /// What the store has to tell, once it has.
    private func news(_ store: Store) async throws -> [MonitorEvent] {
        for _ in 0..<200 {
            let news = store.takeNews()
            if !news.isEmpty { return news }
            try await Task.sleep(for: .milliseconds(50))
        }
        return []
    }

    @Test func aSoundFileIsSaidToBeSound() async throws {
        let scratch = Scratch()
        try filled(scratch)
        let opened = try open(scratch)
        #expect(opened.events.map(\.kind) == [.uncleanStop, .started])
        try opened.store.start()
        let news = try await news(opened.store)
        #expect(news.map(\.kind) == [.databaseChecked] && news.first?.text.contains("is sound") == true)
        #expect(opened.store.flush() && opened.store.takeNews().isEmpty)
        #expect(try scratch.reader().events().contains { $0.kind == .databaseChecked })
        opened.store.close()
    }

    @Test func afterACleanStopNothingIsChecked() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.close()
        let opened = try open(scratch)
        #expect(opened.store.startCheck == nil)
        opened.store.close()
    }

    @Test func aDamagedFileIsSetAsideWhileTheWriterGoesOn() async throws {
        let scratch = Scratch()
        try filled(scratch)
        // A page that nothing on the way to the first commit reads.
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.database)))
        let page = try scratch.reader().read { db in
            try Int64.fetchOne(
                db,
                sql:
                    "SELECT pageno FROM dbstat WHERE name = 'results' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1"
            )
        }
        let start = (Int(try #require(page)) - 1) * 4096
        for index in start..<(start + 4096) { bytes[index] = 0xEE }
        try Data(bytes).write(to: URL(fileURLWithPath: scratch.database))
        let opened = try open(scratch)
        #expect(
            opened.events.map(\.kind) == [.uncleanStop, .started], "the start does not wait for the check"
        )
        opened.store.sync(targets: [spec("gw")])
        try opened.store.start()
        let news = try await news(opened.store)
        #expect(news.map(\.kind) == [.databaseSetAside])
        opened.store.append(round(at: noon + .seconds(5001), [ok(4)]))
        #expect(opened.store.flush())
        #expect(try scratch.names().contains { $0.contains("corrupt-") })
        let reader = try scratch.reader()
        #expect(try reader.events().contains { $0.kind == .databaseSetAside })
        #expect(try reader.results(of: target("gw"), limit: 9).count == 1)
        opened.store.close()
    }

    @Test func closingEndsTheCheck() throws {
        let scratch = Scratch()
        try filled(scratch)
        let opened = try open(scratch)
        try opened.store.start()
        opened.store.close()
        #expect(try scratch.reader().wasStoppedCleanly())
    }
}
