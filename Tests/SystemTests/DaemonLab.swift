import Foundation
import LinuxSystem
import TestSupport
import Wire

/// The built daemon on a host of its own: monitor — gateway — wide area — far side.
///
/// The monitor's default gateway is 10.60.0.1, the far side answers on 10.61.0.0/24 behind the emulator.
final class DaemonLab {
    static let near = prefix("10.60.0.0/24")
    static let far = prefix("10.61.0.0/24")
    static let resolver = IPAddress(v4: 0x0A3D_0035)  // 10.61.0.53

    let monitor: Namespace
    let gateway: Namespace
    let farSide: Namespace
    let wan: WideAreaEmulator
    let names: NameServer
    let echo: EchoResponder
    let directory: URL
    private(set) var daemon: Process?

    /// - Parameter roundTrip: what the wide area adds to both ways together.
    init(roundTrip: Duration, seed: UInt64 = 1) throws {
        monitor = try Namespace("monitor")
        gateway = try Namespace("gateway")
        farSide = try Namespace("far")
        try Namespace.connect(monitor, "eth0", ["10.60.0.2/24"], to: gateway, "lan0", ["10.60.0.1/24"])
        try monitor.run("ip route add default via 10.60.0.1")
        try gateway.enableForwarding()
        wan = try WideAreaEmulator(seed: seed)
        try wan.attach(gateway, addresses: ["10.62.0.1/30"], prefixes: [Self.near, Self.prefix("10.62.0.0/30")])
        try wan.attach(farSide, addresses: ["10.62.0.5/30"], prefixes: [Self.far, Self.prefix("10.62.0.4/30")])
        try farSide.run("ip address add 10.61.0.1/24 dev lo")
        for host in [10, 11, 12, 13, 14, 53] { try farSide.run("ip address add 10.61.0.\(host)/32 dev lo") }
        wan.set(PathConditions(delay: roundTrip / 2), between: Self.near, and: Self.far)
        names = try NameServer(
            in: farSide, address: Self.resolver,
            names: ["vpn.example.net": [IPAddress(v4: 0x0A3D_000A)], "crm.example.com": [IPAddress(v4: 0x0A3D_000B)]])
        echo = try EchoResponder(in: farSide, address: IPAddress(v4: 0), ports: [443, 7_000])
        try monitor.setResolver("nameserver \(Self.resolver)\n")
        // Not below /tmp: a hook may not lie in a directory that everybody can write to.
        directory = URL(fileURLWithPath: "/run/tautline-lab-\(getpid())-\(UInt32.random(in: 0...UInt32.max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit {
        if let daemon, daemon.isRunning {
            kill(pid, SIGKILL)
            daemon.waitUntilExit()
        }
        wan.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    static func prefix(_ text: String) -> IPPrefix {
        guard let prefix = IPPrefix(text) else { preconditionFailure("not a prefix: \(text)") }
        return prefix
    }

    // MARK: The daemon

    /// Where `swift build` puts the programs: beside the test bundle, which runs as a program of its own.
    static let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()

    static func program(_ name: String) -> String { programs.appendingPathComponent(name).path }

    var configFile: String { directory.appendingPathComponent("tautline.yaml").path }
    var stateDirectory: String { directory.appendingPathComponent("state").path }
    var socket: String { directory.appendingPathComponent("run/control.sock").path }
    var database: String { stateDirectory + "/tautline.db" }
    var log: String {
        (try? String(contentsOf: directory.appendingPathComponent("log"), encoding: .utf8)) ?? ""
    }
    /// `ip netns exec` replaces itself by the program, so the child is the daemon.
    var pid: Int32 { daemon?.processIdentifier ?? 0 }

    func write(config: String) throws {
        try config.write(toFile: configFile, atomically: true, encoding: .utf8)
    }

    func start(config: String? = nil, environment: [String: String] = [:]) throws {
        if let config { try write(config: config) }
        try FileManager.default.createDirectory(
            at: directory.appendingPathComponent("run"), withIntermediateDirectories: true)
        let process = try monitor.process(
            [
                Self.program("tautd"), "--config", configFile, "--state-dir", stateDirectory, "--runtime-dir",
                directory.appendingPathComponent("run").path,
            ], environment: environment)
        let path = directory.appendingPathComponent("log").path
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let handle = FileHandle(forWritingAtPath: path)
        _ = try handle?.seekToEnd()
        process.standardError = handle
        process.standardOutput = handle
        try process.run()
        daemon = process
    }

    func stop() {
        guard let daemon, daemon.isRunning else { return }
        kill(pid, SIGTERM)
        daemon.waitUntilExit()
    }

    /// The exit status of a stop by SIGTERM, and how long it took.
    func timedStop() -> (status: Int32, seconds: Double) {
        guard let daemon, daemon.isRunning else { return (-1, 0) }
        let begin = Clock.monotonic()
        stop()
        return (daemon.terminationStatus, Double(Clock.monotonic() - begin) / 1e9)
    }

    // MARK: The command

    /// Runs `taut` in the monitor's namespace against this daemon.
    func taut(_ arguments: [String]) throws -> Command.Result {
        try Command.attempt(
            monitor.inside([Self.program("taut")] + arguments + ["--db", database, "--socket", socket]))
    }

    func json(_ arguments: [String]) throws -> [String: Any] {
        let result = try taut(arguments + ["--json"])
        let value = try? JSONSerialization.jsonObject(with: Data(result.output.utf8))
        guard let object = value as? [String: Any] else {
            throw LabError(
                "taut \(arguments.joined(separator: " ")) printed no object: \(result.output)\(result.errors)")
        }
        return object
    }

    func status() throws -> StatusView { StatusView(try json(["status"])) }

    /// Asks for the status until `condition` holds; throws with the last answer when it does not in time.
    @discardableResult
    func wait(
        _ seconds: Double, until what: String, _ condition: (StatusView) -> Bool
    ) throws -> (status: StatusView, seconds: Double) {
        let begin = Clock.monotonic()
        var last = "no status at all"
        while Double(Clock.monotonic() - begin) / 1e9 < seconds {
            if let status = try? status() {
                if condition(status) { return (status, Double(Clock.monotonic() - begin) / 1e9) }
                last = status.description
            }
            usleep(200_000)
        }
        throw LabError("not within \(seconds) s: \(what)\n\(last)\n\(log.suffix(4_000))")
    }
}

struct LabError: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
}

/// `taut status --json`, read as a program would.
struct StatusView: CustomStringConvertible {
    let object: [String: Any]

