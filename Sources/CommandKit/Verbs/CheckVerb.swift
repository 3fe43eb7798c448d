// `taut check`: a monitoring plugin.

internal import ArgumentParser
internal import Control
internal import Model

struct CheckVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "One target as a monitoring plugin: a line, perfdata, code 0 to 3.",
        discussion: """
            down is CRITICAL, degraded WARNING; unknown, stale data, an unknown target and wrong usage are UNKNOWN (3). \
            A threshold is 100ms,20% (median RTT, loss; either alone; a bare number is milliseconds) and raises the code.
            """)
    static let schema = "taut/check/1"

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The target's id or title.", completion: TargetCompletion.kind)
    var target: String

    @Option(name: [.short, .long], help: ArgumentHelp("WARNING at or above.", valueName: "rtt,loss"))
    var warning: String?

    @Option(name: [.short, .long], help: ArgumentHelp("CRITICAL at or above.", valueName: "rtt,loss"))
    var critical: String?

    func run() throws {
        let result = checked()
        let console = global.console
        do {
            try show(result, console)
        } catch let error as OutputError where error.isReaderGone {
            // The code is the answer, whether or not somebody wants the words.
        }
        throw ExitCode(result.code.rawValue)
    }

    private func show(_ result: CheckResult, _ console: Console) throws {
        if global.json {
            try console.json(
                .object([
                    "schema": .string(CheckVerb.schema), "generated": .time(CommandContext.current.now()),
                    "target": .string(target), "code": .integer(Int64(result.code.rawValue)),
                    "status": .string(result.code.name), "text": .string(result.text),
                    "perfdata": .string(result.perfdata),
                ]))
        } else {
            try console.line(result.line)
        }
    }

    private func checked() -> CheckResult {
        do {
            let warning = try self.warning.map { text throws(CheckThreshold.Problem) in try CheckThreshold(text) }
            let critical = try self.critical.map { text throws(CheckThreshold.Problem) in try CheckThreshold(text) }
            let answer = try MonitorSource(global).status()
            return CheckResult(
                try TargetLookup.find(target, in: answer.report), generated: answer.report.generated.time,
                warning: warning ?? CheckThreshold(), critical: critical ?? CheckThreshold(),
                clock: CommandContext.current.clock)
        } catch let error as CommandError {
            return .failure(error.description)
        } catch {
            return .failure("\(error)")
        }
    }
}
