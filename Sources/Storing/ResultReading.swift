// Single results, by the slots that they lie in.

internal import GRDB
public import Model
internal import Wire

/// A row of `series`.
struct SeriesRow {
    var id: Int64
    var key: SeriesKey
    var kind: ProbeKind
    var slots: ClosedRange<Int64>

    /// The series of a target, and of one of its probes where it is named.
    static func of(_ target: TargetID?, probe: String? = nil, _ db: Database) throws -> [SeriesRow] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT id, target, probe, kind, address, first_slot, last_slot FROM series
                WHERE (?1 IS NULL OR target = ?1) AND (?2 IS NULL OR probe = ?2) ORDER BY id
                """, arguments: [target?.rawValue, probe])
        return rows.compactMap { row in
            guard let id = row.integer(0), let target = row.text(1).flatMap({ TargetID(rawValue: $0) }),
                let first = row.integer(5), let last = row.integer(6)
            else { return nil }
            let address = row.text(4).flatMap { IPAddress($0) }
            return SeriesRow(
                id: id, key: SeriesKey(target: target, probe: row.text(2) ?? "", address: address),
                kind: row.text(3).flatMap { ProbeKind(rawValue: $0) } ?? .icmp,
                slots: min(first, last)...max(first, last))
        }
    }
}

extension StoreReader {
    /// The newest `limit` results of a target within the window, oldest first. The end is not part of the window.
    public func results(
        of target: TargetID, probe: String? = nil, since: WallTime? = nil, until: WallTime? = nil, limit: Int
    ) throws(StoreError) -> [StoredResult] {
        try read { db in
            let series = try SeriesRow.of(target, probe: probe, db)
            guard let first = series.map(\.slots.lowerBound).min(), let last = series.map(\.slots.upperBound).max()
            else { return [] }
            let start = max(first, since.map { Slot($0).number } ?? .min)
            var next = try StoreReader.newestSlot(db, upTo: min(last, until.map { Slot($0).number } ?? .max))
            var newestFirst: [StoredResult] = []
            while let slot = next, slot >= start, newestFirst.count < limit {
                var found: [StoredResult] = []
                for one in series where one.slots.contains(slot) {
                    found += try StoreReader.results(of: one, in: slot, db)
                }
                found.removeAll { $0.result.sent < since ?? .earliest || $0.result.sent >= until ?? .latest }
                found.sort { ($1.result.sent, $1.result.sequence) < ($0.result.sent, $0.result.sequence) }
                newestFirst += found
                next = try StoreReader.newestSlot(db, upTo: slot.subtractingSaturated(1))
            }
            return newestFirst.prefix(max(limit, 0)).reversed()
        }
    }

    /// The newest slot that has rows, up to a number; leaps over time without rows.
    private static func newestSlot(_ db: Database, upTo slot: Int64) throws -> Int64? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT max(slot) FROM results WHERE slot <= ?"), arguments: [slot])?.integer(0)
    }

    private static func results(of series: SeriesRow, in slot: Int64, _ db: Database) throws -> [StoredResult] {
        let statement = try db.cachedStatement(
            sql: """
                SELECT at_us, sequence, outcome, rtt_ns, source, kernel_rtt_ns, note FROM results
                WHERE slot = ? AND series = ?
                """)
        var results: [StoredResult] = []
        let rows = try Row.fetchCursor(statement, arguments: [slot, series.id])
        while let row = try rows.next() {
            results.append(
                StoredResult(series: series.key, kind: series.kind, result: result(row, from: 0, slot: slot)))
        }
        return results
    }

    /// The newest results of every target since a time, oldest first, at most `limit` a target: one pass over the
    /// recent slots, for a status of all targets.
    public func recentResults(since: WallTime, limit: Int) throws(StoreError) -> [TargetID: [StoredResult]] {
        try read { db in
            let series = Dictionary(
                try SeriesRow.of(nil, db).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            var found: [TargetID: [StoredResult]] = [:]
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT slot, series, at_us, sequence, outcome, rtt_ns, source, kernel_rtt_ns, note FROM results
                    WHERE slot >= ?
                    """, arguments: [Slot(since).number])
            while let row = try rows.next() {
                guard let slot = row.integer(0), let one = row.integer(1).flatMap({ series[$0] }) else { continue }
                let result = StoreReader.result(row, from: 2, slot: slot)
                guard result.sent >= since else { continue }
                found[one.key.target, default: []].append(
                    StoredResult(series: one.key, kind: one.kind, result: result))
            }
            return found.mapValues { results in
                Array(
                    results.sorted { ($0.result.sent, $0.result.sequence) < ($1.result.sent, $1.result.sequence) }
                        .suffix(max(limit, 0)))
            }
        }
    }

    /// Seven columns: at, sequence, outcome, RTT, source, kernel's RTT, note.
    private static func result(_ row: Row, from first: Int, slot: Int64) -> ProbeResult {
        ProbeResult(
            sent: Slot.time(slot: slot, offset: row.integer(first) ?? 0),
            sequence: UInt32(truncatingIfNeeded: row.integer(first + 1) ?? 0),
            outcome: OutcomeCode.outcome(code: row.integer(first + 2) ?? -1, rttNanoseconds: row.integer(first + 3)),
            source: SourceCode.source(code: row.integer(first + 4) ?? -1),
            kernelRTT: row.integer(first + 5).map { .nanoseconds($0) }, note: row.text(first + 6))
    }
}

extension WallTime {
    /// The last moment that can be written.
    static let latest = WallTime(nanoseconds: .max)
    static let earliest = WallTime(nanoseconds: .min)
}
