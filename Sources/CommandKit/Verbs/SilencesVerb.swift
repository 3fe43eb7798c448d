// `taut silences`: what hooks are kept quiet about.

internal import ArgumentParser
internal import Control
internal import Model
internal import Storing

struct SilencesVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silences", abstract: "The silences in force and to come.")

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let source = MonitorSource(global)
        try SilencesVerb.show(try silences(source), console: global.console, json: global.json, now: source.now)
    }

    private func silences(_ source: MonitorSource) throws -> [Silence] {
        if case .silences(let list)? = try? source.client.send(.silences) { return list.map { $0.silence } }
        let reader = try source.reader()
        do throws(StoreError) {
            return try reader.silences(at: source.now)
        } catch {
            throw CommandError.failure(error.description)
        }
    }

    static func show(_ silences: [Silence], console: Console, json: Bool, now: WallTime) throws {
        let renderer = SilencesRenderer(
            palette: console.palette, width: console.width, clock: CommandContext.current.clock)
        if json {
            try console.json(renderer.json(silences, generated: now))
        } else {
            try console.lines(renderer.lines(silences))
        }
    }
}
