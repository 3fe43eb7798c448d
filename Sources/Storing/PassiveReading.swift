// Passive figures over a window: hour rows where an hour lies wholly within, single intervals at the edges.

internal import GRDB
public import Model

/// Passive figures of a window.
public struct PassiveFigures: Hashable, Sendable {
    /// Where the figures really begin: earlier than asked for where only whole hours are left.
    public var since: WallTime
    /// Where they really end: later than asked for where only whole hours are left.
    public var until: WallTime
    public var cells: [PassiveKey: PassiveCell]
}

extension StoreReader {
    /// What was seen passively from `since` to before `until`, merged a key.
    public func passive(since: WallTime, until: WallTime) throws(StoreError) -> PassiveFigures {
        try read { db in
            let plan = try PassivePlan(db, since: since, until: until)
            var cells: [Int64: PassiveCell] = [:]
            for hours in plan.hours {
                try StoreReader.add(
                    db,
                    "SELECT \(RollUp.cellColumns), hour_s FROM passive_hour_rows WHERE hour_s >= ? AND hour_s < ?",
                    hours, to: &cells)
            }
            for span in plan.spans {
                try StoreReader.add(
                    db,
                    "SELECT \(RollUp.cellColumns), start_us FROM passive_rows WHERE start_us >= ? AND start_us < ?",
                    span, to: &cells)
            }
            let keys = try StoreReader.passiveKeys(db)
            var named: [PassiveKey: PassiveCell] = [:]
            for (id, var cell) in cells {
                guard let (key, sources) = keys[id] else { continue }
                cell.serviceSources = sources
                named[key, default: PassiveCell()].merge(cell)
            }
            return PassiveFigures(since: plan.start, until: plan.end, cells: named)
        }
    }

    private static func add(
        _ db: Database, _ sql: String, _ range: Range<Int64>, to cells: inout [Int64: PassiveCell]
    ) throws {
        let statement = try db.cachedStatement(sql: sql)
        let rows = try Row.fetchCursor(statement, arguments: [range.lowerBound, range.upperBound])
        while let row = try rows.next() {
            guard let key = row.integer(0), let cell = RollUp.cell(row, start: row.integer(5) ?? 0) else { continue }
            cells[key, default: PassiveCell()].merge(cell)
        }
    }

    private static func passiveKeys(_ db: Database) throws -> [Int64: (key: PassiveKey, sources: ServiceSources)] {
        var keys: [Int64: (key: PassiveKey, sources: ServiceSources)] = [:]
        let sources = try ServiceColumn.isThere(db) ? ServiceColumn.name : "0"
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, interface, service, peer, kind, side, \(sources) FROM passive_keys")
        while let row = try rows.next() {
            guard let id = row.integer(0), let kind = row.text(4).flatMap({ PassiveKind(rawValue: $0) }),
                let side = row.text(5).flatMap({ PassiveSide(rawValue: $0) })
            else { continue }
            let key = PassiveKey(
                interface: row.text(1) ?? "", service: row.text(2), peer: row.text(3), kind: kind, side: side)
            keys[id] = (key, ServiceColumn.sources(row.integer(6)))
        }
        return keys
    }

    /// The counters of each capture source when it last reported.
    public func captures() throws(StoreError) -> [StoredCapture] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT source, end_ns, counters FROM capture_sources ORDER BY source").compactMap
            {
                row in
                guard let source = row.text(0), let end = row.time(1),
                    let counters = StoredText.decoded(CaptureColumn.self, from: row.text(2))
                else { return nil }
                return StoredCapture(source: source, end: end, counters: counters.counters)
            }
        }
    }
}

/// Which hours (seconds) and which spans of single intervals (µs) make up a window.
struct PassivePlan {
    var start: WallTime
    var end: WallTime
    var hours: [Range<Int64>] = []
    var spans: [Range<Int64>] = []

    init(_ db: Database, since: WallTime, until: WallTime) throws {
        let rows = try PassivePlan.hours(
            db, "SELECT min(start_us) / 1000000, max(start_us) / 1000000 FROM passive_rows")
        let rollUps = try PassivePlan.hours(db, "SELECT min(hour_s), max(hour_s) FROM passive_hour_rows")
        let pending = Set(try RollUp.pending(db))
        start = since
        end = until
        guard let first = [rows, rollUps].compactMap({ $0?.lowerBound }).min(),
            let last = [rows, rollUps].compactMap({ $0?.upperBound }).max()
        else { return }
        let from = Slot.floored(since.nanoseconds, by: 1000)
        let to = Slot.floored(until.nanoseconds, by: 1000)
        var hour = max(Hour.start(of: since), first)
        let lastHour = min(Hour.start(of: until), last)
        while hour <= lastHour {
            let next = hour + Hour.seconds
            defer { hour = next }
            let isWhole = hour * 1_000_000 >= from && next * 1_000_000 <= to
            let hasRows = rows.map { next > $0.lowerBound } ?? false
            let lower = max(from, hour * 1_000_000)
            let upper = min(to, next * 1_000_000)
            // A window that ends on the hour has no part in the hour that begins there.
            guard lower < upper else { continue }
            if !pending.contains(hour) && (isWhole || !hasRows) {
                start = min(start, WallTime(seconds: hour))
                end = max(end, WallTime(seconds: next))
                PassivePlan.append(hour..<next, to: &hours)
            } else {
                PassivePlan.append(lower..<upper, to: &spans)
            }
        }
    }

    /// The first and the last hour of a query's two columns, in seconds; nil where there are no rows.
    private static func hours(_ db: Database, _ sql: String) throws -> ClosedRange<Int64>? {
        guard let row = try Row.fetchOne(db, sql: sql), let first = row.integer(0), let last = row.integer(1) else {
            return nil
        }
        let hours = [first, last].map { Hour.start(of: WallTime(seconds: $0)) }
        return min(hours[0], hours[1])...max(hours[0], hours[1])
    }

    private static func append(_ range: Range<Int64>, to ranges: inout [Range<Int64>]) {
        if let last = ranges.last, last.upperBound == range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            ranges.append(range)
        }
    }
}
