// Histories out of the database, as the renderers want them.

internal import Model
internal import Storing

struct HistorySource {
    let global: GlobalOptions

    init(_ global: GlobalOptions) { self.global = global }

    /// - Parameter atLeastInterval: buckets shorter than the probe's interval would be empty every other time; widen them.
    func series(
        _ name: String, probe: String?, range: TimeRange, step: Duration, atLeastInterval: Bool = false
    ) throws -> HistorySeries {
        let reader = try MonitorSource(global).reader()
        do {
            return try series(name, probe: probe, range: range, step: step, atLeastInterval, reader)
        } catch let error as StoreError {
            throw CommandError.failure(error.description)
        }
    }

    private func series(
        _ name: String, probe: String?, range: TimeRange, step: Duration, _ atLeastInterval: Bool, _ reader: StoreReader
    ) throws -> HistorySeries {
        let target = try TargetLookup.find(name, in: reader.targets(includingInactive: true))
        if let probe { try TargetLookup.check(probe: probe, of: target, in: reader) }
        let chosen = try probe ?? Self.probe(of: target, reader)
        var width = step
        if atLeastInterval, let interval = target.probes.first(where: { $0.id == chosen })?.interval {
            width = max(width, .seconds(interval.inSeconds.rounded(.up)))
        }
        let edges = CalendarSteps.edges(range, step: width, timeZone: CommandContext.current.timeZone)
        let byCalendar = try edges.flatMap { try reader.history(of: target.id, probe: chosen, edges: $0) }
        let found =
            try byCalendar
            ?? reader.history(of: target.id, probe: chosen, since: range.since, until: range.until, step: width)
        guard let history = found else { throw CommandError.notFound("no result of \(target.id) is stored") }
        // Days of the calendar that the range cuts, or that are 23 hours long, are still steps of a day.
        let step = byCalendar == nil ? history.step : width
        // Rolled-up figures begin on a whole hour or day, and the answer says so.
        let range = TimeRange(
            unchecked: min(range.since, history.buckets.first?.start ?? range.since), until: range.until)
        let unmeasured = history.unmeasured.map { span in
            MonitorEvent(kind: .gap, start: span.start, end: span.end, text: "not measured")
        }
        let damaged = history.damaged.map { span in
            MonitorEvent(kind: .gap, start: span.start, end: span.end, text: "the stored figures are damaged")
        }
        let gaps = (unmeasured + damaged).sorted { $0.start < $1.start }
        return HistorySeries(
            target: target.id.rawValue, probe: history.probe, range: range, step: step,
            level: history.level.rawValue, rows: history.buckets.map { Self.row($0) }, gaps: gaps)
    }

    /// The round-trip time of the network is ICMP's where there is one; `taut status` chooses likewise. A probe that has no
    /// result yet does not hide those of the ones before it.
    private static func probe(of target: StoredTarget, _ reader: StoreReader) throws -> String? {
        let measured = try reader.measuredProbes(of: target.id)
        let known = target.probes.filter { measured.contains($0.id) }
        return (known.first { $0.kind == .icmp } ?? known.first)?.id
    }

    private static func row(_ bucket: HistoryBucket) -> HistoryRow {
        HistoryRow(
            start: bucket.start, sent: bucket.sent, lost: bucket.lost, unknown: bucket.unknown, minimum: bucket.minimum,
            p50: bucket.p50, p95: bucket.p95, p99: bucket.p99, maximum: bucket.maximum, jitter: bucket.jitter,
            gap: bucket.gap)
    }
}
