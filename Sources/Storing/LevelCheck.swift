// Whether the three levels of sealed results agree: a row that damage hides is missing from one of them.

internal import Model

/// The results of one series, counted in each level.
struct LevelCheck {
    private var chunks: [Int64: UInt64] = [:]
    private var hours: [Int64: UInt64] = [:]
    private var days: [Int64: UInt64] = [:]
    /// Hours and days of which a row is known to be damaged, which is told elsewhere.
    private var damagedHours: Set<Int64> = []
    private var damagedDays: Set<Int64> = []

    mutating func add(_ chunk: Chunk?, filedAt milliseconds: Int64) {
        let hour = Slot.floored(milliseconds, by: Hour.seconds * 1000) * Hour.seconds
        guard let chunk else {
            damagedHours.insert(hour)
            return
        }
        chunks[hour, default: 0] &+= UInt64(chunk.count)
    }

    mutating func add(_ found: FigureRow.Found, _ level: FigureRow.Level, start: Int64) {
        switch (found, level) {
        case (.damaged, .hours): damagedHours.insert(start)
        case (.damaged, .days): damagedDays.insert(start)
        case (.row(let row), .hours): hours[start] = LevelCheck.results(row)
        case (.row(let row), .days): days[start] = LevelCheck.results(row)
        }
    }

    private static func results(_ row: FigureRow) -> UInt64 {
        row.counts.answered &+ row.counts.failed &+ row.counts.unknown
    }

    /// The hours, and with them the days, whose levels do not hold the same number of results, in order. What is older than the
    /// first row of a level has been deleted from it for its age.
    func differences() -> [WallTime] {
        var different: Set<Int64> = []
        if let first = chunks.keys.min() {
            for hour in Set(chunks.keys).union(hours.keys.filter { $0 >= first }).subtracting(damagedHours) {
                if chunks[hour] != hours[hour] { different.insert(hour) }
            }
        }
        var sums: [Int64: UInt64] = [:]
        for (hour, results) in hours { sums[FigureRow.Level.days.start(of: hour), default: 0] &+= results }
        let damaged = damagedDays.union(damagedHours.map { FigureRow.Level.days.start(of: $0) })
        if let first = sums.keys.min() {
            for day in Set(sums.keys).union(days.keys.filter { $0 >= first }).subtracting(damaged) {
                if sums[day] != days[day] { different.insert(day) }
            }
        }
        return different.sorted().map { WallTime(seconds: $0) }
    }
}
