// Alert rules: when, how often, for how long, to whom.

internal import Model

/// A rule with the places that references to other sections are told at.
struct WrittenRule {
    /// A name or a pattern, and where it is written.
    struct Reference {
        var text: String
        var place: Place
    }

    var rule: AlertRule
    var hooks: [Reference]
    var targets: [Reference]
}

/// Reads `alerts`.
struct AlertDecoder {
    private static let keys = ["name", "when", "rounds", "hold", "severity", "hooks", "targets", "kinds"]
    private static let maximumRules = 200

    let report: Report
    private var values: ValueReader { ValueReader(report: report) }

    init(report: Report) { self.report = report }

    func rules(_ document: Section) -> [WrittenRule] {
        guard let node = document["alerts"], !node.isNull else { return [] }
        guard case .sequence(let items) = node.content else {
            report.error(
                node.place, "expected a list of alert rules, each beginning with \"- name:\", found \(node.found)")
            return []
        }
        guard items.count <= Self.maximumRules else {
            report.error(node.place, "more than \(Self.maximumRules) alert rules")
            return []
        }
        var places: [String: Place] = [:]
        var rules: [WrittenRule] = []
        for item in items {
            guard let (rule, place) = self.rule(item) else { continue }
            if let first = places[rule.rule.name] {
                report.error(place, "the alert rule \"\(rule.rule.name)\" is already defined at \(first.text)")
                continue
            }
            places[rule.rule.name] = place
            rules.append(rule)
        }
        return rules
    }

    private func rule(_ item: YAMLNode) -> (WrittenRule, Place)? {
        guard let section = Section(item, "an alert rule", keys: Self.keys, report: report) else { return nil }
        let condition = self.condition(section)
        let count = section["rounds"].map { self.rounds($0) ?? Rounds() } ?? Rounds()
        let hold = section["hold"].map { values.duration($0, .zero...(.seconds(86_400))) } ?? .zero
        let severity = section["severity"].map { values.choice($0, Severity.self) } ?? .critical
        let hooks = references(section["hooks"], "a list of hooks")
        let targets = references(section["targets"], "a list of target ids or patterns")
        let kinds = section["kinds"].map { values.list($0, "a list of kinds") } ?? []
        let known = kinds.compactMap { values.choice($0, TargetKind.self) }
        if case .state? = condition, let node = section["rounds"] {
            report.error(
                node.place, "\"rounds\" has no effect on a rule on state; down_after and up_after of the target do")
        }
        guard let node = section["name"] else {
            if section.isMisspelt("name") { return nil }
            report.error(item.place, "an alert rule needs a \"name\"")
            return nil
        }
        guard let scalar = values.scalar(node, "the name of an alert rule"),
            let name = values.identifier(scalar.text, at: node.place, "the name of an alert rule"),
            let condition, let hold, let severity
        else { return nil }
        let rule = AlertRule(
            name: name.rawValue, condition: condition, needed: count.needed, of: count.of, hold: hold,
            severity: severity,
            hooks: hooks.map(\.text), targets: targets.map(\.text), kinds: known)
        return (WrittenRule(rule: rule, hooks: hooks, targets: targets), node.place)
    }

    private func references(_ node: YAMLNode?, _ expected: String) -> [WrittenRule.Reference] {
        guard let node else { return [] }
        return values.list(node, expected, limit: 100).compactMap { item in
            values.text(item, expected, limit: 128).map { WrittenRule.Reference(text: $0, place: item.place) }
        }
    }

    private struct Rounds {
        var needed = 1
        var of = 1
    }

