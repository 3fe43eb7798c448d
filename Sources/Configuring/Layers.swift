// defaults → target → probe: one level of the inheritance, and the choice among the levels.

internal import Model
internal import Wire

/// What one level says of probes of one kind; nil where it is silent.
struct ProbeLayer {
    var interval: Sourced<Duration>?
    var timeout: Sourced<Duration>?
    var source: Sourced<ProbeSource>?
    var count: Sourced<Int>?
    var spacing: Sourced<Duration>?
    var size: Sourced<Int>?
    var ttl: Sourced<Int>?
    var dscp: Sourced<Int>?
    var port: Sourced<UInt16>?
    var name: Sourced<String>?
    var type: Sourced<UInt16>?
    var expectation: Sourced<DNSExpectation>?
}

/// What a DNS reply must be to count as ok.
struct DNSExpectation: Hashable {
    var rcode: UInt8 = 0
    var answer: String?
}

/// What one level says of the judgement; nil where it is silent, a value of nil where it says "never".
struct JudgementLayer {
    var downAfter: Sourced<Int>?
    var upAfter: Sourced<Int>?
    var window: Sourced<Int>?
    var degradedLoss: Sourced<Double?>?
    var degradedRTT: Sourced<Duration?>?
}

/// One level: `defaults`, a target, or a discovered kind.
struct Layer {
    static let keys = [
        "interval", "timeout", "source", "down_after", "up_after", "degraded", "icmp", "tcp", "dns",
    ]

    var common = ProbeLayer()
    var icmp = ProbeLayer()
    var tcp = ProbeLayer()
    var dns = ProbeLayer()
    var judgement = JudgementLayer()

    func layer(of kind: ProbeKind) -> ProbeLayer {
        switch kind {
        case .icmp: icmp
        case .tcp: tcp
        case .dns: dns
        case .link: ProbeLayer()
        }
    }
}

/// Reads levels of the inheritance.
struct LayerReader {
    static let intervals: ClosedRange<Duration> = .milliseconds(100)...(.seconds(86_400))
    static let timeouts: ClosedRange<Duration> = .milliseconds(1)...(.seconds(300))
    static let rtts: ClosedRange<Duration> = .milliseconds(1)...(.seconds(300))

    let report: Report
    var values: ValueReader { ValueReader(report: report) }

    /// - Parameter name: How the level is called in explanations.
    func layer(_ section: Section, name: String) -> Layer {
        var layer = Layer()
        layer.common = common(section, name: name)
        if let node = section["icmp"] { layer.icmp = probeLayer(node, .icmp, name: name) }
        if let node = section["tcp"] { layer.tcp = probeLayer(node, .tcp, name: name) }
        if let node = section["dns"] { layer.dns = probeLayer(node, .dns, name: name) }
        layer.judgement = judgement(section, name: name)
        return layer
    }

    static func keys(of kind: ProbeKind) -> [String] {
        switch kind {
        case .icmp: ["interval", "timeout", "source", "count", "spacing", "size", "ttl", "dscp"]
        case .tcp: ["interval", "timeout", "source", "port"]
        case .dns: ["interval", "timeout", "source", "name", "type", "expect", "port"]
        case .link: ["interval"]
        }
    }

    func probeLayer(_ node: YAMLNode, _ kind: ProbeKind, name: String) -> ProbeLayer {
        let what = "the \(kind.rawValue) settings"
        guard let section = Section(node, what, keys: Self.keys(of: kind), report: report) else { return ProbeLayer() }
        return probeLayer(section, kind, name: name)
    }

