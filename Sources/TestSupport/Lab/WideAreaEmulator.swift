// A wide area network in user space: a router between TUN devices with known delay, loss and order.

import CLinux
import LinuxSystem
import Synchronization
public import Wire

/// Carries packets between namespaces, each direction of each path by conditions of its own, which may change at any
/// time. What it did to every packet is counted: that is the truth which measurements are compared with.
///
/// Its thread runs at real-time priority and spins through the last 60 microseconds before a packet is due, so
/// that the delay it adds is good to some ten microseconds even on a loaded host.
public final class WideAreaEmulator: Sendable {
    /// A path's direction: the most specific rule that fits a packet counts.
    public struct Rule: Hashable, Sendable {
        /// nil: any.
        public var source: IPPrefix?
        public var destination: IPPrefix?

        public init(from source: IPPrefix? = nil, to destination: IPPrefix? = nil) {
            self.source = source
            self.destination = destination
        }

        func fits(_ source: IPAddress, _ destination: IPAddress) -> Bool {
            (self.source?.contains(source) ?? true) && (self.destination?.contains(destination) ?? true)
        }

        var weight: Int { (source?.length ?? -1) + (destination?.length ?? -1) }
    }

    struct State {
        var devices: [TunnelDevice] = []
        var routes: [(prefix: IPPrefix, device: Int)] = []
        var rules: [Rule: PathConditions] = [:]
        var truths: [Rule: PathTruth] = [:]
        /// Packets that no route or rule fits, multicast among them.
        var unroutable: UInt64 = 0
        /// Changed by every edit, so that the thread looks again.
        var version = 0
        var isStopping = false
    }

    final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared = Shared()
    private let waker: Waker
    private let thread: Thread

    /// - Parameter seed: of the random numbers; the same seed and the same packets give the same losses.
    public init(seed: UInt64 = 1) throws {
        let waker = try Waker()
        self.waker = waker
        let shared = self.shared
        thread = try Thread.start(name: "lab-wan") {
            guard var loop = try? EmulatorLoop(shared: shared, waker: waker, seed: seed) else { return }
            loop.run()
        }
    }

    deinit { stop() }

    /// Ends the thread; packets on their way are gone.
    public func stop() {
        shared.state.withLock { $0.isStopping = true }
        waker.wake()
        thread.join()
    }

    /// Gives `namespace` an interface into the wide area.
    ///
    /// - Parameters:
    ///   - addresses: of the interface, `address/length`.
    ///   - prefixes: what the wide area routes to it.
    ///   - isDefault: whether the namespace sends everything else there.
    public func attach(
        _ namespace: Namespace, interface: String = "wan0", addresses: [String], prefixes: [IPPrefix],
        isDefault: Bool = true, mtu: Int = 1_500
    ) throws {
        let device = try TunnelDevice(interface, in: namespace, addresses: addresses, mtu: mtu)
        if isDefault {
            for family in ["-4", "-6"] { try namespace.run("ip \(family) route add default dev \(interface)") }
        }
        edit { state in
            let index = state.devices.count
            state.devices.append(device)
            for prefix in prefixes { state.routes.append((prefix, index)) }
            state.routes.sort { $0.prefix.length > $1.prefix.length }
        }
    }

    /// Sets one direction. Packets that are on their way already keep their time.
    public func set(_ conditions: PathConditions, on rule: Rule) {
        edit { $0.rules[rule] = conditions }
    }

    /// Sets both directions between two prefixes alike; `delay` is one way, so that the RTT is twice that.
    public func set(_ conditions: PathConditions, between a: IPPrefix, and b: IPPrefix) {
        set(conditions, on: Rule(from: a, to: b))
        set(conditions, on: Rule(from: b, to: a))
    }

    /// What was done to the packets of a direction since it was first set.
    public func truth(of rule: Rule) -> PathTruth { shared.state.withLock { $0.truths[rule] ?? PathTruth() } }

    /// Packets that no route or no rule fits.
    public var unroutable: UInt64 { shared.state.withLock { $0.unroutable } }

    private func edit(_ body: (inout State) -> Void) {
        shared.state.withLock { state in
            body(&state)
            state.version += 1
        }
        waker.wake()
    }
}
