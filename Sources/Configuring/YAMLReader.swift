// YAML text → YAMLNode, with the bounds that Yams does not set: depth, size after aliases, duplicate keys told one by one.

internal import Yams

/// Reads one file. libyaml itself stops at 1,000 levels, which bounds the recursion in Yams to less than 2 MiB of stack.
struct YAMLReader {
    /// Levels of maps and lists.
    static let maximumDepth = 24
    /// Values of one file, with aliases counted as often as they are used.
    static let maximumNodes = 200_000
    /// Duplicate keys told at once.
    private static let maximumDuplicates = 32
    /// Private-use scalars stand in for the first letter of a duplicate key; see `compose`.
    private static let standIns: UInt32 = 0xF0000

    private let source: SourceText
    private let report: Report
    private var nodes = 0
    private var replaced: [Unicode.Scalar] = []

    /// The document, or nil after findings in `report`. An empty file is an empty mapping.
    static func read(_ source: SourceText, report: Report) -> YAMLNode? {
        var reader = YAMLReader(source: source, report: report)
        return reader.read()
    }

    private init(source: SourceText, report: Report) {
        self.source = source
        self.report = report
    }

    private mutating func read() -> YAMLNode? {
        let start = Place(file: source.file, line: 1, column: 1)
        guard keysAreSimple() else { return nil }
        switch compose() {
        case .failure: return nil
        case .success(nil): return YAMLNode(content: .mapping([]), place: start)
        case .success(let root?): return convert(root, depth: 0)
        }
    }

    private struct Refused: Error {}

    /// Yams refuses a document at its first duplicate key. To tell them all, the first letter of the earlier key is
    /// replaced by a private-use scalar, which keeps every mark in place, and the document is read again; `convert`
    /// puts the letter back and finds both keys.
    private mutating func compose() -> Result<Node?, Refused> {
        var source = source
        let canMark = !source.scalars.contains { $0.value >= Self.standIns }
        while true {
            do {
                return .success(try Yams.compose(yaml: source.text, .basic, .default, .utf8))
            } catch let error as YamlError {
                if case .duplicatedKeysInMapping(let keys, let context) = error {
                    let mark = context.mark
                    if canMark, replaced.count < Self.maximumDuplicates, hide(keyAt: mark, in: &source) { continue }
                    let names = keys.map { Quantity.quoted($0) }.joined(separator: ", ")
                    report.error(place(mark), "the key \(names) is written twice in this map")
                } else {
                    tell(error)
                }
                return .failure(Refused())
            } catch {
                report.error(Place(file: source.file, line: 1, column: 1), "cannot be read as YAML")
                return .failure(Refused())
            }
        }
    }

    private mutating func hide(keyAt mark: Mark, in source: inout SourceText) -> Bool {
        guard var index = source.index(line: mark.line, column: mark.column) else { return false }
        if source.scalars[index] == "\"" || source.scalars[index] == "'" { index += 1 }
        guard index < source.scalars.count, !"\"'\\&*!?\n".unicodeScalars.contains(source.scalars[index]),
            let standIn = Unicode.Scalar(Self.standIns + UInt32(replaced.count))
        else { return false }
        replaced.append(source.scalars[index])
        source.scalars[index] = standIn
        return true
    }

    private func restored(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, first.value >= Self.standIns,
            case let number = Int(first.value - Self.standIns), replaced.indices.contains(number)
        else { return text }
        return String(replaced[number]) + String(text.unicodeScalars.dropFirst())
    }

    // MARK: Refusals

    private func place(_ mark: Mark?) -> Place {
        Place(file: source.file, line: max(1, mark?.line ?? 1), column: max(1, mark?.column ?? 1))
    }

