import Configuring
import Foundation
import Model
import Testing

/// `conf.d` as people use it.
@Suite final class MergingTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "taut-\(UUID().uuidString)")
    private var main: String { directory.path + "/tautline.yaml" }
    private var confDirectory: String { directory.path + "/conf.d" }

    init() throws {
        try FileManager.default.createDirectory(atPath: confDirectory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private func load(_ files: [String: String]) throws -> LoadedConfiguration {
        for (name, text) in files { try Data(text.utf8).write(to: directory.appending(path: name)) }
        return ConfigurationLoader.load(file: main, confDirectory: confDirectory, environment: [:])
    }

    @Test func mapsMergeAndLaterSettingsWin() throws {
        let loaded = try load([
            "tautline.yaml": """
            defaults: {interval: 10s, degraded: {loss: 10%, window: 5}}
            targets: {a: {address: 192.0.2.1}}
            capture: {interfaces: [any], snap_length: 96}
            """,
            "conf.d/20-b.yaml": "defaults: {interval: 20s}\ntargets: {c: {address: 192.0.2.3}}\n",
            "conf.d/10-a.yaml": """
            defaults: {interval: 15s, degraded: {loss: 20%}}
            targets: {b: {address: 192.0.2.2}}
            capture: {interfaces: [eth0]}
            """,
            "conf.d/.hidden.yaml": "nonsense: 1\n",
            "conf.d/README": "not a configuration: at all",
        ])
        #expect(loaded.diagnostics == [])
        #expect(
            loaded.files.map { $0.replacingOccurrences(of: directory.path + "/", with: "") } == [
                "tautline.yaml", "conf.d/10-a.yaml", "conf.d/20-b.yaml",
            ])
        let configuration = try #require(loaded.configuration)
        #expect(configuration.targets.map(\.id.rawValue) == ["a", "b", "c"])
        #expect(configuration.targets.allSatisfy { $0.probes.map(\.interval) == [.seconds(20)] })
        #expect(configuration.targets.allSatisfy { $0.judgement.degradedLoss == 0.2 && $0.judgement.window == 5 })
        #expect(configuration.capture.interfaces == ["eth0"])
        #expect(configuration.capture.snapLength == 96)
    }

    @Test func alertsAreJoined() throws {
        let loaded = try load([
            "tautline.yaml": "alerts: [{name: down, when: {state: down}}]\n",
            "conf.d/10.yaml": "alerts: [{name: slow, when: {rtt: {above: 1s}}}]\n",
        ])
        #expect(loaded.configuration?.rules.map(\.name) == ["down", "slow"])
    }

    @Test func aFileThatSaysNothingChangesNothing() throws {
        let loaded = try load([
            "tautline.yaml": "site: west\ntargets: {a: {address: 192.0.2.1}}\n",
            "conf.d/10.yaml": "# nothing yet\n", "conf.d/20.yaml": "targets:\nsite:\n",
        ])
        #expect(loaded.configuration?.site == "west")
        #expect(loaded.configuration?.targets.count == 1)
    }

    @Test func everyFileTellsItsErrorsAtOnce() throws {
        let loaded = try load([
            "tautline.yaml": "defaults: {interval: 10}\n", "conf.d/10.yaml": "targets: [\n",
            "conf.d/20.yaml": "sites: x\n",
        ])
        #expect(loaded.configuration == nil)
        #expect(
            loaded.diagnostics.map { $0.file.split(separator: "/").last } == ["tautline.yaml", "10.yaml", "20.yaml"])
    }

    @Test func aDirectoryThatIsNotThereIsEmpty() throws {
        try Data("site: a\n".utf8).write(to: directory.appending(path: "tautline.yaml"))
        let loaded = ConfigurationLoader.load(file: main, confDirectory: "/no/such/conf.d", environment: [:])
        #expect(loaded.diagnostics == [])
        #expect(loaded.configuration?.site == "a")
    }

    @Test func parentsMayBeInAnotherFile() throws {
        let loaded = try load([
            "tautline.yaml": "targets: {a: {address: 192.0.2.1, parents: [b]}}\n",
            "conf.d/10.yaml": "targets: {b: {address: 192.0.2.2, parents: [gateway]}}\n",
        ])
        #expect(loaded.diagnostics == [])
        #expect(loaded.configuration?.targets.first?.parents.map(\.rawValue) == ["b"])
    }
}
