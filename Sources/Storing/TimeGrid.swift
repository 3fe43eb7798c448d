// Times of results as ticks of a schedule and how far each is off its tick.

internal import Statistics

/// A schedule of `phases` results every `interval`: the i-th result is expected one interval after the one `phases`
/// before it. Missed ticks are skips; what is left are milliseconds of lateness.
struct TimeGrid {
    /// Most results a round has that the grid knows of.
    static let maximumPhases = 8

    var interval: Int64 = 0
    var phases = 1
    /// Ticks skipped before a result: index and number, few.
    var skips: [(index: Int, ticks: Int64)] = []
    /// How far each result is off its tick, ms.
    var deviations: [Int64] = []

    /// The grid that fits the times (ms, in any order) best.
    init(_ times: [Int64]) {
        var best = Int.max
        for phases in 1...TimeGrid.maximumPhases {
            let grid = TimeGrid(times, phases: phases)
            let cost = grid.cost
            if cost < best {
                best = cost
                self = grid
            }
            // A regular list of single results needs no further try.
            if phases == 1 && cost <= times.count * 3 { break }
        }
    }

    private init() {}

    private init(_ times: [Int64], phases: Int) {
        self.phases = phases
        guard times.count > phases else {
            deviations = times.map { $0 &- (times.first ?? 0) }
            return
        }
        var steps = (phases..<times.count).map { times[$0] &- times[$0 - phases] }
        steps.sort()
        interval = max(steps[steps.count / 2], 1)
        var ticks = [Int64](repeating: times[0], count: phases)
        deviations.reserveCapacity(times.count)
        for (index, time) in times.enumerated() {
            let phase = index % phases
            if index < phases {
                // The first round says where in a round each of its results lies.
                deviations.append(time &- times[0])
                ticks[phase] = time
                continue
            }
            ticks[phase] = ticks[phase] &+ interval
            var off = time &- ticks[phase]
            let skipped = (off &+ interval / 2) / interval
            if off > interval / 2 || off < -(interval / 2), skipped != 0 {
                skips.append((index, skipped))
                for phase in 0..<phases { ticks[phase] = ticks[phase] &+ skipped &* interval }
                off = time &- ticks[phase]
            }
            deviations.append(off)
        }
    }

    /// Bits, roughly.
    private var cost: Int {
        let rice = RiceStream(for: deviations)
        guard rice.prediction != .constant else { return skips.count * 24 + phases }
        var writer = BitWriter()
        rice.write(deviations, to: &writer)
        return writer.bytes.count * 8 + skips.count * 24 + phases
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(varint: UInt64(phases))
        bytes.append(varint: UInt64(interval))
        bytes.append(varint: UInt64(skips.count))
        var last = 0
        for skip in skips {
            bytes.append(varint: UInt64(skip.index - last))
            bytes.append(varint: RiceStream.zigzag(skip.ticks))
            last = skip.index
        }
    }

    /// Reads all but the deviations; nil where it does not fit `count` results.
    init?(_ count: Int, from reader: inout VarintReader<ArraySlice<UInt8>>) {
        guard let phases = reader.varint(), (1...UInt64(TimeGrid.maximumPhases)).contains(phases),
            let interval = reader.varint(), interval <= UInt64(Int64.max),
            let number = reader.varint(), number <= UInt64(count)
        else { return nil }
        self.phases = Int(phases)
        self.interval = Int64(interval)
        var index = 0
        for _ in 0..<number {
            guard let gap = reader.varint(), gap <= UInt64(count), let ticks = reader.varint() else { return nil }
            index += Int(gap)
            guard index < count else { return nil }
            skips.append((index, RiceStream.unzigzag(ticks)))
        }
    }

    /// The times that begin at `first` (ms).
    func times(from first: Int64) -> [Int64] {
        var ticks = [Int64](repeating: first, count: phases)
        var times: [Int64] = []
        times.reserveCapacity(deviations.count)
        var next = 0
        var phase = 0
        for (index, deviation) in deviations.enumerated() {
            if index >= phases { ticks[phase] = ticks[phase] &+ interval }
            if next < skips.count, skips[next].index == index {
                let skipped = skips[next].ticks &* interval
                for phase in 0..<phases { ticks[phase] = ticks[phase] &+ skipped }
                next += 1
            }
            let time = ticks[phase] &+ deviation
            if index < phases { ticks[phase] = time }
            times.append(time)
            phase = phase + 1 == phases ? 0 : phase + 1
        }
        return times
    }
}
