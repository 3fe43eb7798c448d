// What is wrong with a configuration, and where.

/// A place in a configuration file.
struct Place: Hashable, Sendable {
    /// The path as it was given or found.
    var file: String
    /// Counts from 1.
    var line: Int
    /// Counts Unicode scalars from 1.
    var column: Int

    var text: String { "\(file):\(line):\(column)" }
}

/// One finding in a configuration: a place and a sentence that says what is wrong and how to put it right.
///
/// Its `description` is one line that compilers, editors and `grep` users know: `file:line:column: sentence`.
/// The sentence holds no control characters, whatever the file holds.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
    /// Whether the configuration can be used all the same.
    public enum Severity: String, Hashable, Sendable, CaseIterable {
        /// The configuration is refused.
        case error
        /// The configuration is used; this is most likely not what was meant.
        case warning
    }

    /// The path of the file as it was given to the loader or found in `conf.d`.
    public var file: String
    /// Counts from 1.
    public var line: Int
    /// Counts Unicode scalars from 1.
    public var column: Int
    public var severity: Severity
    /// A sentence without a final full stop.
    public var message: String

    public init(file: String, line: Int, column: Int, severity: Severity = .error, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.severity = severity
        self.message = message
    }

    /// `file:line:column: sentence`; the sentence of a warning begins with `warning: `.
    public var description: String {
        "\(file):\(line):\(column): \(severity == .warning ? "warning: " : "")\(message)"
    }
}

/// Collects the findings of one load, so that every error is told at once.
final class Report {
    /// Findings kept; a file that is wrong throughout is told so in this many lines.
    static let maximumFindings = 200

    private var findings: [Diagnostic] = []
    private var dropped = 0
    private(set) var hasErrors = false

    func error(_ place: Place, _ message: String) { add(place, .error, message) }
    func warning(_ place: Place, _ message: String) { add(place, .warning, message) }

    private func add(_ place: Place, _ severity: Diagnostic.Severity, _ message: String) {
        if severity == .error { hasErrors = true }
        let finding = Diagnostic(
            file: place.file, line: place.line, column: place.column, severity: severity, message: message)
        // A value used through an alias is read more than once and is still wrong only once.
        guard !findings.contains(finding) else { return }
        guard findings.count < Self.maximumFindings else {
            dropped += 1
            return
        }
        findings.append(finding)
    }

    /// The findings in the order of the files, then of line and column.
    func sorted(files: [String]) -> [Diagnostic] {
        var rank: [String: Int] = [:]
        for (index, file) in files.enumerated() where rank[file] == nil { rank[file] = index }
        func key(_ finding: Diagnostic) -> (Int, Int, Int, String) {
            (rank[finding.file] ?? files.count, finding.line, finding.column, finding.message)
        }
        var sorted = findings.sorted { key($0) < key($1) }
        if dropped > 0, let last = sorted.last {
            let message = "and \(dropped) more; mend these first"
            sorted.append(
                Diagnostic(
                    file: last.file, line: last.line, column: last.column, severity: hasErrors ? .error : .warning,
                    message: message))
        }
        return sorted
    }
}
