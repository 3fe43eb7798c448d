import Configuring
import Foundation

/// The fixtures in the test bundle.
enum Fixture {
    static let directory = Bundle.module.bundlePath + "/Fixtures"

    static func path(_ name: String) -> String { directory + "/" + name }

    static func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    /// Names of the files in a directory that end in `suffix`, sorted.
    static func names(in folder: String, suffix: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted()
    }

    /// The findings as they are printed, with the directory of the fixtures taken out.
    static func findings(_ loaded: LoadedConfiguration, in folder: String) -> [String] {
        loaded.diagnostics.map { "\($0)".replacingOccurrences(of: path(folder) + "/", with: "") }
    }

    static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }
}
