// The newest results of every series, so that `taut status` needs no database while the daemon runs.

internal import Control
internal import Model

/// A bounded ring of results a series, oldest first when read.
struct LiveWindow {
    /// Results kept a series: what the status report takes its figures over.
    static let depth = StatusReport.window
    /// Most series held; a name with ever-changing addresses must not grow the daemon.
    static let maximumSeries = 20_000

    struct Series {
        var kind: ProbeKind
        var results: [ProbeResult] = []
        var staleAddressAge: Duration?
        var touched: MonotonicTime
    }

    private(set) var series: [SeriesKey: Series] = [:]
    /// Series that were let go for the bound.
    private(set) var evicted: UInt64 = 0

    mutating func add(_ round: Round) {
        if series[round.series] == nil { makeRoom(for: round.series) }
        var entry = series[round.series] ?? Series(kind: round.kind, touched: round.finished)
        entry.results.append(contentsOf: round.results)
        if entry.results.count > Self.depth { entry.results.removeFirst(entry.results.count - Self.depth) }
        entry.staleAddressAge = round.staleAddressAge
        entry.touched = round.finished
        series[round.series] = entry
    }

    /// Forgets the series of targets that are no longer watched.
    mutating func keep(targets: Set<TargetID>) {
        series = series.filter { targets.contains($0.key.target) }
    }

    /// A probe has few addresses at a time: of more than four, the one unheard of for longest goes.
    private mutating func makeRoom(for key: SeriesKey) {
        let siblings = series.filter { $0.key.target == key.target && $0.key.probe == key.probe }
        if siblings.count >= 4 || series.count >= Self.maximumSeries {
            let pool = siblings.isEmpty ? series : siblings
            if let oldest = pool.min(by: { $0.value.touched < $1.value.touched })?.key {
                series[oldest] = nil
                evicted &+= 1
            }
        }
    }
}
