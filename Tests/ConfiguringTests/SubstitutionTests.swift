import Configuring
import Foundation
import Model
import Testing

@Suite struct SubstitutionTests {
    private func title(_ text: String, environment: [String: String] = [:], file: String = "tautline.yaml") -> String? {
        let loaded = ConfigurationLoader.load(
            text: "targets:\n  a:\n    address: 192.0.2.1\n    title: \(text)\n", file: file, environment: environment)
        return loaded.configuration?.targets.first?.title
    }

    @Test(arguments: [
        ("${NAME}", "west"), ("VPN ${NAME}!", "VPN west!"), ("${NAME}${NAME}", "westwest"), ("${EMPTY:-x}", "x"),
        ("${UNSET:-a b}", "a b"), ("a${UNSET:-}b", "ab"), ("'$${NAME}'", "${NAME}"), ("$NAME", "$NAME"),
        ("5$", "5$"), ("\"${NAME}\"", "west"), ("$$$$", "$$"), ("${UNSET:-${NAME}", "${NAME"),
    ])
    func variablesArePutIn(text: String, expected: String) {
        #expect(title(text, environment: ["NAME": "west", "EMPTY": ""]) == expected)
    }

    @Test func whatIsPutInIsNeitherYAMLNorSubstitutedAgain() {
        let hostile = "${HOME}: {a: [b]} # *c &d !e"
        #expect(title("${NAME}", environment: ["NAME": hostile, "HOME": "/root"]) == hostile)
        #expect(title("${NAME}", environment: ["NAME": "~"]) == "~")
    }

    @Test func keysAreLeftAlone() {
        let loaded = ConfigurationLoader.load(
            text: "targets:\n  ${NAME}: {address: 192.0.2.1}\n", environment: ["NAME": "west"])
        #expect(loaded.diagnostics.map(\.line) == [2])
        #expect(loaded.configuration == nil)
    }

    @Test func numbersAndDurationsMayBeVariables() throws {
        let loaded = ConfigurationLoader.load(
            text: "defaults: {interval: \"${I}\", down_after: \"${N}\"}\ntargets: {a: {address: \"${A}\"}}\n",
            environment: ["I": "30s", "N": "7", "A": "192.0.2.9"])
        let target = try #require(loaded.configuration?.targets.first)
        #expect(target.probes.map(\.interval) == [.seconds(30)])
        #expect(target.judgement.downAfter == 7)
    }

    @Test func filesComeFromTheCredentialsDirectoryFirst() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "taut-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let credentials = directory.appending(path: "credentials")
        try FileManager.default.createDirectory(at: credentials, withIntermediateDirectories: true)
        try Data("beside\n".utf8).write(to: directory.appending(path: "name"))
        try Data("credential\r\n".utf8).write(to: credentials.appending(path: "name"))
        try Data(repeating: UInt8(ascii: "x"), count: 65_537).write(to: directory.appending(path: "large"))
        let file = directory.path + "/tautline.yaml"
        let systemd = ["CREDENTIALS_DIRECTORY": credentials.path]
        #expect(title("${file:name}", file: file) == "beside")
        #expect(title("${file:name}", environment: systemd, file: file) == "credential")
        #expect(title("${file:\(directory.path)/name}", environment: systemd, file: file) == "beside")
        #expect(title("${file:large}", file: file) == nil)
    }

    @Test func whatIsPutInIsBoundedAltogether() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "taut-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(repeating: UInt8(ascii: "x"), count: 65_536).write(to: directory.appending(path: "f"))
        let words = Array(repeating: "${file:f}", count: 100).joined()
        let loaded = ConfigurationLoader.load(
            text: "hooks: {h: {command: [/bin/true, \"\(words)\"]}}\n", file: directory.path + "/t.yaml")
        #expect(loaded.diagnostics.map(\.message) == ["more than 4MiB put in by \"${…}\""])
    }
}
