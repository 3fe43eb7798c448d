// `taut hooks`: the programs that are told of incidents.

internal import Alerting
internal import ArgumentParser
internal import Control
internal import Foundation
internal import Model
internal import Synchronization

struct HooksVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hooks", abstract: "List hooks, try one, or deliver again.",
        subcommands: [List.self, Test.self, Replay.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "The hooks of the configuration.")
        static let schema = "taut/hooks/1"

        @OptionGroup var global: GlobalOptions

        @Option(help: ArgumentHelp("The config file.", valueName: "file"), completion: .file())
        var config = ConfigurationSource.defaultFile

        func run() throws {
            let configuration = try ConfigurationSource.load(config)
            let console = global.console
            guard !global.json else { return try console.json(json(configuration)) }
            guard !configuration.hooks.isEmpty else {
                return try console.line("no hooks in \(HostileText.line(config))")
            }
            var table = Table([
                TableColumn("hook"), TableColumn("command", flexible: true), TableColumn("timeout", .trailing),
                TableColumn("attempts", .trailing), TableColumn("used by", flexible: true),
            ])
            for hook in configuration.hooks {
                table.add([
                    TableCell(hook.name), TableCell(hook.command.joined(separator: " ")),
                    TableCell(Figures.span(seconds: hook.timeout.inSeconds)), TableCell(String(hook.attempts)),
                    TableCell(List.rules(of: hook, configuration).joined(separator: ", ")),
                ])
            }
            try console.lines(table.lines(width: console.width, palette: console.palette))
        }

        private func json(_ configuration: Configuration) -> JSONValue {
            .object([
                "schema": .string(List.schema), "generated": .time(CommandContext.current.now()),
                "hooks": .array(
                    configuration.hooks.map { hook in
                        .object([
                            "name": .string(hook.name), "command": .array(hook.command.map { .string($0) }),
                            "timeout_s": .number(hook.timeout.inSeconds), "attempts": .integer(Int64(hook.attempts)),
                            "rules": .array(List.rules(of: hook, configuration).map { .string($0) }),
                        ])
                    }),
            ])
        }

        private static func rules(of hook: HookSpec, _ configuration: Configuration) -> [String] {
            configuration.rules.filter { $0.hooks.contains(hook.name) }.map { $0.name }
        }
    }

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test", abstract: "Run a hook once with a made-up event.",
            discussion: """
                The running daemon runs it, as its own user; without one it is run here, as this user, from the \
                configuration. Ends with 0 where the hook did, else with 1.
                """)
        static let schema = "taut/hooks-test/1"

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The hook's name.", completion: TargetCompletion.hooks)
        var name: String

        @Option(
            help: ArgumentHelp("The config file, for a run without the daemon.", valueName: "file"), completion: .file()
        )
        var config = ConfigurationSource.defaultFile

        func run() throws {
            let source = MonitorSource(global)
            let report = try tried(source)
            let console = global.console
            if global.json {
                let body = try JSONValue(encoding: report)
                guard case .object(let members) = body else { return }
                try console.json(
                    .object(
                        [
                            .init(key: "schema", value: .string(Test.schema)),
                            .init(key: "generated", value: .time(source.now)),
                        ] + members))
            } else {
                let colour: Palette.Colour = report.succeeded ? .green : .red
                let head = "\(report.hook): \(report.result), after \(Figures.fixed(report.duration, 1)) s"
                try console.line(console.palette.paint(HostileText.line(head), colour))
                try console.lines(
                    report.output.split(whereSeparator: { $0.isNewline }).prefix(200).map {
                        "  " + HostileText.line($0)
                    })
            }
            if !report.succeeded { throw ExitCode(1) }
        }

        private func tried(_ source: MonitorSource) throws -> HookRunReport {
            let reply: ControlReply
            do throws(ControlClientError) {
                reply = try source.client.send(.hooksTest(name: name), timeout: .seconds(120))
            } catch {
                if case .notRunning = error { return try here() }
                throw CommandError.failure(error.description)
            }
            switch reply {
            case .hookRun(let report): return report
            case .failed(let failure) where failure.code == .notFound: throw CommandError.notFound(failure.message)
            case .failed(let failure): throw CommandError.failure(failure.message)
            default: throw CommandError.failure("the daemon's reply cannot be read")
            }
        }

        private func here() throws -> HookRunReport {
            let configuration = try ConfigurationSource.load(config)
            guard let hook = configuration.hooks.first(where: { $0.name == name }) else {
                let names = configuration.hooks.map { $0.name }
                let hint = Suggestion.nearest(to: name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
                throw CommandError.notFound("no hook \"\(name)\" in \(config)\(hint)")
            }
            let outcome = Outbox()
            let site = configuration.site
            Task.detached { outcome.put(await HookDelivery.test(hook: hook, site: site)) }
            let result = outcome.wait()
            return HookRunReport(
                hook: result.hook, command: hook.command, succeeded: result.isDelivered, result: result.text,
                duration: result.duration, output: String(decoding: result.output, as: UTF8.self))
        }
    }
}

/// Carries one asynchronous result to the command's thread.
private final class Outbox: Sendable {
    private let value = Mutex<HookRunResult?>(nil)
    private let ready = DispatchSemaphore(value: 0)

    func put(_ result: HookRunResult) {
        value.withLock { $0 = result }
        ready.signal()
    }

    func wait() -> HookRunResult {
        while true {
            ready.wait()
            if let result = value.withLock({ $0 }) { return result }
        }
    }
}
