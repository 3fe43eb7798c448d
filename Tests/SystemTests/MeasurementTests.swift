import Foundation
import LinuxSystem
import TestSupport
import Testing
import Wire

extension SystemSuite {
    /// What is measured against what is known to be true.
    @Suite(.serialized) struct MeasurementTests {
        private static let config = """
            defaults: {interval: 500ms, timeout: 450ms}
            targets:
              vpn:
                kind: vpn
                address: 10.61.0.10
                probes:
                  - icmp
                  - tcp: 443
                  - dns: {name: vpn.example.net, type: A, expect: 10.61.0.10}
              crm: {kind: saas, address: crm.example.com, probes: [tcp: 443]}
            services:
              far: {prefixes: [10.61.0.0/24]}
            capture: {interfaces: [any], interval: 2s}
            """

        @Test func probesAndListeningAgreeWithTheEmulator() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(40))
            // The DNS probe asks its own target, so the far side's name server listens there too.
            let second = try NameServer(
                in: lab.farSide, address: IPAddress(v4: 0x0A3D_000A),
                names: ["vpn.example.net": [IPAddress(v4: 0x0A3D_000A)]])
            defer { second.stop() }
            try lab.start(config: Self.config)
            try talk(lab, times: 150)
            let (status, _) = try lab.wait(30, until: "20 rounds of every probe") {
                $0.sent("vpn") >= 20 && $0.sent("crm") >= 10 && $0.median("vpn", probe: "dns") != nil
            }
            let icmp = try #require(status.median("vpn", probe: "icmp"))
            let tcp = try #require(status.median("vpn", probe: "tcp-443"))
            let dns = try #require(status.median("vpn", probe: "dns"))
            let named = try #require(status.median("crm", probe: "tcp-443"))
            // The emulator holds each packet 20.0 ms; what its host takes to wake up comes on top, and the kernel's ping
            // pays it in the same minute.
            let report = PingReport(
                try Command.attempt(
                    lab.monitor.inside(["ping", "-n", "-c", "20", "-i", "0.2", "-W", "1", "10.61.0.10"])
                ).output)
            let truth = try #require(report.median)
            print("medians of 40.0 ms: icmp \(icmp), tcp \(tcp), dns \(dns), tcp by name \(named), ping \(truth)")
            #expect(truth >= 40 && truth < 42)
            #expect(abs(icmp - truth) < 0.3)
            #expect(abs(tcp - truth) < 1)
            #expect(abs(dns - truth) < 1)
            #expect(abs(named - truth) < 1)

            let flows = try lab.json(["flows", "--by", "kind"])
            let rows = try #require(flows["rows"] as? [[String: Any]])
            for kind in ["tcp_handshake", "tcp_data"] {
                let row = try #require(rows.first { $0["kind"] as? String == kind }, "no \(kind) in \(rows)")
                let server = try #require(row["server"] as? [String: Any])
                let p50 = try #require(server["p50_us"] as? Double) / 1_000
                print("passive \(kind): p50 \(p50) ms of \(server["count"] ?? 0)")
                #expect(abs(p50 - icmp) < 1)
            }
        }

        /// A user's traffic: small requests and their echoes on one connection, through the capture point.
        private func talk(_ lab: DaemonLab, times: Int) throws {
            let count = try lab.monitor.perform { () throws -> Int in
                let socket = try InternetSocket.stream(isIPv6: false)
                let number = socket.rawValue
                _ = try InternetSocket.connect(number, to: SocketAddress(IPAddress(v4: 0x0A3D_000C), port: 7_000))
                // From here on the socket blocks: the first send waits for the handshake.
                _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL, 0) & ~O_NONBLOCK)
                var timeout = timeval(tv_sec: 5, tv_usec: 0)
                setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
                var answered = 0
                for _ in 0..<times {
                    var request = [UInt8](repeating: 65, count: 100)
                    guard send(number, &request, request.count, 0) == request.count else { break }
                    guard recv(number, &request, request.count, Int32(MSG_WAITALL)) > 0 else { break }
                    answered += 1
                }
                return answered
            }
            #expect(count == times)
        }

        @Test func tenPercentLossReadsSo() throws {
            let lab = try DaemonLab(roundTrip: .milliseconds(10), seed: 7)
            lab.wan.set(
                PathConditions(delay: .milliseconds(5), loss: 0.1),
                on: WideAreaEmulator.Rule(from: DaemonLab.near, to: DaemonLab.far))
            let result = try lab.taut([
                "probe", "icmp", "10.61.0.10", "--count", "1000", "--interval", "10ms", "--timeout", "500ms", "--json",
            ])
            let lines = result.output.split(separator: "\n")
            let summary = try #require(lines.last.map(String.init))
            let outcomes = lines.dropLast().map { $0.contains("\"ok\"") }
            let lost = outcomes.filter { !$0 }.count
            print("10 % loss, 1,000 echoes: \(lost) lost; \(summary)")
            #expect(outcomes.count == 1_000)
            #expect((70...130).contains(lost))
            let truth = lab.wan.truth(of: WideAreaEmulator.Rule(from: DaemonLab.near, to: DaemonLab.far))
            #expect(Int(truth.lost) == lost, "the emulator lost \(truth.lost)")
        }
    }
}
