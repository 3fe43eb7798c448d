import LinuxSystem
import Model
import Testing
import Wire

@testable import DaemonKit

@Suite struct TargetDiscoveryTests {
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    private func network() throws -> NetworkState {
        NetworkState(
            links: [
                NetworkState.Link(index: 1, name: "lo", isUp: true, hasCarrier: true, isLoopback: true, mtu: 65_536),
                NetworkState.Link(index: 2, name: "eth0", isUp: true, hasCarrier: true, isLoopback: false, mtu: 1_500),
                NetworkState.Link(
                    index: 3, name: "off0", isUp: false, hasCarrier: false, isLoopback: false, mtu: 1_500),
            ],
            addresses: [
                NetworkState.Address(index: 2, address: try address("192.0.2.10"), prefixLength: 24)
            ],
            defaultRoutes: [
                NetworkState.DefaultRoute(
                    gateway: try address("192.0.2.1"), interfaceIndex: 2, interfaceName: "eth0", metric: 100,
                    isIPv6: false)
            ])
    }

    private func found(_ configuration: Configuration, resolvers: [String] = []) throws -> [String: TargetSpec] {
        let targets = TargetDiscovery(
            configuration: configuration, network: try network(), resolvers: try resolvers.map { try address($0) }
        ).targets()
        return Dictionary(uniqueKeysWithValues: targets.map { ($0.id.rawValue, $0) })
    }

    private func host(_ id: String, _ address: TargetAddress, parents: [String] = []) throws -> TargetSpec {
        TargetSpec(
            id: try #require(TargetID(rawValue: id)), kind: .vpn,
            parents: try parents.map { try #require(TargetID(rawValue: $0)) }, address: address, probes: [])
    }

    @Test func findsTheWayOut() throws {
        let targets = try found(Configuration(), resolvers: ["198.51.100.53", "127.0.0.53"])
        #expect(
            Set(targets.keys) == [
                "interface:eth0", "gateway:eth0", "resolver:198.51.100.53", "resolver:127.0.0.53",
            ])
        #expect(targets["gateway:eth0"]?.parents.map(\.rawValue) == ["interface:eth0"])
        #expect(targets["resolver:198.51.100.53"]?.parents.map(\.rawValue) == ["gateway:eth0"])
        #expect(targets["resolver:127.0.0.53"]?.parents == [])
        #expect(targets["interface:eth0"]?.probes.map(\.kind) == [.link])
    }

    @Test func parentsFollowTheRoutingTable() throws {
        var configuration = Configuration()
        configuration.targets = [
            try host("far", .ip(try address("203.0.113.5"), zone: nil)),
            try host("near", .ip(try address("192.0.2.77"), zone: nil)),
            try host("named", .name("vpn.example.net")),
            try host("own", .ip(try address("192.0.2.10"), zone: nil)),
            try host("said", .ip(try address("203.0.113.6"), zone: nil), parents: ["near"]),
            try host("word", .ip(try address("203.0.113.7"), zone: nil), parents: ["gateway"]),
        ]
        let targets = try found(configuration)
        #expect(targets["far"]?.parents.map(\.rawValue) == ["gateway:eth0"])
        #expect(targets["near"]?.parents.map(\.rawValue) == ["interface:eth0"])
        #expect(targets["named"]?.parents.map(\.rawValue) == ["gateway:eth0"])
        #expect(targets["own"]?.parents == [])
        #expect(targets["said"]?.parents.map(\.rawValue) == ["near"])
        #expect(targets["word"]?.parents.map(\.rawValue) == ["gateway:eth0"])
    }

    @Test func configuredTargetWinsOverTheDiscoveredOne() throws {
        var configuration = Configuration()
        configuration.targets = [
            try host("gateway:eth0", .ip(try address("192.0.2.1"), zone: nil))
        ]
        let targets = try found(configuration)
        #expect(targets["gateway:eth0"]?.kind == .vpn)
        #expect(targets["gateway:eth0"]?.isDiscovered == false)
    }

    @Test func discoveryCanBeTurnedOff() throws {
        var configuration = Configuration()
        configuration.discovery = DiscoverySettings(gateways: false, resolvers: false, interfaces: false)
        #expect(try found(configuration, resolvers: ["198.51.100.53"]).isEmpty)
    }
}
