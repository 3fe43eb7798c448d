// A chunk as bytes: version, flags, header of LEB128 numbers, one stream of bits, CRC-32C.

internal import Model
internal import Statistics

/// Writes and reads the bytes of a chunk. The checksum covers the series and the time it is filed under.
enum ChunkCoding {
    private static let version: UInt8 = 1
    private static let kernelFlag: UInt8 = 1
    private static let noteFlag: UInt8 = 2
    /// Nanoseconds of a unit.
    private static let units: [Int64] = [1, 10, 100, 1000]

    /// All but the checksum, which depends on the key.
    static func body(of chunk: Chunk) -> [UInt8] {
        let hasKernel = chunk.kernelRTTs.contains { $0 != nil }
        let hasNotes = chunk.notes.contains { $0 != nil }
        var bytes: [UInt8] = [version, (hasKernel ? kernelFlag : 0) | (hasNotes ? noteFlag : 0)]
        bytes.append(varint: UInt64(chunk.count))
        bytes.append(varint: RiceStream.zigzag(chunk.times.first ?? 0))
        let grid = TimeGrid(chunk.times)
        grid.append(to: &bytes)
        bytes.append(varint: UInt64(chunk.sequences.first ?? 0))
        Runs(zip(chunk.sequences.dropFirst(), chunk.sequences).map { UInt64($0 &- $1) }).append(to: &bytes)
        Runs(chunk.codes).append(to: &bytes)
        Runs(chunk.sources).append(to: &bytes)
        let unit = unitIndex(of: chunk)
        bytes.append(UInt8(unit))
        let times = chunk.rtts.compactMap { $0.map { rounded($0, units[unit]) } }
        var streams = [(RiceStream(for: grid.deviations), grid.deviations), (RiceStream(for: times), times)]
        if hasKernel {
            Runs(chunk.kernelRTTs.map { $0 == nil ? 0 : 1 }).append(to: &bytes)
            let rests = zip(chunk.kernelRTTs, chunk.rtts).compactMap { kernel, rtt in
                kernel.map { rounded($0, units[unit]) &- rounded(rtt ?? 0, units[unit]) }
            }
            streams.append((RiceStream(for: rests), rests))
        }
        if hasNotes { append(chunk.notes, to: &bytes) }
        for (stream, _) in streams {
            bytes.append(stream.prediction.rawValue << 6 | UInt8(stream.parameter))
            bytes.append(varint: RiceStream.zigzag(stream.base))
        }
        var writer = BitWriter()
        for (stream, values) in streams { stream.write(values, to: &writer) }
        writer.finish()
        return bytes + writer.bytes
    }

    /// The checksum of a body filed under a time (ms) in the series of the seed.
    static func checksum(_ body: [UInt8], count: Int, seed: UInt32, filedAt time: Int64, results: Int64) -> UInt32 {
        var sum = CRC32C(seed: seed)
        sum.add(time)
        sum.add(results)
        sum.add(body, upTo: count)
        return sum.value
    }

