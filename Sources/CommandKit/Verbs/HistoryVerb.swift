// `taut history`: the figures of a target over time.

internal import ArgumentParser
internal import Model
internal import Storing

struct HistoryVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Loss and round-trip times of a target, bucket by bucket.",
        discussion: "The last 24 hours where no range is given. Time without measurement is shown as such.")

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json, csv
    }

    /// Buckets of one answer.
    static let maximumBuckets = 100_000

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Argument(help: "The target's id or title.", completion: TargetCompletion.kind)
    var target: String

    @Option(
        help: ArgumentHelp("The probe; the first of the target where not given.", valueName: "id"),
        completion: TargetCompletion.probes)
    var probe: String?

    @Option(help: ArgumentHelp("Width of a bucket; about 30 rows where not given.", valueName: "duration"))
    var step: DurationArgument?

    @Option(help: "The form of the answer.")
    var format = Format.table

    func validate() throws {
        if let step, step.duration < .seconds(1) { throw ValidationError("--step is at least 1s") }
    }

    func run() throws {
        let resolved = try range.resolved(back: .seconds(86_400))
        let step = self.step?.duration ?? GraphRenderer.step(for: resolved, columns: 30)
        guard (resolved.until - resolved.since).inSeconds / step.inSeconds <= Double(Self.maximumBuckets) else {
            throw CommandError.usage("more than 100,000 buckets; choose a longer --step or a shorter range")
        }
        let series = try HistorySource(global).series(target, probe: probe, range: resolved, step: step)
        let console = global.console
        let renderer = HistoryRenderer(
            palette: console.palette, width: console.width, clock: CommandContext.current.clock)
        switch global.json ? .json : format {
        case .table: try console.lines(renderer.lines(series))
        case .json: try console.json(renderer.json(series, generated: CommandContext.current.now()))
        case .csv:
            console.note(resolved.text(timeZone: CommandContext.current.timeZone))
            try console.lines(renderer.csv(series))
        }
        if series.rows.allSatisfy({ $0.sent == 0 && $0.unknown == 0 }) { throw ExitCode(2) }
    }
}
