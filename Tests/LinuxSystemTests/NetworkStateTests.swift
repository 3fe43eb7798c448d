import CLinux
import TestSupport
import Testing
import Wire

@testable import LinuxSystem

@Suite struct NetlinkParsingTests {
    /// One netlink message.
    private func message(type: Int, body: [UInt8], attributes: [(Int, [UInt8])]) -> [UInt8] {
        var payload = body
        for (kind, value) in attributes {
            payload += host16(UInt16(value.count + 4)) + host16(UInt16(kind)) + value
            payload += [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        }
        return host32(UInt32(16 + payload.count)) + host16(UInt16(type)) + [0, 0] + host32(1) + host32(0) + payload
    }

    private func host16(_ value: UInt16) -> [UInt8] { withUnsafeBytes(of: value) { [UInt8]($0) } }
    private func host32(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value) { [UInt8]($0) } }

    private func state(_ bytes: [UInt8]) -> NetworkState {
        var reader = RouteTableReader()
        NetlinkMessage.each(in: bytes[...]) { reader.take($0) }
        return reader.state()
    }

    /// struct rtmsg with the fields that matter.
    private func route(family: Int32, length: UInt8 = 0, table: UInt8 = 254, type: Int32 = 1) -> [UInt8] {
        [UInt8(family), length, 0, 0, table, 3, 0, UInt8(type)] + host32(0)
    }

    @Test func aLinkAndItsDefaultRouteComeTogether() {
        let link = message(
            type: Int(RTM_NEWLINK), body: [0, 0, 1, 0] + host32(7) + host32(0x1_0001) + host32(0),
            attributes: [(Int(IFLA_IFNAME), Array("eth7\0".utf8)), (Int(IFLA_MTU), host32(1_400)), (16, [6])])
        let way = message(
            type: Int(RTM_NEWROUTE), body: route(family: AF_INET),
            attributes: [(5, [192, 0, 2, 1]), (4, host32(7)), (6, host32(100))])
        let found = state(link + way)
        #expect(found.links == [NetworkState.Link(index: 7, name: "eth7", isUp: true, hasCarrier: true, mtu: 1_400)])
        #expect(
            found.defaultRoutes == [
                NetworkState.DefaultRoute(
                    gateway: IPAddress("192.0.2.1"), interfaceIndex: 7, interfaceName: "eth7", metric: 100)
            ])
    }

    @Test func onlyUnicastDefaultsOfTheMainTableCount() {
        let gateway: [(Int, [UInt8])] = [(5, [192, 0, 2, 1]), (4, host32(7))]
        func count(_ body: [UInt8], _ more: [(Int, [UInt8])] = []) -> Int {
            state(message(type: Int(RTM_NEWROUTE), body: body, attributes: gateway + more)).defaultRoutes.count
        }
        #expect(count(route(family: AF_INET)) == 1)
        #expect(count(route(family: AF_INET, length: 24)) == 0)
        #expect(count(route(family: AF_INET, table: 255)) == 0)
        // A table above 255 is in the attribute; the byte then holds 252.
        #expect(count(route(family: AF_INET, table: 252), [(15, host32(1_000))]) == 0)
        // RTN_UNREACHABLE: the kernel's own IPv6 default on lo.
        #expect(count(route(family: AF_INET, type: 7)) == 0)
        #expect(count(route(family: AF_UNIX)) == 0)
    }

    @Test func everyNextHopOfAMultipathRouteCounts() {
        func hop(_ index: UInt32, _ last: UInt8, flags: UInt8 = 0) -> [UInt8] {
            host16(16) + [flags, 0] + host32(index) + host16(8) + host16(5) + [192, 0, 2, last]
        }
        let found = state(
            message(
                type: Int(RTM_NEWROUTE), body: route(family: AF_INET),
                attributes: [(9, hop(1, 1) + hop(2, 2) + hop(3, 3, flags: 1))]))
        #expect(found.defaultRoutes.map(\.gateway?.description) == ["192.0.2.1", "192.0.2.2"])
        #expect(found.defaultRoutes.map(\.interfaceIndex) == [1, 2])
    }

    @Test func aRouteMayHaveNoGatewayOrOneOfTheOtherFamily() {
        let plain = state(
            message(type: Int(RTM_NEWROUTE), body: route(family: AF_INET6), attributes: [(4, host32(3))]))
        #expect(plain.defaultRoutes.first?.gateway == nil)
        #expect(plain.defaultRoutes.first?.isIPv6 == true)
        let six = IPAddress("fe80::9")
        let via = state(
            message(
                type: Int(RTM_NEWROUTE), body: route(family: AF_INET),
                attributes: [(18, host16(10) + (six?.bytes ?? [])), (4, host32(3))]))
        #expect(via.defaultRoutes.first?.gateway == six)
        #expect(via.defaultRoutes.first?.isIPv6 == false)
    }

    @Test func anyBytesAreRead() {
        var generator = SeededGenerator(seed: 42)
        let good = message(
            type: Int(RTM_NEWROUTE), body: route(family: AF_INET), attributes: [(5, [1, 2, 3, 4]), (4, host32(7))])
        for _ in 0..<20_000 {
            var bytes = Bool.random(using: &generator) ? good : []
            if bytes.isEmpty {
                bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            } else {
                for _ in 0..<3 {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            }
            // Links, addresses and routes alike.
            for type in [RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE] where bytes.count >= 6 {
                bytes.replaceSubrange(4..<6, with: host16(UInt16(type)))
                _ = state(bytes)
                NetlinkMessage.each(in: bytes[...]) { _ = NetworkMonitor.change($0) }
            }
        }
    }
}

