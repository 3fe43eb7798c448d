// The merged document → Model.Configuration. The sections are read one by one; references between them come last.

internal import Model

/// Reads a whole document.
struct ConfigurationDecoder {
    /// Targets of one configuration.
    static let maximumTargets = 10_000
    static let keys = [
        "site", "discovery", "defaults", "targets", "networks", "services", "capture", "storage", "hooks", "alerts",
        "log",
    ]

    let report: Report
    private(set) var explanations: [TargetID: [Explanation]] = [:]
    var values: ValueReader { ValueReader(report: report) }

    init(report: Report) { self.report = report }

    /// The configuration; to be used only where the report has no error.
    mutating func decode(_ root: YAMLNode) -> Configuration {
        var configuration = Configuration()
        guard let document = Section(root, "the configuration", keys: Self.keys, report: report) else {
            return configuration
        }
        if let node = document["site"], !node.isNull {
            configuration.site = values.text(node, "the name of this site") ?? ""
        }
        let targets = TargetDecoder(report: report, defaults: defaults(document))
        decodeDiscovery(document, targets, into: &configuration)
        let written = decodeTargets(document, targets, into: &configuration)

        let sections = SectionDecoder(report: report)
        configuration.networks = sections.networks(document)
        configuration.services = sections.services(document)
        configuration.capture = sections.capture(document)
        configuration.storage = sections.storage(document)
        configuration.hooks = sections.hooks(document)
        configuration.logLevel = sections.logLevel(document) ?? configuration.logLevel
        let rules = AlertDecoder(report: report).rules(document)
        configuration.rules = rules.map(\.rule)

        let references = CrossReferences(report: report, targets: written, hooks: configuration.hooks.map(\.name))
        references.check(rules: rules)
        return configuration
    }

    private func defaults(_ document: Section) -> Layer {
        guard let node = document["defaults"],
            let section = Section(node, "\"defaults\"", keys: Layer.keys, report: report)
        else { return Layer() }
        return LayerReader(report: report).layer(section, name: "defaults")
    }

    private mutating func decodeDiscovery(
        _ document: Section, _ targets: TargetDecoder, into configuration: inout Configuration
    ) {
        let kinds: [(key: String, kind: TargetKind)] = [
            ("gateways", .gateway), ("resolvers", .resolver), ("interfaces", .interface),
        ]
        let node = document["discovery"] ?? YAMLNode(content: .mapping([]), place: document.place)
        guard let section = Section(node, "\"discovery\"", keys: kinds.map(\.key), report: report) else { return }
        for (key, kind) in kinds {
            let found = targets.discovered(section[key], key: key, kind: kind)
            configuration.discoveredDefaults[kind] = found.defaults
            switch kind {
            case .gateway: configuration.discovery.gateways = found.isEnabled
            case .resolver: configuration.discovery.resolvers = found.isEnabled
            default: configuration.discovery.interfaces = found.isEnabled
            }
        }
    }

    private mutating func decodeTargets(
        _ document: Section, _ targets: TargetDecoder, into configuration: inout Configuration
    ) -> [WrittenTarget] {
        guard let node = document["targets"], !node.isNull else { return [] }
        guard case .mapping(let entries) = node.content else {
            report.error(
                node.place, "expected a map of targets, each under its id, found \(node.found)")
            return []
        }
        guard entries.count <= Self.maximumTargets else {
            report.error(node.place, "more than \(Self.maximumTargets) targets")
            return []
        }
        var written: [WrittenTarget] = []
        for entry in entries {
            guard let id = values.identifier(entry.key, at: entry.keyPlace, "a target's id") else { continue }
            guard id.rawValue != CrossReferences.gateway else {
                report.error(
                    entry.keyPlace, "\"\(id)\" stands for the default gateways; give the target another id")
                continue
            }
            let target = targets.target(entry, id: id)
            written.append(target)
            explanations[id] = target.explanations
            if let spec = target.spec { configuration.targets.append(spec) }
        }
        return written
    }
}
