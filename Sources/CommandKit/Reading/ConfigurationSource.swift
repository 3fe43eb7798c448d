// The configuration as the commands read it: as the daemon would, from the same places.

internal import Configuring
internal import Model

enum ConfigurationSource {
    static let defaultFile = "/etc/tautline/tautline.yaml"

    /// Loads `file` with `conf.d` beside it, as the daemon does.
    static func loaded(_ file: String) -> LoadedConfiguration {
        ConfigurationLoader.load(
            file: file, confDirectory: directory(of: file) + "/conf.d",
            environment: CommandContext.current.environment)
    }

    /// The configuration, or a failure that holds every error.
    static func load(_ file: String) throws -> Configuration {
        try checked(loaded(file))
    }

    /// What was loaded, or a failure that holds every error.
    static func checked(_ loaded: LoadedConfiguration) throws -> Configuration {
        guard let configuration = loaded.configuration else {
            throw CommandError.failure(
                loaded.diagnostics.map { HostileText.line("\($0)") }.joined(separator: "\n"))
        }
        return configuration
    }

    private static func directory(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "" : String(file[..<slash])
    }
}
