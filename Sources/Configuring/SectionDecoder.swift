// The sections that stand by themselves: networks, services, capture, storage, hooks, log.

internal import Model
internal import Wire

/// Reads the sections that inherit nothing.
struct SectionDecoder {
    private static let maximumEntries = 1_000
    private static let day: Duration = .seconds(86_400)

    let report: Report
    private var values: ValueReader { ValueReader(report: report) }

    init(report: Report) { self.report = report }

    /// The entries of a map of named things.
    private func named(_ document: Section, _ key: String, _ noun: String) -> [YAMLNode.Entry] {
        guard let node = document[key], !node.isNull else { return [] }
        guard case .mapping(let entries) = node.content else {
            report.error(node.place, "expected a map of \(key), each under its name, found \(node.found)")
            return []
        }
        guard entries.count <= Self.maximumEntries else {
            report.error(node.place, "more than \(Self.maximumEntries) \(key)")
            return []
        }
        return entries.filter { values.identifier($0.key, at: $0.keyPlace, "the name of a \(noun)") != nil }
    }

    // MARK: Networks and services

    func networks(_ document: Section) -> [NetworkSpec] {
        var owners: [IPPrefix: (name: String, place: Place)] = [:]
        return named(document, "networks", "network").map { entry in
            var prefixes: [IPPrefix] = []
            let items = values.list(entry.value, "a list of address prefixes")
            if items.isEmpty, !entry.value.isMap {
                report.error(entry.keyPlace, "the network \"\(entry.key)\" has no prefix")
            }
            for item in items {
                guard let prefix = values.prefix(item) else { continue }
                if let owner = owners[prefix] {
                    report.error(
                        item.place,
                        "the prefix \(prefix) is already in the network \"\(owner.name)\" at \(owner.place.text)")
                    continue
                }
                owners[prefix] = (entry.key, item.place)
                prefixes.append(prefix)
            }
            return NetworkSpec(name: entry.key, prefixes: prefixes)
        }
    }

    func services(_ document: Section) -> [ServiceSpec] {
        named(document, "services", "service").compactMap { entry in
            let keys = ["names", "prefixes", "ports"]
            guard let section = Section(entry.value, "a service", keys: keys, report: report) else { return nil }
            var service = ServiceSpec(name: entry.key)
            let reader = AddressReader(report: report)
            for node in section["names"].map({ values.list($0, "a list of DNS names") }) ?? [] {
                guard let scalar = values.scalar(node, "a DNS name such as *.example.com") else { continue }
                if let name = reader.hostName(scalar.text, node: node, wildcard: true) { service.names.append(name) }
            }
            for node in section["prefixes"].map({ values.list($0, "a list of address prefixes") }) ?? [] {
                if let prefix = values.prefix(node) { service.prefixes.append(prefix) }
            }
            for node in section["ports"].map({ values.list($0, "a list of ports") }) ?? [] {
                if let port = values.port(node) { service.ports.append(port) }
            }
            let isMisspelt = section.isMisspelt("names") || section.isMisspelt("prefixes")
            if section["names"] == nil, section["prefixes"] == nil, !isMisspelt {
                report.error(
                    entry.keyPlace, "the service \"\(entry.key)\" needs \"names\" or \"prefixes\" to be known by")
            }
            return service
        }
    }

    // MARK: Capture

    func capture(_ document: Section) -> CaptureSettings {
        var settings = CaptureSettings()
        let keys = [
            "enabled", "interfaces", "filter", "snap_length", "ring_size", "interval", "max_flows", "peer_prefix",
            "keep_names", "shed",
        ]
        guard let node = document["capture"], let section = Section(node, "\"capture\"", keys: keys, report: report)
        else { return settings }
        set(&settings.isEnabled, section["enabled"]) { values.boolean($0) }
        set(&settings.interfaces, section["interfaces"]) { captureInterfaces($0) }
        set(&settings.filter, section["filter"]) { values.text($0, "a pcap filter", limit: 4_096).map { .some($0) } }
        set(&settings.snapLength, section["snap_length"]) { node in
            values.integer(node, 64...65_535, "a number of bytes")
        }
        set(&settings.ringSize, section["ring_size"]) { values.size($0, 64 << 10...1 << 30).map { Int($0) } }
        set(&settings.interval, section["interval"]) { values.duration($0, .seconds(1)...(.seconds(3_600))) }
        set(&settings.maxFlows, section["max_flows"]) { values.integer($0, 64...4_194_304, "a number of flows") }
        set(&settings.keepsNames, section["keep_names"]) { values.boolean($0) }
        set(&settings.shed, section["shed"]) { values.choice($0, CaptureSettings.Shedding.self) }
        if let node = section["peer_prefix"],
            let lengths = Section(node, "\"peer_prefix\"", keys: ["ipv4", "ipv6"], report: report)
        {
            set(&settings.peerPrefix4, lengths["ipv4"]) { values.integer($0, 0...32, "a prefix length") }
            set(&settings.peerPrefix6, lengths["ipv6"]) { values.integer($0, 0...128, "a prefix length") }
        }
        return settings
    }

    private func captureInterfaces(_ node: YAMLNode) -> [String]? {
        if node.isMap {
            report.error(node.place, "expected a list of network interfaces, found a map")
            return nil
        }
        let items = values.list(node, "a list of network interfaces", limit: 64)
        let names = items.compactMap { values.interfaceName($0) }
        if items.isEmpty {
            report.error(node.place, "no interface to capture on; write [any], or \"enabled: false\"")
            return nil
        }
        if names.contains("any"), names.count > 1 {
            report.error(node.place, "\"any\" already holds every interface; every packet would count twice")
            return nil
        }
        if Set(names).count < names.count {
            report.error(node.place, "an interface is listed twice; every packet would count twice")
            return nil
        }
        return names
    }

