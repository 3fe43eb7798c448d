import Control
import Model
import Testing

@testable import CommandKit

@Suite struct GraphTests {
    private static let renderer = GraphRenderer(palette: .plain, clock: Fixtures.clock, width: 60, height: 12)

    @Test func plot() throws {
        try expectSnapshot("graph", Self.renderer.lines(Fixtures.history))
    }

    /// Every row of the plot has its axis at the same column, and a bucket stands at one column in all rows.
    @Test func axesAreAligned() throws {
        let lines = Self.renderer.lines(Fixtures.history)
        let axis = GraphRenderer.labelWidth + 1
        let plot = lines.dropFirst().prefix(12).map { Array($0) }
        #expect(plot.count == 12)
        for row in plot {
            #expect(row[axis] == "│" || row[axis] == "┤")
            #expect(DisplayWidth.of(String(row[..<axis])) == axis)
            #expect(row.count <= axis + 1 + 24)
        }
        let time = Array(lines[13])
        #expect(time[axis] == "└")
        #expect(time.count == axis + 1 + 24)
        // A tick stands over the bucket that holds a round time: midnight and noon are hours 9.5 and 21.5.
        let ticks = time.indices.filter { time[$0] == "┬" }.map { $0 - axis - 1 }
        #expect(ticks == [9, 21])
        // One median mark a measured bucket, none in the gap.
        let marks: Set<Character> = ["⠉", "⠒", "⠤", "⣀"]
        for column in 0..<24 {
            let count = plot.filter { axis + 1 + column < $0.count && marks.contains($0[axis + 1 + column]) }.count
            #expect(count == ((9...10).contains(column) ? 0 : 1), "column \(column)")
        }
        let loss = try #require(lines.first { $0.hasPrefix("     loss") }).map { $0 }
        #expect(loss[axis + 1 + 18] == "▅")
        #expect(loss.count == axis + 1 + 18 + 1)
        let unknown = try #require(lines.first { $0.hasPrefix("  unknown") }).map { $0 }
        #expect(String(unknown[(axis + 1)...]) == String(repeating: " ", count: 9) + "??")
        // The label of a tick begins under the tick.
        let labels = Array(lines[14])
        #expect(String(labels[(axis + 1 + 9)...].prefix(6)) == "Nov 24")
        #expect(String(labels[..<axis]) == "UTC+01:00 ")
    }

    /// A higher median is never drawn below a lower one, and the row of a value holds it.
    @Test func scaleIsMonotonic() throws {
        let scale = try #require(GraphRenderer.Scale(Fixtures.history.rows, rows: 12))
        var previous = Int.max
        for value in stride(from: Int64(0), through: 120_000_000, by: 250_000) {
            let quarter = scale.quarter(value)
            #expect(quarter <= previous)
            #expect((0..<48).contains(quarter))
            previous = quarter
        }
        #expect(scale.low <= 39_000_000)
        #expect(scale.high >= 98_000_000)
        // Every mark has a row of its own that holds it, top and bottom included.
        #expect(scale.labels.count == scale.marks.count)
        #expect(scale.labels[0] == Figures.time(nanoseconds: scale.marks.last))
        #expect(scale.labels[11] == Figures.time(nanoseconds: scale.marks.first))
    }

    @Test func nothingMeasuredIsSaidAndMarked() {
        var series = Fixtures.history
        series.rows = series.rows.map { HistoryRow(start: $0.start, sent: 0, lost: 0, unknown: 0) }
        let lines = Self.renderer.lines(series)
        #expect(lines[1] == "no round-trip time in this range")
        #expect(lines.contains { $0.hasSuffix(String(repeating: "?", count: 24)) })
    }

    @Test func outlandishValuesDoNotTrap() {
        for extreme in [Int64.min, -1, 0, 1, .max] {
            let series = Fixtures.outlandish(extreme)
            #expect(!Self.renderer.lines(series).isEmpty)
        }
    }

    @Test(arguments: [
        (3_600, 80, 60), (86_400, 96, 900), (7 * 86_400, 49, 14_400), (8 * 86_400, 30, 28_800), (60, 100, 1),
    ])
    func stepsAreRound(range: Int, columns: Int, step: Int) {
        let range = TimeRange(unchecked: Fixtures.now - .seconds(range), until: Fixtures.now)
        #expect(GraphRenderer.step(for: range, columns: columns) == .seconds(step))
    }
}
