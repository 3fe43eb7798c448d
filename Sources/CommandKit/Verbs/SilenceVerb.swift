// `taut silence`: hooks kept quiet for a while.

internal import Alerting
internal import ArgumentParser
internal import Control
internal import Model

struct SilenceVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silence", abstract: "Keep hooks quiet for targets that match, for a while.",
        discussion: "Incidents are still opened and recorded. Asks the running daemon. --end ends a silence early.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A target's id, or a glob with *.", completion: TargetCompletion.kind)
    var match: String?

    @Option(name: .customLong("for"), help: ArgumentHelp("How long: 30m, 2h, 3d.", valueName: "duration"))
    var duration: DurationArgument?

    @Option(help: ArgumentHelp("Why; shown to whoever looks at the silence.", valueName: "text"))
    var reason: String?

    @Option(help: ArgumentHelp("End the silence with this id now.", valueName: "id"))
    var end: Int64?

    /// A silence for nothing is in force all the same (a target may come later), but is more likely a slip.
    static func note(_ match: String, targets: [String]) -> String? {
        let glob = Glob(match)
        let names = targets + [AlertEngine.uplinkRule]
        guard !targets.isEmpty, !names.contains(where: { glob.matches($0) }) else { return nil }
        let hint = Suggestion.nearest(to: match, among: names).map { "; did you mean \"\($0)\"?" }
        return "no target matches \"\(match)\" now\(hint ?? "")"
    }

    func validate() throws {
        if end != nil {
            guard match == nil, duration == nil, reason == nil else { throw ValidationError("--end stands alone") }
            return
        }
        guard match != nil else { throw ValidationError("name a target or a glob") }
        guard let duration else { throw ValidationError("--for DURATION is needed: a silence ends by itself") }
        guard duration.duration > .zero else { throw ValidationError("--for is longer than 0") }
        guard let reason, !reason.isEmpty else { throw ValidationError("--reason TEXT is needed") }
    }

    func run() throws {
        let source = MonitorSource(global)
        let console = global.console
        if let end {
            guard case .done(let text) = try source.ask(.unsilence(id: end)) else {
                throw CommandError.failure("the daemon's reply cannot be read")
            }
            guard global.json else { return try console.line(HostileText.line(text)) }
            return try console.json(
                .object([
                    "schema": .string(SilencesRenderer.schema), "generated": .time(source.now), "ended": .integer(end),
                ]))
        }
        guard let match, let duration, let reason else { return }
        let request = ControlRequest.silence(match: match, duration: duration.duration, reason: reason)
        guard case .silences(let made) = try source.ask(request) else {
            throw CommandError.failure("the daemon's reply cannot be read")
        }
        if let note = Self.note(match, targets: (try? source.status())?.report.targets.map(\.target) ?? []) {
            console.note("taut: \(HostileText.line(note))")
        }
        try SilencesVerb.show(made.map { $0.silence }, console: console, json: global.json, now: source.now)
    }
}
