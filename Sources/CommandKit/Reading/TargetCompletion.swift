// What the shells offer where a target, a probe, a hook or an incident is wanted.

internal import ArgumentParser
internal import Configuring
internal import Control
internal import Model
internal import Storing

/// Names out of the database, else of the daemon, else of the configuration: the first that knows any. Whatever goes
/// wrong, nothing is offered and nothing is said; a shell at its prompt is no place for errors.
enum TargetCompletion {
    static var kind: CompletionKind { .custom { words, _, prefix in offer(targets(words), prefix) } }
    static var probes: CompletionKind { .custom { words, _, prefix in offer(probes(words), prefix) } }
    static var configured: CompletionKind { .custom { words, _, prefix in offer(configuredTargets(words), prefix) } }
    static var hooks: CompletionKind { .custom { words, _, prefix in offer(hooks(words), prefix) } }
    static var incidents: CompletionKind { .custom { words, _, prefix in offer(incidents(words), prefix) } }

    /// Names offered at once.
    private static let limit = 500
    /// The daemon answers at once or not at all.
    private static let patience: Duration = .milliseconds(300)

    /// Only names that no shell reads anything into: a title or a hook's name may hold whatever its writer liked.
    static func offer(_ names: [String], _ prefix: String) -> [String] {
        let plain = names.filter { name in
            !name.isEmpty
                && name.utf8.allSatisfy { byte in
                    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                        || [45, 46, 58, 95].contains(byte)
                }
        }
        return Array(plain.filter { $0.hasPrefix(prefix) }.prefix(limit))
    }

    static func targets(_ words: [String]) -> [String] {
        if let stored = storedTargets(words), !stored.isEmpty { return stored.map { $0.id.rawValue } }
        let socket = value(of: "--socket", in: words) ?? GlobalOptions.defaultSocket
        if case .status(let report)? = try? ControlClient(path: socket).send(.status, timeout: patience) {
            let names = report.targets.map(\.target)
            if !names.isEmpty { return names }
        }
        return configuredTargets(words)
    }

    private static func configuredTargets(_ words: [String]) -> [String] {
        (configuration(words)?.targets ?? []).map { $0.id.rawValue }
    }

    private static func probes(_ words: [String]) -> [String] {
        let named = (storedTargets(words) ?? []).filter { words.contains($0.id.rawValue) }
        return named.flatMap { $0.probes.map(\.id) }
    }

    private static func hooks(_ words: [String]) -> [String] {
        (configuration(words)?.hooks ?? []).map { "\($0.name)" }
    }

    private static func incidents(_ words: [String]) -> [String] {
        let found = try? StoreReader(path: database(words)).incidents(openOnly: true)
        return (found ?? []).filter { !$0.acknowledged }.map { String($0.id) }
    }

    private static func storedTargets(_ words: [String]) -> [StoredTarget]? {
        try? StoreReader(path: database(words)).targets()
    }

    private static func configuration(_ words: [String]) -> Configuration? {
        ConfigurationSource.loaded(value(of: "--config", in: words) ?? ConfigurationSource.defaultFile).configuration
    }

    private static func database(_ words: [String]) -> String {
        value(of: "--db", in: words) ?? GlobalOptions.defaultDatabase
    }

    /// The value of an option among the words that were typed; quotes that the shell has left are taken off.
    static func value(of option: String, in words: [String]) -> String? {
        var found: String?
        for (index, word) in words.enumerated() {
            if word == option, words.indices.contains(index + 1) { found = words[index + 1] }
            if word.hasPrefix(option + "=") { found = String(word.dropFirst(option.count + 1)) }
        }
        return found.map { text in text.filter { $0 != "\"" && $0 != "'" && $0 != "\\" } }
    }
}
