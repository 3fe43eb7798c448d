// `taut why`: the latest judgement of a target and what it rests on.

internal import ArgumentParser
internal import Control
internal import Model
internal import Storing

struct WhyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "The latest judgement of a target and its evidence.",
        discussion: "Changes and events are those of the last seven days, or of --since and --until.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Argument(help: "The target's id or title.", completion: TargetCompletion.kind)
    var target: String

    func run() throws {
        let source = MonitorSource(global)
        let answer = try source.status()
        let found = try TargetLookup.find(target, in: answer.report)
        var explanation = Explanation(target: found, transitions: [], incidents: [], events: [])
        let resolved = try range.resolved(back: .seconds(7 * 86_400))
        // The judgement is known without the database; the story behind it is not.
        do {
            try addStory(to: &explanation, range: resolved, reader: StoreReader(path: global.db))
        } catch let error as StoreError {
            global.console.note("taut: \(HostileText.line(error.description))")
        }
        let console = global.console
        let clock = CommandContext.current.clock
        let renderer = WhyRenderer(palette: console.palette, width: console.width, clock: clock)
        if global.json {
            try console.json(renderer.json(explanation, generated: source.now))
        } else {
            if let note = answer.note { try console.line(HostileText.line("! \(note)")) }
            try console.lines(renderer.lines(explanation))
            if range.isGiven { try console.line("range: \(resolved.text(timeZone: clock.timeZone))") }
        }
    }

    private func addStory(to explanation: inout Explanation, range: TimeRange, reader: StoreReader) throws {
        guard let id = TargetID(rawValue: explanation.target.target) else { return }
        explanation.transitions = try reader.transitions(of: id, since: range.since, until: range.until, limit: 20)
            .reversed()
        explanation.incidents = try reader.incidents(openOnly: true).reversed()
            .filter { $0.target == nil || $0.target == id }
        explanation.events = try reader.events(since: range.since, until: range.until, limit: 10).reversed()
    }
}
