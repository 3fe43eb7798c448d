// A map with a known set of keys.

/// A map of the document being read: strict about its keys.
struct Section {
    let place: Place
    private var entries: [String: YAMLNode.Entry] = [:]
    /// Keys that an unknown key was most likely meant to be.
    private var misspelt: Set<String> = []

    /// Tells every key that is not in `keys`, with the nearest one that is; fails where there is no map at all.
    /// Nothing stands for an empty map.
    ///
    /// - Parameter what: Completes "unknown key … in" and "expected": `a target`, `"capture"`.
    init?(_ node: YAMLNode, _ what: String, keys: [String], report: Report) {
        place = node.place
        if node.isNull { return }
        guard case .mapping(let entries) = node.content else {
            report.error(node.place, "expected a map of settings for \(what), found \(node.found)")
            return nil
        }
        for entry in entries {
            if keys.contains(entry.key) {
                self.entries[entry.key] = entry
            } else {
                let near = Suggestion.nearest(to: entry.key, among: keys)
                if let near { misspelt.insert(near) }
                let clause =
                    near.map { " — did you mean \"\($0)\"?" } ?? "; the keys are " + keys.joined(separator: ", ")
                report.error(entry.keyPlace, "unknown key \(Quantity.quoted(entry.key)) in \(what)\(clause)")
            }
        }
    }

    /// The value of a key; nil where it is not written.
    subscript(_ key: String) -> YAMLNode? { entries[key]?.value }

    /// Whether the key is missing only because it is misspelt, which is already told.
    func isMisspelt(_ key: String) -> Bool { misspelt.contains(key) }

    /// The entry of a key with the key's own place; nil where it is not written.
    func entry(_ key: String) -> YAMLNode.Entry? { entries[key] }
}

/// A value with the place it came from.
struct Sourced<Value> {
    var value: Value
    var origin: Origin
}

extension Sourced: Equatable where Value: Equatable {}

/// Where an effective value came from.
enum Origin: Hashable, Sendable {
    case builtIn
    /// `layer` is how people name it: `defaults`, `target`, `probe`.
    case written(Place, layer: String)

    var place: Place? {
        if case .written(let place, _) = self { place } else { nil }
    }

    var text: String {
        switch self {
        case .builtIn: "built in"
        case .written(let place, let layer): "\(place.text) (\(layer))"
        }
    }
}

/// One effective value of a target, for `taut config explain`.
struct Explanation: Hashable, Sendable {
    var key: String
    var value: String
    var origin: Origin
}