    /// `3 of 5`, or `3` for 3 of 3.
    private func rounds(_ node: YAMLNode) -> Rounds? {
        let expected = "rounds such as \"3 of 5\""
        guard let scalar = values.scalar(node, expected) else { return nil }
        let words = scalar.text.split(separator: " ")
        let numbers =
            words.count == 3 && words[1] == "of" ? [words[0], words[2]] : words.count == 1 ? [words[0], words[0]] : []
        let counts = numbers.compactMap { $0.utf8.count <= 6 ? Int($0) : nil }
        guard counts.count == 2 else {
            report.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        guard counts[0] >= 1, counts[0] <= counts[1], counts[1] <= 1_000 else {
            report.error(
                node.place, "\(node.found) cannot be: at least 1, at most as many as there are, and those at most 1000")
            return nil
        }
        return Rounds(needed: counts[0], of: counts[1])
    }

    // MARK: Conditions

    private func condition(_ section: Section) -> AlertRule.Condition? {
        let forms = "\"state: down\", \"loss: {above: 5%}\" or \"rtt: {above: 200ms}\""
        guard let node = section["when"] else {
            if section.isMisspelt("when") { return nil }
            report.error(section.place, "an alert rule needs a \"when\" such as \(forms)")
            return nil
        }
        guard let when = Section(node, "\"when\"", keys: ["state", "loss", "rtt"], report: report) else { return nil }
        let written = ["state", "loss", "rtt"].filter { when[$0] != nil }
        if written.isEmpty, ["state", "loss", "rtt"].contains(where: { when.isMisspelt($0) }) { return nil }
        guard written.count == 1, let word = written.first, let value = when[word] else {
            report.error(node.place, "\"when\" holds one of \(forms)")
            return nil
        }
        switch word {
        case "state": return state(value)
        case "loss": return loss(value)
        default: return rtt(value)
        }
    }

    private func state(_ node: YAMLNode) -> AlertRule.Condition? {
        guard let word = values.choice(node, of: ["down", "degraded", "unknown"]) else { return nil }
        return TargetState(rawValue: word).map { .state($0) }
    }

    private func loss(_ node: YAMLNode) -> AlertRule.Condition? {
        guard let (above, clear) = thresholds(node, "loss", extra: [], values.share).thresholds else { return nil }
        // Without a gap between the two, a loss that wavers about the threshold opens and closes without end.
        let low = clear ?? above * 4 / 5
        guard low <= above else {
            report.error(node.place, "\"clear\" must not be greater than \"above\"")
            return nil
        }
        return .loss(above: above, clear: low)
    }

    private func rtt(_ node: YAMLNode) -> AlertRule.Condition? {
        let read = thresholds(node, "rtt", extra: ["percentile"]) {
            values.duration($0, LayerReader.rtts, unit: .milliseconds)
        }
        let percentile = read.section?["percentile"].map { self.percentile($0) } ?? 95
        guard let (above, clear) = read.thresholds, let percentile else { return nil }
        let low = clear ?? .nanoseconds(above.clampedNanoseconds / 5 * 4)
        guard low <= above else {
            report.error(node.place, "\"clear\" must not be greater than \"above\"")
            return nil
        }
        return .rtt(percentile: percentile, above: above, clear: low)
    }

    private func thresholds<Value>(
        _ node: YAMLNode, _ word: String, extra: [String], _ read: (YAMLNode) -> Value?
    ) -> (section: Section?, thresholds: (above: Value, clear: Value?)?) {
        if case .scalar(let scalar) = node.content, !node.isNull {
            let example = word == "loss" ? "5%" : "200ms"
            let value = scalar.text.first?.isNumber == true ? Text.sanitised(scalar.shown) : example
            report.error(node.place, "expected a threshold — did you mean \"\(word): {above: \(value)}\"?")
            return (nil, nil)
        }
        guard let section = Section(node, "\"\(word)\"", keys: ["above", "clear"] + extra, report: report) else {
            return (nil, nil)
        }
        guard let node = section["above"] else {
            if section.isMisspelt("above") { return (section, nil) }
            report.error(section.place, "\"\(word)\" needs \"above\", the threshold of the alert")
            return (section, nil)
        }
        let above = read(node)
        let clear = section["clear"].map { read($0) } ?? .some(nil)
        guard let above, let clear else { return (section, nil) }
        return (section, (above, clear))
    }

    /// `p95`, `p99.9`.
    private func percentile(_ node: YAMLNode) -> Double? {
        let expected = "a percentile such as p95"
        guard let scalar = values.scalar(node, expected) else { return nil }
        let digits = scalar.text.dropFirst()
        guard scalar.text.first == "p", digits.utf8.count <= 8,
            digits.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }), let value = Double(digits),
            value > 0, value <= 100
        else {
            report.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        return value
    }
}
