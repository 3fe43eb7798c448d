import ArgumentParser
import Foundation
import Testing

@testable import CommandKit

/// taut(1) has every verb with every option of its own, and says what the help says.
@Suite struct ManPageTests {
    /// The page without font changes, a paragraph a `.TP`.
    private static func paragraphs() throws -> [String] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/man/taut.1")
        var text = try String(contentsOf: file, encoding: .utf8)
        for font in ["\\fI", "\\fP", "\\fR", "\\fB"] { text = text.replacing(font, with: "") }
        text = text.replacing("\\-", with: "-").replacing("\"", with: " ")
        return text.components(separatedBy: "\n.TP\n").map { paragraph in
            paragraph.split(whereSeparator: { $0 == " " || $0 == "\n" }).joined(separator: " ")
        }
    }

    /// Long options of a verb's help.
    private static func options(_ verb: any ParsableCommand.Type) -> Set<String> {
        let help = TautCommand.helpMessage(for: verb, columns: 200)
        var options: Set<String> = []
        for line in help.split(separator: "\n") where line.hasPrefix("  -") {
            for word in line.split(whereSeparator: { " ,/".contains($0) }) where word.hasPrefix("--") {
                options.insert(String(word))
            }
        }
        return options
    }

    private static func leaves(
        _ command: any ParsableCommand.Type, _ name: String
    ) -> [(name: String, verb: any ParsableCommand.Type)] {
        let configuration = command.configuration
        let children = configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands)
        guard !children.isEmpty else { return [(name, command)] }
        return children.flatMap { child in
            // Without a name of its own a command is called as its type is.
            let word = child.configuration.commandName ?? "\(child)".lowercased()
            return leaves(child, name.isEmpty ? word : "\(name) \(word)")
        }
    }

    @Test func everyVerbAndEveryOptionIsThere() throws {
        let range: Set = ["--since", "--until"]
        let paragraphs = try Self.paragraphs()
        let whole = paragraphs.joined(separator: " ")
        let ranged = try #require(whole.firstRange(of: "take a range as well"))
        let verbsWithRange = whole[..<ranged.lowerBound].suffix(120)
        let verbs = Self.leaves(TautCommand.self, "")
        #expect(verbs.count >= 26)
        // What every verb takes stands under GLOBAL OPTIONS.
        let common = verbs.dropFirst().reduce(Self.options(verbs[0].verb)) { $0.intersection(Self.options($1.verb)) }
        #expect(common.isSuperset(of: ["--db", "--socket", "--json", "--no-color", "--help", "--version"]))
        for (name, verb) in verbs {
            let own = paragraphs.filter { paragraph in
                let words = paragraph.split(separator: " ").dropFirst().joined(separator: " ")
                return words == name || words.hasPrefix(name + " ")
            }
            guard !own.isEmpty else {
                Issue.record("taut(1) has no \(name)")
                continue
            }
            let options = Self.options(verb)
            for option in options.subtracting(common).subtracting(range) {
                #expect(own.contains { $0.contains(option) }, "taut(1), \(name): \(option)")
            }
            #expect(!options.contains("--since") || verbsWithRange.contains(name), "\(name) takes a range")
        }
        for option in common { #expect(whole.contains(option)) }
    }

    /// An option that is gone from the help must go from the page.
    @Test func thePageHasNoOptionThatIsNone() throws {
        var known: Set = ["--generate-completion-script"]
        for (_, verb) in Self.leaves(TautCommand.self, "") { known.formUnion(Self.options(verb)) }
        let words = try Self.paragraphs().joined(separator: " ").split(whereSeparator: { " ,.()".contains($0) })
        for word in words where word.hasPrefix("--") { #expect(known.contains(String(word)), "\(word)") }
    }
}
