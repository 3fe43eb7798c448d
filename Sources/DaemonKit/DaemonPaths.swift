// Where the daemon reads and writes; systemd's directories win over the defaults, the command line wins over both.

/// The files and directories of one daemon.
public struct DaemonPaths: Hashable, Sendable {
    public var configFile: String
    /// Files here are merged into the config; beside the config file.
    public var configDirectory: String
    /// Database, lock and hook spool.
    public var stateDirectory: String
    /// Control socket.
    public var runtimeDirectory: String

    /// - Parameter environment: `STATE_DIRECTORY` and `RUNTIME_DIRECTORY` as systemd sets them: absolute paths, of
    ///   which the first counts, separated by colons (systemd.exec(5)).
    public init(config: String?, state: String?, runtime: String?, environment: [String: String]) {
        func first(_ variable: String) -> String? {
            guard let value = environment[variable]?.split(separator: ":").first, !value.isEmpty else { return nil }
            return String(value)
        }
        configFile = config ?? "/etc/tautline/tautline.yaml"
        stateDirectory = state ?? first("STATE_DIRECTORY") ?? "/var/lib/tautline"
        runtimeDirectory = runtime ?? first("RUNTIME_DIRECTORY") ?? "/run/tautline"
        let parent = configFile.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        configDirectory = (parent.isEmpty ? "." : parent.joined(separator: "/")) + "/conf.d"
    }

    public var controlSocket: String { runtimeDirectory + "/control.sock" }
    public var spoolDirectory: String { stateDirectory + "/spool" }
}
