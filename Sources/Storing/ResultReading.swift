// Single results, newest or oldest first.

internal import GRDB
public import Model

extension StoreReader {
    /// The newest `limit` results of a target within the window, oldest first. The end is not part of the window.
    ///
    /// Results of the running hour are as they were stored; those of sealed hours have times of sending in whole
    /// milliseconds and RTTs rounded to a thousandth or less.
    public func results(
        of target: TargetID, probe: String? = nil, since: WallTime? = nil, until: WallTime? = nil, limit: Int
    ) throws(StoreError) -> [StoredResult] {
        try read { db in
            var found: [StoredResult] = []
            for one in try SeriesRow.of(target, probe: probe, db) {
                let window = TimeSpan(start: since ?? .earliest, end: until ?? .latest)
                found += try ResultReading.newest(limit, of: one, in: window, db)
            }
            found.sort { ($0.result.sent, $0.result.sequence) < ($1.result.sent, $1.result.sequence) }
            return found.suffix(max(limit, 0))
        }
    }

    /// The newest results of every target since a time, oldest first, at most `limit` of each of its series.
    public func recentResults(since: WallTime, limit: Int) throws(StoreError) -> [TargetID: [StoredResult]] {
        try read { db in
            let all = try SeriesRow.of(nil, db)
            let hot = try ResultReading.hot(all, since: since, limit: max(limit, 0), db)
            var found: [TargetID: [StoredResult]] = [:]
            for one in all {
                var results = hot[one.id] ?? []
                if results.count < limit {
                    let window = TimeSpan(start: since, end: .latest)
                    results += try ResultReading.sealed(limit - results.count, of: one, in: window, db)
                }
                results.sort { ($0.result.sent, $0.result.sequence) < ($1.result.sent, $1.result.sequence) }
                results = Array(results.suffix(max(limit, 0)))
                found[one.key.target, default: []] += results
            }
            return found.filter { !$0.value.isEmpty }.mapValues { results in
                results.sorted { ($0.result.sent, $0.result.sequence) < ($1.result.sent, $1.result.sequence) }
            }
        }
    }

    /// Every result of the window, those of all series merged in order of time. Damaged ones are left out and their
    /// time is returned.
    ///
    /// Reads an hour at a time, so memory does not grow with the window; each hour is one consistent state.
    public func eachResult(
        of target: TargetID? = nil, probe: String? = nil, since: WallTime? = nil, until: WallTime? = nil,
        _ body: (StoredResult) throws -> Void
    ) throws -> [TimeSpan] {
        let all = try read { try SeriesRow.of(target, probe: probe, $0) }
        var reading = RawReading()
        var next: WallTime? = since ?? .earliest
        while let from = next, from < until ?? .latest {
            let batch = try read { db -> [StoredResult] in
                guard let first = try ResultReading.first(all, from: from, db) else {
                    next = nil
                    return []
                }
                let hour = Hour.start(of: max(first, from))
                let end = WallTime(seconds: hour.addingSaturated(Hour.seconds))
                next = end > from ? end : nil
                var batch: [StoredResult] = []
                for one in all {
                    try reading.each(db, one, since: max(first, from), until: min(end, until ?? .latest)) {
                        _, _, _, make in
                        batch.append(StoredResult(series: one.key, kind: one.kind, result: make()))
                    }
                }
                return batch
            }
            for result in batch.sorted(by: {
                ($0.result.sent, $0.result.sequence) < ($1.result.sent, $1.result.sequence)
            }) {
                try body(result)
            }
        }
        return UnknownTime.merged(reading.damaged, within: TimeSpan(start: .earliest, end: .latest))
    }
}

enum ResultReading {
    /// The newest results of a series in a window, in any order.
    static func newest(
        _ limit: Int, of one: SeriesRow, in window: TimeSpan, _ db: Database
    ) throws -> [StoredResult] {
        guard limit > 0, window.start < window.end else { return [] }
        var found: [StoredResult] = []
        let oldest = ResultTally.block(ofSlot: Slot(window.start).number)
        var next = try HotRow.newestBlock(db, upTo: ResultTally.block(ofSlot: Slot(window.end).number))
        while let block = next, block >= oldest, found.count < limit {
            let slots = ResultTally.slots(of: block)
            var count = RowCount()
            try HotRow.each(db, series: one, slots: slots) { row, slot in
                count.add(row, slot: slot, series: one.id)
                add(row, of: one, slot: slot, in: window, to: &found)
            }
            let stored = try ResultTallies.stored(db, series: one.id, slots: slots)
            for (key, rows) in count.hidden(from: stored) {
                addHidden(rows, of: one, block: key.block, in: window, to: &found)
            }
            next = try HotRow.newestBlock(db, upTo: block.subtractingSaturated(1))
        }
        // Late rows lie in the hot table beside newer ones that are sealed: both are asked for all that is wanted.
        return found + (try sealed(limit, of: one, in: window, db))
    }

