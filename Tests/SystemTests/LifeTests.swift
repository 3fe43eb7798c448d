import Foundation
import LinuxSystem
import Synchronization
import TestSupport
import Testing
import Wire

extension SystemSuite {
    /// Start, stop, crash, rights.
    @Suite(.serialized) struct LifeTests {
        private static let config = """
            defaults: {interval: 500ms, timeout: 400ms}
            targets:
              vpn: {kind: vpn, address: 10.61.0.10, probes: [icmp, tcp: 443]}
            capture: {interfaces: [any], interval: 1s}
            storage: {commit_interval: 1s}
            """

        @Test func theShippedConfigShowsMeasuredRowsWithinFifteenSeconds() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10))
            let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../etc/tautline.yaml").standardized
            try lab.start(config: try String(contentsOf: shipped, encoding: .utf8))
            let ids = ["interface:eth0", "gateway:eth0", "resolver:10.61.0.53"]
            let (_, seconds) = try lab.wait(15, until: "measured rows") { status in
                ids.allSatisfy { status.state($0) == "up" }
            }
            print("the shipped config: every row measured after \(seconds) s")
            let end = lab.timedStop()
            #expect(end.status == 0)
            #expect(end.seconds < 5)
        }

        @Test func noThreadKeepsACapability() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10))
            try lab.start(config: Self.config)
            try lab.wait(10, until: "up") { $0.state("vpn") == "up" }
            let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(lab.pid)/task")
            #expect(tasks.count >= 5)
            for task in tasks {
                let status = try String(contentsOfFile: "/proc/\(lab.pid)/task/\(task)/status", encoding: .utf8)
                for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                    let line = status.split(separator: "\n").first { $0.hasPrefix(set) }
                    #expect(line?.hasSuffix("\t0000000000000000") == true, "thread \(task): \(line ?? "")")
                }
                #expect(status.contains("NoNewPrivs:\t1"))
            }
        }

        @Test func killedUnderLoadItOpensAgainAndTheHoleIsUnknown() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10))
            let targets = (0..<200).map { "  t\($0): {kind: host, address: 10.61.0.\(10 + $0 % 5), probes: [icmp]}" }
            let config =
                "defaults: {interval: 200ms, timeout: 150ms}\ntargets:\n" + targets.joined(separator: "\n")
                + "\ncapture: {enabled: false}\nstorage: {commit_interval: 1s}\n"
            try lab.start(config: config)
            for _ in 0..<5 {
                try lab.wait(15, until: "results") { $0.sent("t7") > 5 }
                usleep(UInt32.random(in: 0..<900_000))
                kill(lab.pid, SIGKILL)
                lab.daemon?.waitUntilExit()
                sleep(1)
                try lab.start()
            }
            let (status, _) = try lab.wait(15, until: "results after the crashes") { $0.sent("t7") > 5 }
            #expect(status.notices.contains("unclean-stop"), "\(status.notices)")
            let check = try Command.run(["sqlite3", lab.database, "pragma integrity_check"])
            #expect(check.trimmingCharacters(in: .whitespacesAndNewlines) == "ok")
            let holes = try Command.run([
                "sqlite3", lab.database, "select count(*) from events where kind = 'unclean-stop'",
            ])
            #expect(holes.trimmingCharacters(in: .whitespacesAndNewlines) == "5")
        }

        @Test func aGroupMemberWhoMayOnlyReadGetsTheStatusOfAStoppedDaemon() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10))
            try lab.start(config: Self.config)
            try lab.wait(15, until: "committed") { $0.sent("vpn") > 5 }
            lab.stop()
            let result = try Command.attempt([
                "setpriv", "--reuid=65534", "--regid=0", "--clear-groups", DaemonLab.program("taut"), "status",
                "--json", "--db", lab.database, "--socket", lab.socket,
            ])
            #expect(result.status == 0, "\(result.errors)")
            let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            let status = StatusView(try #require(object))
            #expect(status.daemon["running"] as? Bool == false)
            #expect(status.sent("vpn") > 5)
            let stranger = try Command.attempt([
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", DaemonLab.program("taut"), "status",
                "--db", lab.database, "--socket", lab.socket,
            ])
            #expect(stranger.status != 0)
        }

        @Test func aStormOfSignalsIsAFewReloadsAndACleanStop() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10))
            let path = lab.directory.appendingPathComponent("notify").path
            let manager = try ServiceManager(path: path)
            let saidStopping = Atomic(false)
            let listening = try LinuxSystem.Thread.start(name: "notify") {
                let limit = Clock.monotonic() + 60_000_000_000
                while !saidStopping.load(ordering: .relaxed), Clock.monotonic() < limit {
                    saidStopping.store(manager.next() == "STOPPING=1", ordering: .relaxed)
                }
            }
            let targets = (0..<200).map { "  t\($0): {kind: host, address: 10.61.0.\(10 + $0 % 5), probes: [icmp]}" }
            let config =
                "defaults: {interval: 200ms, timeout: 150ms}\ntargets:\n" + targets.joined(separator: "\n")
                + "\ncapture: {enabled: false}\nstorage: {commit_interval: 1s}\n"
            try lab.start(config: config, environment: ["NOTIFY_SOCKET": path])
            try lab.wait(15, until: "results") { $0.sent("t7") > 5 }
            let begin = Clock.monotonic()
            for _ in 0..<1_000 {
                kill(lab.pid, SIGHUP)
                kill(lab.pid, SIGPIPE)
                usleep(3_000)
            }
            let seconds = Int((Clock.monotonic() - begin) / 1_000_000_000)
            let (status, _) = try lab.wait(5, until: "an answer after the storm") { $0.state("t7") == "up" }
            let sent = status.sent("t7")
            try lab.wait(5, until: "probing after the storm") { $0.sent("t7") > sent }
            kill(lab.pid, SIGHUP)
            let end = lab.timedStop()
            #expect(end.status == 0)
            #expect(end.seconds < 5)
            listening.join()
            let isSaid = saidStopping.load(ordering: .relaxed)
            #expect(isSaid)
            let counts = try Command.run([
                "sqlite3", lab.database,
                "select sum(kind = 'reloaded'), sum(kind = 'unclean-stop') is 1 from events",
            ]).trimmingCharacters(in: .whitespacesAndNewlines).split(separator: "|")
            let reloads = try #require(counts.first.flatMap { Int($0) })
            #expect(reloads >= 1 && reloads <= seconds + 3, "\(reloads) reloads in \(seconds) s")
            #expect(counts.last == "0", "stopped cleanly, and an unclean stop was recorded")
            let check = try Command.run(["sqlite3", lab.database, "pragma integrity_check"])
            #expect(check.trimmingCharacters(in: .whitespacesAndNewlines) == "ok")
        }

        @Test func aSecondDaemonOnTheSameStateIsRefused() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10))
            try lab.start(config: Self.config)
            try lab.wait(10, until: "up") { $0.state("vpn") == "up" }
            let second = try Command.attempt(
                lab.monitor.inside([
                    DaemonLab.program("tautd"), "--config", lab.configFile, "--state-dir", lab.stateDirectory,
                    "--runtime-dir", lab.directory.path,
                ]))
            #expect(second.status == 78)
            #expect(second.errors.contains("\(lab.pid)"), "\(second.errors)")
        }

        @Test func checkPrintsEveryErrorAndExitsWith78() throws {
            let file = URL(fileURLWithPath: "/tmp/tautline-check-\(getpid()).yaml")
            defer { try? FileManager.default.removeItem(at: file) }
            try "defaults: {interval: 10}\ntargts: {}\n".write(to: file, atomically: true, encoding: .utf8)
            let result = try Command.attempt([DaemonLab.program("tautd"), "--check", "--config", file.path])
            #expect(result.status == 78)
            #expect(result.errors.split(separator: "\n").count == 2)
            #expect(result.errors.contains("\(file.path):1:22: "))
            let usage = try Command.attempt([DaemonLab.program("tautd"), "--nonsense"])
            #expect(usage.status == 64)
        }
    }
}
