// One target: its own settings, its probes, and what it inherits.

internal import Model
internal import Wire

/// A target as it was read; `spec` is nil where it cannot be used.
struct WrittenTarget {
    var id: TargetID
    var place: Place
    var parents: [(id: TargetID, place: Place)]
    var spec: TargetSpec?
    var explanations: [Explanation]
}

extension ProbeSpec {
    /// From where the probe leaves; nil where no packet is sent.
    fileprivate var source: ProbeSource? {
        switch options {
        case .icmp(let icmp): icmp.source
        case .tcp(let tcp): tcp.source
        case .dns(let dns): dns.source
        case .link: nil
        }
    }
}

/// Reads targets and what discovery finds.
struct TargetDecoder {
    static let keys =
        ["kind", "title", "address", "family", "site", "labels", "parents", "probes"] + Layer.keys
    private static let maximumProbes = 32
    private static let maximumLabels = 32

    let report: Report
    let defaults: Layer
    private var values: ValueReader { ValueReader(report: report) }
    private var layers: LayerReader { LayerReader(report: report) }

    init(report: Report, defaults: Layer) {
        self.report = report
        self.defaults = defaults
    }

    // MARK: Targets

    func target(_ entry: YAMLNode.Entry, id: TargetID) -> WrittenTarget {
        var written = WrittenTarget(id: id, place: entry.keyPlace, parents: [], spec: nil, explanations: [])
        guard let section = Section(entry.value, "a target", keys: Self.keys, report: report) else { return written }
        let kind = section["kind"].flatMap { values.choice($0, TargetKind.self) } ?? .host
        var trace = Trace()
        trace.add("kind", kind.rawValue, section["kind"])
        let layer = layers.layer(section, name: "target")
        written.parents = parents(section)
        let resolver = ProbeResolver(report: report, target: layer, defaults: defaults)
        let judgement = resolver.judgement(&trace)
        let probes = probes(section, kind: kind, resolver: resolver, fallback: section.place, trace: &trace)
        let title = section["title"].flatMap { values.text($0, "a title") }
        let site = section["site"].flatMap { values.text($0, "the name of a site") }
        let labels = labels(section)
        let family = family(section)
        guard let node = section["address"] else {
            if section.isMisspelt("address") { return written }
            let example = kind == .interface ? "the name of an interface" : "an IP address or a DNS name"
            report.error(entry.keyPlace, "the target \"\(id)\" has no address; write \"address:\" with \(example)")
            return written
        }
        guard let address = address(node, kind: kind) else { return written }
        if let family { check(family, against: address) }
        check(sourcesOf: probes, against: address, at: node.place)
        trace.add("address", address.text, node)
        trace.add("family", (family?.value ?? .any).rawValue, section["family"])
        written.explanations = trace.sorted
        written.spec = TargetSpec(
            id: id, kind: kind, title: title, site: site, labels: labels, parents: written.parents.map(\.id),
            address: address, family: family?.value ?? .any, probes: probes, judgement: judgement)
        return written
    }

    private func address(_ node: YAMLNode, kind: TargetKind) -> TargetAddress? {
        kind == .interface
            ? values.interfaceName(node).map { .interface($0) }
            : AddressReader(report: report).address(node)
    }

    private func family(_ section: Section) -> Sourced<AddressFamily>? {
        guard let node = section["family"], let family = values.choice(node, AddressFamily.self) else { return nil }
        return Sourced(value: family, origin: .written(node.place, layer: "target"))
    }

    private func check(_ family: Sourced<AddressFamily>, against address: TargetAddress) {
        guard case .ip(let ip, _) = address, let place = family.origin.place else { return }
        let wrong = family.value == .both || family.value == (ip.isIPv6 ? .ipv4 : .ipv6)
        if wrong {
            report.error(
                place,
                "the family \(family.value.rawValue) does not go with the address \(ip), which is"
                    + " \(ip.isIPv6 ? "ipv6" : "ipv4"); leave it out")
        }
    }

