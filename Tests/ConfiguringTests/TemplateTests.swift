import Configuring
import Foundation
import Model
import Testing

@Suite struct TemplateTests {
    private static let shipped = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "etc/tautline.yaml")

    /// The template with every commented setting in force: `# ` and a word is prose, anything else is a setting.
    private static var everyExample: String {
        ConfigurationLoader.template.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isProse = line.hasPrefix("# ") && line.dropFirst(2).first != " "
            return line.hasPrefix("#") && !isProse && line.count > 1 ? String(line.dropFirst()) : String(line)
        }.joined(separator: "\n")
    }

    @Test func isTheShippedFile() throws {
        #expect(try String(contentsOf: Self.shipped, encoding: .utf8) == ConfigurationLoader.template)
    }

    @Test func isUsefulUnedited() throws {
        let loaded = ConfigurationLoader.load(text: ConfigurationLoader.template)
        #expect(loaded.diagnostics == [])
        let configuration = try #require(loaded.configuration)
        #expect(configuration.discovery == DiscoverySettings(gateways: true, resolvers: true, interfaces: true))
        #expect(configuration.capture.isEnabled)
        #expect(configuration.capture.interfaces == ["any"])
        #expect(configuration.targets.isEmpty)
        #expect(configuration.hooks.isEmpty)
        #expect(configuration.rules.map(\.name) == ["down", "degraded"])
        #expect(configuration.rules.allSatisfy { $0.hooks.isEmpty })
    }

    @Test func everyExampleIsValid() throws {
        let loaded = ConfigurationLoader.load(text: Self.everyExample)
        #expect(loaded.diagnostics == [])
        let configuration = try #require(loaded.configuration)
        #expect(configuration.targets.count { $0.kind == .vpn } >= 2)
        #expect(configuration.targets.count { $0.kind == .saas } >= 3)
        #expect(configuration.hooks.map(\.name) == ["mail", "webhook"])
        #expect(configuration.rules.map(\.name) == ["down", "degraded", "slow-vpn", "lossy-crm"])
        #expect(configuration.rules.first?.hooks == ["mail"])
        #expect(configuration.site == "branch-west")
    }
}
