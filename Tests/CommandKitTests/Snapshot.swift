import Foundation
import Testing

/// Compares text with a file of Snapshots; `TAUTLINE_RECORD_SNAPSHOTS=1` writes the file instead.
func expectSnapshot(
    _ name: String, _ lines: [String], file: String = #filePath, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let text = lines.joined(separator: "\n") + "\n"
    if ProcessInfo.processInfo.environment["TAUTLINE_RECORD_SNAPSHOTS"] != nil {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("Snapshots")
        try text.write(to: folder.appendingPathComponent("\(name).txt"), atomically: true, encoding: .utf8)
        return
    }
    let url = try #require(
        Bundle.module.url(forResource: name, withExtension: "txt", subdirectory: "Snapshots"),
        "no snapshot \(name)", sourceLocation: sourceLocation)
    let expected = try String(contentsOf: url, encoding: .utf8)
    #expect(text == expected, sourceLocation: sourceLocation)
}
