import ArgumentParser
import Foundation
import Testing

@testable import DaemonKit

/// tautd(8) and the daemon's help name the same options.
@Suite struct ManualTests {
    private static func options(_ text: String) -> Set<String> {
        Set(text.split { " \n\"[],=()".contains($0) }.filter { $0.hasPrefix("--") }.map(String.init))
    }

    @Test func everyOptionIsExplained() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/man/tautd.8")
        let text = try String(contentsOf: page, encoding: .utf8).replacing("\\-", with: "-")
        let known = Self.options(DaemonCommand.helpMessage(columns: 200)).subtracting(["--help"])
        #expect(known.count >= 6)
        #expect(Self.options(text) == known)
    }
}
