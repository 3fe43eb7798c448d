// The fields of a configuration as text, in the words of the file.

internal import Model
internal import Wire

/// Describes configured things field by field.
enum Description {
    struct Field: Hashable {
        var key: String
        var value: String

        init(_ key: String, _ value: String) {
            self.key = key
            self.value = Text.sanitised(value)
        }
    }

    /// What the field of a probe begins with; its id follows.
    static let probePrefix = "probe "

    static func target(_ target: TargetSpec) -> [Field] {
        var fields = [
            Field("kind", target.kind.rawValue), Field("title", target.title),
            Field("address", target.address.text), Field("family", target.family.rawValue),
            Field("site", target.site ?? "none"), Field("labels", pairs(target.labels)),
            Field("parents", list(target.parents.map(\.rawValue))),
        ]
        fields += judgement(target.judgement)
        for probe in target.probes { fields += self.probe(probe) }
        return fields
    }

    static func judgement(_ judgement: JudgementSettings) -> [Field] {
        [
            Field("down_after", "\(judgement.downAfter)"), Field("up_after", "\(judgement.upAfter)"),
            Field("degraded.window", "\(judgement.window)"),
            Field("degraded.loss", judgement.degradedLoss.map { Quantity.text(share: $0) } ?? "never"),
            Field("degraded.rtt", judgement.degradedRTT.map { Quantity.text($0) } ?? "never"),
        ]
    }

    static func probe(_ probe: ProbeSpec) -> [Field] {
        var fields = [("interval", Quantity.text(probe.interval)), ("timeout", Quantity.text(probe.timeout))]
        switch probe.options {
        case .icmp(let icmp):
            fields += [
                ("count", "\(icmp.count)"), ("spacing", Quantity.text(icmp.spacing)), ("size", "\(icmp.size)"),
                ("ttl", "\(icmp.ttl)"), ("dscp", "\(icmp.dscp)"), ("source", source(icmp.source)),
            ]
        case .tcp(let tcp):
            fields += [("port", "\(tcp.port)"), ("source", source(tcp.source))]
        case .dns(let dns):
            fields += [
                ("name", dns.name.isEmpty ? "." : dns.name), ("type", DNSCodes.name(type: dns.type)),
                ("port", "\(dns.port)"), ("expect.rcode", DNSCodes.name(rcode: dns.expectedRcode)),
                ("expect.answer", dns.expectedAnswer ?? "none"), ("source", source(dns.source)),
            ]
        case .link: break
        }
        return [Field(probePrefix + probe.id, probe.kind.rawValue)]
            + fields.map { Field("\($0.0) of \(probe.id)", $0.1) }
    }

    static func source(_ source: ProbeSource) -> String {
        let parts = [source.address?.description, source.interface].compactMap { $0 }
        return parts.isEmpty ? "any" : parts.joined(separator: " ")
    }

    static func network(_ network: NetworkSpec) -> [Field] {
        [Field("prefixes", list(network.prefixes.map(\.description)))]
    }

    static func service(_ service: ServiceSpec) -> [Field] {
        [
            Field("names", list(service.names)), Field("prefixes", list(service.prefixes.map(\.description))),
            Field("ports", list(service.ports.map { "\($0)" })),
        ]
    }

    static func hook(_ hook: HookSpec) -> [Field] {
        [
            Field("command", list(hook.command)), Field("timeout", Quantity.text(hook.timeout)),
            Field("attempts", "\(hook.attempts)"), Field("environment", list(hook.environment.keys.sorted())),
        ]
    }

    static func rule(_ rule: AlertRule) -> [Field] {
        [
            Field("when", condition(rule.condition)), Field("rounds", "\(rule.needed) of \(rule.of)"),
            Field("hold", Quantity.text(rule.hold)), Field("severity", rule.severity.rawValue),
            Field("hooks", list(rule.hooks)), Field("targets", list(rule.targets)),
            Field("kinds", list(rule.kinds.map(\.rawValue))),
        ]
    }

    static func condition(_ condition: AlertRule.Condition) -> String {
        switch condition {
        case .state(let state): "state \(state.rawValue)"
        case .loss(let above, let clear):
            "loss above \(Quantity.text(share: above)), clear at \(Quantity.text(share: clear))"
        case .rtt(let percentile, let above, let clear):
            "rtt p\(Quantity.plain(percentile)) above \(Quantity.text(above)), clear at \(Quantity.text(clear))"
        }
    }

    /// The settings that are there once; both lists of two configurations have the same keys in the same order.
    static func settings(_ configuration: Configuration) -> [Field] {
        let capture = configuration.capture
        let storage = configuration.storage
        var fields = [Field("site", configuration.site.isEmpty ? "none" : configuration.site)]
        let found: [(String, TargetKind, Bool)] = [
            ("gateways", .gateway, configuration.discovery.gateways),
            ("resolvers", .resolver, configuration.discovery.resolvers),
            ("interfaces", .interface, configuration.discovery.interfaces),
        ]
        for (key, kind, isOn) in found {
            fields.append(Field("discovery.\(key)", isOn ? "on" : "off"))
            let defaults = configuration.discoveredDefaults[kind]
            let parts = (defaults?.probes.flatMap(probe) ?? []) + (defaults.map { judgement($0.judgement) } ?? [])
            let text = parts.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            fields.append(Field("discovery.\(key) probes", text.isEmpty ? "standard" : text))
        }
        fields += [
            Field("capture.enabled", capture.isEnabled ? "true" : "false"),
            Field("capture.interfaces", list(capture.interfaces)), Field("capture.filter", capture.filter ?? "none"),
            Field("capture.snap_length", "\(capture.snapLength)"),
            Field("capture.ring_size", Quantity.text(bytes: Int64(capture.ringSize))),
            Field("capture.interval", Quantity.text(capture.interval)),
            Field("capture.max_flows", "\(capture.maxFlows)"),
            Field("capture.peer_prefix", "\(capture.peerPrefix4) and \(capture.peerPrefix6)"),
            Field("capture.keep_names", capture.keepsNames ? "true" : "false"),
            Field("capture.shed", capture.shed.rawValue),
            Field("storage.max_size", Quantity.text(bytes: storage.maxSize)),
            Field("storage.raw", Quantity.text(storage.rawRetention)),
            Field("storage.hours", Quantity.text(storage.hourRetention)),
            Field("storage.days", Quantity.text(storage.dayRetention)),
            Field("storage.commit_interval", Quantity.text(storage.commitInterval)),
            Field("log.level", configuration.logLevel),
        ]
        return fields
    }

    private static func list(_ items: [String]) -> String { items.isEmpty ? "none" : items.joined(separator: ", ") }

    private static func pairs(_ labels: [String: String]) -> String {
        list(labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
    }
}
