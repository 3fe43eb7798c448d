internal import ArgumentParser
internal import Model

struct VersionVerb: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")
    static let schema = "taut/version/1"

    @OptionGroup var global: GlobalOptions

    func run() throws {
        guard global.json else { return try global.console.line("taut \(Version.current)") }
        try global.console.json(
            .object([
                "schema": .string(VersionVerb.schema), "generated": .time(CommandContext.current.now()),
                "version": .string(Version.current),
            ]))
    }
}
