import Foundation
import GRDB
import Glibc
import Model
import Testing

@testable import Storing

@Suite struct ReaderTests {
    private func filled(_ scratch: Scratch) throws -> Store {
        let store = try scratch.open().store
        store.sync(targets: [spec("gw")])
        store.append(round(at: noon, [ok(1), .lost, .error(.reset)]))
        store.record(MonitorEvent(kind: .gap, start: noon, end: noon + .seconds(5), text: "x"))
        store.save(
            Incident(
                id: 1, rule: "down", target: target("gw"), severity: .critical, opened: noon, closed: nil,
                reason: "no answer", layer: nil, evidence: [], acknowledged: false, silenced: false,
                suppressed: 0))
        let passive = PassiveKey(
            interface: "eth0", service: "web", peer: nil, kind: .dns, side: .server)
        store.append(
            PassiveSummary(
                source: "any", start: noon, end: noon + .seconds(10), cells: [passive: PassiveCell(failures: 1)]))
        store.flush()
        _ = try store.write { try $0.rollUp(now: noon + .seconds(9000)) }
        // Sealed are the results above; these are not.
        store.append(round(at: noon + .seconds(8000), [ok(1), .lost, .error(.reset)], sequence: 3))
        store.flush()
        return store
    }

    @Test func readersWorkBesideTheWriterAndAfterIt() throws {
        let scratch = Scratch()
        let store = try filled(scratch)
        let early = try scratch.reader()
        #expect(try early.results(of: target("gw"), limit: 9).count == 6)
        store.append(round(at: noon + .seconds(10), [ok(2)], sequence: 7))
        store.flush()
        #expect(try early.results(of: target("gw"), limit: 9).count == 7, "the same reader sees the next commit")
        #expect(try early.lastWrite() == noon)
        store.close()
        #expect(try scratch.reader().results(of: target("gw"), limit: 9).count == 7)
    }

    private static let canTry =
        getuid() == 0
        && ["/usr/bin/sqlite3", "/usr/bin/setpriv"].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }

    // Another user's rights need root to be tried, and the stock shell to try them with.
    @Test(
        .enabled(if: canTry, "needs root, setpriv and sqlite3 to read as another user"),
        arguments: [true, false])
    func aMemberOfTheGroupReadsWithoutWriting(isRunning: Bool) throws {
        let scratch = Scratch()
        let store = try filled(scratch)
        chown(scratch.path, 0, 65_533)
        chmod(scratch.path, 0o750)
        for suffix in ["", "-wal", "-shm"] { chown(scratch.database + suffix, 0, 65_533) }
        if !isRunning { store.close() }
        let counts = [
            "recent": 3, "hours": 1, "days": 1, "passive_hours": 1, "incidents": 1, "series": 1,
            "gaps": 1,
        ]
        for (view, count) in counts {
            for option in ["-readonly", "-bail"] {
                let all = try query(scratch, "select count(*) from \(view)", option, group: "65533")
                #expect(all.status == 0 && all.output == "\(count)\n", "\(view) \(option): \(all.output)")
                let rows = try query(scratch, "select * from \(view) limit 5", option, group: "65533")
                #expect(
                    rows.status == 0 && rows.output.split(separator: "\n").count == count, "\(rows.output)")
            }
            #expect(
                try query(scratch, "select * from \(view)", "-readonly", group: "65532").status != 0,
                "others may not")
        }
        for statement in ["delete from results", "pragma user_version = 9", "vacuum"] {
            #expect(try query(scratch, statement, "-bail", group: "65533").status != 0, "\(statement)")
        }
        if isRunning {
            // A reader that came by has not got in the writer's way.
            store.append(round(at: noon + .seconds(8010), [ok(1)], sequence: 9))
            #expect(store.flush())
            #expect(
                try query(scratch, "select count(*) from recent", "-bail", group: "65533").output == "4\n")
        }
        store.close()
    }

    private func query(
        _ scratch: Scratch, _ sql: String, _ option: String, group: String
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "setpriv", "--reuid=65534", "--regid=\(group)", "--clear-groups", "sqlite3", option,
            scratch.database, sql,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test func theViewsAnswer() throws {
        let scratch = Scratch()
        let store = try filled(scratch)
        let rows = try store.write { writer in
            try writer.queue.read { db in
                try ["recent", "hours", "days", "passive_hours", "gaps", "series", "incidents", "targets", "outcomes"]
                    .map {
                        try Int64.fetchOne(db, sql: "SELECT count(*) FROM \($0)") ?? -1
                    }
            }
        }
        #expect(rows == [3, 1, 1, 1, 1, 1, 1, 1, Int64(OutcomeCode.all.count)])
        let first = try store.write { writer in
            try writer.queue.read { db in
                try Row.fetchOne(db, sql: "SELECT time, target, outcome, detail, rtt_ms FROM recent LIMIT 1")
                    .map { row in (0..<4).map { row.text($0) } }
            }
        }
        #expect(first == ["2026-11-24T06:13:20.400Z", "gw", "error", "reset"])
        store.close()
    }

    @Test func everyOutcomeHasItsOwnNumber() {
        let codes = OutcomeCode.all.map(\.code)
        #expect(Set(codes).count == codes.count && codes.allSatisfy { (0..<128).contains($0) })
        for entry in OutcomeCode.all {
            let rtt: Int64? = if case .late = entry.outcome { 5 } else { nil }
            let back = OutcomeCode.outcome(code: Int64(entry.code), rttNanoseconds: rtt)
            #expect(back.name == entry.outcome.name && back.detail == entry.outcome.detail)
        }
        #expect(OutcomeCode.outcome(code: 77, rttNanoseconds: 1) == .indeterminate(.internalError))
    }
}
