// `taut watch`: the status, again and again.

internal import ArgumentParser
internal import Control
internal import Glibc
internal import Model

struct WatchVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "The status, live; q or Ctrl-C ends it.",
        discussion: """
            On a terminal it takes the whole screen and gives it back; else it prints the table again and again, with \
            --json a line of JSON each time. Waits for a daemon that is not up yet.
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
        if console.isTerminal, !global.json {
            live(console)
        } else {
            try repeated(console)
        }
    }

    private var milliseconds: Int { Int(interval.duration.clampedNanoseconds / 1_000_000) }

    private func live(_ console: Console) {
        let screen = LiveScreen()
        var looks = 0
        var lines: [String] = []
        var event = LiveScreen.Event.tick
        while event != .quit {
            let size = TerminalSize.current(STDOUT_FILENO)
            lines = self.lines(palette: console.palette, width: size?.columns)
            let hint = console.palette.paint("q ends", .dim)
            screen.draw(lines + ["", hint], rows: size?.rows ?? 24)
            if event == .tick { looks += 1 }
            if count > 0, looks >= count { return }
            event = screen.wait(milliseconds: milliseconds, size: size)
        }
    }

    private func repeated(_ console: Console) throws {
        var looks = 0
        while true {
            if global.json {
                if let report = try? MonitorSource(global).status().report {
                    try console.line(JSONValue(encoding: report).text(pretty: false))
                }
            } else {
                try console.lines(lines(palette: console.palette, width: console.width) + [""])
            }
            looks += 1
            if count > 0, looks >= count { return }
            _ = usleep(UInt32(clamping: milliseconds * 1_000))
        }
    }

    private func lines(palette: Palette, width: Int?) -> [String] {
        let clock = CommandContext.current.clock
        do {
            let answer = try MonitorSource(global).status()
            let shown = targets.isEmpty ? nil : try targets.map { try TargetLookup.find($0, in: answer.report) }
            let renderer = StatusRenderer(
                palette: palette, width: width, clock: clock, sourceNote: answer.note)
            return ["\(clock.full(clock.now)) \(clock.zoneText)"] + renderer.lines(answer.report, targets: shown)
        } catch {
            let text = HostileText.line("waiting: \((error as? CommandError)?.description ?? "\(error)")")
            return ["\(clock.full(clock.now)) \(clock.zoneText)", width.map { DisplayWidth.cut(text, to: $0) } ?? text]
        }
    }
}
