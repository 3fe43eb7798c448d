// `taut status`: how everything is now.

internal import ArgumentParser
internal import Control
internal import Model

struct StatusVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "A line a target: state, loss, round-trip times, reason.",
        discussion: """
            The first line is the verdict for the whole. Works with the daemon down, from the database, and says how \
            old the data are; a state that rests on old data is unknown.
            """)

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Ids or titles of targets; all where none is given.", completion: TargetCompletion.kind)
    var targets: [String] = []

    func run() throws {
        let answer = try MonitorSource(global).status()
        let console = global.console
        var shown: [StatusReport.Target]?
        if !targets.isEmpty {
            // Named twice, by id and title as well, a target is still one.
            var seen: Set<String> = []
            shown = try targets.map { try TargetLookup.find($0, in: answer.report) }
                .filter { seen.insert($0.target).inserted }
        }
        if global.json {
            var report = answer.report
            if let shown { report.targets = shown }
            try console.json(JSONValue(encoding: report))
        } else {
            let renderer = StatusRenderer(
                palette: console.palette, width: console.width, clock: CommandContext.current.clock,
                sourceNote: answer.note)
            try console.lines(renderer.lines(answer.report, targets: shown))
        }
        if answer.report.targets.isEmpty { throw ExitCode(2) }
    }
}