    /// A packet leaves from an address of its own family only.
    private func check(sourcesOf probes: [ProbeSpec], against address: TargetAddress, at place: Place) {
        guard case .ip(let ip, _) = address else { return }
        for probe in probes {
            guard let source = probe.source?.address, source.isIPv6 != ip.isIPv6 else { continue }
            report.error(
                place,
                "the probe \"\(probe.id)\" would leave from \(source), which is not of the family of \(ip)")
        }
    }

    private func labels(_ section: Section) -> [String: String] {
        guard let node = section["labels"], !node.isNull else { return [:] }
        guard case .mapping(let entries) = node.content, entries.count <= Self.maximumLabels else {
            report.error(node.place, "expected a map of at most \(Self.maximumLabels) labels, found \(node.found)")
            return [:]
        }
        var labels: [String: String] = [:]
        for entry in entries {
            guard values.identifier(entry.key, at: entry.keyPlace, "a label's name") != nil,
                let value = values.text(entry.value, "a label's value")
            else { continue }
            labels[entry.key] = value
        }
        return labels
    }

    private func parents(_ section: Section) -> [(id: TargetID, place: Place)] {
        guard let node = section["parents"] else { return [] }
        var parents: [(id: TargetID, place: Place)] = []
        for item in values.list(node, "a list of target ids", limit: 16) {
            guard let scalar = values.scalar(item, "a target's id"),
                let id = values.identifier(scalar.text, at: item.place, "a target's id")
            else { continue }
            if parents.contains(where: { $0.id == id }) {
                report.error(item.place, "the parent \"\(id)\" is listed twice")
                continue
            }
            parents.append((id, item.place))
        }
        return parents
    }

    // MARK: Discovery

    /// `true`, `false`, or a map of settings for one kind of discovered target.
    func discovered(_ node: YAMLNode?, key: String, kind: TargetKind) -> (
        isEnabled: Bool, defaults: DiscoveredDefaults
    ) {
        var isEnabled = true
        var layer = Layer()
        var section: Section?
        if let node, case .mapping = node.content {
            section = Section(node, "\"\(key)\"", keys: ["enabled", "probes"] + Layer.keys, report: report)
            if let section {
                isEnabled = section["enabled"].flatMap { values.boolean($0) } ?? true
                layer = layers.layer(section, name: "discovery")
            }
        } else if let node {
            isEnabled = values.boolean(node) ?? true
        }
        let resolver = ProbeResolver(report: report, target: layer, defaults: defaults)
        var trace = Trace()
        let judgement = resolver.judgement(&trace)
        let probes: [ProbeSpec]
        if let section {
            probes = self.probes(section, kind: kind, resolver: resolver, fallback: section.place, trace: &trace)
        } else {
            probes = standard(kind).map { resolver.probe($0, [:], layer: ProbeLayer(), at: nil, trace: &trace) }
                .compactMap { $0 }
        }
        return (isEnabled, DiscoveredDefaults(probes: probes, judgement: judgement))
    }

    // MARK: Probes

    /// What a target is probed by where nothing is written.
    private func standard(_ kind: TargetKind) -> [ProbeKind] {
        switch kind {
        case .interface: [.link]
        case .resolver: [.dns]
        case .saas: [.tcp]
        case .gateway, .vpn, .host: [.icmp]
        }
    }

