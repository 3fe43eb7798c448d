// `make demo`: a network of its own in which one service degrades and one dies, and Tautline watching it.

import Foundation
import Glibc
import Synchronization
import TestSupport

/// Set by SIGINT and SIGTERM.
let isInterrupted = Atomic(false)

/// The story that a newcomer sees.
struct Demo {
    let binaries: String
    /// How long it lasts where stdout is not a terminal.
    let seconds: Double

    /// Seconds after the start.
    private static let degradesAt = 12.0
    private static let diesAt = 20.0

    private static let remotes: [OfficeLab.Remote] = [
        .init("site-west", conditions: PathConditions(delay: .milliseconds(9), jitter: .milliseconds(1))),
        .init("site-east", conditions: PathConditions(delay: .milliseconds(14), jitter: .milliseconds(1))),
        .init("site-home", conditions: PathConditions(delay: .milliseconds(22), jitter: .milliseconds(6), loss: 0.01)),
        .init("vpn-west", ports: [443, 1194], conditions: PathConditions(delay: .milliseconds(10))),
        .init("vpn-east", ports: [443, 1194], conditions: PathConditions(delay: .milliseconds(15))),
        .init("crm", conditions: PathConditions(delay: .milliseconds(12))),
        .init("mail", ports: [443, 993], conditions: PathConditions(delay: .milliseconds(18))),
        .init("files", conditions: PathConditions(delay: .milliseconds(20))),
    ]

    func run() throws {
        say("building the lab: an office, its provider, three sites, two VPN gateways, three SaaS stand-ins")
        let lab = try OfficeLab(Self.remotes)
        let daemon = try DaemonProcess(
            in: lab.hub, config: Self.config, files: ["hook": Self.hook], binaries: binaries)
        defer { daemon.stop() }
        guard daemon.waitUntilReady() else {
            throw CommandError(command: ["tautd"], status: 1, output: daemon.log)
        }
        let traffic = try startTraffic(lab)
        defer { traffic?.stop() }
        say("tautd runs in the office's gateway (pid \(daemon.pid))")
        say("crm degrades after \(Int(Self.degradesAt)) s (+120 ms, 15 % loss); files dies after \(Int(Self.diesAt)) s")
        let story = Story(lab: lab, start: Date())
        if isatty(STDOUT_FILENO) == 1 {
            try watch(daemon, story)
        } else {
            try report(daemon, story)
        }
        try finish(daemon)
    }

    private func startTraffic(_ lab: OfficeLab) throws -> TrafficGenerator? {
        let peers = ["crm", "mail", "files"].compactMap { name in
            lab.address(of: name).map { TrafficGenerator.Peer(name: "\(name).lab.test", address: $0) }
        }
        guard let resolver = lab.resolverIPAddress else { return nil }
        return try TrafficGenerator(in: lab.workers, resolver: resolver, peers: peers)
    }

    /// The live table, until Ctrl-C.
    private func watch(_ daemon: DaemonProcess, _ story: Story) throws {
        let child = try ForegroundProcess(daemon.command(["watch"]))
        while child.isRunning {
            story.advance()
            if isInterrupted.load(ordering: .relaxed) { child.signal(SIGTERM) }
            usleep(100_000)
        }
    }

    /// The status every five seconds.
    private func report(_ daemon: DaemonProcess, _ story: Story) throws {
        var next = 5.0
        while story.elapsed < seconds, !isInterrupted.load(ordering: .relaxed), daemon.isRunning {
            if let event = story.advance() { say(event) }
            if story.elapsed >= next {
                next += 5
                say("\(Int(story.elapsed)) s")
                print(try daemon.taut("status", "--no-color").output)
            }
            usleep(100_000)
        }
    }

    private func finish(_ daemon: DaemonProcess) throws {
        guard daemon.isRunning else {
            throw CommandError(command: ["tautd"], status: 1, output: daemon.log)
        }
        say("incidents")
        print(try daemon.taut("incidents", "--no-color").output)
        say("latency seen in the office's own traffic")
        print(try daemon.taut("flows", "--no-color").output)
        let calls = daemon.file("hook.log")
        say("hook calls")
        print(calls.isEmpty ? "none\n" : calls)
        let status = daemon.stop()
        say("tautd stopped with status \(status); the lab is taken down")
    }

    private func say(_ text: String) {
        print("== \(text)")
        // Every stream: the child writes to the same terminal.
        fflush(nil)
    }

    // MARK: What the daemon is told

    private static let config = """
        site: lab-office
        defaults:
          interval: 1s
          timeout: 900ms
          down_after: 3
          up_after: 2
          degraded: {loss: 10%, rtt: 100ms, window: 10}
        targets:
          site-west: {kind: host, title: Site west, site: west, address: site-west.lab.test, probes: [icmp]}
          site-east: {kind: host, title: Site east, site: east, address: site-east.lab.test, probes: [icmp]}
          site-home: {kind: host, title: Home office, site: home, address: site-home.lab.test, probes: [icmp]}
          vpn-west: {kind: vpn, title: VPN west, site: west, address: vpn-west.lab.test, probes: [icmp, tcp: 1194]}
          vpn-east: {kind: vpn, title: VPN east, site: east, address: vpn-east.lab.test, probes: [icmp, tcp: 1194]}
          crm: {kind: saas, title: CRM, address: crm.lab.test, probes: [icmp, tcp: 443]}
          mail: {kind: saas, title: Mail, address: mail.lab.test, probes: [tcp: 993]}
          files: {kind: saas, title: Files, address: files.lab.test, probes: [icmp, tcp: 443]}
        networks:
          workers: [10.20.0.0/24]
        services:
          crm: {names: [crm.lab.test]}
          mail: {names: [mail.lab.test]}
          files: {names: [files.lab.test]}
        capture:
          interfaces: [any]
        hooks:
          log:
            command: [@DIR@/hook]
        alerts:
          - name: down
            when: {state: down}
            severity: critical
            hooks: [log]
          - name: degraded
            when: {state: degraded}
            hold: 5s
            severity: warning
            hooks: [log]

        """

    private static let hook = """
        #!/bin/sh
        printf '%s %s %s: %s\\n' "$TAUTLINE_EVENT" "$TAUTLINE_SEVERITY" "$TAUTLINE_TARGET" "$TAUTLINE_REASON" >>@DIR@/hook.log

        """
}

/// What happens when.
final class Story {
    private let lab: OfficeLab
    private let start: Date
    private var step = 0

    init(lab: OfficeLab, start: Date) {
        self.lab = lab
        self.start = start
    }

    var elapsed: Double { Date().timeIntervalSince(start) }

    /// Does what is due, and says what it was.
    @discardableResult
    func advance() -> String? {
        if step == 0, elapsed >= 12 {
            step = 1
            // Half of the added round trip and of the loss in each direction: 1 - 0.922 squared is 15 %.
            lab.set(PathConditions(delay: .milliseconds(72), jitter: .milliseconds(4), loss: 0.078), towards: "crm")
            return "crm degrades now: +120 ms, 15 % loss"
        }
        if step == 1, elapsed >= 20 {
            step = 2
            lab.set(PathConditions(isCut: true), towards: "files")
            return "files dies now"
        }
        return nil
    }
}
