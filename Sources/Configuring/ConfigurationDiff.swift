// What changed between two configurations: for the log of a reload and for `taut config diff`.

public import Model

/// The differences of two configurations, in a fixed order: settings, targets, networks, services, hooks, alert rules.
///
/// Values of a hook's environment are never part of it, since they may be secrets; their names are.
public struct ConfigurationDiff: Hashable, Sendable {
    /// One thing that was added, removed or changed.
    public struct Change: Hashable, Sendable, CustomStringConvertible {
        public enum Kind: String, Hashable, Sendable, CaseIterable {
            case added, removed, changed
        }

        public var kind: Kind
        /// What it is: `target`, `network`, `service`, `hook`, `alert rule`, `setting`.
        public var noun: String
        /// Its id or name.
        public var name: String
        /// For `changed`, what differs: `interval of icmp: 10s → 5s`. Never empty there.
        public var details: [String]

        /// One line: `target "vpn-west" changed: address: 192.0.2.1 → 192.0.2.2; title: West → VPN west`.
        public var description: String {
            let head = "\(noun) \"\(name)\" \(kind.rawValue)"
            return details.isEmpty ? head : head + ": " + details.joined(separator: "; ")
        }
    }

    public var changes: [Change]

    public var isEmpty: Bool { changes.isEmpty }

    /// One line a change, free of control characters.
    public var lines: [String] { changes.map(\.description) }

    /// The changes that lead from one configuration to another; none where both are equal but for the order of
    /// targets, networks, services and hooks, which means nothing.
    public init(from old: Configuration, to new: Configuration) {
        changes = Self.settings(old, new)
        changes += Self.compare(old.targets, new.targets, "target", key: \.id.rawValue, Description.target)
        changes += Self.compare(old.networks, new.networks, "network", key: \.name, Description.network)
        changes += Self.compare(old.services, new.services, "service", key: \.name, Description.service)
        changes += Self.compare(old.hooks, new.hooks, "hook", key: \.name, Description.hook)
        changes += Self.compare(old.rules, new.rules, "alert rule", key: \.name, Description.rule)
        if changes.isEmpty, old.rules != new.rules {
            let order = new.rules.map(\.name).joined(separator: ", ")
            changes = [Change(kind: .changed, noun: "setting", name: "alerts", details: ["the order is now \(order)"])]
        }
    }

    private static func settings(_ old: Configuration, _ new: Configuration) -> [Change] {
        let before = Description.settings(old)
        let after = Description.settings(new)
        return zip(before, after).compactMap { old, new in
            old.value == new.value
                ? nil
                : Change(
                    kind: .changed, noun: "setting", name: old.key, details: ["\(old.value) → \(new.value)"])
        }
    }

    private static func compare<Element: Hashable>(
        _ old: [Element], _ new: [Element], _ noun: String, key: (Element) -> String,
        _ describe: (Element) -> [Description.Field]
    ) -> [Change] {
        let before = Dictionary(old.map { (key($0), $0) }) { first, _ in first }
        let after = Dictionary(new.map { (key($0), $0) }) { first, _ in first }
        let names = Set(before.keys).union(after.keys).sorted()
        return names.compactMap { name in
            switch (before[name], after[name]) {
            case (nil, _): return Change(kind: .added, noun: noun, name: name, details: [])
            case (_, nil): return Change(kind: .removed, noun: noun, name: name, details: [])
            case (let old?, let new?):
                guard old != new else { return nil }
                return Change(
                    kind: .changed, noun: noun, name: name, details: details(describe(old), describe(new)))
            }
        }
    }

    private static func details(_ old: [Description.Field], _ new: [Description.Field]) -> [String] {
        let before = Dictionary(old.map { ($0.key, $0.value) }) { first, _ in first }
        let after = Dictionary(new.map { ($0.key, $0.value) }) { first, _ in first }
        var keys = old.map(\.key)
        keys += new.map(\.key).filter { before[$0] == nil }
        // A probe that came or went is one word; its settings are not.
        let probes = Set(
            keys.filter { $0.hasPrefix(Description.probePrefix) && (before[$0] == nil) != (after[$0] == nil) })
        let found = keys.compactMap { key -> String? in
            let (was, now) = (before[key], after[key])
            if probes.contains(key) { return "\(key) \(was == nil ? "added" : "removed")" }
            guard was != now else { return nil }
            if let owner = key.firstRange(of: " of ").map({ Description.probePrefix + key[$0.upperBound...] }),
                probes.contains(owner)
            {
                return nil
            }
            return "\(key): \(was ?? "none") → \(now ?? "none")"
        }
        // What is not described, such as the value of a variable, has changed all the same.
        return found.isEmpty ? ["values that are not shown"] : found
    }
}
