// The newest passive summaries, for `taut flows` without the database.

internal import Model
internal import Statistics

/// Summaries of the last minutes, newest last, bounded in time, number and keys.
struct PassiveWindow {
    static let span: Duration = .seconds(300)
    static let maximumSummaries = 256
    static let maximumCells = 200_000

    private(set) var summaries: [PassiveSummary] = []
    /// The newest counters of each source.
    private(set) var counters: [String: CaptureCounters] = [:]

    mutating func add(_ summary: PassiveSummary) {
        summaries.append(summary)
        if counters.count < 256 || counters[summary.source] != nil { counters[summary.source] = summary.counters }
        var cells = summaries.reduce(0) { $0 + $1.cells.count }
        while let first = summaries.first, summaries.count > 1,
            summary.end - first.end > Self.span || summaries.count > Self.maximumSummaries
                || cells > Self.maximumCells
        {
            cells -= first.cells.count
            summaries.removeFirst()
        }
    }

    /// All cells merged, and the time they span; nil while there is no summary.
    func merged(since: WallTime? = nil) -> (start: WallTime, end: WallTime, cells: [PassiveKey: PassiveCell])? {
        let chosen = summaries.filter { summary in since.map { summary.end > $0 } ?? true }
        guard let start = chosen.map(\.start).min(), let end = chosen.map(\.end).max() else { return nil }
        var cells: [PassiveKey: PassiveCell] = [:]
        for summary in chosen {
            for (key, cell) in summary.cells { cells[key, default: PassiveCell()].merge(cell) }
        }
        return (start, end, cells)
    }

    /// Whether the interval that the figures are of has been handed over since.
    func hasEnded(_ figures: PassiveSummary) -> Bool {
        summaries.contains { $0.source == figures.source && $0.start >= figures.start }
    }

    /// What each source missed in the time of the window.
    func losses() -> [(source: String, loss: CaptureLoss)] {
        var sums: [String: CaptureLoss] = [:]
        for summary in summaries { sums[summary.source, default: CaptureLoss()] += summary.loss }
        return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
