import Configuring
import Foundation
import Model
import Testing
import Wire

@Suite struct ValidFixtureTests {
    private func load(_ name: String, environment: [String: String] = [:]) throws -> Configuration {
        let loaded = ConfigurationLoader.load(
            file: Fixture.path("valid/" + name), confDirectory: nil, environment: environment)
        #expect(loaded.diagnostics == [])
        return try #require(loaded.configuration)
    }

    private func full() throws -> Configuration { try load("full.yaml", environment: ["MAIL_TO": "noc@example.net"]) }

    private func target(_ id: String, _ configuration: Configuration) throws -> TargetSpec {
        try #require(configuration.targets.first { $0.id.rawValue == id })
    }

    @Test func targetsHaveWhatIsWritten() throws {
        let target = try target("vpn-west", full())
        #expect(target.kind == .vpn)
        #expect(target.title == "VPN west nowhere")
        #expect(target.address == .name("vpn-west.example.net"))
        #expect(target.family == .ipv4)
        #expect(target.site == "west")
        #expect(target.labels == ["customer": "example", "ticket": "17"])
        #expect(target.parents.map(\.rawValue) == ["gateway"])
        #expect(!target.isDiscovered)
        #expect(
            target.judgement
                == JudgementSettings(downAfter: 4, upAfter: 3, window: 20, degradedLoss: 0.05, degradedRTT: nil))
    }

    @Test func probesInheritLevelByLevel() throws {
        let eth1 = ProbeSource(interface: "eth1")
        let tcpSource = ProbeSource(address: IPAddress("192.0.2.9"))
        func icmp(size: Int, dscp: Int) -> ProbeOptions {
            .icmp(
                ICMPOptions(
                    count: 2, spacing: .milliseconds(100), size: size, ttl: 32, dscp: dscp, source: eth1))
        }
        let expected = [
            ProbeSpec(id: "icmp", interval: .seconds(5), timeout: .seconds(2), options: icmp(size: 100, dscp: 46)),
            ProbeSpec(
                id: "icmp-big", interval: .seconds(60), timeout: .seconds(2), options: icmp(size: 1_400, dscp: 0)),
            ProbeSpec(
                id: "tcp-1194", interval: .seconds(5), timeout: .seconds(2),
                options: .tcp(TCPOptions(port: 1194, source: tcpSource))),
            ProbeSpec(
                id: "https", interval: .seconds(5), timeout: .milliseconds(1_500),
                options: .tcp(TCPOptions(port: 443, source: tcpSource))),
            ProbeSpec(
                id: "dns", interval: .seconds(5), timeout: .seconds(2),
                options: .dns(DNSOptions(name: "", type: 2, port: 5353, expectedRcode: 5, source: eth1))),
        ]
        #expect(try target("vpn-west", full()).probes == expected)
    }

    @Test func kindsHaveTheirStandardProbes() throws {
        let configuration = try full()
        #expect(try target("crm", configuration).probes.map(\.id) == ["tcp-443"])
        #expect(try target("crm", configuration).family == .both)
        #expect(try target("wan", configuration).probes.map(\.options) == [.link])
        #expect(try target("wan", configuration).address == .interface("eth0"))
        let router = try target("router", configuration)
        #expect(router.address == .ip(try #require(IPAddress("fe80::1")), zone: "eth0"))
        guard case .icmp(let icmp) = router.probes.first?.options else {
            Issue.record("expected an ICMP probe")
            return
        }
        #expect(icmp.source == ProbeSource(address: IPAddress("fe80::2"), interface: "eth0"))
    }

    @Test func dnsExpectationsAreNormal() throws {
        let options = try target("dns-office", full()).probes.compactMap { probe -> DNSOptions? in
            if case .dns(let dns) = probe.options { dns } else { nil }
        }
        #expect(options.map(\.type) == [65, 1])
        #expect(options.map(\.expectedAnswer) == ["2001:db8::1", "192.0.2.80"])
        #expect(options.map(\.name) == ["example.net", "intranet.example"])
    }

    @Test func discoveryHasSettingsOfItsOwn() throws {
        let configuration = try full()
        #expect(configuration.discovery == DiscoverySettings(gateways: true, resolvers: true, interfaces: false))
        let gateway = try #require(configuration.discoveredDefaults[.gateway])
        #expect(gateway.judgement.downAfter == 5)
        #expect(gateway.probes.map(\.interval) == [.seconds(1)])
        guard case .icmp(let icmp) = gateway.probes.first?.options else {
            Issue.record("expected an ICMP probe")
            return
        }
        #expect(icmp.count == 2)
        let resolver = try #require(configuration.discoveredDefaults[.resolver])
        guard case .dns(let dns) = resolver.probes.first?.options else {
            Issue.record("expected a DNS probe")
            return
        }
        #expect(dns.name == "example.com")
        #expect(dns.type == 28)
        #expect(dns.expectedRcode == 3)
    }

    @Test func rulesAndHooksAreRead() throws {
        let configuration = try full()
        #expect(
            configuration.rules == [
                AlertRule(
                    name: "down", condition: .state(.down), hooks: ["mail"], targets: ["vpn-*", "crm", "gateway:eth0"]),
                AlertRule(
                    name: "slow",
                    condition: .rtt(percentile: 99.9, above: .milliseconds(200), clear: .milliseconds(150)), needed: 3,
                    of: 5, hold: .seconds(90), severity: .warning, kinds: [.vpn, .saas]),
                AlertRule(
                    name: "lossy", condition: .loss(above: 0.05, clear: 0.04), needed: 4, of: 4, severity: .info),
            ])
        #expect(
            configuration.hooks == [
                HookSpec(
                    name: "mail", command: ["/etc/tautline/hooks/mail", "", "cost $5"], timeout: .seconds(45),
                    attempts: 3, environment: ["MAIL_TO": "noc@example.net", "TOKEN": "s3cret"])
            ])
    }

    @Test func theOtherSectionsAreRead() throws {
        let configuration = try full()
        #expect(configuration.site == "branch-west")
        #expect(configuration.logLevel == "debug")
        #expect(
            configuration.capture
                == CaptureSettings(
                    isEnabled: false, interfaces: ["eth0", "wg0"], filter: "not port 22", snapLength: 96,
                    ringSize: 16 << 20, interval: .seconds(30), maxFlows: 1_024, peerPrefix4: 16, peerPrefix6: 48,
                    keepsNames: false, shed: .off))
        #expect(
            configuration.storage
                == StorageSettings(
                    maxSize: 3 << 29, rawRetention: .seconds(28 * 86_400), hourRetention: .seconds(365 * 86_400),
                    commitInterval: .seconds(5)))
        #expect(configuration.networks.map(\.name) == ["workers", "host"])
        #expect(
            configuration.networks.flatMap(\.prefixes).map(\.description) == [
                "10.8.0.0/16", "2001:db8:8::/48", "192.0.2.7/32",
            ])
        #expect(
            configuration.services == [
                ServiceSpec(name: "crm", names: ["*.crm.example", "crm.example"], ports: [443, 8443]),
                ServiceSpec(name: "files", prefixes: [try #require(IPPrefix("198.51.100.0/24"))]),
            ])
    }

    @Test(arguments: ["empty.yaml", "sections-without-settings.yaml"])
    func nothingWrittenIsDiscoveryAlone(name: String) throws {
        var configuration = try load(name)
        #expect(configuration.discoveredDefaults.keys.map(\.rawValue).sorted() == ["gateway", "interface", "resolver"])
        #expect(configuration.discoveredDefaults[.gateway]?.probes.map(\.id) == ["icmp"])
        #expect(configuration.discoveredDefaults[.interface]?.probes.map(\.id) == ["link"])
        #expect(
            configuration.discoveredDefaults[.resolver]?.probes.map(\.options) == [.dns(DNSOptions(name: "", type: 2))])
        configuration.discoveredDefaults = [:]
        #expect(configuration == Configuration())
    }

    @Test func anAliasIsItsAnchor() throws {
        let configuration = try load("aliases.yaml")
        #expect(configuration.targets.map(\.judgement.degradedLoss) == [0.01, 0.01])
    }

    @Test func lineEndsOfOtherSystemsAreRead() throws {
        #expect(try load("crlf.yaml").targets.map(\.id.rawValue) == ["vpn"])
    }
}
