// `taut watch`: the status, again and again.

internal import ArgumentParser
internal import Control
internal import Glibc
internal import Model

struct WatchVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "The status, live; q or Ctrl-C ends it.",
        discussion: """
            On a terminal it takes the whole screen and gives it back: arrows or j and k move, Enter looks at a target, \
            Esc goes back, s sorts and S turns the order, / filters, p pauses, ? lists all keys. Else it prints the \
            table again and again, with --json a line of JSON each time. Waits for a daemon that is not up yet; on the \
            screen every state is unknown while none answers.
            """)

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Ids or titles of targets; all where none is given.", completion: TargetCompletion.kind)
    var targets: [String] = []

    @Option(help: ArgumentHelp("Between two looks, 100ms to 1h.", valueName: "duration"))
    var interval = DurationArgument(.seconds(1))

    @Option(help: ArgumentHelp("End after this many looks; 0 never.", valueName: "n"))
    var count = 0

    func validate() throws {
        guard interval.duration >= .milliseconds(100), interval.duration <= .seconds(3_600) else {
            throw ValidationError("--interval is 100ms to 1h")
        }
        guard count >= 0 else { throw ValidationError("--count is 0 or more") }
    }

    func run() throws {
        let console = global.console
        let isDumb = CommandContext.current.environment["TERM"] == "dumb"
        guard console.isTerminal, !global.json, !isDumb else { return try repeated(console) }
        try WatchSession(
            global: global, names: targets, interval: interval.duration, count: count, palette: console.palette
        ).run()
    }

    private var milliseconds: Int { Int(interval.duration.clampedNanoseconds / 1_000_000) }

    private func repeated(_ console: Console) throws {
        var looks = 0
        while true {
            let clock = CommandContext.current.clock
            var lines = ["\(clock.full(clock.now)) \(clock.zoneText)"]
            do {
                let answer = try MonitorSource(global).status()
                let shown = targets.isEmpty ? nil : try targets.map { try TargetLookup.find($0, in: answer.report) }
                if global.json {
                    var report = answer.report
                    if let shown { report.targets = shown }
                    lines = [try JSONValue(encoding: report).text(pretty: false)]
                } else {
                    let renderer = StatusRenderer(
                        palette: console.palette, width: console.width, clock: clock, sourceNote: answer.note)
                    lines += renderer.lines(answer.report, targets: shown) + [""]
                }
            } catch let error as CommandError {
                // A wrong name does not become right by waiting.
                if error.code == 2 { throw error }
                let text = HostileText.line("waiting: \(error)")
                lines = global.json ? [] : lines + [console.width.map { DisplayWidth.cut(text, to: $0) } ?? text, ""]
            }
            try console.lines(lines)
            looks += 1
            if count > 0, looks >= count { return }
            _ = usleep(UInt32(clamping: milliseconds * 1_000))
        }
    }
}
