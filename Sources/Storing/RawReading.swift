// Single results of a series, sealed or not, as one stream.

internal import GRDB
internal import Model

/// Reads results of a window in order of time, and remembers what could not be read.
struct RawReading {
    /// Where stored results exist but are damaged: time about which nothing is known.
    var damaged: [TimeSpan] = []

    private static let hour: Int64 = 3_600_000

    /// Calls `body` with time, code (`OutcomeCode`), nanoseconds, and how to make the whole result.
    mutating func each(
        _ db: Database, _ series: SeriesRow, since: WallTime, until: WallTime,
        _ body: (WallTime, Int64, Int64?, () -> ProbeResult) throws -> Void
    ) throws {
        guard since < until else { return }
        try sealed(db, series, since: since, until: until, body)
        try hot(db, series, since: since, until: until, body)
    }

    mutating func hot(
        _ db: Database, _ series: SeriesRow, since: WallTime, until: WallTime,
        _ body: (WallTime, Int64, Int64?, () -> ProbeResult) throws -> Void
    ) throws {
        var broken: [TimeSpan] = []
        var count = RowCount()
        let slots = ResultTally.whole(Slot(since).number...Slot(until).number)
        try HotRow.each(db, series: series, slots: slots) { row, slot in
            count.add(row, slot: slot, series: series.id)
            guard let row else {
                broken.append(
                    TimeSpan(start: Slot.time(slot: slot, offset: 0), end: Slot.time(slot: slot + 1, offset: 0)))
                return
            }
            let time = row.time
            if time >= since && time < until { try body(time, row.code, row.rtt) { row.result } }
        }
        let stored = try ResultTallies.stored(db, series: series.id, slots: slots)
        broken += count.hidden(from: stored).keys.map { ResultTally.span(of: $0.block) }
        damaged += broken
    }

    mutating func sealed(
        _ db: Database, _ series: SeriesRow, since: WallTime, until: WallTime,
        _ body: (WallTime, Int64, Int64?, () -> ProbeResult) throws -> Void
    ) throws {
        let from = Slot.floored(Slot.floored(since.nanoseconds, by: 1_000_000), by: RawReading.hour)
        let to = Slot.floored(until.nanoseconds, by: 1_000_000)
        var group = Chunk()
        var end = Int64.min
        var broken: [TimeSpan] = []
        // A chunk stays within its hour, so those of the hour of `since` are all that can reach into the window.
        try ChunkRows.each(
            db, series: series, from: from.multipliedReportingOverflow(by: RawReading.hour).partialValue, to: to
        ) { time, chunk in
            guard let chunk, let first = chunk.times.first, let last = chunk.times.last else {
                let next = try ChunkRows.first(db, series: series.id, from: time.addingSaturated(1)) ?? .max
                let hourEnd = (Slot.floored(time, by: RawReading.hour) + 1) * RawReading.hour
                broken.append(
                    TimeSpan(start: RawReading.wall(time), end: RawReading.wall(min(next, hourEnd))))
                return
            }
            if first < end {
                group.merge(chunk)
            } else {
                try RawReading.emit(group, since, until, body)
                group = chunk
            }
            end = max(end, last)
        }
        try RawReading.emit(group, since, until, body)
        damaged += broken
    }

    private static func emit(
        _ chunk: Chunk, _ since: WallTime, _ until: WallTime,
        _ body: (WallTime, Int64, Int64?, () -> ProbeResult) throws -> Void
    ) rethrows {
        for index in 0..<chunk.count {
            let time = wall(chunk.times[index])
            guard time >= since, time < until else { continue }
            try body(time, Int64(chunk.codes[index] % Chunk.withoutTime), chunk.rtts[index]) {
                chunk.result(at: index)
            }
        }
    }

    static func wall(_ milliseconds: Int64) -> WallTime {
        let (value, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return WallTime(nanoseconds: overflow ? (milliseconds < 0 ? .min : .max) : value)
    }
}

extension Chunk {
    /// Adds the other's results and puts all into order of time.
    mutating func merge(_ other: Chunk) {
        let all = Chunk(
            times: times + other.times, sequences: sequences + other.sequences, codes: codes + other.codes,
            sources: sources + other.sources, rtts: rtts + other.rtts, kernelRTTs: kernelRTTs + other.kernelRTTs,
            notes: notes + other.notes)
        let order = (0..<all.count).sorted { (all.times[$0], $0) < (all.times[$1], $1) }
        times = order.map { all.times[$0] }
        sequences = order.map { all.sequences[$0] }
        codes = order.map { all.codes[$0] }
        sources = order.map { all.sources[$0] }
        rtts = order.map { all.rtts[$0] }
        kernelRTTs = order.map { all.kernelRTTs[$0] }
        notes = order.map { all.notes[$0] }
    }
}
