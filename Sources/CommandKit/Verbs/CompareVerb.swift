// `taut compare`: two windows of a target side by side.

internal import ArgumentParser
internal import Model
internal import Storing

struct CompareVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Two windows of a target side by side, and whether they differ.",
        discussion: """
            A window is now (the last hour), 30m or 7d (the last so much), today, yesterday, this-week, last-week, \
            this-month, last-month, 2026-11-01, 2026-11, or A..B from one moment to another. WINDOW@WHEN is the same stretch \
            of the clock at another time: 1h@yesterday, today@last-week, 1h@3d, or 1h@2026-11-01T14:00, which begins there. \
            Beside now or 30m, yesterday, last-week, last-month and last-year are that stretch so much earlier.

            A difference is clear where it exceeds the rounding of the stored percentiles and what the number of results \
            leaves to chance (99 %); else it is not clear, or there are too few results.
            """)

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The target's id or title.", completion: TargetCompletion.kind)
    var target: String

    @Argument(help: "The window in question.", completion: .list(CompareVerb.words))
    var window = "now"

    @Argument(
        help: "The window to compare it with; last-week, or the day, week or month before, where not given.",
        completion: .list(CompareVerb.words))
    var against: String?

    @Option(name: .customLong("for"), help: ArgumentHelp("How long `now` is.", valueName: "duration"))
    var length = DurationArgument(.seconds(3_600))

    @Option(
        help: ArgumentHelp("One probe; all of the target where not given.", valueName: "id"),
        completion: TargetCompletion.probes)
    var probe: String?

    static let words = ["now", "1h", "today", "yesterday", "this-week", "last-week", "this-month", "last-month"]

    func validate() throws {
        if length.duration <= .zero { throw ValidationError("--for is longer than nothing") }
    }

    func run() throws {
        let context = CommandContext.current
        let windows = try self.windows(context)
        let comparison = try compared(windows)
        let console = global.console
        let renderer = CompareRenderer(palette: console.palette, width: console.width, clock: context.clock)
        if global.json {
            try console.json(renderer.json(comparison, generated: context.now()))
        } else {
            try console.lines(renderer.lines(comparison))
        }
        if !comparison.isComparable { throw ExitCode(2) }
    }

    private func windows(_ context: CommandContext) throws -> [CompareWindow] {
        let reader = CompareWindowReader(now: context.now(), timeZone: context.timeZone, length: length.duration)
        do {
            return try reader.windows(window, against)
        } catch {
            throw CommandError.usage(HostileText.line(error.description))
        }
    }

    private func compared(_ windows: [CompareWindow]) throws -> Comparison {
        let reader = try MonitorSource(global).reader()
        do {
            let target = try TargetLookup.find(self.target, in: reader.targets(includingInactive: true))
            if let probe { try TargetLookup.check(probe: probe, of: target, in: reader) }
            var figures: [[WindowFigures]] = []
            for window in windows {
                let found = try reader.window(of: target.id, since: window.range.since, until: window.range.until)
                figures.append(found.filter { probe == nil || $0.probe == probe })
            }
            return Comparison(target: target.id.rawValue, windows: windows, figures: figures)
        } catch let error as StoreError {
            throw CommandError.failure(error.description)
        }
    }
}
