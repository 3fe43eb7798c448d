import Foundation
import GRDB
import Model
import Testing

@testable import Storing

/// A file of each released schema, as its release wrote it: later releases must still read them.
@Suite struct ReleasedSchemaTests {
    private static let fixtures = (#filePath as NSString).deletingLastPathComponent + "/Fixtures"

    /// Run with TAUTLINE_RECORD_SCHEMA=1 before a release whose schema is new; never for one that is out.
    @Test(
        .enabled(if: ProcessInfo.processInfo.environment["TAUTLINE_RECORD_SCHEMA"] != nil, "only to record a fixture"))
    func record() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.sync(targets: [spec("gw", probes: ["icmp", "tcp-443"])])
        var generator = SplitMix(state: 1)
        for step in 0..<1000 {
            store.append(round(at: noon + .seconds(10 * step), [sample(&generator)], sequence: UInt32(step)))
        }
        store.record(
            MonitorEvent(kind: .suspended, start: noon + .seconds(9000), end: noon + .seconds(9100), text: "x"))
        store.flush()
        _ = try store.write { try $0.rollUpAll(now: noon + .seconds(7200 + 121)) }
        store.close()
        let queue = try DatabaseQueue(path: scratch.database)
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE); VACUUM") }
        try queue.close()
        try FileManager.default.createDirectory(atPath: Self.fixtures, withIntermediateDirectories: true)
        let path = Self.fixtures + "/schema-\(Schema.current.version).db"
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.copyItem(atPath: scratch.database, toPath: path)
    }

    @Test(arguments: [1, 2, 3]) func anEarlierFileIsReadAndTakenOver(version: Int) throws {
        let scratch = Scratch()
        try FileManager.default.copyItem(
            atPath: Self.fixtures + "/schema-\(version).db", toPath: scratch.database)
        chmod(scratch.database, 0o640)
        let opened = try scratch.open(at: noon + .seconds(20_000))
        #expect(!opened.events.contains { $0.kind == .databaseSetAside })
        let reader = try scratch.reader()
        #expect(
            try reader.results(of: target("gw"), limit: 5000).map(\.result.sequence) == (0..<1000).map { UInt32($0) })
        let history = try reader.history(
            of: target("gw"), since: noon - .seconds(3 * 86_400), until: noon + .seconds(10_800), step: .seconds(3600))
        #expect(history?.buckets.suffix(3).map(\.sent) == [360, 360, 280])
        #expect(history?.buckets.suffix(3).map(\.lost) == [7, 9, 6], "as it was written")
        #expect(try reader.check().isSound)
        opened.store.close()
    }
}
