// Live captures whose interfaces come and go, in namespaces of their own.

import Foundation
import LinuxSystem
import Model
import Statistics
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct LiveInterfaceTests {
    /// What a capture told, and the newest summary of each kind of thing.
    private final class Told: Sendable {
        let events = Mutex<[CaptureEvent]>([])

        var list: [CaptureEvent] { events.withLock { $0 } }
        func take(_ event: CaptureEvent) { events.withLock { $0.append(event) } }
    }

    /// Opens with privileges and starts without any, as the daemon does.
    private func start(_ capture: @escaping @Sendable () throws -> LiveCapture, in namespace: Namespace, _ told: Told)
        throws -> LiveCapture
    {
        try namespace.perform {
            let capture = try capture()
            try Capabilities.dropAll()
            try capture.start(
                attribution: AttributionTable(), interval: .seconds(3_600), onSummary: { _ in },
                onEvent: { told.take($0) })
            return capture
        }
    }

    private func makePair(_ namespace: Namespace) throws {
        try namespace.run("ip link add v0 type veth peer name v1")
        try namespace.run("ip link set v0 up")
        try namespace.run("ip link set v1 up")
    }

    /// Sends a TCP handshake of which nobody else knows as frames into `v1`, so that `v0` receives it.
    private func inject(_ namespace: Namespace, port: UInt16) throws {
        var parties = Endpoints.ipv4
        parties.clientPort = port
        var builder = PacketBuilder()
        builder.cleanConversation(timestamps: true, endpoints: parties)
        let frames = builder.records.map(\.bytes)
        try namespace.perform {
            let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
            defer { close(descriptor) }
            let interface = try #require(PacketInterface(named: "v1", seenBy: descriptor))
            try PacketSocket.bind(descriptor, to: interface.index)
            for frame in frames {
                try #require(send(descriptor, frame, frame.count, 0) == frame.count)
            }
        }
    }

    private func handshakes(_ capture: LiveCapture) async -> [String: UInt64] {
        var found: [String: UInt64] = [:]
        for (key, cell) in await capture.currentFigures()?.cells ?? [:]
        where key.kind == .tcpHandshake && key.side == .server {
            found[key.interface, default: 0] += cell.histogram.count
        }
        return found
    }

    /// Waits until `condition` holds, five seconds and more at most.
    private func eventually(_ condition: () async throws -> Bool) async rethrows -> Bool {
        for _ in 0..<100 {
            if try await condition() { return true }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    @Test(.enabled(if: Namespace.isPermitted, "needs root, network namespaces and iproute2"))
    func deletedAndMadeAnewIsCapturedAgainWithoutPrivileges() async throws {
        let namespace = try Namespace("again")
        try makePair(namespace)
        let told = Told()
        let capture = try start(
            { try LiveCapture.open(interface: "v0", settings: CaptureSettings()) }, in: namespace, told)
        defer { capture.stop() }
        for round in 1...4 {
            #expect(
                try await eventually {
                    try inject(namespace, port: UInt16.random(in: 1_024 ... .max))
                    return await (handshakes(capture)["v0"] ?? 0) >= UInt64(round)
                }, "round \(round)")
            let before = await handshakes(capture)["v0"] ?? 0
            try namespace.run("ip link delete v0")
            #expect(await eventually { told.list.count == 2 * round - 1 })
            guard case .lost(let reason)? = told.list.last else {
                Issue.record("not told as lost: \(told.list)")
                return
            }
            #expect(reason == "the interface does not exist")
            try makePair(namespace)
            #expect(await eventually { told.list.last == .resumed })
            #expect(
                try await eventually {
                    try inject(namespace, port: UInt16.random(in: 1_024 ... .max))
                    return await (handshakes(capture)["v0"] ?? 0) > before
                }, "after round \(round)")
        }
        // Made anew faster than it is looked for.
        for _ in 0..<5 {
            try namespace.run("ip link delete v0")
            try makePair(namespace)
        }
        let before = await handshakes(capture)["v0"] ?? 0
        #expect(
            try await eventually {
                try inject(namespace, port: UInt16.random(in: 1_024 ... .max))
                return await (handshakes(capture)["v0"] ?? 0) > before
            })
        #expect(told.list.last == .resumed)
        #expect(told.list.count >= 10)
    }

    @Test(.enabled(if: Namespace.isPermitted, "needs root, network namespaces and iproute2"))
    func downAndUpAgainLosesNothingElse() async throws {
        let namespace = try Namespace("down")
        try makePair(namespace)
        let told = Told()
        let capture = try start(
            { try LiveCapture.open(interface: "v0", settings: CaptureSettings()) }, in: namespace, told)
        defer { capture.stop() }
        try namespace.run("ip link set v0 down")
        try await Task.sleep(for: .milliseconds(500))
        try namespace.run("ip link set v0 up")
        #expect(
            try await eventually {
                try inject(namespace, port: UInt16.random(in: 1_024 ... .max))
                return await handshakes(capture)["v0"] ?? 0 > 0
            })
    }

    /// A tunnel that comes up after the daemon.
    @Test(.enabled(if: Namespace.isPermitted, "needs root, network namespaces and iproute2"))
    func anInterfaceThatIsNotThereYetIsAwaited() async throws {
        let namespace = try Namespace("later")
        let told = Told()
        let capture = try start(
            { try LiveCapture.open(interface: "v0", settings: CaptureSettings(), isAwaited: true) }, in: namespace, told
        )
        defer { capture.stop() }
        #expect(await eventually { told.list == [.lost("the interface does not exist yet")] })
        // Another interface is none of its business.
        try namespace.run("ip link add other type veth peer name another")
        try namespace.run("ip link set other up")
        try namespace.run("ip address add 192.0.2.1/24 dev other")
        #expect(capture.counters.packets == 0)
        try makePair(namespace)
        #expect(await eventually { told.list.last == .resumed })
        #expect(
            try await eventually {
                try inject(namespace, port: UInt16.random(in: 1_024 ... .max))
                return await handshakes(capture)["v0"] ?? 0 > 0
            })
        #expect(Set(await handshakes(capture).keys) == ["v0"])
    }

    @Test(.enabled(if: Namespace.isPermitted, "needs root, network namespaces and iproute2"))
    func anyOutlivesThemAllAndSeveralAreApart() async throws {
        let namespace = try Namespace("several")
        try makePair(namespace)
        let told = Told()
        let all = try start(
            { try LiveCapture.open(interface: "any", settings: CaptureSettings()) }, in: namespace, told)
        let ends = try ["v0", "v1"].map { name in
            try start({ try LiveCapture.open(interface: name, settings: CaptureSettings()) }, in: namespace, Told())
        }
        defer { ([all] + ends).forEach { $0.stop() } }
        try inject(namespace, port: 1_024)
        for (capture, name) in zip(ends, ["v0", "v1"]) {
            #expect(await eventually { await handshakes(capture)[name] == 1 })
        }
        // On two interfaces it is two connections.
        #expect(await eventually { await handshakes(all).values.reduce(0, +) == 2 })
        try namespace.run("ip link delete v0")
        try makePair(namespace)
        #expect(
            try await eventually {
                try inject(namespace, port: UInt16.random(in: 1_025 ... .max))
                return await (handshakes(all)["v0"] ?? 0) >= 2
            })
        #expect(told.list.isEmpty)
    }

    @Test(.enabled(if: Namespace.isPermitted, "needs root, network namespaces and iproute2"))
    func theRingIsOfVersionThree() throws {
        let namespace = try Namespace("ring")
        let version = try namespace.perform {
            let source = try PacketSource.open(interface: "lo", snapLength: 96, ringSize: 1 << 20, filters: ["tcp"])
            return try PacketSocket.ringVersion(source.descriptor)
        }
        #expect(version == 2)
    }
}
