// `taut config`: looks at a configuration without the daemon.

internal import ArgumentParser
internal import Configuring
internal import Foundation
internal import Model

struct ConfigVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check, explain, compare or write a configuration.",
        subcommands: [Check.self, Explain.self, Diff.self, Init.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Print every error as file:line:column: sentence.",
            discussion: "Ends with 0 where the daemon would take the configuration, else with 1.")
        static let schema = "taut/config-check/1"

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The config file; conf.d/*.yaml beside it is merged in.", completion: .file())
        var file = ConfigurationSource.defaultFile

        func run() throws {
            let console = global.console
            let loaded = ConfigurationSource.loaded(file)
            if global.json {
                try console.json(json(loaded))
            } else {
                try console.lines(loaded.diagnostics.map { HostileText.line("\($0)") })
                if let configuration = loaded.configuration {
                    let targets = configuration.targets.count
                    try console.line(
                        "ok: \(targets) target\(targets == 1 ? "" : "s") written, \(configuration.rules.count) alert rules, "
                            + "\(configuration.hooks.count) hooks; read: \(HostileText.line(loaded.files.joined(separator: ", ")))"
                    )
                }
            }
            if loaded.hasErrors { throw ExitCode(1) }
        }

        private func json(_ loaded: LoadedConfiguration) -> JSONValue {
            .object([
                "schema": .string(Check.schema), "generated": .time(CommandContext.current.now()),
                "ok": .bool(!loaded.hasErrors), "files": .array(loaded.files.map { .string($0) }),
                "diagnostics": .array(
                    loaded.diagnostics.map { finding in
                        .object([
                            "file": .string(finding.file), "line": .integer(Int64(finding.line)),
                            "column": .integer(Int64(finding.column)), "severity": .string(finding.severity.rawValue),
                            "message": .string(finding.message),
                        ])
                    }),
            ])
        }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "explain", abstract: "Print a target's effective values and where each comes from.",
            discussion: "Ends with 1 where the configuration has errors, which are printed as well.")
        static let schema = "taut/config-explain/1"

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The target's id.", completion: TargetCompletion.configured)
        var target: String

        @Option(help: ArgumentHelp("The config file.", valueName: "file"), completion: .file())
        var config = ConfigurationSource.defaultFile

        func run() throws {
            let loaded = ConfigurationSource.loaded(config)
            guard let id = TargetID(rawValue: target), let lines = loaded.explain(target: id) else {
                // Of a file with errors nothing is in force: those are what to look at.
                let names = try ConfigurationSource.checked(loaded).targets.map { $0.id.rawValue }
                let hint = Suggestion.nearest(to: target, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
                throw CommandError.notFound("no target \"\(target)\" in \(config)\(hint)")
            }
            if global.json {
                try global.console.json(
                    .object([
                        "schema": .string(Explain.schema), "generated": .time(CommandContext.current.now()),
                        "target": .string(target), "values": .array(lines.map { .string($0) }),
                    ]))
            } else {
                try global.console.lines(lines.map { HostileText.line($0) })
            }
            // A file with errors is not in force, and what it says wrongly shows above as not said.
            guard loaded.hasErrors else { return }
            for finding in loaded.diagnostics { global.console.note(HostileText.line("\(finding)")) }
            throw ExitCode(1)
        }
    }

    struct Diff: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "diff", abstract: "Print what changes from one configuration to another.",
            discussion: "Both are loaded as the daemon would. Ends with 0 where nothing changes, else with 1.")
        static let schema = "taut/config-diff/1"

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The configuration before.", completion: .file())
        var old: String

        @Argument(help: "The configuration after.", completion: .file())
        var new = ConfigurationSource.defaultFile

        func run() throws {
            let diff = ConfigurationDiff(
                from: try ConfigurationSource.load(old), to: try ConfigurationSource.load(new))
            if global.json {
                try global.console.json(
                    .object([
                        "schema": .string(Diff.schema), "generated": .time(CommandContext.current.now()),
                        "changes": .array(
                            diff.changes.map { change in
                                .object([
                                    "kind": .string(change.kind.rawValue), "noun": .string(change.noun),
                                    "name": .string(change.name),
                                    "details": .array(change.details.map { .string($0) }),
                                ])
                            }),
                    ]))
            } else {
                try global.console.lines(diff.isEmpty ? ["nothing changes"] : diff.lines.map { HostileText.line($0) })
            }
            if !diff.isEmpty { throw ExitCode(1) }
        }
    }

    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Write a commented configuration that is useful unedited.",
            discussion: "Without a file it goes to standard output. A file that exists is left as it is.")

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The file to write.", completion: .file())
        var file: String?

        func run() throws {
            let console = global.console
            let text = ConfigurationLoader.template
            guard let file else { return try console.put(text) }
            do {
                // Exclusive creation: two runs, or a file made meanwhile, must not lose anything.
                try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .withoutOverwriting)
            } catch {
                let exists = FileManager.default.fileExists(atPath: file)
                throw CommandError.failure(exists ? "\(file) exists; it is left as it is" : "cannot write \(file)")
            }
            if !global.json { try console.line(HostileText.line("wrote \(file)")) }
        }
    }
}
