import Foundation
import Model
import Testing

@testable import Configuring

/// tautline.yaml(5) and the code say the same.
@Suite struct ManualTests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/man/tautline.yaml.5")

    private func page() throws -> String { try String(contentsOf: Self.page, encoding: .utf8) }

    @Test func everySectionHasItsPlace() throws {
        let lines = Set(try page().split(separator: "\n").map(String.init))
        for key in ConfigurationDecoder.keys { #expect(lines.contains(".Ss \(key)"), "\(key)") }
    }

    @Test func everyKeyIsExplained() throws {
        let separators: Set<Character> = [" ", "\n", ","]
        let words = Set(try page().split { separators.contains($0) }.map(String.init))
        var keys = TargetDecoder.keys + ["clear", "above", "percentile", "rcode", "answer", "window", "loss", "rtt"]
        for kind in ProbeKind.allCases { keys += LayerReader.keys(of: kind) }
        for key in keys { #expect(words.contains(key), "\(key)") }
    }

    @Test func theExampleIsValid() throws {
        let text = try page()
        let examples = try #require(text.range(of: ".Sh EXAMPLES"))
        let rest = text[examples.upperBound...]
        let begin = try #require(rest.range(of: ".Bd -literal -offset indent\n"))
        let end = try #require(rest.range(of: "\n.Ed"))
        let loaded = ConfigurationLoader.load(text: String(rest[begin.upperBound..<end.lowerBound]))
        #expect(loaded.diagnostics == [])
        #expect(loaded.configuration?.targets.map(\.id.rawValue) == ["vpn-west", "vpn-east", "crm"])
        #expect(loaded.configuration?.rules.map(\.hooks) == [["mail"]])
    }

    /// Each block of the guide by itself; the hook and the secret that two of them name are elsewhere.
    @Test func everyBlockOfTheGuideIsValid() throws {
        let guide = try String(
            contentsOf: Self.page.deletingLastPathComponent().deletingLastPathComponent().appending(
                path: "configuration.md"), encoding: .utf8)
        let blocks = guide.components(separatedBy: "```yaml\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(blocks.count >= 4)
        for block in blocks {
            let hook = block.contains("hooks:\n") ? "" : "hooks: {mail: {command: /bin/true}}\n"
            let loaded = ConfigurationLoader.load(text: block + hook)
            let findings = loaded.diagnostics.filter { !$0.message.contains("cannot read the file \"webhook-url\"") }
            #expect(findings == [], "\(block)")
        }
    }
}
