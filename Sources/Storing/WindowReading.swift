// One window of one target, a figure a probe, with the distribution of its times: what comparisons rest on.

internal import GRDB
public import Model
public import Statistics

/// What a probe of a target came to in a window, its addresses taken together.
public struct WindowFigures: Hashable, Sendable {
    public var probe: String
    public var kind: ProbeKind
    /// The finest level that serves; hours and days of UTC that the edges divide are read from finer ones.
    public var level: StorageLevel
    public var counts = OutcomeCounts()
    /// Times of what was answered, in nanoseconds; percentiles within `Histogram.relativeError`.
    public var times = Histogram()
    /// Time of the window in which nobody measured, or whose stored figures are damaged.
    public var gap: Duration
    public var damaged: [TimeSpan]
    /// How the answered results were timed; empty where single results are gone or the window is longer than
    /// `StoreReader.sourceWindow`.
    public var sources: [MeasurementSource: UInt64] = [:]
    /// Where results went to, in order; names are resolved anew now and then.
    public var addresses: [String] = []

    public init(
        probe: String, kind: ProbeKind, level: StorageLevel, gap: Duration = .zero, damaged: [TimeSpan] = []
    ) {
        self.probe = probe
        self.kind = kind
        self.level = level
        self.gap = gap
        self.damaged = damaged
    }

    /// Results that count for or against the target.
    public var sent: UInt64 { counts.answered &+ counts.failed }
    /// Share lost of what is known, 0...1; nil where nothing is known.
    public var loss: Double? { sent == 0 ? nil : Double(counts.failed) / Double(sent) }
}

extension StoreReader {
    /// Single results are read for `WindowFigures.sources` in windows up to this long.
    public static let sourceWindow = Duration.seconds(31 * 86_400)

    /// Figures of every probe of a target from `since` to before `until`, in the order of the config; probes that have no
    /// series at all are left out, those without results in the window are not.
    public func window(of target: TargetID, since: WallTime, until: WallTime) throws(StoreError) -> [WindowFigures] {
        guard let request = HistoryRequest(edges: [since, until]) else { return [] }
        return try read { db in
            let unknown = try UnknownTime.spans(db, since: since, until: until)
            let groups = Dictionary(grouping: try SeriesRow.of(target, db)) { $0.key.probe }
            let order = try HistoryReading.configuredProbes(of: target, db)
            let names = order.filter { groups[$0] != nil } + groups.keys.filter { !order.contains($0) }.sorted()
            return try names.map { name in
                try WindowReading.figures(db, probe: name, series: groups[name] ?? [], request, unknown: unknown)
            }
        }
    }
}

extension HistoryReading {
    /// The ids of the probes that the target was configured with.
    static func configuredProbes(of target: TargetID, _ db: Database) throws -> [String] {
        let row = try Row.fetchOne(db, sql: "SELECT probes FROM targets WHERE id = ?", arguments: [target.rawValue])
        return (StoredText.decoded([ProbeColumn].self, from: row?.text(0)) ?? []).map(\.id)
    }
}

private enum WindowReading {
    static func figures(
        _ db: Database, probe: String, series: [SeriesRow], _ request: HistoryRequest, unknown: [TimeSpan]
    ) throws -> WindowFigures {
        var reading = try HistoryReading(db, series: series, request: request)
        var found = WindowFigures(
            probe: probe, kind: series.last?.kind ?? .icmp, level: reading.plan.level)
        let withSources = request.until - request.since <= StoreReader.sourceWindow
        for one in series {
            var sum = [RowFigures()]
            if reading.plan.level == .raw {
                try reading.raw.each(db, one, since: request.since, until: request.until) { _, code, rtt, _ in
                    sum[0].add(code: code, rtt: rtt)
                }
            } else {
                try reading.add(db, one, to: &sum)
            }
            guard sum[0].counts != OutcomeCounts() else { continue }
            found.counts.add(sum[0].counts)
            found.times.merge(sum[0].histogram)
            if let address = one.key.address { found.addresses.append("\(address)") }
            if withSources { try addSources(db, one, request, to: &found.sources) }
        }
        let window = TimeSpan(start: request.since, end: request.until)
        found.damaged = UnknownTime.merged(reading.raw.damaged, within: window)
        let isEmpty = found.counts == OutcomeCounts() && found.damaged.isEmpty
        let own = try ProbeTime(db, series).unmeasured(within: window, isEmpty: isEmpty)
        found.gap = UnknownTime.merged(unknown + own + found.damaged, within: window)
            .reduce(.zero) { $0 + window.overlap(with: $1) }
        return found
    }

    private static func addSources(
        _ db: Database, _ one: SeriesRow, _ request: HistoryRequest, to sources: inout [MeasurementSource: UInt64]
    ) throws {
        // What is damaged is counted by the reading of the figures.
        var raw = RawReading()
        try raw.each(db, one, since: request.since, until: request.until) { _, code, rtt, result in
            if rtt != nil, code <= Int64(OutcomeCode.late) { sources[result().source, default: 0] &+= 1 }
        }
    }
}
