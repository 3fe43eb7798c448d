// `taut graph`: a smoke plot in the terminal.

internal import ArgumentParser
internal import Model

struct GraphVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "A smoke plot of a target's round-trip times.",
        discussion: """
            A line for the median, smoke up to p95 and the maximum, loss and unmeasured time below the axis. The last \
            two hours where no range is given. With --json the plotted buckets, as `taut history --json`.
            """)

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Argument(help: "The target's id or title.")
    var target: String

    @Option(help: ArgumentHelp("The probe; icmp, else the first of the target, where not given.", valueName: "id"))
    var probe: String?

    @Option(help: ArgumentHelp("Columns of the drawing; the terminal's where not given.", valueName: "n"))
    var width: Int?

    @Option(help: ArgumentHelp("Rows of the plot.", valueName: "n"))
    var height = 16

    func validate() throws {
        guard (4...200).contains(height) else { throw ValidationError("--height is 4 to 200") }
        if let width, !(GraphRenderer.leastWidth...1_000).contains(width) {
            throw ValidationError("--width is \(GraphRenderer.leastWidth) to 1000")
        }
    }

    func run() throws {
        let console = global.console
        let resolved = try range.resolved(back: .seconds(7_200))
        let columns = width ?? console.width ?? 100
        let step = GraphRenderer.step(for: resolved, columns: GraphRenderer.columns(width: columns) - 1)
        let series = try HistorySource(global).series(
            target, probe: probe, range: resolved, step: step, atLeastInterval: true)
        let clock = CommandContext.current.clock
        if global.json {
            let renderer = HistoryRenderer(palette: .plain, width: nil, clock: clock)
            try console.json(renderer.json(series, generated: CommandContext.current.now()))
        } else {
            let renderer = GraphRenderer(palette: console.palette, clock: clock, width: columns, height: height)
            try console.lines(renderer.lines(series))
        }
        if series.rows.allSatisfy({ $0.sent == 0 && $0.unknown == 0 }) { throw ExitCode(2) }
    }
}