    private func tell(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let situation = context.map { " " + $0.text } ?? ""
            report.error(place(mark), sentence(problem, situation: situation))
        case .memory:
            report.error(place(nil), "out of memory")
        case .reader(let problem, _, _, _):
            report.error(place(nil), "not YAML: \(problem)")
        default:
            report.error(place(nil), "cannot be read as YAML")
        }
    }

    /// libyaml's words where they help, ours where they do not.
    private func sentence(_ problem: String, situation: String) -> String {
        switch problem {
        case "but found another document": return "a second document begins here; a file holds one"
        case "found undefined alias": return "this alias has no anchor before it"
        case "mapping values are not allowed in this context":
            return "not YAML: a key and its value cannot stand here; check the indentation and the quotes before it"
        case "could not find expected ':'": return "not YAML: a colon is missing after the key"
        case "did not find expected key": return "not YAML: no key where one is expected; check the indentation"
        case "found character that cannot start any token":
            return "not YAML: this character cannot begin a value; put the text in quotes"
        case _ where problem.hasPrefix("Maximum nesting level reached"):
            return "nested deeper than \(Self.maximumDepth) levels"
        default: return "not YAML: \(problem)\(situation)"
        }
    }

    /// Refuses aliases and flow collections as keys where anchors are in use: Yams hashes every key, and the hash of
    /// a nest of aliases costs time exponential in its size.
    private func keysAreSimple() -> Bool {
        let scalars = source.scalars
        var hasAnchor = false
        for (index, scalar) in scalars.enumerated() where scalar == "&" {
            guard index + 1 < scalars.count else { break }
            if isNameScalar(scalars[index + 1]) { hasAnchor = true }
        }
        guard hasAnchor else { return true }
        for index in scalars.indices {
            guard isCollectionKey(at: index) else { continue }
            let line = scalars[..<index].count { $0 == "\n" }
            let place = Place(file: source.file, line: line + 1, column: index - source.lineStarts[line] + 1)
            report.error(place, "an alias, a list or a map cannot be a key")
            return false
        }
        return true
    }

    private func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_" || scalar == "-"
    }

    /// `? `, `*name :`, `] :` or `} :` at the index, comments and quotes not told apart.
    private func isCollectionKey(at index: Int) -> Bool {
        let scalars = source.scalars
        func isBlank(_ at: Int) -> Bool { at >= scalars.count || " \t\r\n".unicodeScalars.contains(scalars[at]) }
        let opens = index == 0 || " \t\n,[{".unicodeScalars.contains(scalars[index - 1])
        switch scalars[index] {
        case "?": return opens && isBlank(index + 1)
        case "*" where opens:
            let end = scalars[(index + 1)...].firstIndex { !isNameScalar($0) } ?? scalars.count
            let next = scalars[end...].first { $0 != " " && $0 != "\t" }
            return end > index + 1 && next == ":"
        case "]", "}":
            let next = scalars[(index + 1)...].firstIndex { $0 != " " && $0 != "\t" } ?? scalars.count
            return next < scalars.count && scalars[next] == ":"
        default: return false
        }
    }

    // MARK: Conversion

    private mutating func convert(_ node: Node, depth: Int) -> YAMLNode? {
        let place = place(node.mark)
        nodes += 1
        guard nodes <= Self.maximumNodes else {
            if nodes == Self.maximumNodes + 1 {
                report.error(place, "more than \(Self.maximumNodes) values, with aliases counted where they are used")
            }
            return nil
        }
        guard depth <= Self.maximumDepth else {
            report.error(place, "nested deeper than \(Self.maximumDepth) levels")
            return nil
        }
        let tag = node.tag.description
        if !tag.isEmpty, !["tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"].contains(tag) {
            report.error(place, "the tag \(Quantity.quoted(tag)) has no use here; write the value without it")
        }
        switch node {
        case .scalar(let scalar):
            let text = restored(scalar.string)
            return YAMLNode(
                content: .scalar(.init(text: text, shown: text, isPlain: scalar.style == .plain)), place: place)
        case .sequence(let sequence):
            var items: [YAMLNode] = []
            for item in sequence {
                guard let item = convert(item, depth: depth + 1) else { return nil }
                items.append(item)
            }
            return YAMLNode(content: .sequence(items), place: place)
        case .mapping(let mapping):
            return convert(mapping, place: place, depth: depth)
        case .alias:
            report.error(place, "this alias cannot be resolved")
            return nil
        }
    }

    private mutating func convert(_ mapping: Node.Mapping, place: Place, depth: Int) -> YAMLNode? {
        var entries: [YAMLNode.Entry] = []
        var places: [String: Place] = [:]
        for (key, value) in mapping {
            let keyPlace = self.place(key.mark)
            guard case .scalar(let scalar) = key else {
                report.error(keyPlace, "a list or a map cannot be a key")
                continue
            }
            let name = restored(scalar.string)
            guard let value = convert(value, depth: depth + 1) else { return nil }
            if name == "<<" {
                report.error(keyPlace, "merge keys (<<) are not read; put what targets share under \"defaults\"")
                continue
            }
            // Marks are in the order of the text, so the earlier place is the one already known.
            if let first = places[name] {
                report.error(
                    keyPlace,
                    "the key \(Quantity.quoted(name)) is written twice in this map; the first is at line \(first.line)")
                continue
            }
            places[name] = keyPlace
            entries.append(.init(key: name, keyPlace: keyPlace, value: value))
        }
        return YAMLNode(content: .mapping(entries), place: place)
    }
}
