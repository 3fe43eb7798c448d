// Reading the config again: all of it, or nothing.

internal import Configuring
internal import Logging
internal import Model

/// Loads the config for a reload and says what it would change.
struct Reloader {
    enum Outcome {
        /// Every error as `file:line:column: sentence`.
        case refused([String])
        /// The new configuration, with what it cannot change while the daemon runs.
        case accepted(Configuration, notes: [String])
    }

    let paths: DaemonPaths
    let environment: [String: String]
    let log: Logger

    func load(startedWith: Configuration) -> Outcome {
        let loaded = ConfigurationLoader.load(
            file: paths.configFile, confDirectory: paths.configDirectory, environment: environment)
        guard let configuration = loaded.configuration else {
            let findings = loaded.diagnostics.map(\.description)
            for finding in findings { log.error("reload refused: \(finding)") }
            return .refused(findings)
        }
        for finding in loaded.diagnostics { log.warning("\(finding)") }
        let notes = Self.needRestart(configuration, startedWith: startedWith)
        for note in notes { log.warning("\(note)") }
        return .accepted(configuration, notes: notes)
    }

    /// What was fixed when the daemon started: capture handles need privileges that are gone, and the database's bounds
    /// are set when it is opened.
    static func needRestart(_ new: Configuration, startedWith old: Configuration) -> [String] {
        var notes: [String] = []
        func note(_ section: String, _ isDifferent: Bool) {
            if isDifferent { notes.append("the change of \(section) takes effect at the next restart") }
        }
        note("capture", new.capture != old.capture)
        note("networks", new.networks != old.networks)
        note("services", new.services != old.services)
        note("storage", new.storage != old.storage)
        note("log", new.logLevel != old.logLevel)
        return notes
    }
}
