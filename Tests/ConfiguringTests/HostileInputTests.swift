import Configuring
import Foundation
import Model
import Testing

/// Whatever the file holds, the answer is a configuration or a finding, soon.
@Suite struct HostileInputTests {
    /// A configuration, or at least one error whose place is in the file.
    private func check(_ loaded: LoadedConfiguration, _ comment: Comment? = nil) {
        if loaded.configuration == nil {
            #expect(loaded.diagnostics.contains { $0.severity == .error }, comment)
        } else {
            #expect(!loaded.diagnostics.contains { $0.severity == .error }, comment)
        }
        for finding in loaded.diagnostics { #expect(finding.line >= 1 && finding.column >= 1, comment) }
    }

    private static let nests: [String] = [
        String(repeating: "[", count: 200_000), String(repeating: "{a: ", count: 50_000),
        String(repeating: "- ", count: 50_000) + "x", String(repeating: "? ", count: 50_000) + "x",
        "a: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900),
        (0..<900).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        String(repeating: "&a ", count: 1_000), String(repeating: "!!str ", count: 1_000) + "x",
        "a: \"" + String(repeating: "x", count: 900_000), "site: '" + String(repeating: "$", count: 500_000) + "'",
        "site: '" + String(repeating: "${A:-", count: 50_000) + "'", "%YAML 9.9\n---\na", "---\n...\n---\n", "\0",
        "? \"\"\n: x\n\"\": y\n", "\"\\x61\": 1\na: 2\n", "{a, a, a}", "- <<\n", "<<: {a: b}\n", "targets: {a: *a}",
        "\u{F0000}: 1\n\u{F0000}: 2\n", "a: \"\\ud800\"\n", "a: \"\\UFFFFFFFF\"\n",
    ]

    @Test(arguments: nests.indices) func nestsAndFloodsEnd(index: Int) {
        let loaded = ConfigurationLoader.load(text: Self.nests[index])
        check(loaded)
        #expect(loaded.configuration == nil, "\(loaded.diagnostics)")
    }

    @Test(arguments: [25, 500, 5_000]) func nestsAreToldAsSuch(levels: Int) {
        let text = "a: " + String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        let loaded = ConfigurationLoader.load(text: text)
        #expect(loaded.diagnostics.map(\.message) == ["nested deeper than 24 levels"])
    }

    @Test func aBombInAKeyIsNotHashed() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<20 {
            let uses = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(uses)]\n"
        }
        for key in ["? *a19\n: x\n", "*a19 : x\n", "{*a19 : x}\n", "[*a19, *a19]: x\n", "b: {[*a19]: 1}\n"] {
            check(ConfigurationLoader.load(text: text + key), "\(key)")
        }
    }

    @Test func aMegabyteIsReadAndMoreIsNot() {
        let line = "# " + String(repeating: "x", count: 77) + "\n"
        let fits = String(repeating: line, count: (1 << 20) / line.utf8.count)
        #expect(ConfigurationLoader.load(text: fits).configuration != nil)
        let loaded = ConfigurationLoader.load(text: fits + line)
        #expect(loaded.diagnostics.map(\.description) == ["tautline.yaml:1:1: the file is larger than 1MiB"])
    }

    @Test func findingsAreBounded() {
        let text = "targets:\n" + (0..<5_000).map { "  t\($0): {address: 192.0.2.1, interval: \($0)}\n" }.joined()
        let loaded = ConfigurationLoader.load(text: text)
        #expect(loaded.diagnostics.count == 201)
        #expect(loaded.diagnostics.last?.message == "and 4800 more; mend these first")
    }

    @Test func manyTargetsWithParentsAreReadInTime() throws {
        let text =
            "targets:\n  t0: {address: 192.0.2.1}\n"
            + (1..<6_000).map { "  t\($0): {address: 192.0.2.1, parents: [t\($0 - 1)]}\n" }.joined()
        let clock = ContinuousClock()
        let start = clock.now
        let loaded = ConfigurationLoader.load(text: text)
        #expect(loaded.diagnostics == [])
        #expect(loaded.configuration?.targets.count == 6_000)
        // A debug build on a busy machine needs about two seconds; quadratic work would need minutes.
        #expect(clock.now - start < .seconds(60))
    }

    /// Every fixture and the template, with bytes changed, removed, doubled and joined at random.
    @Test func damagedFilesNeverTrap() throws {
        var sources = [Array(ConfigurationLoader.template.utf8)]
        for folder in ["valid", "invalid"] {
            for name in Fixture.names(in: folder, suffix: ".yaml") where name != "alias-bomb.yaml" {
                sources.append([UInt8](try Data(contentsOf: URL(filePath: Fixture.path(folder + "/" + name)))))
            }
        }
        let directory = FileManager.default.temporaryDirectory.appending(path: "taut-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "t.yaml")
        var random = Damage(state: 7)
        for round in 0..<600 {
            let bytes = random.damage(sources[round % sources.count])
            try Data(bytes).write(to: file)
            check(ConfigurationLoader.load(file: file.path, confDirectory: nil, environment: [:]), "round \(round)")
        }
    }
}

/// A reproducible vandal.
private struct Damage: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }

    mutating func damage(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let hostile = Array("{}[]:,&*!|>'\"%@`#-? \t\n\0$~<\u{FEFF}".utf8) + [0xFF, 0x80, 0xC3]
        for _ in 0..<Int.random(in: 1...8, using: &self) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &self)
            switch Int.random(in: 0..<4, using: &self) {
            case 0: bytes[index] = hostile.randomElement(using: &self) ?? 0
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(hostile.randomElement(using: &self) ?? 0, at: index)
            default:
                let end = min(bytes.count, index + Int.random(in: 1...40, using: &self))
                bytes.insert(contentsOf: bytes[index..<end], at: Int.random(in: bytes.indices, using: &self))
            }
        }
        return bytes
    }
}
