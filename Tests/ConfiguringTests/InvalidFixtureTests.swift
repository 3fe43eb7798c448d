import Configuring
import Testing

/// A file a kind of mistake, each with every finding it must bring, word for word.
@Suite struct InvalidFixtureTests {
    static let names = Fixture.names(in: "invalid", suffix: ".yaml")

    @Test func thereAreAtLeastTen() { #expect(Self.names.count >= 10) }

    @Test(arguments: names) func isRefusedWithItsMessages(name: String) throws {
        let expected = Fixture.lines(try Fixture.text("invalid/" + name.dropLast(5) + ".expected"))
        let loaded = ConfigurationLoader.load(
            file: Fixture.path("invalid/" + name), confDirectory: nil, environment: [:])
        #expect(Fixture.findings(loaded, in: "invalid") == expected)
        #expect(loaded.configuration == nil)
        #expect(loaded.hasErrors)
    }

    @Test(arguments: names) func showsNothingThatATerminalWouldObey(name: String) {
        let loaded = ConfigurationLoader.load(
            file: Fixture.path("invalid/" + name), confDirectory: nil, environment: [:])
        for finding in loaded.diagnostics {
            #expect(
                finding.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) })
        }
    }

    @Test func aSecretFromAFileIsNeverShown() {
        let loaded = ConfigurationLoader.load(
            file: Fixture.path("invalid/substitution.yaml"), confDirectory: nil, environment: [:])
        #expect(!loaded.diagnostics.isEmpty)
        #expect(!loaded.diagnostics.contains { $0.description.contains("hunter2") })
    }

    @Test func filesMergedTogetherNameBothPlaces() throws {
        let loaded = ConfigurationLoader.load(
            file: Fixture.path("split/tautline.yaml"), confDirectory: Fixture.path("split/conf.d"), environment: [:])
        #expect(Fixture.findings(loaded, in: "split") == Fixture.lines(try Fixture.text("split/split.expected")))
        #expect(loaded.configuration == nil)
    }

    @Test func aMissingFileIsAFinding() {
        let loaded = ConfigurationLoader.load(file: "/no/such/file.yaml", confDirectory: nil, environment: [:])
        #expect(
            loaded.diagnostics.map(\.description) == [
                "/no/such/file.yaml:1:1: cannot read the file: No such file or directory"
            ])
        #expect(loaded.configuration == nil)
    }

    @Test func aDeviceIsNotRead() {
        let loaded = ConfigurationLoader.load(file: "/dev/zero", confDirectory: nil, environment: [:])
        #expect(
            loaded.diagnostics.map(\.description) == ["/dev/zero:1:1: cannot read the file: not a regular file"])
    }

    @Test func warningsSayThatTheyAre() {
        let loaded = ConfigurationLoader.load(
            text: "targets:\n  a: {address: 192.0.2.1, interval: 1s, timeout: 3s}\n", file: "t.yaml")
        #expect(loaded.configuration != nil)
        #expect(!loaded.hasErrors)
        #expect(loaded.diagnostics.map(\.severity) == [.warning])
        #expect(loaded.diagnostics.first?.description.hasPrefix("t.yaml:2:50: warning: the timeout 3s ") == true)
    }
}
