import Statistics
import Testing

/// A small fixed generator, so that a failure repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Durations as a network has them: from microseconds to seconds, even over the exponent.
func duration(_ generator: inout SplitMix) -> Int64 {
    let shift = Int64.random(in: 8...33, using: &generator)
    return Int64.random(in: (1 << shift)...(2 << shift), using: &generator)
}

@Suite struct HistogramBucketTests {
    @Test func powersOfTwoAreUpperBounds() {
        for exponent in 0..<63 {
            let value = Int64(1) << exponent
            #expect(Histogram.bucketIndex(nanoseconds: value) == exponent * 32 - 1)
            if exponent > 5 { #expect(Histogram.bucketIndex(nanoseconds: value + 1) == exponent * 32) }
        }
        #expect(Histogram.bucketIndex(nanoseconds: .max) == Histogram.highestIndex)
        #expect(Histogram.bucketIndex(nanoseconds: 0) == Histogram.zeroIndex)
        #expect(Histogram.bucketIndex(nanoseconds: -5) == Histogram.zeroIndex)
        #expect(Histogram.bucketIndex(nanoseconds: .min) == Histogram.zeroIndex)
    }

    @Test func boundsEncloseEveryValue() {
        var generator = SplitMix(state: 1)
        var values = (0..<2000).map(Int64.init)
        for _ in 0..<20_000 { values.append(Int64(generator.next() >> (1 + generator.next() % 63))) }
        for value in values {
            let index = Histogram.bucketIndex(nanoseconds: value)
            #expect(Histogram.lowerBound(of: index) <= value && value <= Histogram.upperBound(of: index))
        }
    }

    @Test func firstAndLastValueOfEachBucketAreItsOwn() {
        for index in Histogram.zeroIndex...Histogram.highestIndex {
            let least = Histogram.lowerBound(of: index)
            let greatest = Histogram.upperBound(of: index)
            guard least <= greatest else { continue }
            #expect(Histogram.bucketIndex(nanoseconds: least) == index)
            #expect(Histogram.bucketIndex(nanoseconds: greatest) == index)
        }
    }

    @Test func bucketsAdjoin() {
        #expect(Histogram.lowerBound(of: Histogram.zeroIndex) == 0)
        #expect(Histogram.lowerBound(of: -99) == 0)
        #expect(Histogram.upperBound(of: Histogram.highestIndex) == .max)
        #expect(Histogram.upperBound(of: .max) == .max)
        for index in Histogram.zeroIndex..<Histogram.highestIndex {
            #expect(Histogram.upperBound(of: index) + 1 == Histogram.lowerBound(of: index + 1))
        }
    }

    @Test func knownBounds() {
        // 2^20 · 2^(16/32) = 1,482,910.4…: the fixed points keep the table from changing unseen.
        #expect(Histogram.upperBound(of: 20 * 32 + 15) == 1_482_910)
        #expect(Histogram.bucketIndex(nanoseconds: 40_000_000) == 808)
        #expect(Histogram.bucketIndex(nanoseconds: 1_000_000_000) == 956)
    }
}

@Suite struct HistogramTests {
    @Test func emptyHasNoFigures() {
        let histogram = Histogram()
        #expect(histogram.isEmpty && histogram.count == 0)
        #expect(histogram.minimum == nil && histogram.maximum == nil && histogram.mean == nil)
        #expect(histogram.quantile(0.5) == nil)
        #expect(histogram.buckets.isEmpty)
    }

    @Test func figuresAreExact() {
        var histogram = Histogram()
        for value: Int64 in [30_000_000, 20_000_000, -1, 50_000_000] { histogram.record(nanoseconds: value) }
        histogram.record(nanoseconds: 7, count: 0)
        #expect(histogram.count == 4 && histogram.sum == 100_000_000)
        #expect(histogram.minimum == 0 && histogram.maximum == 50_000_000)
        #expect(histogram.mean == 25_000_000)
        #expect(histogram.quantile(0) == 0 && histogram.quantile(1) == 50_000_000)
        #expect(histogram.quantile(.nan) == nil && histogram.quantile(7) == 50_000_000)
    }

    @Test func quantilesStayWithinTheBound() {
        var generator = SplitMix(state: 42)
        for size in [1, 2, 3, 10, 359, 3600] {
            let values = (0..<size).map { _ in duration(&generator) }.sorted()
            var histogram = Histogram()
            for value in values.shuffled(using: &generator) { histogram.record(nanoseconds: value) }
            for q in [0, 0.001, 0.07, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1] {
                let exact = Quantiles.exact(sorted: values, q) ?? -1
                let estimate = histogram.quantile(q) ?? -1
                let bound = Double(exact) * Histogram.relativeError + 0.5
                #expect(Double(abs(exact - estimate)) <= bound, "q \(q) of \(size): \(estimate) for \(exact)")
            }
        }
    }

    @Test func boundHoldsForEverySmallValue() {
        for value in Int64(1)...5000 {
            var histogram = Histogram()
            histogram.record(nanoseconds: 0)
            histogram.record(nanoseconds: value)
            histogram.record(nanoseconds: 1_000_000)
            let error = abs((histogram.quantile(0.5) ?? -1) - value)
            #expect(Double(error) <= Double(value) * Histogram.relativeError + 0.5)
        }
    }

