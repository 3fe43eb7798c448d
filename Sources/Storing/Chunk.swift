// Results of one series as one compressed, checksummed piece. docs/schema.md describes the bytes.

internal import Model
internal import Statistics

/// Results of one series within one hour, in order of sending, as arrays of equal length.
struct Chunk: Hashable {
    /// When each was sent, ms since 1970.
    var times: [Int64] = []
    var sequences: [UInt32] = []
    /// Numbers of `OutcomeCode`, with `withoutTime` added where a time is usual and absent.
    var codes: [UInt64] = []
    var sources: [UInt64] = []
    /// Nanoseconds; present where the code has a time. Rounded to the chunk's unit once sealed.
    var rtts: [Int64?] = []
    var kernelRTTs: [Int64?] = []
    var notes: [String?] = []

    /// Of an outcome that usually has a time, such as `ok` of a link.
    static let withoutTime: UInt64 = 256
    /// Most results of one chunk.
    static let maximumCount = 4096
    /// Bytes of a chunk; above 1,002 SQLite would spread it over further pages.
    static let maximumBytes = 900

    var count: Int { times.count }
    var isEmpty: Bool { times.isEmpty }

    /// Whether results with this code carry a time.
    static func hasTime(_ code: UInt64) -> Bool {
        code <= UInt64(OutcomeCode.refused) && code != UInt64(OutcomeCode.lost)
    }

    /// Adds a result that is not older than those before it.
    mutating func append(
        milliseconds: Int64, sequence: UInt32, code: Int64, rtt: Int64?, source: Int64, kernelRTT: Int64?, note: String?
    ) {
        var stored = UInt64(clamping: min(code, 255))
        var time = rtt
        if Chunk.hasTime(stored) { if rtt == nil { stored += Chunk.withoutTime } } else { time = nil }
        times.append(milliseconds)
        sequences.append(sequence)
        codes.append(stored)
        sources.append(UInt64(clamping: source))
        rtts.append(time.map { max($0, 0) })
        kernelRTTs.append(kernelRTT)
        notes.append(note)
    }

    func outcome(at index: Int) -> Outcome {
        OutcomeCode.outcome(code: Int64(codes[index] % Chunk.withoutTime), rttNanoseconds: rtts[index])
    }

    func result(at index: Int) -> ProbeResult {
        let (nanoseconds, overflow) = times[index].multipliedReportingOverflow(by: 1_000_000)
        return ProbeResult(
            sent: WallTime(nanoseconds: overflow ? (times[index] < 0 ? .min : .max) : nanoseconds),
            sequence: sequences[index], outcome: outcome(at: index),
            source: SourceCode.source(code: Int64(clamping: sources[index])),
            kernelRTT: kernelRTTs[index].map { .nanoseconds($0) }, note: notes[index])
    }

    /// The results of a range of positions.
    func slice(_ range: Range<Int>) -> Chunk {
        Chunk(
            times: Array(times[range]), sequences: Array(sequences[range]), codes: Array(codes[range]),
            sources: Array(sources[range]), rtts: Array(rtts[range]), kernelRTTs: Array(kernelRTTs[range]),
            notes: Array(notes[range]))
    }

    /// The chunk as pieces of at most `maximumBytes`, where single results allow it, each with its bytes.
    func pieces() -> [(first: Int64, count: Int, body: [UInt8])] {
        guard let first = times.first else { return [] }
        if count <= Chunk.maximumCount {
            let body = ChunkCoding.body(of: self)
            if body.count + 4 <= Chunk.maximumBytes || count < 16 { return [(first, count, body)] }
            // Even parts: a remainder of a few results would cost a header of its own.
            let parts = (body.count + Chunk.maximumBytes - 40) / (Chunk.maximumBytes - 40)
            return split(into: max(parts, 2))
        }
        return split(into: (count + Chunk.maximumCount - 1) / Chunk.maximumCount)
    }

    private func split(into parts: Int) -> [(first: Int64, count: Int, body: [UInt8])] {
        (0..<parts).flatMap { part in
            slice((count * part / parts)..<(count * (part + 1) / parts)).pieces()
        }
    }
}
