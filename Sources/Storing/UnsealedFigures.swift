// What is not sealed yet of all series, in one pass.

internal import GRDB
internal import Model

/// Figures a series over the rows of `results` in a window. One series after the other would read every page of the running
/// hour once for each.
struct UnsealedFigures {
    private(set) var figures: [Int64: RowFigures] = [:]
    /// Time about which nothing is known, a series.
    private(set) var damaged: [Int64: [TimeSpan]] = [:]

    init(_ db: Database, _ all: [SeriesRow], since: WallTime, until: WallTime) throws {
        guard since < until else { return }
        let series = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let slots = ResultTally.whole(Slot(since).number...Slot(until).number)
        var count = RowCount()
        var broken: [Int64: Set<Int64>] = [:]
        let statement = try db.cachedStatement(
            sql: "SELECT \(HotRow.columns), r.series FROM results AS r WHERE r.slot >= ? AND r.slot <= ?")
        try FastRows(statement, [slots.lowerBound, slots.upperBound]).each { row in
            guard let slot = row.integer(0), let one = row.integer(9).flatMap({ series[$0] }) else { return }
            let hot = HotRow(row, seed: one.seed)
            count.add(hot, slot: slot, series: one.id)
            guard let hot else {
                broken[one.id, default: []].insert(slot)
                return
            }
            let time = hot.time
            guard time >= since, time < until else { return }
            figures[one.id, default: RowFigures()].add(code: hot.code, rtt: hot.rtt)
        }
        for (id, slots) in broken {
            damaged[id] = slots.map { slot in
                TimeSpan(start: Slot.time(slot: slot, offset: 0), end: Slot.time(slot: slot + 1, offset: 0))
            }
        }
        for key in count.hidden(from: try ResultTallies.stored(db, slots: slots)).keys {
            damaged[key.series, default: []].append(ResultTally.span(of: key.block))
        }
    }
}
