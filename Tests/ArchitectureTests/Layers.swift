import Foundation

/// The house as ARCHITECTURE.md has it. A target that is not named here fails the tests: say where it lives.
enum Layers {
    static let height: [String: Int] = [
        "CLinux": 0, "CSavefile": 0, "CPcap": 0, "CCrypto": 0,
        "Wire": 1, "Statistics": 1,
        "Model": 2, "LinuxSystem": 2,
        "Probing": 3, "Capturing": 3, "Storing": 3, "Alerting": 3, "Configuring": 3,
        "Control": 4,
        "DaemonKit": 5, "CommandKit": 5,
        "tautd": 6, "taut": 6,
        // Beside the house: may use anything below the trades, and nothing in the house uses it.
        "TestSupport": 7, "tautlab": 8, "storebench": 8,
        // The engine by itself, for the benchmarks.
        "tautbench": 6,
    ]

    /// What the lab's modules may use of the house.
    static let labUses: Set = ["Wire", "LinuxSystem", "Model", "Statistics", "CLinux", "CCrypto"]

    static let withoutFoundation: Set = ["Wire", "Statistics", "Model", "LinuxSystem", "Probing", "Capturing"]
    /// Pure values: nothing of the operating system either.
    static let pure: Set = ["Wire", "Statistics", "Model"]

    /// Whether `user` may import `used`, both of the house.
    static func allows(_ user: String, toUse used: String) -> Bool {
        guard let upper = height[user], let lower = height[used] else { return false }
        if user == "TestSupport" { return labUses.contains(used) }
        if user == "tautlab" { return used == "TestSupport" }
        return lower < upper
    }
}

/// The repository that these tests are a part of.
struct Repository {
    let root: URL

    init() {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    /// Swift files below `Sources/`, by module.
    func sources() throws -> [String: [URL]] {
        var result: [String: [URL]] = [:]
        let base = root.appendingPathComponent("Sources")
        for module in try FileManager.default.contentsOfDirectory(atPath: base.path) {
            let paths = try FileManager.default.subpathsOfDirectory(atPath: base.appendingPathComponent(module).path)
            result[module] = paths.filter { $0.hasSuffix(".swift") }.map {
                base.appendingPathComponent(module).appendingPathComponent($0)
            }
        }
        return result
    }

    /// The modules that a file imports, whatever stands before `import`.
    static func imports(in text: String) -> Set<String> {
        var result: Set<String> = []
        for line in text.split(separator: "\n") {
            var words = line.split(separator: " ").map(String.init)
            while let first = words.first, first.hasPrefix("@") || accessLevels.contains(first) { words.removeFirst() }
            guard words.first == "import", words.count >= 2 else { continue }
            // `import struct Foundation.Data` names the module behind the kind.
            let name = declarationKinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            result.insert(String(name.prefix { $0 != "." && $0 != ";" }))
        }
        return result
    }

    private static let accessLevels: Set = ["public", "package", "internal", "fileprivate", "private"]
    private static let declarationKinds: Set = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]

    /// What `swift package dump-package` says: the dependencies of each target by name, products of packages left out.
    ///
    /// With a scratch directory of its own, since the build that runs these tests holds the usual one.
    func targets() throws -> [Target] {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("taut-dump-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "swift", "package", "--package-path", root.path, "--scratch-path", scratch.path, "dump-package",
        ]
        // A pruned package for a quick edit loop is not the house.
        process.environment = ProcessInfo.processInfo.environment.filter { $0.key != "TAUTLINE_MODULES" }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.standardError
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try JSONDecoder().decode(Dump.self, from: data).targets
    }

    struct Dump: Decodable {
        let targets: [Target]
    }

    struct Target: Decodable {
        let name: String
        let type: String
        let dependencies: [Dependency]

        /// Dependencies on targets of this package.
        var own: [String] { dependencies.compactMap(\.target) }
    }

    struct Dependency: Decodable {
        /// nil for a product of another package.
        let target: String?

        private enum CodingKeys: String, CodingKey {
            case byName, target
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            // Each is `[name, condition]`.
            let values =
                try container.decodeIfPresent([Unused].self, forKey: .byName)
                ?? container.decodeIfPresent([Unused].self, forKey: .target)
            target = values?.first?.text
        }
    }

    struct Unused: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)
        }
    }
}