    /// Adds a row that lies in the window. A damaged one is a result about which nothing is known.
    private static func add(
        _ row: HotRow?, of one: SeriesRow, slot: Int64, in window: TimeSpan,
        to found: inout [StoredResult]
    ) {
        let result = row?.result ?? damaged(at: max(Slot.time(slot: slot, offset: 0), window.start))
        guard result.sent >= window.start, result.sent < window.end else { return }
        found.append(StoredResult(series: one.key, kind: one.kind, result: result))
    }

    /// Adds rows that are known to be hidden, at most as many as anybody looks at.
    private static func addHidden(
        _ rows: Int64, of one: SeriesRow, block: Int64, in window: TimeSpan,
        to found: inout [StoredResult]
    ) {
        let time = max(ResultTally.span(of: block).start, window.start)
        guard time < window.end else { return }
        let result = StoredResult(series: one.key, kind: one.kind, result: damaged(at: time))
        found += repeatElement(result, count: Int(clamping: min(rows, 60)))
    }

    /// Stands for a result that was stored and can no longer be read.
    private static func damaged(at time: WallTime) -> ProbeResult {
        ProbeResult(
            sent: time, sequence: 0, outcome: .indeterminate(.internalError), source: .user,
            note: "damaged in the database")
    }

    /// The newest sealed results of a series in a window, in any order; a damaged chunk is one result about which nothing
    /// is known.
    static func sealed(
        _ limit: Int, of one: SeriesRow, in window: TimeSpan, _ db: Database
    ) throws -> [StoredResult] {
        var found: [StoredResult] = []
        var next = try ChunkRows.newest(
            db, series: one.id, before: Slot.floored(window.end.nanoseconds, by: 1_000_000).addingSaturated(1))
        let oldest = Hour.start(of: window.start).multipliedReportingOverflow(by: 1000).partialValue
        while let time = next, time >= oldest, found.count < limit {
            try ChunkRows.each(db, series: one, from: time, to: time) { _, chunk in
                guard let chunk else {
                    let result = damaged(at: max(RawReading.wall(time), window.start))
                    return found.append(StoredResult(series: one.key, kind: one.kind, result: result))
                }
                for index in 0..<chunk.count {
                    let sent = RawReading.wall(chunk.times[index])
                    guard sent >= window.start, sent < window.end else { continue }
                    found.append(StoredResult(series: one.key, kind: one.kind, result: chunk.result(at: index)))
                }
            }
            next = try ChunkRows.newest(db, series: one.id, before: time)
        }
        return found
    }

    /// The newest results of each series that are not sealed yet: one pass from the newest block back, until every series
    /// has as many as wanted.
    static func hot(
        _ all: [SeriesRow], since: WallTime, limit: Int, _ db: Database
    ) throws -> [Int64: [StoredResult]] {
        let series = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var found: [Int64: [StoredResult]] = [:]
        var missing = Set(series.keys)
        let statement = try db.cachedStatement(
            sql: "SELECT \(HotRow.columns), r.series FROM results AS r WHERE r.slot >= ? AND r.slot <= ?")
        let window = TimeSpan(start: since, end: .latest)
        var next = try HotRow.newestBlock(db, upTo: .max)
        while let block = next, block >= ResultTally.block(ofSlot: Slot(since).number), !missing.isEmpty {
            let slots = ResultTally.slots(of: block)
            var count = RowCount()
            try FastRows(statement, [slots.lowerBound, slots.upperBound]).each { row in
                guard let id = row.integer(9), missing.contains(id), let one = series[id] else { return }
                let hot = HotRow(row, seed: one.seed)
                let slot = row.integer(0) ?? slots.lowerBound
                count.add(hot, slot: slot, series: id)
                add(hot, of: one, slot: slot, in: window, to: &found[id, default: []])
            }
            let stored = try ResultTallies.stored(db, slots: slots)?.filter {
                missing.contains($0.key.series)
            }
            for (key, rows) in count.hidden(from: stored) {
                guard let one = series[key.series] else { continue }
                addHidden(rows, of: one, block: key.block, in: window, to: &found[key.series, default: []])
            }
            missing = missing.filter { (found[$0]?.count ?? 0) < limit }
            next = try HotRow.newestBlock(db, upTo: block.subtractingSaturated(1))
        }
        return found
    }

    /// When the first stored result of any of the series from a time on was sent, or an earlier moment of its hour.
    static func first(_ all: [SeriesRow], from: WallTime, _ db: Database) throws -> WallTime? {
        var first = try HotRow.oldestSlot(db, from: Slot(from).number).map { max(Slot.time(slot: $0, offset: 0), from) }
        let hour = Hour.start(of: from).multipliedReportingOverflow(by: 1000).partialValue
        for one in all {
            guard let time = try ChunkRows.first(db, series: one.id, from: hour) else { continue }
            let start = max(RawReading.wall(time), from)
            first = min(first ?? start, start)
        }
        return first
    }
}

extension WallTime {
    /// The last moment that can be written.
    static let latest = WallTime(nanoseconds: .max)
    static let earliest = WallTime(nanoseconds: .min)
}
