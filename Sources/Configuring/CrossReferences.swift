// References between the sections: parents, hooks of alert rules, targets of alert rules.

internal import Model

/// Checks that every name that is used is defined.
struct CrossReferences {
    /// As a parent, this stands for the default gateways, whatever their ids are on the host.
    static let gateway = "gateway"
    /// What the ids of discovered targets begin with; the rest is known only on the running host.
    private static let discovered = ["gateway:", "gateway6:", "resolver:", "interface:"]

    private let report: Report
    private let targets: [WrittenTarget]
    private let ids: [String]
    private let known: Set<String>
    private let hooks: [String]

    init(report: Report, targets: [WrittenTarget], hooks: [String]) {
        self.report = report
        self.targets = targets
        self.hooks = hooks
        ids = targets.map(\.id.rawValue)
        known = Set(ids)
    }

    func check(rules: [WrittenRule]) {
        checkParents()
        for rule in rules {
            for hook in rule.hooks where !hooks.contains(hook.text) {
                let clause =
                    hooks.isEmpty ? "; there is no \"hooks\" section" : Suggestion.clause(for: hook.text, among: hooks)
                report.error(
                    hook.place,
                    "the alert rule \"\(rule.rule.name)\" names the hook \(Quantity.quoted(hook.text)), which is not"
                        + " defined\(clause)")
            }
            for target in rule.targets { check(pattern: target.text, at: target.place, rule: rule.rule.name) }
        }
    }

    private func mayBeDiscovered(_ text: String) -> Bool {
        Self.discovered.contains { text.hasPrefix($0) && text != $0 }
    }

    private func check(pattern: String, at place: Place, rule: String) {
        if pattern.contains("*") {
            let start = String(pattern.prefix { $0 != "*" })
            let reachesDiscovered = Self.discovered.contains { $0.hasPrefix(start) || start.hasPrefix($0) }
            if !reachesDiscovered, !ids.contains(where: { Glob.matches(pattern, $0) }) {
                report.warning(
                    place, "no target matches \(Quantity.quoted(pattern)) of the alert rule \"\(rule)\"")
            }
            return
        }
        guard !known.contains(pattern), !mayBeDiscovered(pattern) else { return }
        let clause =
            pattern == Self.gateway
            ? "; \"gateway*\" matches the default gateways" : Suggestion.clause(for: pattern, among: ids)
        report.error(
            place,
            "the alert rule \"\(rule)\" names the target \(Quantity.quoted(pattern)), which is not defined\(clause)")
    }

    // MARK: Parents

    private func checkParents() {
        for target in targets {
            for parent in target.parents {
                if parent.id == target.id {
                    report.error(parent.place, "the target \"\(target.id)\" is its own parent")
                } else if !known.contains(parent.id.rawValue), parent.id.rawValue != Self.gateway,
                    !mayBeDiscovered(parent.id.rawValue)
                {
                    let clause = Suggestion.clause(for: parent.id.rawValue, among: ids + [Self.gateway])
                    report.error(
                        parent.place,
                        "the target \"\(target.id)\" names the parent \"\(parent.id)\", which is not defined\(clause)")
                }
            }
        }
        for circle in circles() {
            guard let first = circle.first, let target = targets.first(where: { $0.id == first }),
                let place = target.parents.first(where: { circle.contains($0.id) })?.place
            else { continue }
            let path = (circle + [first]).map(\.rawValue).joined(separator: " → ")
            report.error(place, "the parents of \"\(first)\" lead back to it: \(path)")
        }
    }

    /// One circle of each group of targets that are each other's ancestors, by a walk without recursion, since the
    /// chain may be as long as there are targets. A target that is its own parent is told elsewhere.
    private func circles() -> [[TargetID]] {
        var parents: [TargetID: [TargetID]] = [:]
        for target in targets { parents[target.id] = target.parents.map(\.id).filter { $0 != target.id } }
        var done: Set<TargetID> = []
        var found: [[TargetID]] = []
        for target in targets where !done.contains(target.id) {
            var path: [TargetID] = [target.id]
            var onPath: Set<TargetID> = [target.id]
            var next: [Int] = [0]
            while let current = path.last, let position = next.last {
                let candidates = parents[current] ?? []
                guard position < candidates.count else {
                    path.removeLast()
                    next.removeLast()
                    onPath.remove(current)
                    done.insert(current)
                    continue
                }
                next[next.count - 1] = position + 1
                let parent = candidates[position]
                if onPath.contains(parent) {
                    if let start = path.firstIndex(of: parent) { found.append(Array(path[start...])) }
                } else if !done.contains(parent) {
                    path.append(parent)
                    onPath.insert(parent)
                    next.append(0)
                }
            }
        }
        return found
    }
}

/// Patterns with `*` for any text, also none.
enum Glob {
    /// Linear in the product of the lengths; no recursion.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.utf8)
        let text = Array(text.utf8)
        var (p, t) = (0, 0)
        var star: Int?
        var mark = 0
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = p
                mark = t
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let star {
                p = star + 1
                mark += 1
                t = mark
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
