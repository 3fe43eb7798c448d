import Foundation
import Model
import Testing

@testable import CommandKit
@testable import Storing

/// `export`, `db` and `report` on a database as a daemon leaves it.
@Suite struct DatabaseVerbTests {
    private func run(_ arguments: [String], _ path: String) -> CommandLineTests.Outcome {
        CommandLineTests.run(arguments + ["--db", path, "--socket", "/nonexistent/control.sock"])
    }

    @Test func exportHasTheKeysOfTheContract() throws {
        try StoredStatusTests.withDatabase { path in
            let all = run(["export"], path)
            #expect(all.code == 0)
            let lines = all.output.split(separator: "\n")
            #expect(lines.count == 60)
            #expect(
                lines.first?.hasPrefix(
                    #"{"t":"2026-11-24T13:25:00.000000Z","target":"gw","probe":"icmp","address":"192.0.2.1","outcome":"ok","rtt_us":40000"#
                ) == true)
            #expect(lines.map { $0.prefix(32) } == lines.map { $0.prefix(32) }.sorted(), "oldest first")
            let one = run(["export", "VPN West", "--format", "csv", "--since", "1m"], path)
            #expect(one.output.hasPrefix("t,target,probe,address,outcome,rtt_us,"))
            #expect(one.output.split(separator: "\n").count == 7)
            #expect(one.output.contains(",vpn-west,icmp,192.0.2.1,lost,,"))
            #expect(run(["export", "--since", "1h", "--until", "30m"], path).code == 2, "nothing in that range")
            #expect(run(["export", "gww"], path).notes.contains("did you mean"))
        }
    }

    @Test func whatIsNoDatabaseIsToldApart() throws {
        let folder = NSTemporaryDirectory() + "taut-db-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data().write(to: URL(fileURLWithPath: folder + "/empty.db"))
        let directory = run(["db", "stat"], folder)
        #expect(directory.code == 1)
        #expect(directory.notes.contains("cannot open \(folder): it is a directory"))
        let empty = run(["history", "gw"], folder + "/empty.db")
        #expect(empty.code == 1)
        #expect(empty.notes.contains("the file is empty"))
    }

    @Test func growthIsUnknownBeforeTheFirstHourIsComplete() throws {
        try StoredStatusTests.withDatabase { path in
            #expect(run(["db", "stat"], path).output.contains("unknown until the first hour is complete"))
            let json = run(["db", "stat", "--json"], path).output
            for key in ["results_a_day", "growth_bytes_a_day", "days_left"] {
                #expect(json.contains("\"\(key)\": null"))
            }
        }
    }

    /// `taut db recover` cannot bring back what is gone; its own result once asked to be recovered again.
    @Test func levelsThatDifferAreNamedForWhatTheyAre() {
        var check = StoreCheck()
        check.tables = [
            StoreCheck.Table(name: "chunks", rows: 7),
            StoreCheck.Table(name: StoreCheck.levels, rows: 2, damaged: 1, examples: ["gw 2026-11-24T13:00:00Z"]),
        ]
        let renderer = DatabaseRenderer(clock: Fixtures.clock)
        let lines = renderer.lines(check, file: "saved.db")
        #expect(
            lines[1] == "levels: 2 series, 1 hour or day with fewer results in one level than in another, "
                + "such as gw 2026-11-24T13:00:00Z")
        #expect(lines[2].hasPrefix("saved.db can be read whole, but lacks results"))
        #expect(lines[2].contains("recovering again does not bring them back"))
        check.tables[0].damaged = 1
        #expect(renderer.lines(check, file: "a.db")[2].hasPrefix("a.db is damaged; "))
    }

    @Test(arguments: ["jsonl", "csv"]) func importTakesWhatExportWrites(format: String) throws {
        try StoredStatusTests.withDatabase { path in
            let text = run(["export", "--format", format], path).output
            let file = path + ".export"
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            let copy = path + ".copy"
            let imported = CommandLineTests.run(["db", "import", file, "--db", copy])
            #expect(imported.code == 0 && imported.output.hasPrefix("60 results are in "))
            #expect(run(["export", "--format", format], copy).output == text)
            #expect(run(["db", "check"], copy).code == 0)
            let again = CommandLineTests.run(["db", "import", file, "--db", copy])
            #expect(again.code == 1 && again.notes.contains("it exists"))
        }
    }

    @Test func whatIsNoExportIsRefusedWithItsLine() throws {
        let folder = NSTemporaryDirectory() + "taut-import-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let good =
            #"{"t":"2026-11-24T13:25:00Z","target":"gw","probe":"icmp","address":null,"outcome":"ok","rtt_us":5}"#
        let cases = [
            ("hello\n", ":1: expected a JSON object"), (good + "\n{\n", ":2: expected an object with t,"),
            (good.replacingOccurrences(of: "\"ok\"", with: "\"fine\""), ":1: \"fine\" is not an outcome"),
            (good.replacingOccurrences(of: ":5}", with: ":-5}"), "expected microseconds from 0"),
            (good.replacingOccurrences(of: "2026", with: "20x6"), "expected an RFC 3339 time"),
            (
                "t,target,probe,address,outcome,rtt_us\n2026-11-24T13:25:00Z,gw,icmp\n",
                ":2: expected 6 columns, found 3"
            ),
        ]
        for (index, one) in cases.enumerated() {
            let file = "\(folder)/\(index).txt"
            try one.0.write(toFile: file, atomically: true, encoding: .utf8)
            let outcome = CommandLineTests.run(["db", "import", file, "--db", "\(folder)/\(index).db"])
            #expect(outcome.code == 1 && outcome.notes.contains(one.1), "\(outcome.notes)")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains(".db") }
            #expect(left.isEmpty, "half an import is no database: \(left)")
        }
        #expect(CommandLineTests.run(["db", "import", "x"]).code == 64, "never into the daemon's own")
    }

    @Test func csvCellsAreRFC4180() {
        #expect(ImportLine.cells(#"a,"b,c","d""e",,f"#) == ["a", "b,c", #"d"e"#, "", "f"])
        #expect(ImportLine.cells(ExportLines.quoted(#"x "y", z"#)) == [#"x "y", z"#])
    }

    @Test func theReportSaysWhatMeetsItsObjective() throws {
        try StoredStatusTests.withDatabase { path in
            let month = ["report", "--month", "2026-11"]
            let text = run(month + ["--objective", "99.9%"], path).output
            let rows = text.split(separator: "\n").map(String.init)
            #expect(rows.contains { $0.hasPrefix("gw ") && $0.hasSuffix(" met") }, "\(text)")
            #expect(rows.contains { $0.hasPrefix("vpn-west ") && $0.hasSuffix(" missed") })
            #expect(text.contains("Objective, availability of at least 99.9 %: "))
            let csv = run(month + ["--objective", "50%,30ms", "--format", "csv"], path).output
            #expect(
                csv.split(separator: "\n").contains { $0.contains(",vpn-west,") && $0.hasSuffix(",missed") }, "\(csv)")
            let json = run(month + ["--objective", "50%,60ms", "--json"], path).output
            #expect(json.contains(#""objective": "met""#) && json.contains(#""p95_us": 60000"#), "\(json)")
            for wrong in ["fast", "101%", "100", "1%,2%", "1%,2ms,3ms", ""] {
                #expect(run(month + ["--objective", wrong], path).code == 64, "\(wrong)")
            }
        }
    }

    @Test func anObjectiveWithinTheErrorOfARollUpIsNotJudged() throws {
        let objective = try #require(ReportObjective(argument: "100ms"))
        func standing(_ milliseconds: Double, _ level: StorageLevel) -> ReportObjective.Standing {
            var figures = HistoryBucket(start: Fixtures.now, counts: OutcomeCounts(), gap: .zero)
            figures.p95 = Int64(milliseconds * 1e6)
            return objective.standing(
                of: Report.Row(target: "a", title: "a", probe: "icmp", level: level.rawValue, figures: figures))
        }
        #expect(standing(100, .raw) == .met && standing(100.1, .raw) == .missed)
        #expect(standing(98.5, .hours) == .met && standing(101.5, .hours) == .missed)
        #expect(standing(99.5, .hours) == .unknown && standing(100.5, .hours) == .unknown)
    }

    @Test func theReportCountsWhatIsKnownAndListsTheRest() throws {
        try StoredStatusTests.withDatabase { path in
            let report = run(["report", "--month", "2026-11"], path)
            #expect(report.code == 0)
            #expect(report.output.contains("gw        icmp   100.000 %"))
            #expect(report.output.contains("vpn-west  icmp    66.667 %"))
            #expect(report.output.contains("without measurement"))
            let csv = run(["report", "--month", "2026-11", "--format", "csv", "--by", "site"], path).output
            #expect(csv.contains(",vpn-west,VPN west,icmp,66.66667,30,10,0,40000.000,"))
            let earlier = run(["report", "--month", "2026-10"], path)
            #expect(earlier.code == 2 && earlier.output.contains(": no result is stored"))
            #expect(earlier.output.contains("gw "), "what is watched is in it, as not measured: \(earlier.output)")
            #expect(run(["report", "--month", "2026-13"], path).code == 64)
            #expect(run(["report", "--month", "2026-11", "--since", "2h"], path).code == 64)
            let json = run(["report", "--json"], path).output
            #expect(json.contains(#""schema": "taut/report/1""#) && json.contains("\"availability_percent\": 100"))
        }
    }

    @Test func aTargetNamedTwiceIsShownOnce() throws {
        try StoredStatusTests.withDatabase { path in
            #expect(
                run(["status", "vpn-west", "VPN West", "vpn-west"], path).output
                    == run(["status", "vpn-west"], path).output)
        }
    }

    @Test func statAndCheckAndRecoverAnswer() throws {
        try StoredStatusTests.withDatabase { path in
            let stat = run(["db", "stat"], path)
            #expect(stat.code == 0 && stat.output.contains("hot") && stat.output.contains("growth a day"))
            #expect(run(["db", "stat", "--json"], path).output.contains(#""schema": "taut/db-stat/1""#))
            #expect(run(["db", "check"], path).output.contains("is sound"))
            let saved = run(["db", "recover", path + ".saved"], path)
            #expect(saved.code == 0)
            #expect(run(["export"], path + ".saved").output.split(separator: "\n").count == 60)
            #expect(CommandLineTests.run(["db", "stat", "--db", "/nonexistent/x.db"]).code == 2)
        }
    }

    @Test func daysFollowTheCalendar() throws {
        let zone = try #require(TimeZone(identifier: "Europe/Berlin"))
        // From midnight of 24 October to that of 27 October 2026: the clock goes back on the 25th.
        let range = TimeRange(
            unchecked: WallTime(seconds: 1_792_792_800), until: WallTime(seconds: 1_793_055_600))
        let edges = try #require(CalendarSteps.edges(range, step: .seconds(86_400), timeZone: zone))
        #expect(zip(edges.dropFirst(), edges).map { ($0 - $1).components.seconds / 3600 } == [24, 25, 24])
        #expect(CalendarSteps.edges(range, step: .seconds(3600), timeZone: zone) == nil)
    }
}