    func probeLayer(_ section: Section, _ kind: ProbeKind, name: String) -> ProbeLayer {
        var layer = common(section, name: name)
        func sourced<Value>(_ key: String, _ read: (YAMLNode) -> Value?) -> Sourced<Value>? {
            self.sourced(section, key, name: name, read)
        }
        switch kind {
        case .icmp:
            layer.count = sourced("count") { values.integer($0, 1...100) }
            layer.spacing = sourced("spacing") {
                values.duration($0, .milliseconds(1)...(.seconds(10)), unit: .milliseconds)
            }
            layer.size = sourced("size") { values.integer($0, 16...65_000, "a number of bytes") }
            layer.ttl = sourced("ttl") { values.integer($0, 1...255) }
            layer.dscp = sourced("dscp") { values.integer($0, 0...63, "a DSCP") }
        case .tcp:
            layer.port = sourced("port") { values.port($0) }
        case .dns:
            layer.port = sourced("port") { values.port($0) }
            layer.name = sourced("name") { domainName($0) }
            layer.type = sourced("type") { DNSCodes.type($0, values) }
            layer.expectation = sourced("expect") { DNSCodes.expectation($0, values) }
        case .link: break
        }
        return layer
    }

    private func common(_ section: Section, name: String) -> ProbeLayer {
        var layer = ProbeLayer()
        layer.interval = sourced(section, "interval", name: name) { values.duration($0, Self.intervals) }
        layer.timeout = sourced(section, "timeout", name: name) { values.duration($0, Self.timeouts) }
        layer.source = sourced(section, "source", name: name) { source($0) }
        return layer
    }

    private func judgement(_ section: Section, name: String) -> JudgementLayer {
        var layer = JudgementLayer()
        layer.downAfter = sourced(section, "down_after", name: name) {
            values.integer($0, 1...1_000, "a number of rounds")
        }
        layer.upAfter = sourced(section, "up_after", name: name) { values.integer($0, 1...1_000, "a number of rounds") }
        guard let node = section["degraded"],
            let degraded = Section(node, "\"degraded\"", keys: ["loss", "rtt", "window"], report: report)
        else { return layer }
        layer.window = sourced(degraded, "window", name: name) { values.integer($0, 1...1_000, "a number of rounds") }
        layer.degradedLoss = sourced(degraded, "loss", name: name) { node in
            isNever(node) ? .some(nil) : values.share(node).map { .some($0) }
        }
        layer.degradedRTT = sourced(degraded, "rtt", name: name) { node in
            isNever(node) ? .some(nil) : values.duration(node, Self.rtts, unit: .milliseconds).map { .some($0) }
        }
        return layer
    }

    private func isNever(_ node: YAMLNode) -> Bool {
        if case .scalar(let scalar) = node.content { scalar.text == "never" } else { false }
    }

    private func sourced<Value>(
        _ section: Section, _ key: String, name: String, _ read: (YAMLNode) -> Value?
    ) -> Sourced<Value>? {
        guard let node = section[key], let value = read(node) else { return nil }
        return Sourced(value: value, origin: .written(node.place, layer: name))
    }

    /// `192.0.2.1`, `eth1`, or both as a map.
    private func source(_ node: YAMLNode) -> ProbeSource? {
        if case .mapping = node.content {
            guard let section = Section(node, "\"source\"", keys: ["address", "interface"], report: report) else {
                return nil
            }
            var source = ProbeSource()
            if let node = section["address"] {
                guard let address = sourceAddress(node) else { return nil }
                source.address = address
            }
            if let node = section["interface"] { source.interface = values.interfaceName(node) }
            return source
        }
        guard let scalar = values.scalar(node, "an address or the name of an interface") else { return nil }
        if IPAddress(scalar.text) != nil { return sourceAddress(node).map { ProbeSource(address: $0) } }
        return values.interfaceName(node).map { ProbeSource(interface: $0) }
    }

    private func sourceAddress(_ node: YAMLNode) -> IPAddress? {
        guard let scalar = values.scalar(node, "an address of this host") else { return nil }
        guard let address = IPAddress(scalar.text), !address.isMulticast, !address.isUnspecified else {
            report.error(node.place, "expected an address of this host, found \(node.found)")
            return nil
        }
        return address
    }

    /// A name to ask for: a host name, or `.` for the root, which the model writes as nothing.
    func domainName(_ node: YAMLNode) -> String? {
        guard let scalar = values.scalar(node, "a DNS name") else { return nil }
        if scalar.text == "." { return "" }
        return AddressReader(report: report).hostName(scalar.text, node: node, wildcard: false)
    }
}
