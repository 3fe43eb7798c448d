// `${VAR}`, `${VAR:-default}` and `${file:PATH}` in values, after parsing: what is put in is never read as YAML.

/// Puts environment variables and files into the values of a document.
struct Substitution {
    /// Bytes of one `${file:…}`.
    static let maximumFileSize = 64 << 10
    /// Bytes put in altogether.
    static let maximumTotal = 4 << 20

    private let environment: [String: String]
    private let report: Report
    private var total = 0

    init(environment: [String: String], report: Report) {
        self.environment = environment
        self.report = report
    }

    /// The document with every value substituted; keys are left as they are. What cannot be put in is told and
    /// left out.
    mutating func apply(to node: YAMLNode) -> YAMLNode {
        var node = node
        switch node.content {
        case .scalar(var scalar):
            guard scalar.text.contains("$") else { return node }
            if let text = expand(scalar.text, at: node.place) {
                scalar.text = text
            } else {
                scalar.isBroken = true
            }
            node.content = .scalar(scalar)
        case .sequence(let items):
            var expanded: [YAMLNode] = []
            for item in items { expanded.append(apply(to: item)) }
            node.content = .sequence(expanded)
        case .mapping(let entries):
            var expanded: [YAMLNode.Entry] = []
            for entry in entries {
                expanded.append(.init(key: entry.key, keyPlace: entry.keyPlace, value: apply(to: entry.value)))
            }
            node.content = .mapping(expanded)
        }
        return node
    }

    private mutating func expand(_ text: String, at place: Place) -> String? {
        var result = ""
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                result += "$"
                rest.removeFirst()
            case "{":
                guard let close = rest.firstIndex(of: "}") else {
                    report.error(place, "\"${\" has no closing brace; write $$ for a dollar sign")
                    return nil
                }
                let reference = rest[rest.index(after: rest.startIndex)..<close]
                guard let value = value(of: reference, at: place) else { return nil }
                result += value
                rest = rest[rest.index(after: close)...]
            default:
                result += "$"
            }
        }
        return result + rest
    }

    private mutating func value(of reference: Substring, at place: Place) -> String? {
        let found =
            reference.hasPrefix("file:")
            ? contents(of: String(reference.dropFirst(5)), at: place) : variable(reference, at: place)
        guard let value = found else { return nil }
        total += value.utf8.count
        guard total <= Self.maximumTotal else {
            report.error(place, "more than \(Quantity.text(bytes: Int64(Self.maximumTotal))) put in by \"${…}\"")
            return nil
        }
        return value
    }

    /// The shell's rules: the text after `:-` stands for a variable that is not set or empty.
    private func variable(_ reference: Substring, at place: Place) -> String? {
        var name = reference
        var fallback: Substring?
        if let colon = reference.firstIndex(of: ":"), reference[colon...].hasPrefix(":-") {
            name = reference[..<colon]
            fallback = reference[colon...].dropFirst(2)
        }
        guard Self.isVariableName(name) else {
            report.error(
                place,
                "\(Quantity.quoted("${\(reference)}")) is not ${VAR}, ${VAR:-default} or ${file:PATH};"
                    + " write $$ for a dollar sign")
            return nil
        }
        let value = environment[String(name)]
        if let fallback { return value.flatMap { $0.isEmpty ? nil : $0 } ?? String(fallback) }
        if value == nil {
            report.error(
                place, "the environment variable \(name) is not set; ${\(name):-default} gives it a default")
        }
        return value
    }

    static func isVariableName(_ name: some StringProtocol) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first), name.utf8.count <= 128 else { return false }
        return name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95
        }
    }

    /// A relative path is taken from systemd's credentials directory where there is one (systemd.exec(5)), else
    /// from beside the configuration file.
    private func contents(of path: String, at place: Place) -> String? {
        let shown = Quantity.quoted(path)
        guard !path.isEmpty else {
            report.error(place, "\"${file:}\" names no file")
            return nil
        }
        let base = environment["CREDENTIALS_DIRECTORY"] ?? Path.directory(of: place.file)
        let resolved = path.hasPrefix("/") ? path : base + "/" + path
        do {
            let bytes = try BoundedFile.read(resolved, limit: Self.maximumFileSize)
            guard var text = String(validating: bytes, as: UTF8.self) else {
                report.error(place, "the file \(shown) is not UTF-8")
                return nil
            }
            if text.hasSuffix("\n") || text.hasSuffix("\r\n") { text.removeLast() }
            return text
        } catch {
            report.error(place, "cannot read the file \(shown): \(error.clause)")
            return nil
        }
    }
}

/// Paths as text.
enum Path {
    /// The directory of a file: `.` for a bare name, `/` for a file in the root.
    static func directory(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}
