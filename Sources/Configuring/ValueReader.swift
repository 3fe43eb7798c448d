// One value of the document → one checked value, or a sentence in the report.

internal import Model
internal import Wire

/// Reads single values. Every function returns nil after a finding.
struct ValueReader {
    let report: Report

    /// The text of a scalar; `expected` completes "expected …" where there is something else or nothing.
    func scalar(_ node: YAMLNode, _ expected: String) -> YAMLNode.Scalar? {
        guard case .scalar(let scalar) = node.content, !node.isNull else {
            report.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        return scalar.isBroken ? nil : scalar
    }

    /// Text of 1 to `limit` bytes without control characters.
    func text(_ node: YAMLNode, _ expected: String, limit: Int = 255) -> String? {
        guard let scalar = scalar(node, expected) else { return nil }
        let text = scalar.text
        guard !text.isEmpty else {
            report.error(node.place, "expected \(expected), found an empty text")
            return nil
        }
        guard text.utf8.count <= limit else {
            report.error(node.place, "expected \(expected) of at most \(limit) bytes, found \(text.utf8.count)")
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) }) else {
            report.error(node.place, "expected \(expected), found a control character in it")
            return nil
        }
        return text
    }

    func boolean(_ node: YAMLNode) -> Bool? {
        guard let scalar = scalar(node, "true or false") else { return nil }
        switch scalar.text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            let word = scalar.text.lowercased()
            let meant =
                ["yes", "on", "1", "y"].contains(word)
                ? "true" : ["no", "off", "0", "n"].contains(word) ? "false" : nil
            let clause = meant.map { " — did you mean \($0)?" } ?? ""
            report.error(node.place, "expected true or false, found \(node.found)\(clause)")
            return nil
        }
    }

    func integer(_ node: YAMLNode, _ range: ClosedRange<Int>, _ noun: String = "a whole number") -> Int? {
        let expected = "\(noun) from \(range.lowerBound) to \(range.upperBound)"
        guard let scalar = scalar(node, expected) else { return nil }
        guard scalar.text.utf8.count <= 20, let value = Int(scalar.text), range.contains(value) else {
            report.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        return value
    }

    func port(_ node: YAMLNode) -> UInt16? {
        integer(node, 1...65_535, "a port").flatMap { UInt16(exactly: $0) }
    }

    /// - Parameter unit: The likely one, for the suggestion where it is missing.
    func duration(
        _ node: YAMLNode, _ range: ClosedRange<Duration>, unit: Quantity.LikelyUnit = .seconds
    ) -> Duration? {
        guard let scalar = scalar(node, "a duration such as \(unit.example)") else { return nil }
        return quantity(node, scalar, { text throws(Quantity.Refusal) in try Quantity.duration(text, unit: unit) })
            .flatMap { value in
                guard range.contains(value) else {
                    let low = Quantity.text(range.lowerBound)
                    let high = Quantity.text(range.upperBound)
                    report.error(node.place, "expected a duration from \(low) to \(high), found \(node.found)")
                    return nil
                }
                return value
            }
    }

    func size(_ node: YAMLNode, _ range: ClosedRange<Int64>, unit: Quantity.LikelyUnit = .mebibytes) -> Int64? {
        guard let scalar = scalar(node, "a size such as \(unit.example)") else { return nil }
        return quantity(node, scalar, { text throws(Quantity.Refusal) in try Quantity.size(text, unit: unit) })
            .flatMap { value in
                guard range.contains(value) else {
                    let low = Quantity.text(bytes: range.lowerBound)
                    let high = Quantity.text(bytes: range.upperBound)
                    report.error(node.place, "expected a size from \(low) to \(high), found \(node.found)")
                    return nil
                }
                return value
            }
    }

    /// A share of 0...1 from a percentage.
    func share(_ node: YAMLNode) -> Double? {
        guard let scalar = scalar(node, "a percentage such as 5%") else { return nil }
        return quantity(node, scalar, Quantity.share)
    }

    private func quantity<Value>(
        _ node: YAMLNode, _ scalar: YAMLNode.Scalar, _ read: (String) throws(Quantity.Refusal) -> Value
    ) -> Value? {
        do {
            return try read(scalar.text)
        } catch {
            // A sentence quotes what it read; where that came from a file or the environment, the reference is shown.
            let sentence =
                scalar.text == scalar.shown
                ? error.sentence : "\(node.found) does not hold a value of the expected kind"
            report.error(node.place, sentence)
            return nil
        }
    }

    /// One of the raw values of an enumeration.
    func choice<Choice>(_ node: YAMLNode, _ type: Choice.Type) -> Choice?
    where Choice: RawRepresentable & CaseIterable, Choice.RawValue == String {
        guard let word = choice(node, of: Choice.allCases.map(\.rawValue)) else { return nil }
        return Choice(rawValue: word)
    }

    func choice(_ node: YAMLNode, of words: [String]) -> String? {
        let expected = "one of " + words.joined(separator: ", ")
        guard let scalar = scalar(node, expected) else { return nil }
        guard words.contains(scalar.text) else {
            let clause = Suggestion.clause(for: scalar.shown, among: words)
            report.error(node.place, "expected \(expected), found \(node.found)\(clause)")
            return nil
        }
        return scalar.text
    }

    /// The items of a list; a single value stands for a list of one.
    func list(_ node: YAMLNode, _ expected: String, limit: Int = 1_000) -> [YAMLNode] {
        switch node.content {
        case .sequence(let items):
            guard items.count <= limit else {
                report.error(node.place, "expected \(expected) of at most \(limit) entries, found \(items.count)")
                return []
            }
            return items
        case .scalar where !node.isNull: return [node]
        case .scalar: return []
        case .mapping:
            report.error(node.place, "expected \(expected), found a map")
            return []
        }
    }

    /// A name of 1 to 64 letters, digits and `. _ : -`, as the ids of targets are.
    func identifier(_ text: String, at place: Place, _ noun: String) -> TargetID? {
        guard let id = TargetID(rawValue: text) else {
            let wellFormed = TargetID(sanitising: text).rawValue
            let clause = wellFormed == "x" ? "" : " — did you mean \"\(wellFormed)\"?"
            report.error(
                place,
                "\(Quantity.quoted(text)) cannot be \(noun): 1 to 64 of a-z 0-9 . _ : - with a letter or digit first"
                    + clause)
            return nil
        }
        return id
    }

    /// An interface name as the kernel allows it (IFNAMSIZ): 1 to 15 bytes without `/` and blanks.
    func interfaceName(_ node: YAMLNode) -> String? {
        guard let name = text(node, "the name of a network interface") else { return nil }
        let allowed = name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2F && $0 != 0x7F && $0 != 0x25 }
        guard name.utf8.count <= 15, allowed, name != ".", name != ".." else {
            report.error(node.place, "\(node.found) cannot be the name of a network interface")
            return nil
        }
        return name
    }

    func prefix(_ node: YAMLNode) -> IPPrefix? {
        let expected = "an address prefix such as 10.8.0.0/16"
        guard let scalar = scalar(node, expected) else { return nil }
        guard let prefix = IPPrefix(scalar.text) else {
            report.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        if let slash = scalar.text.firstIndex(of: "/"), let written = IPAddress(scalar.text[..<slash]),
            written != prefix.address
        {
            report.error(
                node.place, "\(node.found) has bits set behind the first \(prefix.length) — did you mean \(prefix)?")
            return nil
        }
        return prefix
    }
}
