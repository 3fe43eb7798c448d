// conf.d: several files make one document.

/// Lays documents over each other in order.
struct Merging {
    /// Sections whose entries are things of their own; each is written once.
    private static let collections: Set<String> = ["targets", "networks", "services", "hooks"]
    private static let singular = [
        "targets": "target", "networks": "network", "services": "service", "hooks": "hook",
    ]

    let report: Report

    /// Maps merge key by key, the later file's settings win, `alerts` are joined, and a target, network, service or
    /// hook that is in both files is an error that names both places.
    func merge(_ base: YAMLNode, _ overlay: YAMLNode) -> YAMLNode { merge(base, overlay, path: []) }

    private func merge(_ base: YAMLNode, _ overlay: YAMLNode, path: [String]) -> YAMLNode {
        if overlay.isNull { return base }
        switch (base.content, overlay.content) {
        case (.mapping(let below), .mapping(let above)):
            return YAMLNode(content: .mapping(merge(below, above, path: path)), place: base.place)
        case (.sequence(let below), .sequence(let above)) where path == ["alerts"]:
            return YAMLNode(content: .sequence(below + above), place: base.place)
        default: return overlay
        }
    }

    private func merge(
        _ below: [YAMLNode.Entry], _ above: [YAMLNode.Entry], path: [String]
    ) -> [YAMLNode.Entry] {
        var result = below
        var positions: [String: Int] = [:]
        for (index, entry) in below.enumerated() { positions[entry.key] = index }
        for entry in above {
            guard let position = positions[entry.key] else {
                positions[entry.key] = result.count
                result.append(entry)
                continue
            }
            if path.count == 1, let section = path.first, Self.collections.contains(section) {
                let noun = Self.singular[section] ?? section
                let first = result[position].keyPlace
                report.error(
                    entry.keyPlace,
                    "the \(noun) \(Quantity.quoted(entry.key)) is already defined at \(first.text)")
                continue
            }
            let merged = merge(result[position].value, entry.value, path: path + [entry.key])
            result[position] = .init(key: entry.key, keyPlace: entry.keyPlace, value: merged)
        }
        return result
    }
}
