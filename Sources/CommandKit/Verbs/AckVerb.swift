// `taut ack`: somebody has seen it.

internal import ArgumentParser
internal import Control

struct AckVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ack", abstract: "Acknowledge an incident.", discussion: "Asks the running daemon.")
    static let schema = "taut/ack/1"

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The incident's id, as `taut incidents` shows it.", completion: TargetCompletion.incidents)
    var id: Int64

    func run() throws {
        guard case .done(let text) = try MonitorSource(global).ask(.ack(id: id)) else {
            throw CommandError.failure("the daemon's reply cannot be read")
        }
        guard global.json else { return try global.console.line(HostileText.line(text)) }
        try global.console.json(
            .object([
                "schema": .string(AckVerb.schema), "generated": .time(CommandContext.current.now()),
                "id": .integer(id), "text": .string(text),
            ]))
    }
}
