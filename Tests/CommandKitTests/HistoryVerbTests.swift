import Foundation
import Model
import Testing
import Wire

@testable import CommandKit
@testable import Storing

/// What `taut history` says of itself: the step, the range, the probe.
@Suite struct HistoryVerbTests {
    /// Two hundred days of a probe that the config then replaced by another, a result an hour.
    private func withDatabase(_ body: (_ path: String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("taut-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let begin = WallTime(seconds: Fixtures.now.seconds / 86_400 * 86_400 - 200 * 86_400)
        let opened = try Store.open(directory: folder, settings: StorageSettings(), now: begin)
        try opened.store.start()
        let probe = ProbeSpec(
            id: "tcp-443", interval: .seconds(10), timeout: .seconds(2), options: .tcp(TCPOptions(port: 443)))
        opened.store.sync(
            targets: [
                TargetSpec(
                    id: Fixtures.id("gw"), kind: .gateway, address: .ip(IPAddress(v4: 0xC000_0201), zone: nil),
                    probes: [probe])
            ], site: "")
        for hour in 0..<(200 * 24) {
            let sent = begin + .seconds(3600 * hour)
            opened.store.append(
                Round(
                    series: SeriesKey(target: Fixtures.id("gw"), probe: "icmp", address: IPAddress(v4: 0xC000_0201)),
                    kind: .icmp, scheduled: sent, finished: MonotonicTime(nanoseconds: 1),
                    results: [
                        ProbeResult(
                            sent: sent, sequence: UInt32(hour), outcome: .ok(rtt: .milliseconds(4)), source: .kernel)
                    ]))
        }
        opened.store.close()
        try body(folder + "/tautline.db")
    }

    private func answer(_ arguments: [String], _ path: String) throws -> [String: Any] {
        let found = CommandLineTests.run(["history", "gw", "--json"] + arguments, path)
        #expect(found.code == 0, "\(found.notes)")
        return try #require(try JSONSerialization.jsonObject(with: Data(found.output.utf8)) as? [String: Any])
    }

    /// A range that begins within a day has a short first bucket; its width once passed for the step.
    @Test func aStepOfDaysIsTheOneAskedFor() throws {
        try withDatabase { path in
            let range = ["--since", "2026-10-20T13:17:00Z", "--until", "2026-10-28T11:00:00Z"]
            let json = try answer(range + ["--step", "1d"], path)
            #expect(json["step_s"] as? Int == 86_400 && json["since"] as? String == "2026-10-20T13:17:00.000Z")
            let table = CommandLineTests.run(["history", "gw", "--step", "1d"] + range, path).output
            #expect(table.contains("a row each 1 d"))
        }
    }

    /// Hour rows begin on the hour: the range that is named is that of the figures.
    @Test func theRangeIsThatOfTheBuckets() throws {
        try withDatabase { path in
            let json = try answer(
                ["--since", "2026-10-20T13:17:00Z", "--until", "2026-10-28T11:00:00Z", "--step", "6h"], path)
            let first = (json["buckets"] as? [[String: Any]])?.first
            #expect(json["level"] as? String == "hours" && json["since"] as? String == first?["start"] as? String)
            #expect(json["since"] as? String == "2026-10-20T13:00:00.000Z")
        }
    }

    @Test func daysOfManyYearsHaveABucketEach() throws {
        try withDatabase { path in
            let json = try answer(["--since", "1970-01-01", "--step", "1d"], path)
            let buckets = try #require(json["buckets"] as? [[String: Any]])
            #expect(buckets.count > 20_500)
            #expect(buckets.allSatisfy { ($0["sent"] as? Int ?? .max) <= 24 })
        }
    }

    /// The results of a probe that was taken out of the config are still stored, and `report` lists them.
    @Test func aProbeThatIsNoLongerConfiguredCanBeAskedFor() throws {
        try withDatabase { path in
            let range = ["--since", "2026-10-20", "--until", "2026-10-21"]
            let asked = try answer(range + ["--probe", "icmp"], path)
            #expect(asked["probe"] as? String == "icmp")
            // The probe that took its place has no result yet.
            let found = try answer(range, path)
            #expect(found["probe"] as? String == "icmp")
            #expect(CommandLineTests.run(["export", "gw", "--probe", "icmp"] + range, path).code == 0)
            #expect(CommandLineTests.run(["compare", "gw", "--probe", "icmp", "1d", "1d@2d"], path).code == 0)
            let none = CommandLineTests.run(["history", "gw", "--probe", "icpm"] + range, path)
            #expect(none.code == 2 && none.notes.contains("no probe \"icpm\""))
        }
    }
}
