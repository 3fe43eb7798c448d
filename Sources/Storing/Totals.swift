// One figure a probe over a whole window: reports.

internal import GRDB
public import Model

/// What a window comes to, all targets of it.
public struct WindowTotals: Hashable, Sendable {
    /// One probe of one target, its addresses taken together.
    public struct Line: Hashable, Sendable {
        public var target: TargetID
        public var probe: String
        public var level: StorageLevel
        /// The whole window as one bucket; its `gap` is the time in which nobody measured.
        public var figures: HistoryBucket
    }

    public var lines: [Line] = []
    /// Spans in which nobody measured, of all targets alike, in order.
    public var unknown: [TimeSpan] = []
    /// Spans whose stored figures are damaged, of any target.
    public var damaged: [TimeSpan] = []
}

extension StoreReader {
    /// Totals of every probe of every target from `since` to before `until`, from day rows where those serve. A probe
    /// without results in the window is there while it is configured: that it was not measured is part of the truth.
    public func totals(since: WallTime, until: WallTime) throws(StoreError) -> WindowTotals {
        guard let request = HistoryRequest(edges: [since, until]) else { return WindowTotals() }
        return try read { db in
            var totals = WindowTotals()
            totals.unknown = try UnknownTime.spans(db, since: since, until: until)
            let configured = try TargetProbe.configured(db)
            var groups = Dictionary(grouping: try SeriesRow.of(nil, db)) {
                TargetProbe(target: $0.key.target, probe: $0.key.probe)
            }
            for name in configured { groups[name, default: []] += [] }
            // Shorter windows are read from single results anyway.
            let unsealed =
                until - since > HistoryPlan.rawWindow
                ? try UnsealedFigures(db, groups.values.flatMap { $0 }, since: since, until: until) : nil
            for (name, series) in groups {
                var reading = try HistoryReading(
                    db, series: series, request: request, unknown: totals.unknown, unsealed: unsealed)
                guard let bucket = try reading.buckets(db).first else { continue }
                totals.damaged += reading.raw.damaged
                guard
                    bucket.counts != OutcomeCounts() || !reading.raw.damaged.isEmpty || configured.contains(name)
                else { continue }
                totals.lines.append(
                    WindowTotals.Line(
                        target: name.target, probe: name.probe, level: reading.plan.level, figures: bucket))
            }
            totals.lines.sort { ($0.target.rawValue, $0.probe) < ($1.target.rawValue, $1.probe) }
            totals.damaged = UnknownTime.merged(totals.damaged, within: TimeSpan(start: since, end: until))
            return totals
        }
    }
}

private struct TargetProbe: Hashable {
    var target: TargetID
    var probe: String

    /// Those of the running or last config.
    static func configured(_ db: Database) throws -> Set<TargetProbe> {
        let rows = try Row.fetchAll(db, sql: "SELECT id, probes FROM targets WHERE active")
        return Set(
            rows.flatMap { row in
                let target = row.text(0).flatMap { TargetID(rawValue: $0) }
                let probes = StoredText.decoded([ProbeColumn].self, from: row.text(1)) ?? []
                return target.map { target in probes.map { TargetProbe(target: target, probe: $0.id) } } ?? []
            })
    }
}
