import Foundation
import Glibc
import Model
import Testing

@testable import Storing

/// kill -9 at any moment: nothing that was committed is lost, and the time since is unknown.
@Suite struct KillTests {
    /// The writer program lies beside the test bundle.
    private static let writer: String? = {
        let folder = (CommandLine.arguments[0] as NSString).deletingLastPathComponent
        let places = [folder, folder + "/..", (ProcessInfo.processInfo.environment["TAUTLINE_BIN"] ?? "")]
        return places.map { $0 + "/storebench" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    private static let rounds = Int(ProcessInfo.processInfo.environment["TAUTLINE_KILLS"] ?? "") ?? 12

    @Test(.enabled(if: writer != nil, "needs storebench: swift build --product storebench"))
    func killedAtAnyMoment() throws {
        let scratch = Scratch()
        var generator = SplitMix(state: 16)
        var acknowledged = 0
        for number in 0..<Self.rounds {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: try #require(Self.writer))
            process.arguments = ["write", "--directory", scratch.path, "--from", String(number * 1_000_000)]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            usleep(UInt32.random(in: 30_000...400_000, using: &generator))
            kill(process.processIdentifier, SIGKILL)
            let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            // The last line may be cut short.
            let lines = output.split(separator: "\n").dropLast(output.hasSuffix("\n") ? 0 : 1)
            if let last = lines.last.flatMap({ Int($0) }) { acknowledged = last }
            let reader = try scratch.reader()
            #expect(try reader.check().isSound)
            if !lines.isEmpty {
                let found = try reader.results(of: target("killed"), limit: 1_000_000_000)
                let own = found.map { Int($0.result.sequence) }.filter { $0 >= number * 1_000_000 }
                #expect(
                    own == Array((number * 1_000_000)..<(number * 1_000_000 + own.count)), "without holes or doubles")
                #expect((own.last ?? 0) >= acknowledged)
            }
        }
        let opened = try scratch.open(at: WallTime(seconds: 2_000_000_000))
        #expect(opened.events.first?.kind == .uncleanStop)
        let events = try scratch.reader().events().filter { $0.kind == .uncleanStop }
        #expect(events.count >= Self.rounds - 2)
        opened.store.close()
    }
}
