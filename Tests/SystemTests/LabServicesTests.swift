import CLinux
import Foundation
import LinuxSystem
import TestSupport
import Testing
import Wire

@Suite(.serialized, .enabled(if: Namespace.isPermitted, "\(Namespace.requirement)"))
struct LabServicesTests {
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// Connects, says `text`, and returns what came back and how long the connect took, in nanoseconds.
    private static func talk(
        _ namespace: Namespace, to address: IPAddress, port: UInt16, _ bytes: [UInt8], expecting expected: Int
    ) throws -> (connect: Int64, reply: [UInt8]) {
        try namespace.perform {
            let socket = try InternetSocket.stream(isIPv6: address.isIPv6)
            let loop = try EventLoop()
            try loop.add(socket.rawValue, for: .writable, token: 1)
            let start = Clock.monotonic()
            _ = try InternetSocket.connect(socket.rawValue, to: SocketAddress(address, port: port))
            try loop.wait(until: start + 2_000_000_000) { _, _ in }
            let connected = Clock.monotonic()
            let code = InternetSocket.pendingError(socket.rawValue)
            guard code == 0 else { throw SystemError(call: "connect", errno: code) }
            _ = InternetSocket.send(socket.rawValue, bytes[...])
            try loop.modify(socket.rawValue, for: .readable, token: 1)
            var reply: [UInt8] = []
            while reply.count < expected, Clock.monotonic() < start + 4_000_000_000 {
                try loop.wait(until: start + 4_000_000_000) { _, _ in }
                if case .value(0) = InternetSocket.receive(socket.rawValue, into: &reply, limit: 4_096) { break }
            }
            return (connected - start, reply)
        }
    }

    @Test func tcpConnectTakesTheRoundTrip() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(20)))
        let echo = try EchoResponder(in: pair.far, address: try Self.address("10.9.2.1"), ports: [443])
        defer { echo.stop() }
        let (connect, reply) = try Self.talk(
            pair.near, to: try Self.address("10.9.2.1"), port: 443, [1, 2, 3], expecting: 3)
        #expect(reply == [1, 2, 3])
        #expect(abs(Double(connect) / 1e6 - 40) < 2, "connect \(Double(connect) / 1e6) ms")
        // Nobody listens on the port beside it: the kernel refuses, it does not time out.
        #expect(throws: SystemError(call: "connect", errno: ECONNREFUSED)) {
            _ = try Self.talk(pair.near, to: try Self.address("10.9.2.1"), port: 444, [1], expecting: 1)
        }
    }

    @Test func theNameServerAnswersOverTCPAndSix() throws {
        let pair = try LabPair(PathConditions(delay: .milliseconds(2)))
        let server = try NameServer(
            in: pair.far, address: try Self.address("fd09:2::1"),
            names: ["crm.lab.test": [try Self.address("10.9.2.9"), try Self.address("fd09:2::9")]])
        defer { server.stop() }
        let query = try #require(DNSQuery.write(id: 77, name: "crm.lab.test", type: 28))
        let frame = [0, UInt8(query.count)] + query
        // The reply repeats the question and adds one AAAA record: 2 + 10 + 16 bytes behind the name.
        let expected = 2 + query.count + 14 + 10 + 16
        let (_, reply) = try Self.talk(
            pair.near, to: try Self.address("fd09:2::1"), port: 53, frame, expecting: expected)
        #expect(reply.count == expected)
        #expect(reply.suffix(16) == (try Self.address("fd09:2::9").bytes)[...])
        #expect(server.queries == 1)
    }

    @Test func namespacesAreGoneAfterwards() throws {
        var name = ""
        do {
            let namespace = try Namespace("gone")
            name = namespace.name
            try namespace.setResolver("nameserver 192.0.2.1\n")
            #expect(try namespace.run("cat /etc/resolv.conf") == "nameserver 192.0.2.1\n")
            #expect(FileManager.default.fileExists(atPath: "/run/netns/\(name)"))
        }
        #expect(!FileManager.default.fileExists(atPath: "/run/netns/\(name)"))
        #expect(!FileManager.default.fileExists(atPath: "/etc/netns/\(name)"))
    }

    @Test func aCableJoinsTwoNamespacesAndFiltersHold() throws {
        let a = try Namespace("a")
        let b = try Namespace("b")
        try Namespace.connect(a, "eth0", ["10.8.0.1/24"], to: b, "eth0", ["10.8.0.2/24"])
        #expect(try Command.attempt(a.inside(["ping", "-c", "1", "-W", "1", "10.8.0.2"])).status == 0)
        try b.run("nft add table inet cut")
        try b.run(["nft", "add chain inet cut in { type filter hook input priority 0; }"])
        try b.run(["nft", "add rule inet cut in ip saddr 10.8.0.1 counter drop"])
        #expect(try Command.attempt(a.inside(["ping", "-c", "1", "-W", "1", "10.8.0.2"])).status == 1)
        #expect(try b.run("nft list table inet cut").contains("counter packets 1 "))
    }
}