@Suite(.serialized, .enabled(if: Namespace.isPermitted, "\(Namespace.requirement)"))
struct NetworkStateTests {
    @Test func seesLinksAddressesAndWaysOut() throws {
        let here = try Namespace("here")
        let there = try Namespace("there")
        try Namespace.connect(
            here, "eth0", ["192.0.2.2/24", "2001:db8::2/64"], to: there, "eth0", ["192.0.2.1/24", "2001:db8::1/64"])
        try here.run("ip route add default via 192.0.2.1 metric 50")
        try here.run("ip -6 route add default via 2001:db8::1")
        try here.run("ip route add unreachable default metric 4000")
        let state = try here.perform { try NetworkState.current() }
        let link = try #require(state.link(named: "eth0"))
        #expect(link.isUsable && !link.isLoopback && link.mtu == 1_500)
        #expect(state.link(named: "lo")?.isLoopback == true)
        #expect(
            state.addresses.contains(
                NetworkState.Address(
                    index: link.index, address: try #require(IPAddress("192.0.2.2")), prefixLength: 24)))
        #expect(state.addresses.contains { $0.address == IPAddress("2001:db8::2") && $0.prefixLength == 64 })
        #expect(
            state.defaultRoutes == [
                NetworkState.DefaultRoute(
                    gateway: IPAddress("192.0.2.1"), interfaceIndex: link.index, interfaceName: "eth0", metric: 50),
                NetworkState.DefaultRoute(
                    gateway: IPAddress("2001:db8::1"), interfaceIndex: link.index, interfaceName: "eth0",
                    metric: 1_024, isIPv6: true),
            ])
    }

    @Test func hearsOfTheCutCable() throws {
        let here = try Namespace("here")
        let there = try Namespace("there")
        try Namespace.connect(here, "eth0", ["192.0.2.2/24"], to: there, "eth0", ["192.0.2.1/24"])
        let monitor = try here.perform { try NetworkMonitor() }
        #expect(monitor.drain() == [])
        try here.run("ip route add 198.51.100.0/24 via 192.0.2.1")
        #expect(monitor.drain() == [], "a route that is no default")
        try here.run("ip route add default via 192.0.2.1")
        #expect(monitor.drain() == .defaultRoutes)
        try here.run("ip address add 192.0.2.3/24 dev eth0")
        #expect(monitor.drain() == .addresses)
        try there.run("ip link set eth0 down")
        // The carrier is told by a work queue of the kernel.
        var change: NetworkChange = []
        for _ in 0..<300 where !change.contains(.links) {
            change.formUnion(monitor.drain())
            usleep(10_000)
        }
        #expect(change.contains(.links))
        let state = try here.perform { try NetworkState.current() }
        #expect(state.link(named: "eth0")?.isUp == true)
        #expect(state.link(named: "eth0")?.hasCarrier == false)
        try here.run("ip link delete eth0")
        #expect(monitor.drain().isSuperset(of: [.links]))
        #expect(try here.perform { try NetworkState.current() }.defaultRoutes.isEmpty)
    }

    @Test func saysWhenNewsWereLost() throws {
        let here = try Namespace("here")
        let monitor = try here.perform { try NetworkMonitor() }
        try Syscall.setOption(monitor.descriptor, level: SOL_SOCKET, name: SO_RCVBUF, to: 2_304)
        for index in 0..<60 { try here.run("ip address add 10.77.0.\(index)/32 dev lo") }
        #expect(monitor.drain().contains(.overflow))
    }

    @Test func aHostWithManyLinksIsReadWhole() throws {
        let here = try Namespace("here")
        let batch = (0..<150).map { "link add v\($0) type veth peer name w\($0)\n" }.joined()
        let file = "/run/\(here.name).batch"
        try batch.write(toFile: file)
        defer { unlink(file) }
        try here.run(["ip", "-batch", file])
        let state = try here.perform { try NetworkState.current() }
        #expect(state.links.count == 301)
        #expect(Set(state.links.map(\.name)).count == 301)
    }
}

extension String {
    /// Without Foundation.
    fileprivate func write(toFile path: String) throws {
        let file = OwnedDescriptor(owning: taut_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600))
        let bytes = [UInt8](utf8)
        let count = bytes.withUnsafeBytes { CLinux.write(file.rawValue, $0.baseAddress, $0.count) }
        guard count == bytes.count else { throw SystemError(call: "write", errno: EIO, context: path) }
    }
}
