// Target patterns of rules and silences: text in which `*` stands for any run of characters.

import Model

/// A pattern with `*`; nothing else is special.
public struct Glob: Hashable, Sendable {
    private let pattern: [UInt8]

    public init(_ pattern: String) { self.pattern = Array(pattern.utf8) }

    /// Whether all of `text` matches.
    ///
    /// - Complexity: pattern length times text length at worst: a mismatch goes back to the last `*` only.
    public func matches(_ text: String) -> Bool {
        let text = Array(text.utf8)
        var at = 0
        var index = 0
        var star: Int?
        var resume = 0
        while index < text.count {
            if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
                star = at
                resume = index
                at += 1
            } else if at < pattern.count, pattern[at] == text[index] {
                at += 1
                index += 1
            } else if let star {
                at = star + 1
                resume += 1
                index = resume
            } else {
                return false
            }
        }
        while at < pattern.count, pattern[at] == UInt8(ascii: "*") { at += 1 }
        return at == pattern.count
    }
}

extension AlertRule {
    /// Whether the rule watches this target.
    func applies(to spec: TargetSpec) -> Bool {
        if !kinds.isEmpty, !kinds.contains(spec.kind) { return false }
        if targets.isEmpty { return !kinds.isEmpty || spec.kind != .interface }
        return targets.contains { Glob($0).matches(spec.id.rawValue) }
    }
}
