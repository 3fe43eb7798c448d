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
        var next = try HotRow.newestSlot(db, upTo: Slot(window.end).number)
        while let slot = next, slot >= Slot(window.start).number, found.count < limit {
            try HotRow.each(db, series: one, slots: slot...slot) { row, _ in
                guard let row, row.time >= window.start, row.time < window.end else { return }
                found.append(StoredResult(series: one.key, kind: one.kind, result: row.result))
            }
            next = try HotRow.newestSlot(db, upTo: slot.subtractingSaturated(1))
        }
        // Late rows lie in the hot table beside newer ones that are sealed: both are asked for all that is wanted.
        return found + (try sealed(limit, of: one, in: window, db))
    }

    /// The newest sealed results of a series in a window, in any order; damaged ones are left out.
    static func sealed(
        _ limit: Int, of one: SeriesRow, in window: TimeSpan, _ db: Database
    ) throws -> [StoredResult] {
        var found: [StoredResult] = []
        var next = try ChunkRows.newest(
            db, series: one.id, before: Slot.floored(window.end.nanoseconds, by: 1_000_000).addingSaturated(1))
        let oldest = Hour.start(of: window.start).multipliedReportingOverflow(by: 1000).partialValue
        while let time = next, time >= oldest, found.count < limit {
            try ChunkRows.each(db, series: one, from: time, to: time) { _, chunk in
                guard let chunk else { return }
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

    /// The newest results of each series that are not sealed yet: one pass from the newest slot back, until every series
    /// has as many as wanted.
    static func hot(
        _ all: [SeriesRow], since: WallTime, limit: Int, _ db: Database
    ) throws -> [Int64: [StoredResult]] {
        let series = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var found: [Int64: [StoredResult]] = [:]
        var missing = Set(series.keys)
        let statement = try db.cachedStatement(
            sql: "SELECT \(HotRow.columns), r.series FROM results AS r WHERE r.slot = ?")
        var next = try HotRow.newestSlot(db, upTo: .max)
        while let slot = next, slot >= Slot(since).number, !missing.isEmpty {
            try FastRows(statement, [slot]).each { row in
                guard let id = row.integer(9), missing.contains(id), let one = series[id],
                    let hot = HotRow(row, seed: one.seed), hot.time >= since
                else { return }
                found[id, default: []].append(StoredResult(series: one.key, kind: one.kind, result: hot.result))
            }
            missing = missing.filter { (found[$0]?.count ?? 0) < limit }
            next = try HotRow.newestSlot(db, upTo: slot.subtractingSaturated(1))
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
