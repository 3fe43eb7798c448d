import Foundation
import LinuxSystem
import TestSupport
import Testing
import Wire

extension SystemSuite {
    /// Faults of the network and of ourselves, and what is said of them.
    @Suite(.serialized) struct FaultTests {
        private static let config = """
            site: lab
            defaults: {interval: 1s, timeout: 800ms, down_after: 3, up_after: 2}
            targets:
              vpn-west: {kind: vpn, address: 10.61.0.10, probes: [icmp]}
              vpn-east: {kind: vpn, address: 10.61.0.11, probes: [icmp]}
              crm: {kind: saas, address: 10.61.0.12, probes: [tcp: 443]}
              mail: {kind: saas, address: 10.61.0.13, probes: [tcp: 443]}
              files: {kind: saas, address: 10.61.0.14, probes: [icmp]}
            hooks:
              log: {command: [HOOK], timeout: 5s}
            alerts:
              - {name: down, when: {state: down}, severity: critical, hooks: [log]}
            capture: {enabled: false}
            storage: {commit_interval: 1s}
            """
        private static let targets = ["vpn-west", "vpn-east", "crm", "mail", "files"]

        /// A lab whose daemon has found every target up, with a hook that keeps each message in a file.
        private func runningLab() throws -> DaemonLab {
            let lab = try DaemonLab(roundTrip: .milliseconds(20))
            let hook = lab.directory.appendingPathComponent("hook").path
            let news = lab.directory.appendingPathComponent("news").path
            let script =
                "#!/bin/sh\nprintf '%s|%s|' \"$TAUTLINE_EVENT\" \"$TAUTLINE_TARGET\" >>\(news)\ncat >>\(news)\necho >>\(news)\n"
            try script.write(toFile: hook, atomically: true, encoding: .utf8)
            chmod(hook, 0o755)
            try lab.start(config: Self.config.replacingOccurrences(of: "HOOK", with: hook))
            try lab.wait(20, until: "all up") { status in Self.targets.allSatisfy { status.state($0) == "up" } }
            return lab
        }