    private func set<Value>(_ value: inout Value, _ node: YAMLNode?, _ read: (YAMLNode) -> Value?) {
        if let node, let read = read(node) { value = read }
    }

    // MARK: Storage and log

    func storage(_ document: Section) -> StorageSettings {
        var settings = StorageSettings()
        let keys = ["max_size", "raw", "hours", "days", "commit_interval"]
        guard let node = document["storage"], let section = Section(node, "\"storage\"", keys: keys, report: report)
        else { return settings }
        let retention = Self.day...(Self.day * 36_500)
        set(&settings.maxSize, section["max_size"]) { values.size($0, 16 << 20...1 << 44, unit: .gibibytes) }
        set(&settings.rawRetention, section["raw"]) { values.duration($0, retention, unit: .days) }
        set(&settings.hourRetention, section["hours"]) { values.duration($0, retention, unit: .days) }
        set(&settings.dayRetention, section["days"]) { values.duration($0, retention, unit: .days) }
        set(&settings.commitInterval, section["commit_interval"]) { values.duration($0, .seconds(1)...(.seconds(300))) }
        if settings.hourRetention < settings.rawRetention, let place = (section["hours"] ?? section["raw"])?.place {
            report.error(
                place,
                "hourly figures would be kept for \(Quantity.text(settings.hourRetention)), shorter than the raw ones"
                    + " they are made from (\(Quantity.text(settings.rawRetention)))")
        }
        if settings.dayRetention < settings.hourRetention, let place = (section["days"] ?? section["hours"])?.place {
            report.error(
                place,
                "daily figures would be kept for \(Quantity.text(settings.dayRetention)), shorter than the hourly ones"
                    + " (\(Quantity.text(settings.hourRetention)))")
        }
        return settings
    }

    func logLevel(_ document: Section) -> String? {
        guard let node = document["log"], let section = Section(node, "\"log\"", keys: ["level"], report: report),
            let level = section["level"]
        else { return nil }
        return values.choice(level, of: ["trace", "debug", "info", "notice", "warning", "error", "critical"])
    }

    // MARK: Hooks

    func hooks(_ document: Section) -> [HookSpec] {
        named(document, "hooks", "hook").compactMap { entry in
            let keys = ["command", "timeout", "attempts", "environment"]
            guard let section = Section(entry.value, "a hook", keys: keys, report: report) else { return nil }
            var hook = HookSpec(name: entry.key, command: [])
            set(&hook.timeout, section["timeout"]) { values.duration($0, .seconds(1)...(.seconds(600))) }
            set(&hook.attempts, section["attempts"]) { values.integer($0, 1...100) }
            set(&hook.environment, section["environment"]) { environment($0) }
            guard let node = section["command"] else {
                if section.isMisspelt("command") { return nil }
                report.error(entry.keyPlace, "the hook \"\(entry.key)\" has no command")
                return nil
            }
            guard let command = command(node) else { return nil }
            hook.command = command
            return hook
        }
    }

    private func command(_ node: YAMLNode) -> [String]? {
        let expected = "a command such as [/etc/tautline/hooks/mail, noc@example.net]"
        if case .scalar(let scalar) = node.content, scalar.text.contains(" ") {
            report.error(
                node.place, "no shell reads the command; write it as a list, an argument an entry: [program, argument]")
            return nil
        }
        let items = values.list(node, expected, limit: 64)
        var words: [String] = []
        for item in items {
            // An argument may be empty; the program may not.
            guard let scalar = values.scalar(item, words.isEmpty ? expected : "an argument") else { return nil }
            guard scalar.text.utf8.count <= 4_096, !scalar.text.utf8.contains(0) else {
                report.error(item.place, "expected an argument of at most 4096 bytes without a NUL character")
                return nil
            }
            words.append(scalar.text)
        }
        guard let program = words.first else {
            if node.isMap { return nil }
            report.error(node.place, "expected \(expected), found nothing")
            return nil
        }
        guard program.hasPrefix("/") else {
            report.error(
                items.first?.place ?? node.place, "the program of a hook is an absolute path, found \(shown(items))")
            return nil
        }
        return words
    }

    private func shown(_ items: [YAMLNode]) -> String { items.first?.found ?? "nothing" }

    private func environment(_ node: YAMLNode) -> [String: String]? {
        if node.isNull { return [:] }
        guard case .mapping(let entries) = node.content, entries.count <= 64 else {
            report.error(node.place, "expected a map of at most 64 variables, found \(node.found)")
            return nil
        }
        var environment: [String: String] = [:]
        for entry in entries {
            guard Substitution.isVariableName(entry.key) else {
                report.error(entry.keyPlace, "\(Quantity.quoted(entry.key)) cannot be the name of a variable")
                continue
            }
            guard !entry.key.hasPrefix("TAUTLINE_") else {
                report.error(entry.keyPlace, "variables named TAUTLINE_* are set by the daemon")
                continue
            }
            guard let scalar = values.scalar(entry.value, "the text of a variable") else { continue }
            guard scalar.text.utf8.count <= 64 << 10, !scalar.text.utf8.contains(0) else {
                report.error(entry.value.place, "expected a text of at most 64KiB without a NUL character")
                continue
            }
            environment[entry.key] = scalar.text
        }
        return environment
    }
}
