import Foundation
import Model
import Testing

@testable import Storing

@Suite struct ChunkTests {
    /// Results as a probe makes them, with gaps, bursts, notes and times of any size.
    private func chunk(_ generator: inout SplitMix, count: Int) -> Chunk {
        var chunk = Chunk()
        var time = Int64.random(in: -2_000_000_000_000...2_000_000_000_000, using: &generator)
        var sequence = UInt32(truncatingIfNeeded: generator.next())
        let interval = Int64.random(in: 1...60_000, using: &generator)
        let base = Int64(1) << Int64.random(in: 5...35, using: &generator)
        for _ in 0..<count {
            let dice = Int.random(in: 0..<100, using: &generator)
            time += interval + (dice == 0 ? Int64.random(in: 0...1 << 40, using: &generator) : 0)
            time += Int64.random(in: 0...3, using: &generator)
            sequence &+= dice == 1 ? 1000 : 1
            let code = dice < 90 ? 0 : Int64(OutcomeCode.all.randomElement(using: &generator)?.code ?? 0)
            let rtt = base + Int64.random(in: 0...base / 4, using: &generator) << (dice == 2 ? 8 : 0)
            chunk.append(
                milliseconds: time, sequence: sequence, code: code, rtt: dice == 3 ? nil : rtt,
                source: Int64(dice % 50 == 4 ? 1 : 0), kernelRTT: dice % 4 == 0 ? rtt - 100 : nil,
                note: dice > 95 ? "note \(dice % 3) ünï" : nil)
        }
        return chunk
    }

    @Test func anyResultsComeBack() throws {
        var generator = SplitMix(state: 4)
        for round in 0..<400 {
            let original = chunk(
                &generator, count: Int.random(in: 1...(round % 20 == 0 ? 4096 : 500), using: &generator))
            let body = ChunkCoding.body(of: original)
            let bytes = ChunkCoding.sealed(body, seed: 7, filedAt: -3, results: original.count)
            let back = try #require(
                ChunkCoding.open(bytes, seed: 7, filedAt: -3, results: Int64(original.count)))
            #expect(back.times == original.times && back.sequences == original.sequences)
            #expect(back.codes == original.codes && back.sources == original.sources && back.notes == original.notes)
            for (a, b) in zip(back.rtts + back.kernelRTTs, original.rtts + original.kernelRTTs) {
                #expect((a == nil) == (b == nil))
                #expect(abs(Double(a ?? 0) - Double(b ?? 0)) <= max(Double(b ?? 0) * 0.0005, 0.5) + 500)
            }
            let again = ChunkCoding.sealed(ChunkCoding.body(of: back), seed: 7, filedAt: -3, results: original.count)
            #expect(again == bytes, "sealing what was sealed loses nothing more")
        }
    }

    @Test func extremeTimesDoNotTrap() throws {
        for times in [[Int64.min, .max], [.max, .min, 0], [.max, .max], [.min, 0, .max, .min, 5, .max]] {
            var extreme = Chunk()
            for time in times {
                extreme.append(
                    milliseconds: time, sequence: .max, code: 0, rtt: .max, source: 0, kernelRTT: .min, note: nil)
            }
            let bytes = ChunkCoding.sealed(ChunkCoding.body(of: extreme), seed: 0, filedAt: .max, results: times.count)
            let back = ChunkCoding.open(bytes, seed: 0, filedAt: .max, results: Int64(times.count))
            #expect(back?.times == times)
        }
    }

    @Test func aRegularHourTakesLittle() throws {
        var generator = SplitMix(state: 11)
        var hour = Chunk()
        for step in 0..<360 {
            let outcome = sample(&generator)
            hour.append(
                milliseconds: 1_795_492_800_000 + Int64(step) * 10_000 + Int64.random(in: 0...1, using: &generator),
                sequence: UInt32(step), code: Int64(OutcomeCode.code(of: outcome)),
                rtt: OutcomeCode.rttNanoseconds(of: outcome), source: 0, kernelRTT: nil, note: nil)
        }
        let pieces = hour.pieces()
        #expect(pieces.count == 1)
        // Twelve bits of noise a time, one of lateness, spikes and losses.
        #expect(pieces.reduce(0) { $0 + $1.body.count } < 360 * 2)
    }

    @Test func flippedBytesAndKeysAreSeen() throws {
        var generator = SplitMix(state: 5)
        let original = chunk(&generator, count: 300)
        let bytes = ChunkCoding.sealed(ChunkCoding.body(of: original), seed: 7, filedAt: 9, results: 300)
        for index in bytes.indices {
            var wrong = bytes
            wrong[index] ^= UInt8.random(in: 1...255, using: &generator)
            #expect(ChunkCoding.open(wrong, seed: 7, filedAt: 9, results: 300) == nil)
            #expect(ChunkCoding.open(Array(bytes[..<index]), seed: 7, filedAt: 9, results: 300) == nil)
        }
        #expect(ChunkCoding.open(bytes, seed: 8, filedAt: 9, results: 300) == nil)
        #expect(ChunkCoding.open(bytes, seed: 7, filedAt: 10, results: 300) == nil)
        #expect(ChunkCoding.open(bytes, seed: 7, filedAt: 9, results: 301) == nil)
    }

    /// Bytes that have a right checksum and no sense: a checksum is no proof against an enemy.
    @Test func senselessBytesAreRefusedWithoutATrap() {
        var generator = SplitMix(state: 6)
        let original = ChunkCoding.body(of: chunk(&generator, count: 200))
        for _ in 0..<5000 {
            var body = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                body[Int.random(in: 0..<min(body.count, 60), using: &generator)] = UInt8(
                    truncatingIfNeeded: generator.next())
            }
            if Bool.random(using: &generator) { body.removeLast(Int.random(in: 0..<body.count, using: &generator)) }
            let bytes = ChunkCoding.sealed(body, seed: 1, filedAt: 2, results: 200)
            let read = ChunkCoding.open(bytes, seed: 1, filedAt: 2, results: 200)
            #expect(read == nil || read?.count == 200)
            if let read { for index in 0..<read.count { _ = read.result(at: index) } }
        }
    }

    @Test func theChecksumIsCastagnolis() {
        var sum = CRC32C()
        sum.add(Array("123456789".utf8))
        #expect(sum.value == 0xE306_9283, "RFC 3720 appendix B.4 gives the polynomial; this is its check value")
        for number in [0, 1, -1, .min, .max, 0x0123_4567_89AB_CDEF] as [Int64] {
            var whole = CRC32C(seed: 77)
            var single = CRC32C(seed: 77)
            whole.add(number)
            single.add((0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
            #expect(whole.value == single.value)
        }
    }
}
