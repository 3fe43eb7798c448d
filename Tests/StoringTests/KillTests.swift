import Foundation
import Glibc
import Model
import Testing

@testable import Storing

/// kill -9 at any moment: nothing that was committed is lost, and the time since is unknown.
@Suite struct KillTests {
    private static let rounds = Int(ProcessInfo.processInfo.environment["TAUTLINE_KILLS"] ?? "") ?? 24

    /// Results of one round begin at a second of their own (see `storebench write`), so far apart that the fastest host does
    /// not write from one round into the next: 100,000 in 2.6 seconds have been seen.
    private static let stride = 400_000

    @Test(.enabled(if: Writing.program != nil, "needs storebench: swift build --product storebench"))
    func killedAtAnyMoment() throws {
        let scratch = Scratch()
        var generator = SplitMix(state: 16)
        var (whileOpening, whileWriting, whileSealing) = (0, 0, 0)
        var kept: [Int: Int] = [:]
        for number in 0..<Self.rounds {
            // Hours are sealed two seconds after the start, so some lives reach into that.
            let isLong = number % 8 == 7
            let life = isLong ? 2_000_000...2_600_000 : 1_000...120_000
            let lines = try killed(
                scratch, from: number * Self.stride, afterFirstCommit: number % 4 != 0,
                microseconds: UInt32.random(in: life.asUInt32, using: &generator))
            guard let acknowledged = lines.last.flatMap({ Int($0) }) else {
                whileOpening += 1
                continue
            }
            if isLong { whileSealing += 1 } else { whileWriting += 1 }
            // Cheap: only what this life wrote. All of it is looked at in the end.
            let own = try sequences(scratch.reader(), of: number)
            #expect(
                own == Array((number * Self.stride)..<(number * Self.stride + own.count)),
                "no holes or doubles")
            #expect((own.last ?? 0) >= acknowledged)
            kept[number] = own.count
        }
        let reader = try scratch.reader()
        let check = try reader.check()
        #expect(check.isSound, "\(check)")
        for (number, count) in kept { #expect(try sequences(reader, of: number).count == count) }
        let opened = try scratch.open(at: WallTime(seconds: 2_000_000_000))
        #expect(opened.events.first?.kind == .uncleanStop)
        let ends = try scratch.reader().events(limit: 100_000).filter { $0.kind == .uncleanStop }
        #expect(ends.count >= whileWriting + whileSealing)
        opened.store.close()
        let chunks = check.tables.first { $0.name == "chunks" }?.rows ?? 0
        #expect(whileSealing == 0 || chunks > 0)
        print(
            """
            \(Self.rounds) kills: \(whileOpening) before the first commit, \(whileWriting) while writing, \
            \(whileSealing) while sealing; \(kept.values.reduce(0, +)) results and \(chunks) chunks kept, none lost
            """)
    }

    /// Runs the writer for some microseconds, from its start or from its first commit on, and returns the lines that it has
    /// written whole.
    private func killed(
        _ scratch: Scratch, from first: Int, afterFirstCommit: Bool, microseconds: UInt32
    ) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Writing.program))
        process.arguments = [
            "write", "--directory", scratch.path, "--from", String(first), "--commit-ms", "10",
            "--results", "100",
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let begun = afterFirstCommit ? pipe.fileHandleForReading.availableData : Data()
        usleep(microseconds)
        kill(process.processIdentifier, SIGKILL)
        let output = String(decoding: begun + pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL)
        let lines = output.split(separator: "\n").map { String($0) }
        return output.hasSuffix("\n") ? lines : lines.dropLast()
    }

    private func sequences(_ reader: StoreReader, of number: Int) throws -> [Int] {
        let begin = WallTime(seconds: 1_700_000_000 + Int64(number * Self.stride))
        return try reader.results(
            of: target("killed"), since: begin, until: begin + .seconds(Self.stride), limit: .max
        ).map { Int($0.result.sequence) }
    }
}

extension ClosedRange<Int> {
    fileprivate var asUInt32: ClosedRange<UInt32> { UInt32(lowerBound)...UInt32(upperBound) }
}

/// `storebench write`, which lies beside the test bundle.
enum Writing {
    static let program: String? = {
        let folder = (CommandLine.arguments[0] as NSString).deletingLastPathComponent
        let places = [
            folder, folder + "/..", (ProcessInfo.processInfo.environment["TAUTLINE_BIN"] ?? ""),
        ]
        return places.map { $0 + "/storebench" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()
}