    init(_ object: [String: Any]) { self.object = object }

    var verdict: String { object["verdict"] as? String ?? "" }
    var daemon: [String: Any] { object["daemon"] as? [String: Any] ?? [:] }
    var targets: [[String: Any]] { object["targets"] as? [[String: Any]] ?? [] }
    var incidents: [[String: Any]] { object["incidents_open"] as? [[String: Any]] ?? [] }
    var notices: [String] { (object["notices"] as? [[String: Any]] ?? []).compactMap { $0["kind"] as? String } }

    func target(_ id: String) -> [String: Any] { targets.first { $0["target"] as? String == id } ?? [:] }
    func state(_ id: String) -> String { target(id)["state"] as? String ?? "absent" }
    func sent(_ id: String) -> Int { target(id)["sent"] as? Int ?? 0 }

    /// The median RTT of one probe of a target, in milliseconds.
    func median(_ id: String, probe: String) -> Double? {
        let rows = target(id)["probes"] as? [[String: Any]] ?? []
        let row = rows.first { $0["probe"] as? String == probe }
        return (row?["rtt_p50_us"] as? Double).map { $0 / 1_000 }
    }

    var description: String {
        ([verdict]
            + targets.map { "\($0["target"] ?? "?") \($0["state"] ?? "?"): \($0["reason"] ?? "")" }
            + incidents.map { "incident \($0)" }).joined(separator: "\n")
    }
}
