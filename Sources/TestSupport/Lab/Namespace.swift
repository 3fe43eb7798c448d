// A network namespace with a name, as `ip netns` makes them.

import CLinux
public import Foundation
import LinuxSystem
import Synchronization

/// A network of its own: no interface but `lo`, no route, no way out but those that the lab adds.
///
/// It goes with this value. A process that was killed leaves its namespaces behind; the next one sweeps them up, since
/// the name holds the pid of the maker.
public final class Namespace: Sendable {
    /// The name for `ip netns exec`.
    public let name: String

    private static let prefix = "tautlab-"
    private static let serial = Atomic<Int>(0)

    /// Whether namespaces can be made here: needs root and `ip`.
    public static let isPermitted: Bool = {
        guard geteuid() == 0, Command.path(of: "ip") != nil else { return false }
        return (try? Namespace("probe")) != nil
    }()

    /// Why the lab is not to be had, for the skipped tests' notes.
    public static let requirement = "needs root, network namespaces and iproute2"

    /// Makes a namespace whose `lo` is up. `label` is for people.
    public init(_ label: String) throws {
        Self.sweepOnce()
        let number = Self.serial.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "\(Self.prefix)\(getpid())-\(number)-\(label)"
        self.name = name
        try Command.run(["ip", "netns", "add", name])
        // A new namespace inherits neither sysctl nor addresses; IPv6 comes up with its link-local address at once.
        try run("ip link set lo up")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: "/etc/netns/\(name)")
        for pid in (try? processes()) ?? [] { kill(pid, SIGKILL) }
        _ = try? Command.run(["ip", "netns", "delete", name])
    }

    /// Runs a program in the namespace and returns its stdout; throws where it fails.
    @discardableResult
    public func run(_ command: [String]) throws -> String { try Command.run(inside(command)) }

    /// The same for the words of one line.
    @discardableResult
    public func run(_ line: String) throws -> String { try run(line.split(separator: " ").map(String.init)) }

    /// A program in the namespace, not started yet.
    public func process(_ command: [String], environment: [String: String] = [:]) throws -> Process {
        try Command.make(inside(command), environment: environment)
    }

    /// `command` with what it takes to run it in the namespace.
    public func inside(_ command: [String]) -> [String] { ["ip", "netns", "exec", name] + command }

    /// Calls `body` on a thread that has entered the namespace. Sockets opened there stay in it wherever they are used.
    public func perform<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let outcome = Outcome<Value>()
        let path = "/run/netns/\(name)"
        let thread = try Thread.start(name: "lab-netns") {
            outcome.set(
                Swift.Result {
                    let file = OwnedDescriptor(owning: open(path, O_RDONLY | O_CLOEXEC))
                    guard file.rawValue >= 0, taut_setns(file.rawValue, Int32(CLONE_NEWNET)) == 0 else {
                        throw SystemError(call: "setns", errno: errno, context: path)
                    }
                    return try body()
                })
        }
        thread.join()
        return try outcome.get()
    }

    /// What `/etc/resolv.conf` is for programs that `run` and `process` start (ip-netns(8)).
    public func setResolver(_ text: String) throws {
        let directory = "/etc/netns/\(name)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try text.write(toFile: directory + "/resolv.conf", atomically: true, encoding: .utf8)
    }

    /// Joins two namespaces by a cable; both ends are up. Addresses are `address/length`.
    public static func connect(
        _ a: Namespace, _ aInterface: String, _ aAddresses: [String], to b: Namespace, _ bInterface: String,
        _ bAddresses: [String]
    ) throws {
        try Command.run([
            "ip", "link", "add", aInterface, "netns", a.name, "type", "veth", "peer", "name", bInterface, "netns",
            b.name,
        ])
        for (namespace, interface, addresses) in [(a, aInterface, aAddresses), (b, bInterface, bAddresses)] {
            for address in addresses {
                // Without duplicate address detection, IPv6 addresses are usable at once.
                let noDetection = address.contains(":") ? ["nodad"] : []
                try namespace.run(["ip", "address", "add", address, "dev", interface] + noDetection)
            }
            try namespace.run(["ip", "link", "set", interface, "up"])
        }
        try a.waitForCarrier(aInterface)
        try b.waitForCarrier(bInterface)
    }

    /// The kernel tells of a carrier a moment after the second end is up; what is sent before that is lost.
    func waitForCarrier(_ interface: String) throws {
        for _ in 0..<300 {
            let state = try perform { try NetworkState.current() }
            if let link = state.link(named: interface), link.isUsable, link.operationalState == 6 { return }
            usleep(10_000)
        }
        throw CommandError(command: ["wait", interface], status: 1, output: "no carrier within 3 s")
    }

    /// Lets the namespace forward IPv4 and IPv6.
    public func enableForwarding() throws {
        try run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    }

    private func processes() throws -> [Int32] {
        try Command.run(["ip", "netns", "pids", name]).split(separator: "\n").compactMap { Int32($0) }
            .filter { $0 != getpid() }
    }

    // MARK: What a killed process left

    private static let sweep: Void = {
        let directory = "/run/netns"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
            guard name.hasPrefix(prefix), let pid = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }),
                pid != getpid(), kill(pid, 0) != 0, errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(atPath: "/etc/netns/\(name)")
            _ = try? Command.run(["ip", "netns", "delete", name])
        }
    }()

    private static func sweepOnce() { _ = sweep }

    private final class Outcome<Value: Sendable>: Sendable {
        private let result = Mutex<Swift.Result<Value, any Error>?>(nil)

        func set(_ value: Swift.Result<Value, any Error>) { result.withLock { $0 = value } }

        func get() throws -> Value {
            guard let value = result.withLock({ $0 }) else { throw SystemError(call: "setns", errno: EIO) }
            return try value.get()
        }
    }
}