    static func sealed(_ body: [UInt8], seed: UInt32, filedAt time: Int64, results: Int) -> [UInt8] {
        let sum = checksum(body, count: body.count, seed: seed, filedAt: time, results: Int64(results))
        return body + (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
    }

    /// Reads what `sealed` gave. Nil for anything else: other bytes, another key, another number of results.
    static func open(_ bytes: [UInt8], seed: UInt32, filedAt time: Int64, results: Int64) -> Chunk? {
        let end = bytes.count - 4
        guard end >= 2 else { return nil }
        let stored = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[end + $1]) << UInt32(8 * $1) }
        guard stored == checksum(bytes, count: end, seed: seed, filedAt: time, results: results),
            bytes[0] == version
        else { return nil }
        let chunk = read(bytes, upTo: end)
        return chunk.map { Int64($0.count) } == results ? chunk : nil
    }

    private static func read(_ bytes: [UInt8], upTo end: Int) -> Chunk? {
        var reader = VarintReader(bytes[2..<end])
        guard let number = reader.varint(), (1...UInt64(Chunk.maximumCount)).contains(number) else { return nil }
        let count = Int(number)
        var chunk = Chunk()
        guard let first = reader.varint(), var grid = TimeGrid(count, from: &reader), let sequence = reader.varint(),
            let steps = Runs.read(count - 1, from: &reader), let codes = Runs.read(count, from: &reader),
            let sources = Runs.read(count, from: &reader), let unit = reader.byte(), unit < UInt8(units.count)
        else { return nil }
        chunk.codes = codes
        chunk.sources = sources
        var last = UInt32(truncatingIfNeeded: sequence)
        chunk.sequences.reserveCapacity(count)
        chunk.sequences.append(last)
        for step in steps {
            last = last &+ UInt32(truncatingIfNeeded: step)
            chunk.sequences.append(last)
        }
        var kernelMarks: [UInt64]?
        if bytes[1] & kernelFlag != 0 {
            guard let marks = Runs.read(count, from: &reader) else { return nil }
            kernelMarks = marks
        }
        chunk.notes = [String?](repeating: nil, count: count)
        if bytes[1] & noteFlag != 0 { guard readNotes(&chunk.notes, from: &reader) else { return nil } }
        guard let deviations = RiceStream(from: &reader), let times = RiceStream(from: &reader) else { return nil }
        var kernel: RiceStream?
        if kernelMarks != nil {
            guard let stream = RiceStream(from: &reader) else { return nil }
            kernel = stream
        }
        var bits = BitReader(bytes, from: reader.position, to: end)
        grid.deviations = deviations.read(count, from: &bits)
        chunk.times = grid.times(from: RiceStream.unzigzag(first))
        readTimes(&chunk, times, unit: units[Int(unit)], from: &bits)
        chunk.kernelRTTs = [Int64?](repeating: nil, count: count)
        if let kernel, let kernelMarks {
            let rests = kernel.read(kernelMarks.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }, from: &bits)
            var next = 0
            for index in 0..<count where kernelMarks[index] != 0 {
                chunk.kernelRTTs[index] = rests[next] &* units[Int(unit)] &+ (chunk.rtts[index] ?? 0)
                next += 1
            }
        }
        return bits.isExhausted || !bits.isAtEnd ? nil : chunk
    }

    private static func readTimes(_ chunk: inout Chunk, _ stream: RiceStream, unit: Int64, from bits: inout BitReader) {
        var timed = 0
        for code in chunk.codes where Chunk.hasTime(code) { timed += 1 }
        let values = stream.read(timed, from: &bits)
        chunk.rtts.reserveCapacity(chunk.codes.count)
        var next = 0
        for code in chunk.codes {
            if Chunk.hasTime(code) {
                chunk.rtts.append(values[next] &* unit)
                next += 1
            } else {
                chunk.rtts.append(nil)
            }
        }
    }

    /// Three digits at least are kept of the shortest time, and microseconds of any: finer digits are noise that no
    /// code can shorten.
    private static func unitIndex(of chunk: Chunk) -> Int {
        let least = chunk.rtts.reduce(Int64.max) { least, rtt in min(least, rtt ?? .max) }
        if least >= 1_000_000 { return 3 }
        if least >= 100_000 { return 2 }
        return least >= 10_000 ? 1 : 0
    }

    private static func rounded(_ value: Int64, _ unit: Int64) -> Int64 {
        unit == 1 ? value : value.addingSaturated(unit / 2) / unit
    }
}

extension ChunkCoding {
    /// The notes: how many different ones, each with its length, then which result has which.
    private static func append(_ notes: [String?], to bytes: inout [UInt8]) {
        var numbers: [String: UInt64] = [:]
        var texts: [String] = []
        let marks = notes.map { note -> UInt64 in
            guard let note else { return 0 }
            if let number = numbers[note] { return number }
            texts.append(note)
            numbers[note] = UInt64(texts.count)
            return UInt64(texts.count)
        }
        bytes.append(varint: UInt64(texts.count))
        for text in texts {
            bytes.append(varint: UInt64(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        Runs(marks).append(to: &bytes)
    }

    private static func readNotes(
        _ notes: inout [String?], from reader: inout VarintReader<ArraySlice<UInt8>>
    ) -> Bool {
        guard let number = reader.varint(), number <= UInt64(notes.count) else { return false }
        var texts: [String] = []
        for _ in 0..<number {
            guard let length = reader.varint(), length <= 1 << 16 else { return false }
            var text: [UInt8] = []
            for _ in 0..<length {
                guard let byte = reader.byte() else { return false }
                text.append(byte)
            }
            texts.append(String(decoding: text, as: UTF8.self))
        }
        guard let marks = Runs.read(notes.count, from: &reader) else { return false }
        for (index, mark) in marks.enumerated() where mark > 0 {
            guard mark <= UInt64(texts.count) else { return false }
            notes[index] = texts[Int(mark) - 1]
        }
        return true
    }
}

extension RiceStream {
    /// Reads the prediction, the parameter and the base.
    init?(from reader: inout VarintReader<ArraySlice<UInt8>>) {
        guard let head = reader.byte(), let prediction = Prediction(rawValue: head >> 6), head & 63 <= 56,
            let base = reader.varint()
        else { return nil }
        self.prediction = prediction
        parameter = Int(head & 63)
        self.base = RiceStream.unzigzag(base)
    }
}