    @Test func countsFromElsewhereEqualRecording() {
        var generator = SplitMix(state: 11)
        let values = [0, 1, .max] + (0..<500).map { _ in duration(&generator) }
        var recorded = Histogram()
        var counts = [UInt64](repeating: 0, count: Histogram.maximumBuckets)
        var sum: Int64 = 0
        for value in values {
            recorded.record(nanoseconds: value)
            counts[Histogram.bucketIndex(nanoseconds: value) - Histogram.zeroIndex] += 1
            let (added, isTooGreat) = sum.addingReportingOverflow(value)
            sum = isTooGreat ? .max : added
        }
        #expect(Histogram(counts: counts, sum: sum, minimum: 0, maximum: .max) == recorded)
        #expect(Histogram(counts: counts + [7], sum: sum, minimum: 0, maximum: .max) == recorded)
        #expect(Histogram(counts: [], sum: 5, minimum: 1, maximum: 4) == Histogram())
    }

    @Test func mergingEqualsRecording() {
        var generator = SplitMix(state: 7)
        var whole = Histogram()
        var parts = Array(repeating: Histogram(), count: 5)
        for _ in 0..<2000 {
            let value = duration(&generator)
            let times = UInt64.random(in: 1...3, using: &generator)
            whole.record(nanoseconds: value, count: times)
            parts[Int.random(in: 0..<5, using: &generator)].record(nanoseconds: value, count: times)
        }
        var forwards = Histogram()
        for part in parts { forwards.merge(part) }
        var backwards = Histogram()
        for part in parts.reversed() { backwards.merge(part) }
        #expect(forwards == whole && backwards == whole)
        forwards.merge(Histogram())
        #expect(forwards == whole)
    }

    @Test func countsAndSumsSaturate() {
        var histogram = Histogram()
        histogram.record(nanoseconds: .max, count: .max)
        histogram.record(nanoseconds: .max, count: .max)
        #expect(histogram.count == .max && histogram.sum == .max)
        var other = histogram
        other.merge(histogram)
        #expect(other == histogram)
        #expect(histogram.quantile(0.5) == .max)
        #expect(Histogram(encoded: histogram.encoded()) == histogram)
    }
}

@Suite struct HistogramCodingTests {
    @Test func roundTrip() {
        var generator = SplitMix(state: 3)
        for size in [0, 1, 2, 360, 5000] {
            var histogram = Histogram()
            for _ in 0..<size { histogram.record(nanoseconds: duration(&generator)) }
            let bytes = histogram.encoded()
            #expect(Histogram(encoded: bytes) == histogram)
            #expect(Histogram(encoded: bytes[...]) == histogram)
        }
    }

    @Test func anHourIsSmall() {
        var generator = SplitMix(state: 5)
        var histogram = Histogram()
        for _ in 0..<360 {
            histogram.record(nanoseconds: 40_000_000 + Int64.random(in: 0...3_000_000, using: &generator))
        }
        #expect(histogram.encoded().count <= 40)
    }

    @Test func decoderRefusesWhatEncoderDoesNotWrite() {
        var histogram = Histogram()
        histogram.record(nanoseconds: 1000)
        histogram.record(nanoseconds: 2000, count: 300)
        let good = histogram.encoded()
        #expect(Histogram(encoded: [] as [UInt8]) == nil)
        #expect(Histogram(encoded: [2] + good.dropFirst()) == nil, "another version")
        #expect(Histogram(encoded: good + [0]) == nil, "bytes left over")
        for length in 0..<good.count { #expect(Histogram(encoded: good.prefix(length)) == nil) }
        #expect(Histogram(encoded: [1, 1, 0, 0, 0, 0, 0]) == nil, "an empty bucket")
        #expect(Histogram(encoded: [1, 0x80, 0]) == nil, "a padded number")
        #expect(Histogram(encoded: [1, 1, 0xFF, 0xFF, 1, 1, 0, 0, 1]) == nil, "no such bucket")
        #expect(Histogram(encoded: [1, 1] + Array(repeating: 0xFF, count: 11)) == nil, "a number beyond 64 bits")
        var wrongSum = good
        wrongSum[wrongSum.count - 1] ^= 0x40
        #expect(Histogram(encoded: wrongSum) == nil, "a sum that the buckets do not allow")
    }

    @Test func anyBytesAreDecodedOrRefused() {
        var generator = SplitMix(state: 11)
        var histogram = Histogram()
        for _ in 0..<50 { histogram.record(nanoseconds: duration(&generator)) }
        let good = histogram.encoded()
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...(generator.next() % 3) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            if let decoded = Histogram(encoded: bytes) { #expect(decoded.encoded() == bytes) }
        }
        for _ in 0..<20_000 {
            let bytes = (0..<Int(generator.next() % 24)).map {
                $0 == 0 ? 1 : UInt8(truncatingIfNeeded: generator.next())
            }
            if let decoded = Histogram(encoded: bytes) { #expect(decoded.encoded() == bytes) }
        }
    }
}
