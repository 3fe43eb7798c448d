// The fuzz targets without a fuzzer: every seed, every input that once broke one, and seeds with bytes changed.

import Foundation
import TestSupport
import Testing

@Suite struct ReplayTests {
    private static let failCases = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fuzz/FailCases")

    private func run(_ target: FuzzTarget, _ bytes: [UInt8], _ name: @autoclosure () -> String) {
        do {
            try target.run(bytes.span.bytes)
        } catch {
            Issue.record("\(target.rawValue), \(name()): \(error)")
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func seedsPass(target: FuzzTarget) {
        let seeds = target.seeds
        #expect(seeds.count > 3)
        for (index, seed) in seeds.enumerated() { run(target, seed, "seed \(index)") }
    }

    @Test func whatOnceFailedPasses() throws {
        for folder in try FileManager.default.contentsOfDirectory(atPath: Self.failCases.path)
        where folder != "README.md" {
            let target = try #require(FuzzTarget(rawValue: folder), "FailCases/\(folder) is named after no target")
            let directory = Self.failCases.appendingPathComponent(folder)
            for file in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
                run(target, [UInt8](try Data(contentsOf: directory.appendingPathComponent(file))), file)
            }
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func changedSeedsPass(target: FuzzTarget) {
        var generator = SeededGenerator(seed: 0x7A17)
        let seeds = target.seeds
        for round in 0..<400 {
            guard var bytes = seeds.randomElement(using: &generator), !bytes.isEmpty else { return }
            for _ in 0...(round % 6) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            if round % 5 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator)) }
            run(target, bytes, "changed seed \(bytes)")
        }
    }
}
