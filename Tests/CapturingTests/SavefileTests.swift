// Reads of a savefile out of the stream's buffer: the bytes, the end and the errors are those of libc.

import CLinux
import Capturing
import Foundation
import Model
import TestSupport
import Testing
import Wire

@Suite struct SavefileTests {
    /// A file that is gone with the test.
    private func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pcap")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try body(file.path)
    }

    /// Without this the suite would compare libc with itself.
    @Test(arguments: ["fread", "__fread_chk"])
    func theProgramAnswersReads(name: String) throws {
        let libc = try #require(dlopen("libc.so.6", RTLD_LAZY))
        defer { dlclose(libc) }
        let used = try #require(dlsym(nil, name))
        #expect(used != dlsym(libc, name), "\(name) is that of libc")
    }

    /// Reads of every size around that of the buffer, to the end and beyond, owned or not.
    @Test(arguments: [true, false])
    func readsGiveWhatTheFileHolds(isOwned: Bool) throws {
        let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) }
        try withFile(bytes) { path in
            let stream = try #require(fopen(path, "rbe"))
            defer { fclose(stream) }
            if isOwned { taut_own_stream(stream) }
            setvbuf(stream, nil, _IOFBF, 256)
            var read: [UInt8] = []
            var size = 0
            while read.count < bytes.count {
                var part = [UInt8](repeating: 0, count: 600)
                let count = fread(&part, 1, size, stream)
                #expect(count == min(size, bytes.count - read.count))
                read += part.prefix(count)
                size = (size + 67) % 600
            }
            #expect(read == bytes)
            var one: UInt8 = 0
            #expect(fread(&one, 1, 1, stream) == 0)
            #expect(feof(stream) != 0)
        }
    }

    /// Members of several bytes, and one that was put back.
    @Test func otherReadsAreLeftToLibc() throws {
        try withFile(Array(0..<64)) { path in
            let stream = try #require(fopen(path, "rbe"))
            defer { fclose(stream) }
            taut_own_stream(stream)
            var part = [UInt8](repeating: 0, count: 64)
            #expect(fread(&part, 4, 3, stream) == 3)
            #expect(part.prefix(12) == Array(0..<12)[...])
            #expect(ungetc(200, stream) == 200)
            #expect(fread(&part, 1, 2, stream) == 2)
            #expect(part.prefix(2) == [200, 12])
            #expect(fread(&part, 8, 20, stream) == 6)
            #expect(part.prefix(48) == Array(13..<61)[...])
        }
    }

    /// What a capture comes to from a plain file, and from a pipe, which libc reads: whole, and cut off anywhere.
    @Test func aPlainFileReadsAsAPipeDoes() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1_000)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5_000, ack: 1_001)
        // Records that reach up to the end of the stream's buffer of 64 KiB, and beyond it.
        var next: UInt32 = 1_001
        for (number, size) in [62_000, 2_500, 900, 200, 63_500, 60].enumerated() {
            let time = 100 + Double(number) * 50
            builder.tcp(time, fromClient: true, .ack, seq: next, ack: 5_001, payload: size)
            next += UInt32(size)
            builder.tcp(time + 20, fromClient: false, .ack, seq: 5_001, ack: next)
        }
        for format in CaptureFileWriter.Format.allCases {
            let whole = builder.file(format: format)
            for end in [whole.count, whole.count - 1, whole.count - 60, whole.count - 90, 70_000, 65_536, 30, 24] {
                let bytes = Array(whole.prefix(end))
                let plain = try withFile(bytes) { outcome(of: $0) }
                #expect(try throughPipe(bytes) == plain, "\(format), \(end) bytes")
            }
        }
    }

    /// A report in words, or what was wrong.
    private func outcome(of file: String) -> String {
        do {
            var samples: [AnalyzedSample] = []
            let report = try Analyzer.run(file: file, attribution: AttributionTable(), onSample: { samples.append($0) })
            return "\(report)\n\(samples)".replacingOccurrences(of: file, with: "FILE")
        } catch {
            return "\(error)".replacingOccurrences(of: file, with: "FILE")
        }
    }

    private func throughPipe(_ bytes: [UInt8]) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pcap").path
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let writer = Thread {
            // Waits for the reader.
            guard let pipe = FileHandle(forWritingAtPath: path) else { return }
            try? pipe.write(contentsOf: Data(bytes))
            try? pipe.close()
        }
        signal(SIGPIPE, SIG_IGN)
        writer.start()
        return outcome(of: path)
    }
}