        private func news(_ lab: DaemonLab) -> [(event: String, target: String, json: [String: Any])] {
            let text = (try? String(contentsOf: lab.directory.appendingPathComponent("news"), encoding: .utf8)) ?? ""
            return text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false)
                guard words.count == 3,
                    let json = try? JSONSerialization.jsonObject(with: Data(words[2].utf8)) as? [String: Any]
                else { return nil }
                return (String(words[0]), String(words[1]), json)
            }
        }

        private func waitForNews(_ count: Int, _ lab: DaemonLab) {
            for _ in 0..<100 where news(lab).count < count { usleep(100_000) }
        }

        @Test func aCutTargetIsDownAndIsToldOnceAndItsRecoveryOnce() throws {
            let lab = try runningLab()
            try lab.farSide.run("nft add table inet cut")
            try lab.farSide.run("nft add chain inet cut in { type filter hook input priority 0 ; }")
            try lab.farSide.run("nft add rule inet cut in ip daddr 10.61.0.10 drop")
            let cutAt = Date()
            let (status, seconds) = try lab.wait(12, until: "vpn-west down") { $0.state("vpn-west") == "down" }
            print("down after \(seconds) s: \(status.verdict)")
            // Three rounds of 1 s, the timeout, the grace and the wait for the first round.
            #expect(seconds < 6)
            #expect(status.state("vpn-east") == "up")
            let since = try #require(status.target("vpn-west")["since"] as? String)
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
            let began = try #require(formatter.date(from: since))
            #expect(abs(began.timeIntervalSince(cutAt)) < 1.6, "since \(since), cut at \(cutAt)")

            waitForNews(1, lab)
            sleep(4)
            #expect(news(lab).map(\.event) == ["firing"])
            let first = try #require(news(lab).first)
            #expect(first.target == "vpn-west")
            #expect(first.json["schema"] as? String == "tautline/hook/1")
            #expect(first.json["rule"] as? String == "down")
            #expect(first.json["state"] as? String == "down")
            #expect(first.json["site"] as? String == "lab")

            try lab.farSide.run("nft delete table inet cut")
            try lab.wait(10, until: "vpn-west up") { $0.state("vpn-west") == "up" && $0.incidents.isEmpty }
            waitForNews(2, lab)
            sleep(3)
            #expect(news(lab).map(\.event) == ["firing", "resolved"])
            #expect(news(lab).last?.json["incident"] as? Int == first.json["incident"] as? Int)
        }

        enum Cut: String, CaseIterable { case link, gateway, provider }

        @Test(arguments: Cut.allCases) func aCutUplinkIsOneIncidentAndNoTargetIsDown(_ cut: Cut) throws {
            let lab = try runningLab()
            try apply(cut, lab)
            let (status, seconds) = try lab.wait(20, until: "\(cut): all unknown, one incident") { status in
                Self.targets.allSatisfy { status.state($0) == "unknown" } && status.incidents.count == 1
            }
            print("\(cut): \(seconds) s: \(status.verdict)")
            sleep(5)
            let later = try lab.status()
            #expect(Self.targets.allSatisfy { later.state($0) == "unknown" }, "\(later)")
            #expect(later.incidents.count == 1)
            #expect(news(lab).count == 1, "\(news(lab))")
            #expect(Self.targets.contains(news(lab).first?.target ?? "") == false)

            try mend(cut, lab)
            try lab.wait(20, until: "\(cut): all up again") { status in
                Self.targets.allSatisfy { status.state($0) == "up" } && status.incidents.isEmpty
            }
            waitForNews(2, lab)
            sleep(3)
            #expect(news(lab).map(\.event) == ["firing", "resolved"])
            #expect(!lab.log.contains("is down: no answer to") || cut == .gateway, "\(lab.log)")
        }

        private func apply(_ cut: Cut, _ lab: DaemonLab) throws {
            switch cut {
            case .link: try lab.gateway.run("ip link set lan0 down")
            case .gateway:
                try lab.gateway.run("nft add table inet cut")
                try lab.gateway.run("nft add chain inet cut in { type filter hook prerouting priority -300 ; }")
                try lab.gateway.run("nft add rule inet cut in iif lan0 drop")
            case .provider:
                lab.wan.set(PathConditions(isCut: true), between: DaemonLab.near, and: DaemonLab.far)
            }
        }

        private func mend(_ cut: Cut, _ lab: DaemonLab) throws {
            switch cut {
            case .link: try lab.gateway.run("ip link set lan0 up")
            case .gateway: try lab.gateway.run("nft delete table inet cut")
            case .provider:
                lab.wan.set(PathConditions(delay: .milliseconds(10)), between: DaemonLab.near, and: DaemonLab.far)
            }
        }

        @Test func aStoppedProcessMakesNobodyElseDown() throws {
            let lab = try runningLab()
            kill(lab.pid, SIGSTOP)
            sleep(12)
            kill(lab.pid, SIGCONT)
            for _ in 0..<20 {
                let status = try lab.status()
                #expect(Self.targets.allSatisfy { status.state($0) != "down" }, "\(status)")
                usleep(300_000)
            }
            try lab.wait(10, until: "all up again") { status in Self.targets.allSatisfy { status.state($0) == "up" } }
            #expect(news(lab).isEmpty)
            #expect(!lab.log.contains("is down"))
        }

        @Test func aRefusedReloadChangesNothingAndShowsUntilItIsMended() throws {
            let lab = try runningLab()
            let before = try lab.status().sent("crm")
            let good = try String(contentsOfFile: lab.configFile, encoding: .utf8)
            try lab.write(config: good + "\ntargts: {}\n")
            kill(lab.pid, SIGHUP)
            let (status, _) = try lab.wait(5, until: "refusal shown") { $0.daemon["config_refused"] is [String] }
            let refusal = try #require((status.daemon["config_refused"] as? [String])?.first)
            #expect(refusal.contains("targts"))
            #expect(refusal.hasPrefix("\(lab.configFile):"))
            #expect(Self.targets.allSatisfy { status.state($0) == "up" })
            try lab.write(config: good.replacingOccurrences(of: "  files:", with: "  docs:"))
            kill(lab.pid, SIGHUP)
            let (mended, _) = try lab.wait(8, until: "new target") { $0.state("docs") == "up" }
            #expect(mended.daemon["config_refused"] is NSNull)
            #expect(mended.state("files") == "absent")
            #expect(mended.sent("crm") > before, "history was lost with the reload")
        }
    }
}
