import Foundation
import GRDB
import Glibc
import Model
import Synchronization
import Testing

@testable import Storing

@Suite struct WriterFaultTests {
    /// Waits for the writer's thread, at most ten seconds.
    private func wait(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<200 {
            if condition() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return condition()
    }

    @Test func aFullQueueDropsCountsAndNeverWaits() throws {
        let scratch = Scratch()
        let store = try scratch.open(limits: StoreQueue.Limits(samples: 100, notices: 3)).store
        let began = ContinuousClock.now
        // The lock stands for a disk that does not answer: the writer hangs on it, the callers must not.
        store.state.withLock { _ in
            for step in 0..<150 {
                store.append(round(at: noon + .seconds(step), [ok(1), .lost], sequence: UInt32(2 * step)))
            }
            for _ in 0..<5 { store.record(MonitorEvent(kind: .stall, start: noon, text: "x")) }
        }
        #expect(ContinuousClock.now - began < .seconds(1))
        #expect(store.counters.dropped == 200 && store.counters.queued == 100)
        #expect(store.counters.droppedNotices == 2)
        #expect(store.flush())
        #expect(store.counters.queued == 0 && store.counters.committed == 100)
        #expect(store.flush(), "the second commit says what was dropped")
        let events = try scratch.reader().events().filter { $0.kind == .storageDropped }
        #expect(events.count == 1 && events.first?.text.hasPrefix("202 ") == true)
        #expect(events.first?.end != nil)
        #expect(try scratch.reader().results(of: target("gw"), limit: 1000).count == 100)
        store.close()
    }

    @Test func whatIsAppendedAfterTheCloseIsCounted() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.close()
        store.close()
        store.append(round(at: noon, [ok(1)]))
        #expect(store.counters.dropped == 1)
        #expect(!store.flush())
    }

    @Test func damageWhileRunningIsSetAside() async throws {
        let scratch = Scratch()
        let store = try scratch.open(StorageSettings(commitInterval: .milliseconds(100))).store
        store.sync(targets: [spec("gw")])
        for step in 0..<2000 { store.append(round(at: noon + .seconds(10 * step), [ok(3)], sequence: UInt32(step))) }
        #expect(store.flush())
        // All pages but the first, in the file and in the log.
        for suffix in ["", "-wal"] {
            let file = try #require(fopen(scratch.database + suffix, "r+"))
            fseek(file, 0, SEEK_END)
            let size = ftell(file)
            let junk = [UInt8](repeating: 0xA5, count: 4096)
            fseek(file, suffix.isEmpty ? 4096 : 0, SEEK_SET)
            while ftell(file) < size { fwrite(junk, 1, 4096, file) }
            fclose(file)
        }
        _ = try store.write { writer in writer.queue.releaseMemory() }
        let recovered = try await wait {
            store.append(round(at: noon + .seconds(30_000), [ok(4)]))
            return (try? scratch.names().contains { $0.contains("corrupt-") }) == true && store.flush()
        }
        #expect(recovered)
        #expect(try scratch.reader().events().contains { $0.kind == .databaseSetAside })
        #expect(try scratch.reader().targets().map(\.id.rawValue) == ["gw"])
        store.close()
    }

    @Test func aReaderThatNeverEndsDoesNotFillTheDisk() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        _ = try store.write { $0.logBound = 1 << 20 }
        store.append(round(at: noon, [ok(1)]))
        #expect(store.flush())
        let queue = try DatabaseQueue(path: scratch.database)
        try queue.inDatabase { db in
            try db.execute(sql: "PRAGMA query_only = ON; BEGIN; SELECT count(*) FROM results")
            var sequence: UInt32 = 1
            for _ in 0..<200 {
                for _ in 0..<200 {
                    store.append(round(at: noon + .seconds(Int(sequence)), [ok(1)], sequence: sequence))
                    sequence += 1
                }
                if !store.flush(timeout: .seconds(10)) { break }
            }
            #expect(store.counters.lastError?.contains("reader keeps") == true)
            #expect(store.files.sizes.log < 2 << 20)
            try db.execute(sql: "COMMIT")
        }
        try queue.close()
        #expect(store.flush(timeout: .seconds(10)), "goes on by itself")
        #expect(store.counters.dropped == 0)
        store.close()
    }

    // Mounting a file system needs root.
    @Test(.enabled(if: getuid() == 0, "needs root to mount a small tmpfs"))
    func aFullDiskIsSurvived() async throws {
        let scratch = Scratch()
        let mount = scratch.path + "/small"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        try #require(run("/bin/mount", "-t", "tmpfs", "-o", "size=8000k", "tmpfs", mount) == 0)
        defer { _ = run("/bin/umount", "-l", mount) }
        let settings = StorageSettings(commitInterval: .milliseconds(200))
        let store = try Store.open(
            directory: mount, settings: settings, now: WallTime(nanoseconds: noon.nanoseconds)
        ).store
        store.append(round(at: noon, [ok(3)]))
        #expect(store.flush())
        let filler = mount + "/filler"
        _ = FileManager.default.createFile(atPath: filler, contents: nil)
        let handle = try #require(fopen(filler, "w"))
        while fwrite([UInt8](repeating: 1, count: 4096), 1, 4096, handle) == 4096, fflush(handle) == 0 {}
        fclose(handle)
        var sequence: UInt32 = 1
        let failed = try await wait {
            for _ in 0..<20 {
                store.append(round(at: noon + .seconds(Int(sequence)), [ok(3)], sequence: sequence))
                sequence += 1
            }
            return store.counters.failedCommits > 1
        }
        #expect(failed && store.counters.lastError?.contains("full") == true)
        try FileManager.default.removeItem(atPath: filler)
        #expect(try await wait { store.counters.lastError == nil && store.counters.queued == 0 })
        #expect(store.counters.dropped == 0)
        let reader = try StoreReader(path: mount + "/tautline.db")
        #expect(try reader.results(of: target("gw"), limit: 100_000).count == Int(sequence))
        store.close()
        let again = try Store.open(directory: mount, settings: settings, now: noon)
        #expect(again.events.map(\.kind) == [.gap, .started])
        again.store.close()
    }

    private func run(_ path: String, _ arguments: String...) -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        do { try process.run() } catch { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }
}
