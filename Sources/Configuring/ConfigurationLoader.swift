// Files → one checked configuration, or every reason why not.

public import Model

/// What came of loading a configuration.
public struct LoadedConfiguration: Sendable {
    /// The configuration; nil where any finding is an error.
    public var configuration: Configuration?
    /// Every finding, in the order of the files, then of line and column.
    public var diagnostics: [Diagnostic]
    /// The files read, in the order in which they were merged.
    public var files: [String]
    /// Each target's effective values with their origin, for `explain`.
    var explanations: [TargetID: [Explanation]]

    /// Whether the configuration is refused.
    public var hasErrors: Bool { configuration == nil }

    /// The effective values of a written target, a line each with where it came from:
    /// `probes.icmp.interval  5s   /etc/tautline/tautline.yaml:31:15 (target)`.
    ///
    /// Sorted by key. nil where the configuration has no such target; targets that discovery finds are known to the
    /// running daemon only. Works for a configuration with errors too, as far as the target could be read.
    public func explain(target: TargetID) -> [String]? {
        guard let values = explanations[target] else { return nil }
        let keyWidth = values.map(\.key.count).max() ?? 0
        let valueWidth = values.map(\.value.count).max() ?? 0
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        return values.map { line in
            "\(padded(line.key, keyWidth))  \(padded(Text.sanitised(line.value), valueWidth))  \(line.origin.text)"
        }
    }
}

/// Reads `tautline.yaml` and `conf.d/*.yaml`.
///
/// Loading is total: whatever the files hold, the result is a configuration whose every value is in range and whose
/// every reference is resolved, or at least one error with its place. Nothing outside the named files, the
/// environment handed in and the files named by `${file:…}` is read, and nothing is written.
///
/// ```swift
/// let loaded = ConfigurationLoader.load(
///     file: "/etc/tautline/tautline.yaml", confDirectory: "/etc/tautline/conf.d",
///     environment: ProcessInfo.processInfo.environment)
/// for finding in loaded.diagnostics { print(finding) }
/// guard let configuration = loaded.configuration else { exit(78) }
/// ```
///
/// Bounds: 1 MiB a file, 256 files, 24 levels, 200,000 values with aliases counted where they are used, 64 KiB a
/// `${file:…}`, 10,000 targets. The YAML parser's recursion takes up to 2 MiB of stack, so call this from the main
/// thread or one with the usual 8 MiB.
public enum ConfigurationLoader {
    /// Files read from `conf.d`.
    static let maximumFiles = 256

    /// Loads a file and the directory of files that are merged over it.
    ///
    /// - Parameters:
    ///   - file: The main file; it must exist, and may be empty.
    ///   - confDirectory: Its files named `*.yaml` are merged over the main file in the order of their names; a
    ///     directory that does not exist is an empty one. nil: none.
    ///   - environment: Where `${VAR}` is looked up, and `CREDENTIALS_DIRECTORY` for `${file:…}`.
    public static func load(
        file: String, confDirectory: String?, environment: [String: String]
    ) -> LoadedConfiguration {
        let report = Report()
        var files = [file]
        if let confDirectory { files += dropIns(of: confDirectory, report: report) }
        var sources: [(file: String, bytes: [UInt8])] = []
        for file in files {
            do {
                sources.append((file, try BoundedFile.read(file, limit: SourceText.maximumLength)))
            } catch {
                report.error(Place(file: file, line: 1, column: 1), "cannot read the file: \(error.clause)")
            }
        }
        return load(sources, files: files, environment: environment, report: report)
    }

    /// Loads a configuration from text, as if it were the content of `file`.
    public static func load(
        text: String, file: String = "tautline.yaml", environment: [String: String] = [:]
    ) -> LoadedConfiguration {
        load([(file, Array(text.utf8))], files: [file], environment: environment, report: Report())
    }

    static func load(
        _ sources: [(file: String, bytes: [UInt8])], files: [String], environment: [String: String], report: Report
    ) -> LoadedConfiguration {
        var substitution = Substitution(environment: environment, report: report)
        let merging = Merging(report: report)
        var document: YAMLNode?
        for source in sources {
            guard let text = SourceText(file: source.file, bytes: source.bytes, report: report),
                let root = YAMLReader.read(text, report: report)
            else { continue }
            guard isMap(root, report: report) else { continue }
            let expanded = substitution.apply(to: root)
            document = document.map { merging.merge($0, expanded) } ?? expanded
        }
        var result = LoadedConfiguration(configuration: nil, diagnostics: [], files: files, explanations: [:])
        if let document {
            var decoder = ConfigurationDecoder(report: report)
            let configuration = decoder.decode(document)
            result.explanations = decoder.explanations
            if !report.hasErrors { result.configuration = configuration }
        }
        result.diagnostics = report.sorted(files: files)
        return result
    }

    private static func isMap(_ root: YAMLNode, report: Report) -> Bool {
        if root.isNull { return true }
        if case .mapping = root.content { return true }
        report.error(root.place, "expected a map of settings such as \"targets:\", found \(root.found)")
        return false
    }

    private static func dropIns(of directory: String, report: Report) -> [String] {
        let place = Place(file: directory, line: 1, column: 1)
        do {
            let names = try BoundedFile.names(in: directory) ?? []
            for name in names where name.hasSuffix(".yml") && !name.hasPrefix(".") {
                report.warning(
                    Place(file: directory + "/" + name, line: 1, column: 1),
                    "this file is not read; files here must be named *.yaml")
            }
            let matching = names.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }
            guard matching.count <= maximumFiles else {
                report.error(place, "more than \(maximumFiles) files")
                return []
            }
            return matching.map { directory + "/" + $0 }
        } catch {
            report.error(place, "cannot read the directory: \(error.clause)")
            return []
        }
    }
}
