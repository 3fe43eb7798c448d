// The command line of `tautd`.

public import ArgumentParser
internal import Model

/// `tautd [--config FILE] [--state-dir DIR] [--runtime-dir DIR] [--check] [--log-level L] [--version]`.
///
/// Exit codes: 0 after a clean stop, 64 usage, 77 nothing permitted that would be of use, 78 config.
public struct DaemonCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "tautd",
        abstract: "The Tautline daemon: probes, listens, stores and alerts.",
        discussion: """
            Runs in the foreground; systemd's STATE_DIRECTORY, RUNTIME_DIRECTORY, NOTIFY_SOCKET, WATCHDOG_USEC and \
            CREDENTIALS_DIRECTORY are honoured. SIGHUP reloads the config, SIGTERM stops within 5 seconds.
            """,
        version: Version.current)

    @Option(help: "The config file; conf.d/*.yaml beside it is merged in.", completion: .file())
    var config: String?

    @Option(help: "Where the database and the hook spool are kept.", completion: .directory)
    var stateDir: String?

    @Option(help: "Where the control socket is made.", completion: .directory)
    var runtimeDir: String?

    @Flag(help: "Check the config, print every error, and exit 0 or 78.")
    var check = false

    @Option(help: "trace, debug, info, notice, warning, error or critical; wins over the config.")
    var logLevel: LogLevelArgument?

    public init() {}

    public func run() throws {
        let code = DaemonStart(
            config: config, stateDirectory: stateDir, runtimeDirectory: runtimeDir, checkOnly: check,
            logLevel: logLevel?.level
        ).run()
        throw ExitCode(code)
    }
}
