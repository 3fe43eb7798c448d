import Configuring
import Model
import Testing

@Suite struct ConfigurationDiffTests {
    private func configuration(_ text: String) throws -> Configuration {
        let loaded = ConfigurationLoader.load(text: text)
        #expect(loaded.diagnostics.filter { $0.severity == .error } == [])
        return try #require(loaded.configuration)
    }

    private func lines(_ old: String, _ new: String) throws -> [String] {
        ConfigurationDiff(from: try configuration(old), to: try configuration(new)).lines
    }

    @Test func nothingChangedIsNothing() throws {
        #expect(try lines(ConfigurationLoader.template, ConfigurationLoader.template) == [])
        let a = "targets: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2}}"
        let b = "targets: {b: {address: 192.0.2.2}, a: {address: 192.0.2.1}}"
        #expect(try lines(a, b) == [])
    }

    @Test func targetsComeAndGo() throws {
        let old = "targets: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2}}"
        let new = "targets: {b: {address: 192.0.2.2}, c: {address: 192.0.2.3}}"
        #expect(try lines(old, new) == ["target \"a\" removed", "target \"c\" added"])
    }

    @Test func whatChangedOfATargetIsNamed() throws {
        let old = "targets: {a: {address: 192.0.2.1, probes: [icmp, tcp: 80]}}"
        let new = "targets: {a: {address: vpn.example, kind: vpn, probes: [icmp: {interval: 5s}, dns], labels: {x: y}}}"
        #expect(
            try lines(old, new) == [
                "target \"a\" changed: kind: host → vpn; address: 192.0.2.1 → vpn.example; labels: none → x=y;"
                    + " interval of icmp: 10s → 5s; probe tcp-80 removed; probe dns added"
            ])
    }

    @Test func settingsNetworksServicesHooksAndRules() throws {
        let old = """
            networks: {w: [10.8.0.0/16]}
            services: {crm: {names: [crm.example]}}
            hooks: {mail: {command: /bin/mail, environment: {TOKEN: old}}}
            alerts: [{name: down, when: {state: down}}]
            """
        let new = """
            site: west
            discovery: {interfaces: false}
            networks: {w: [10.9.0.0/16]}
            services: {crm: {names: [crm.example], ports: [443]}}
            capture: {snap_length: 96}
            hooks: {mail: {command: /bin/mail, environment: {TOKEN: new}}}
            alerts: [{name: down, when: {state: down}, hooks: [mail]}, {name: x, when: {loss: {above: 5%}}}]
            """
        #expect(
            try lines(old, new) == [
                "setting \"site\" changed: none → west", "setting \"discovery.interfaces\" changed: on → off",
                "setting \"capture.snap_length\" changed: 256 → 96",
                "network \"w\" changed: prefixes: 10.8.0.0/16 → 10.9.0.0/16",
                "service \"crm\" changed: ports: none → 443", "hook \"mail\" changed: values that are not shown",
                "alert rule \"down\" changed: hooks: none → mail", "alert rule \"x\" added",
            ])
    }

    @Test func defaultsOfDiscoveredTargetsCount() throws {
        let diff = ConfigurationDiff(
            from: try configuration("discovery: {gateways: {interval: 1s}}"),
            to: try configuration("discovery: {gateways: {interval: 2s}}"))
        #expect(diff.changes.map(\.name) == ["discovery.gateways probes"])
        #expect(!diff.isEmpty)
    }

    @Test func explainNamesTheOrigin() throws {
        let loaded = ConfigurationLoader.load(
            text: """
                defaults: {interval: 30s}
                targets:
                  vpn:
                    address: 192.0.2.1
                    timeout: 1s
                    probes: [tcp: 1194]
                """, file: "t.yaml")
        let id = try #require(TargetID(rawValue: "vpn"))
        let lines = try #require(loaded.explain(target: id))
        #expect(lines.contains("probes.tcp-1194.interval  30s        t.yaml:1:22 (defaults)"))
        #expect(lines.contains("probes.tcp-1194.timeout   1s         t.yaml:5:14 (target)"))
        #expect(lines.contains("probes.tcp-1194.port      1194       t.yaml:6:19 (probe)"))
        #expect(lines.contains("down_after                3          built in"))
        #expect(loaded.explain(target: try #require(TargetID(rawValue: "other"))) == nil)
    }
}
