import Foundation
import GRDB
import LinuxSystem
import Model
import Statistics
import Testing
import Wire

@testable import Storing

@Suite struct StoreTests {
    @Test func resultsComeBackAsTheyWere() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let outcomes = OutcomeCode.all.map { entry -> Outcome in
            switch entry.outcome {
            case .ok: .ok(rtt: .nanoseconds(30_123_457))
            case .late: .late(rtt: .seconds(3))
            case .refused: .refused(rtt: .microseconds(250))
            case let other: other
            }
        }
        var rounds = [round(at: noon, outcomes, sequence: .max - 3)]
        rounds.append(round(key(address: nil), at: noon + .seconds(10), [.ok(rtt: nil)]))
        rounds.append(round(key(address: "2001:db8::1"), at: noon + .seconds(20), [ok(7)]))
        for round in rounds { store.append(round) }
        #expect(store.flush())
        let stored = try scratch.reader().results(of: target("gw"), limit: 1000)
        #expect(stored.map(\.result) == rounds.flatMap(\.results))
        #expect(
            stored.map(\.series.address) == rounds.flatMap { round in round.results.map { _ in round.series.address } })
        let last = try scratch.reader().results(of: target("gw"), limit: 2)
        #expect(last == Array(stored.suffix(2)))
        let window = try scratch.reader().results(
            of: target("gw"), since: noon + .seconds(10), until: noon + .seconds(20), limit: 9)
        #expect(window.map(\.result) == rounds[1].results)
        #expect(try scratch.reader().results(of: target("other"), limit: 9).isEmpty)
        #expect(store.counters.committed == UInt64(stored.count))
        store.close()
    }

    @Test func theConnectionIsSafeAgainstPowerCuts() throws {
        let scratch = Scratch()
        let store = try scratch.open(StorageSettings(maxSize: 64 << 20)).store
        let names = ["synchronous", "auto_vacuum", "max_page_count", "journal_size_limit"]
        let values = try store.write { writer in
            try writer.queue.read { db in try names.map { try Int.fetchOne(db, sql: "PRAGMA \($0)") } }
        }
        #expect(values == [2, 2, 16_384, 8 << 20], "2 is FULL, and 2 is INCREMENTAL")
        let mode = try store.write { try $0.queue.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } }
        #expect(mode == "wal")
        #expect(try store.write { try $0.queue.read { Connection.keepsLog($0) } } == true)
        for suffix in ["", "-wal", "-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: scratch.database + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o640, "mode of \(suffix)")
        }
        store.close()
        #expect(FileManager.default.fileExists(atPath: scratch.database + "-wal"), "kept for readers")
    }

    @Test func aNewDirectoryIsClosedToOthers() throws {
        let scratch = Scratch()
        let directory = scratch.path + "/deep/state"
        let store = try Store.open(directory: directory, settings: StorageSettings(), now: noon).store
        store.close()
        let attributes = try FileManager.default.attributesOfItem(atPath: directory)
        #expect(attributes[.posixPermissions] as? Int == 0o750)
    }

    @Test func hostileTextIsStoredExactly() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let text = "'; DROP TABLE results; -- \"$(reboot)\" \u{1B}[31m \u{202E} ünï 🦊 \\ % \n\t"
        store.append(round(key(probe: text), at: noon, [.error(.unexpectedRcode)], note: text))
        store.append(round(at: noon, [.lost], note: "a\0b"))
        store.record(
            Transition(
                target: target("gw"), from: .up,
                verdict: Verdict(state: .down, since: noon, reason: text, layer: .path, evidence: [text, ""])))
        store.record(MonitorEvent(kind: .hookFailed, start: noon, text: text))
        store.save(Silence(id: 3, match: text, from: noon, until: noon + .seconds(60), reason: text))
        var named = spec("gw")
        named.title = text
        named.labels = [text: text]
        store.sync(targets: [named])
        let passive = PassiveKey(interface: text, service: text, peer: nil, kind: .dns, side: .server)
        store.append(
            PassiveSummary(
                source: text, start: noon, end: noon + .seconds(10), cells: [passive: PassiveCell(failures: 1)]))
        #expect(store.flush())
        let reader = try scratch.reader()
        #expect(try reader.results(of: target("gw"), probe: text, limit: 9).map(\.result.note) == [text])
        #expect(try reader.results(of: target("gw"), probe: "icmp", limit: 9).map(\.result.note) == ["a\\x00b"])
        #expect(try reader.transitions().map(\.verdict.reason) == [text])
        #expect(try reader.verdicts()[target("gw")]?.evidence == [text, ""])
        #expect(try reader.events().last?.text == text)
        #expect(try reader.silences(at: noon).first?.match == text)
        #expect(try reader.targets().first?.title == text)
        #expect(try reader.targets().first?.labels == [text: text])
        #expect(
            try reader.passive(since: noon, until: noon + .seconds(10)).cells == [passive: PassiveCell(failures: 1)])
        #expect(try reader.captures().map(\.source) == [text])
        store.close()
    }

    @Test func targetsKeepTheirHistoryWhenTheyGo() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        store.sync(targets: [spec("b"), spec("a")])
        store.flush()
        store.sync(targets: [spec("a", probes: ["dns", "icmp"])])
        store.flush()
        let reader = try scratch.reader()
        #expect(try reader.targets().map(\.id.rawValue) == ["a"])
        let all = try reader.targets(includingInactive: true)
        #expect(all.map(\.isActive) == [true, false])
        let a = try #require(all.first)
        #expect(a.kind == .gateway && a.site == "here" && a.labels == ["role": "edge"] && a.address == "gw.example")
        #expect(a.parents.map(\.rawValue) == ["uplink"])
        #expect(a.probes.map(\.id) == ["dns", "icmp"])
        #expect(a.probes.first?.interval == .seconds(10) && a.probes.first?.timeout == .seconds(2))
        #expect(try reader.site() == nil)
        store.sync(targets: [spec("a")], site: "Branch West")
        store.flush()
        #expect(try reader.site() == "Branch West")
        store.sync(targets: [spec("a")], site: "")
        store.flush()
        #expect(try reader.site() == nil, "the config does not name it any more")
        store.close()
    }

    @Test func stateIsRestored() throws {
        let scratch = Scratch()
        let store = try scratch.open().store
        let verdict = Verdict(state: .down, since: noon, reason: "no answer", layer: .target, evidence: ["1", "2"])
        store.sync(targets: [spec("gw")])
        store.record(Transition(target: target("gw"), from: .up, verdict: verdict))
        store.record(Transition(target: target("gone"), from: .up, verdict: verdict))
        let open = Incident(
            id: 7, rule: "down", target: target("gw"), severity: .critical, opened: noon, reason: "no answer",
            layer: .target, evidence: ["1"], acknowledged: true, silenced: true, suppressed: 3)
        var closed = open
        closed.id = 9
        store.save(closed)
        closed.closed = noon + .seconds(5)
        store.save(closed)
        store.save(open)
        let silence = Silence(id: 1, match: "*", from: noon, until: noon + .seconds(3600), reason: "work")
        store.save(silence)
        store.save(Silence(id: 2, match: "*", from: noon, until: noon + .seconds(10), reason: "short"))
        store.save(Silence(id: 3, match: "*", from: noon, until: noon + .seconds(3600), reason: "withdrawn"))
        store.removeSilence(id: 3)
        store.close()
        let restored = try scratch.open(at: noon + .seconds(60)).restored
        #expect(restored.verdicts == [target("gw"): verdict])
        #expect(restored.openIncidents == [open])
        #expect(restored.silences == [silence])
        #expect(restored.nextIncidentID == 10)
        #expect(restored.nextSilenceID == 4, "not the id of one that was withdrawn")
        #expect(restored.lastAlive == noon)
    }

    @Test func commitsComeByThemselves() async throws {
        let scratch = Scratch()
        let store = try scratch.open(StorageSettings(commitInterval: .seconds(3600))).store
        store.append(round(at: noon, [ok(3)]))
        var waited = 0
        while store.counters.committed == 0, waited < 40 {
            try await Task.sleep(for: .milliseconds(50))
            waited += 1
        }
        #expect(store.counters.committed == 1, "the first results are on disk within a second or two")
        store.append(round(at: noon + .seconds(10), [ok(3)]))
        store.record(MonitorEvent(kind: .linkDown, start: noon, text: "eth0"))
        waited = 0
        while store.counters.committed == 1, waited < 40 {
            try await Task.sleep(for: .milliseconds(50))
            waited += 1
        }
        #expect(store.counters.committed == 2, "a notice takes along what waits")
        #expect(store.heartbeat.age() < 2_000_000_000)
        store.close()
    }
}
