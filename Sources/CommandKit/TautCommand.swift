// The command line of `taut`: the verbs, the order of options, and how a run ends.

internal import ArgumentParser
internal import Glibc
internal import Model

/// `taut VERB …`; each verb is a file in Verbs.
struct TautCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "taut",
        abstract: "Asks Tautline, the network monitor, how the network is.",
        discussion: """
            Reads the database, and asks the running daemon where there is one. Exit codes: 0 ok, 1 failure, 2 not \
            found or no data, 64 usage; `check` has those of the monitoring plugins.
            """,
        version: Version.current,
        groupedSubcommands: [
            CommandGroup(
                name: "State", subcommands: [StatusVerb.self, WatchVerb.self, WhyVerb.self, CheckVerb.self]),
            CommandGroup(
                name: "Figures",
                subcommands: [
                    HistoryVerb.self, GraphVerb.self, CompareVerb.self, FlowsVerb.self, ReportVerb.self,
                ]),
            CommandGroup(name: "Measuring", subcommands: [ProbeVerb.self, AnalyzeVerb.self]),
            CommandGroup(
                name: "Incidents",
                subcommands: [IncidentsVerb.self, AckVerb.self, SilenceVerb.self, SilencesVerb.self]),
            CommandGroup(name: "Data", subcommands: [ExportVerb.self, DatabaseVerb.self]),
            CommandGroup(name: "Setup", subcommands: [ConfigVerb.self, HooksVerb.self, VersionVerb.self]),
        ])

    init() {}
}

/// What `main.swift` calls.
public enum TautProgram {
    /// Runs the command line of this process and ends it.
    public static func main() -> Never {
        // A reader that went away is an error of write(2), and an end without a message.
        _ = signal(SIGPIPE, SIG_IGN)
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Runs one command line and returns its exit code.
    static func run(_ arguments: [String]) -> Int32 {
        let arguments = globalsLast(arguments)
        do {
            var command = try TautCommand.parseAsRoot(arguments)
            if let verb = command as? any PagedVerb, verb.mayPage, !verb.global.json, !verb.global.noPager {
                try CommandContext.current.paged { try command.run() }
            } else {
                try command.run()
            }
            return 0
        } catch let error as OutputError {
            return error.isReaderGone ? 0 : fail(arguments, code: 1, message: error.description)
        } catch let error as CommandError {
            return fail(arguments, code: error.code, message: error.description)
        } catch {
            let code = TautCommand.exitCode(for: error).rawValue
            let message = TautCommand.fullMessage(for: error, columns: nil)
            if code == 0 {
                let isPaged = !arguments.contains("--no-pager")
                var problem: OutputError?
                func say() {
                    problem = CommandContext.current.console(true).write(message.isEmpty ? "" : message + "\n")
                }
                if isPaged { CommandContext.current.paged(say) } else { say() }
                guard let problem, !problem.isReaderGone else { return 0 }
                return fail(arguments, code: 1, message: problem.description)
            }
            // A verb that has said all it had to say ends with a bare code.
            if error is ExitCode { return code }
            if let hint = mistypedVerb(arguments) { return fail(arguments, code: code, message: hint) }
            return fail(arguments, code: code, message: message, isComplete: true)
        }
    }

    /// `check` speaks the plugins' language also when it cannot check: on standard output, with code 3, never 0.
    private static func fail(_ arguments: [String], code: Int32, message: String, isComplete: Bool = false) -> Int32 {
        let console = CommandContext.current.console(true)
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false).map { HostileText.line($0) }
        if arguments.first == "check" {
            let first = lines.first { !$0.isEmpty } ?? ""
            let text = first.hasPrefix("Error: ") ? String(first.dropFirst(7)) : first
            let line = CheckResult.failure(text).line
            if console.write(line + "\n") != nil { console.note(line) }
            return CheckCode.unknown.rawValue
        }
        console.note((isComplete ? "" : "taut: ") + lines.joined(separator: "\n"))
        return code
    }

    /// The parser calls a verb that it does not know an unexpected argument; this names the nearest one.
    private static func mistypedVerb(_ arguments: [String]) -> String? {
        guard let word = arguments.first, !word.hasPrefix("-") else { return nil }
        let verbs =
            TautCommand.configuration.subcommands + TautCommand.configuration.groupedSubcommands.flatMap(\.subcommands)
        let names = verbs.compactMap { $0.configuration.commandName } + ["help"]
        guard !names.contains(word) else { return nil }
        let hint = Suggestion.nearest(to: word, among: names).map { "; did you mean \"\($0)\"?" }
        return "there is no verb \"\(word)\"\(hint ?? "; `taut --help` lists them")"
    }

    private static func subcommand(_ name: String, of verb: any ParsableCommand.Type) -> (any ParsableCommand.Type)? {
        let configuration = verb.configuration
        let verbs = configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands)
        return verbs.first { $0.configuration.commandName == name }
    }

    /// Options that every verb takes may stand before the verb: they are moved behind it, where the verb reads them.
    static func globalsLast(_ arguments: [String]) -> [String] {
        var leading: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if ["--json", "--no-color", "--no-pager"].contains(first) || first.hasPrefix("--db=")
                || first.hasPrefix("--socket=")
            {
                leading.append(first)
                rest = rest.dropFirst()
            } else if ["--db", "--socket"].contains(first), rest.count >= 2 {
                leading += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        guard !leading.isEmpty, !rest.isEmpty else { return arguments }
        // `help` takes the names of verbs and nothing else.
        if rest.first == "help" { return Array(rest) }
        // Straight behind the names of the verbs, so that of an option given twice the last one holds.
        var verb: (any ParsableCommand.Type)? = TautCommand.self
        var index = rest.startIndex
        while index < rest.endIndex, let next = verb.flatMap({ subcommand(rest[index], of: $0) }) {
            verb = next
            index += 1
        }
        return Array(rest[..<index]) + leading + Array(rest[index...])
    }
}
