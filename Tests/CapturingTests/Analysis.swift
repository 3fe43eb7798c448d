// What the tests of this folder share: a capture in, samples out.

import Capturing
import Foundation
import Model
import TestSupport
import Testing
import Wire

/// A report with its samples.
struct Analysis {
    var report: AnalysisReport
    var samples: [AnalyzedSample]

    init(_ builder: PacketBuilder, format: CaptureFileWriter.Format = .microseconds) throws {
        try self.init(bytes: builder.file(format: format))
    }

    init(bytes: [UInt8], attribution: AttributionTable = AttributionTable()) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pcap")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try self.init(file: file.path, attribution: attribution)
    }

    init(file: String, attribution: AttributionTable = AttributionTable()) throws {
        var samples: [AnalyzedSample] = []
        report = try Analyzer.run(file: file, attribution: attribution, onSample: { samples.append($0) })
        // Without samples the figures take a shorter way, and come to the same.
        let withoutSamples = try Analyzer.run(file: file, attribution: attribution)
        #expect(withoutSamples == report)
        self.samples = samples
    }

    /// RTTs of one kind and side in milliseconds, in order of completion.
    func rtts(_ kind: PassiveKind, _ side: PassiveSide) -> [Double] {
        samples.filter { $0.kind == kind && $0.side == side }.compactMap(\.rtt).map { Double($0) / 1e6 }
    }

    /// Each sample as `kind side method rtt`, for messages and for comparison.
    var lines: [String] {
        samples.map { sample in
            let rtt = sample.rtt.map { "\(Double($0) / 1e6)" } ?? sample.outcome?.rawValue ?? "none"
            let note = sample.note.map { " [\($0)]" } ?? ""
            return "\(sample.kind.rawValue) \(sample.side.rawValue) \(sample.method.rawValue) \(rtt)\(note)"
        }
    }

    /// Packets = used + drops, and no packet was dropped twice so often that drops outnumber packets.
    var isBalanced: Bool {
        let drops = report.drops.values.reduce(0, +)
        return drops <= report.packets && report.used == report.packets - drops
    }
}

/// The folder of captures beside the repository, where there is one.
enum Corpus {
    static let directory: URL? = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        let corpus = url.deletingLastPathComponent().appendingPathComponent("shared/corpus")
        return FileManager.default.fileExists(atPath: corpus.path) ? corpus : nil
    }()

    /// Every file below the folder, by path.
    static var files: [URL] {
        guard let directory, let all = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        else { return [] }
        return all.compactMap { $0 as? URL }.filter {
            (try? $0.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true
        }
        .sorted { $0.path < $1.path }
    }

    static func file(_ name: String) -> URL? {
        directory?.appendingPathComponent(name)
    }
}

extension PacketBuilder {
    /// A connection that was just opened, as `opening` does.
    static func opened() -> PacketBuilder {
        var builder = PacketBuilder()
        builder.opening()
        return builder
    }

    /// The clean conversation, each packet of which comes by twice, the second time this many milliseconds later.
    static func mirrored(timestamps: Bool, after delay: Double) -> PacketBuilder {
        var clean = PacketBuilder()
        clean.cleanConversation(timestamps: timestamps)
        var builder = PacketBuilder()
        for record in clean.records {
            builder.add(at: Double((record.time - PacketBuilder.start).clampedNanoseconds) / 1e6, frame: record.bytes)
            builder.repeatLast(after: delay)
        }
        return builder
    }
}