    private func probes(
        _ section: Section, kind: TargetKind, resolver: ProbeResolver, fallback: Place, trace: inout Trace
    ) -> [ProbeSpec] {
        guard let node = section["probes"] else {
            return standard(kind).compactMap {
                resolver.probe($0, [:], layer: ProbeLayer(), at: fallback, trace: &trace)
            }
        }
        let items = values.list(node, "a list of probes such as [icmp, tcp: 443]", limit: Self.maximumProbes)
        if items.isEmpty, case .sequence = node.content {
            report.error(node.place, "the list of probes is empty; leave \"probes\" out for the standard ones")
        }
        var places: [String: Place] = [:]
        var probes: [ProbeSpec] = []
        for item in items {
            guard let probe = probe(item, targetKind: kind, resolver: resolver, trace: &trace) else { continue }
            if let first = places[probe.id] {
                report.error(
                    item.place,
                    "two probes have the id \"\(probe.id)\", the first at line \(first.line); give one an \"id\"")
                continue
            }
            places[probe.id] = item.place
            probes.append(probe)
        }
        return probes
    }

    /// `icmp`, `tcp: 443`, or a kind with a map of settings.
    private func probe(
        _ item: YAMLNode, targetKind: TargetKind, resolver: ProbeResolver, trace: inout Trace
    ) -> ProbeSpec? {
        let kinds = ProbeKind.allCases.map(\.rawValue)
        let expected = "a probe such as icmp, \"tcp: 443\" or \"dns: example.com\""
        var settings: YAMLNode?
        let word: String
        switch item.content {
        case .sequence:
            report.error(item.place, "expected \(expected), found a list")
            return nil
        case .scalar:
            guard let scalar = values.scalar(item, expected) else { return nil }
            word = scalar.text
        case .mapping(let entries):
            guard entries.count == 1, let only = entries.first else {
                report.error(item.place, "expected \(expected): one kind an entry, its settings indented under it")
                return nil
            }
            word = only.key
            settings = only.value
        }
        guard let kind = ProbeKind(rawValue: word) else {
            let clause = Suggestion.clause(for: word, among: kinds)
            report.error(
                item.place,
                "\(Quantity.quoted(word)) is not a kind of probe (\(kinds.joined(separator: ", ")))\(clause)")
            return nil
        }
        guard (kind == .link) == (targetKind == .interface) else {
            let sentence =
                kind == .link
                ? "a link probe reads a network interface; the target's kind must be interface"
                : "an interface is probed by \"link\" alone; its kind does not go with \(kind.rawValue)"
            report.error(item.place, sentence)
            return nil
        }
        return probe(kind, settings, at: item.place, resolver: resolver, trace: &trace)
    }

    private func probe(
        _ kind: ProbeKind, _ settings: YAMLNode?, at place: Place, resolver: ProbeResolver, trace: inout Trace
    ) -> ProbeSpec? {
        var layer = ProbeLayer()
        var identity: [String: String] = [:]
        if let settings, !settings.isNull {
            if case .scalar = settings.content {
                guard let shorthand = shorthand(kind, settings) else { return nil }
                layer = shorthand
            } else {
                let keys = ["id"] + LayerReader.keys(of: kind)
                guard let section = Section(settings, "the \(kind.rawValue) probe", keys: keys, report: report) else {
                    return nil
                }
                if let node = section["id"] {
                    guard let scalar = values.scalar(node, "a probe's id"),
                        let id = values.identifier(scalar.text, at: node.place, "a probe's id")
                    else { return nil }
                    identity["id"] = id.rawValue
                }
                layer = layers.probeLayer(section, kind, name: "probe")
            }
        }
        return resolver.probe(kind, identity, layer: layer, at: place, trace: &trace)
    }

    /// The one setting that stands for all: a port, a name.
    private func shorthand(_ kind: ProbeKind, _ node: YAMLNode) -> ProbeLayer? {
        var layer = ProbeLayer()
        let origin = Origin.written(node.place, layer: "probe")
        switch kind {
        case .tcp: layer.port = values.port(node).map { Sourced(value: $0, origin: origin) }
        case .dns: layer.name = layers.domainName(node).map { Sourced(value: $0, origin: origin) }
        case .icmp, .link:
            report.error(node.place, "expected a map of settings for the \(kind.rawValue) probe, found \(node.found)")
            return nil
        }
        return layer.port == nil && layer.name == nil ? nil : layer
    }
}
