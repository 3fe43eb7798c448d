// A capture file: libpcap's reader, the dissector and the engine, from bytes to the report.

import Glibc
import Model
import TestSupport
import Wire

@testable import Capturing

enum FileTarget {
    /// A file without a name, used for one input after the other.
    private static let descriptor: CInt = tmpfile().map { fileno($0) } ?? -1

    static func run(_ input: RawSpan) throws(FuzzFailure) {
        try expect(descriptor >= 0, "no temporary file")
        let isWritten = input.withUnsafeBytes { bytes in
            ftruncate(descriptor, 0) == 0 && pwrite(descriptor, bytes.baseAddress, bytes.count, 0) == bytes.count
        }
        try expect(isWritten, "the input cannot be written")
        let report: AnalysisReport
        var samples = 0
        do {
            report = try Analyzer.run(
                file: "/proc/self/fd/\(descriptor)", attribution: EngineTarget.attribution,
                limits: EngineLimits(maxFlows: 64, transactions: 64), onSample: { _ in samples += 1 })
        } catch {
            try expect(!"\(error)".contains { $0.isNewline }, "an error is one line: \(error)")
            return
        }
        try expect(report.drops.values.reduce(0, +) <= report.packets, "more drops than packets")
        try expect(report.warning?.contains { $0.isNewline } != true, "a warning is one line")
        try expect(report.duration >= .zero, "a negative duration")
        try expect(report.kinds.reduce(0) { $0 + Int($1.count) } <= samples, "more figures than samples")
        for row in report.kinds {
            try expect((row.minimum ?? 0) >= 0, "a negative RTT in \(row.kind)")
            guard row.count > 0, let least = row.minimum, let most = row.maximum, let median = row.p50 else { continue }
            try expect(least <= median && median <= most, "figures out of order in \(row.kind)")
        }
    }

    static var seeds: [[UInt8]] {
        var result: [[UInt8]] = []
        for format in CaptureFileWriter.Format.allCases {
            for framing in [PacketFraming.ethernet, .cooked2(interface: 3), .null] {
                var builder = PacketBuilder(framing: framing)
                builder.tcp(0, fromClient: true, .syn, seq: 1_000)
                builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5_000, ack: 1_001)
                builder.tcp(50, fromClient: true, .ack, seq: 1_001, ack: 5_001)
                for seed in DNSTarget.seeds.prefix(2) {
                    builder.udp(60, fromClient: seed[2] & 0x80 == 0, payload: seed)
                }
                result.append(builder.file(format: format))
            }
        }
        return result
    }
}
