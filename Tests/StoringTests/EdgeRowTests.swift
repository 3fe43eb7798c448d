import GRDB
import Model
import Testing

@testable import Storing

/// Windows whose edges divide hours and days that nothing finer is left of.
@Suite struct EdgeRowTests {
    /// Midnight of UTC after `noon`.
    private let midnight = noon + .seconds(20 * 3600)
    private let days = 9

    /// A result a minute from midnight on; `gone` are the levels that retention has taken.
    private func filled(_ scratch: Scratch, without gone: [String]) throws -> StoreReader {
        let clock = TestClock(noon)
        let store = try scratch.open(clock: clock).store
        for minute in 0..<(days * 1440) {
            let time = midnight + .seconds(60 * minute)
            store.append(round(at: time, [minute % 7 == 0 ? .lost : ok(20)], sequence: UInt32(minute)))
            if minute % 1440 == 0 { store.flush() }
        }
        store.flush()
        let end = midnight + .seconds(days * 86_400)
        _ = try store.write { try $0.rollUpAll(now: end + .seconds(121)) }
        _ = try store.write { writer in
            try writer.queue.write { db in for table in gone { try db.execute(sql: "DELETE FROM \(table)") } }
        }
        clock.now = end + .seconds(86_400)
        store.append(round(at: end + .seconds(86_399), [ok(20)]))
        store.close()
        return try scratch.reader()
    }

    private func sent(_ reader: StoreReader, _ since: WallTime, _ until: WallTime) throws -> UInt64 {
        try reader.totals(since: since, until: until).lines.reduce(0) { $0 + $1.figures.sent }
    }

    /// A month of local time begins within a day of UTC: hours of that day that lie before the month are not its.
    @Test func hoursBeforeTheWindowAreNotCounted() throws {
        let scratch = Scratch()
        let reader = try filled(scratch, without: ["chunks"])
        for shift in [3600, 22 * 3600] {
            let since = midnight + .seconds(shift)
            let totals = try reader.totals(since: since, until: since + .seconds(7 * 86_400))
            #expect(totals.lines.map(\.level) == [.days])
            #expect(totals.lines.map(\.figures.sent) == [7 * 1440], "from hour \(shift / 3600)")
            let window = try reader.window(of: target("gw"), since: since, until: since + .seconds(7 * 86_400))
            #expect(window.map(\.sent) == [7 * 1440])
        }
    }

    @Test(arguments: [["chunks"], ["chunks", "hour_rows"]])
    func neighbouringWindowsShareNoRow(gone: [String]) throws {
        let scratch = Scratch()
        let reader = try filled(scratch, without: gone)
        let end = midnight + .seconds(days * 86_400)
        // Each window is long enough for the middle of a row.
        for minutes in [725, 1430, 3 * 1440 + 17] {
            let edge = midnight + .seconds(60 * minutes)
            #expect(try sent(reader, midnight, edge) + sent(reader, edge, end) == UInt64(days * 1440), "\(minutes)")
        }
    }

    /// Where only days of UTC are left, a day of New York is the one that has twenty of its hours and not the one before.
    @Test func aDayOfAnotherZoneIsTheOneItSharesMostWith() throws {
        let scratch = Scratch()
        let reader = try filled(scratch, without: ["chunks", "hour_rows"])
        for shift in [4, -2, 11, -11] {
            let edges = (2...6).map { midnight + .seconds($0 * 86_400 + shift * 3600) }
            let history = try #require(try reader.history(of: target("gw"), edges: edges))
            #expect(history.level == .days && history.buckets.map(\.sent) == [1440, 1440, 1440, 1440])
            // Before the first result there is nothing, though its day begins within the bucket.
            let first = try reader.history(
                of: target("gw"), edges: [midnight + .seconds((shift - 24) * 3600), midnight + .seconds(shift * 3600)])
            #expect(first?.buckets.map(\.sent) == [0])
        }
    }

    @Test func aShortWindowShowsTheHourItLiesIn() throws {
        let scratch = Scratch()
        let reader = try filled(scratch, without: ["chunks"])
        for (from, to) in [(10, 20), (40, 55), (20, 40), (45, 80)] {
            let window = (midnight + .seconds(60 * from), midnight + .seconds(60 * to))
            #expect(try sent(reader, window.0, window.1) == 60, "\(from) to \(to)")
        }
    }
}
