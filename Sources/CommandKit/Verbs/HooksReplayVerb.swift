// `taut hooks replay`: once more, what a hook did not take.

internal import ArgumentParser
internal import Control

extension HooksVerb {
    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay", abstract: "Deliver a notice again that was given up.",
            discussion: """
                Asks the running daemon. A notice is given up when its hook has failed as often as the configuration \
                allows. One that opens an incident goes again only while the incident is open. An unknown id lists \
                the notices that were given up.
                """)
        static let schema = "taut/hooks-replay/1"

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The notice's id, or all.")
        var id: String

        func run() throws {
            guard case .done(let text) = try MonitorSource(global).ask(.hooksReplay(id: id)) else {
                throw CommandError.failure("the daemon's reply cannot be read")
            }
            guard global.json else { return try global.console.line(HostileText.line(text)) }
            try global.console.json(
                .object([
                    "schema": .string(Replay.schema), "generated": .time(CommandContext.current.now()),
                    "id": .string(id), "text": .string(text),
                ]))
        }
    }
}
