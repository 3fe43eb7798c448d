// Options that every verb takes.

internal import ArgumentParser
internal import Control
internal import Foundation
internal import Model

struct GlobalOptions: ParsableArguments {
    static let defaultDatabase = "/var/lib/tautline/tautline.db"
    static let defaultSocket = "/run/tautline/control.sock"

    @Option(help: ArgumentHelp("The database to read.", valueName: "file"), completion: .file())
    var db: String = GlobalOptions.defaultDatabase

    @Option(help: ArgumentHelp("The daemon's control socket.", valueName: "file"), completion: .file())
    var socket: String = GlobalOptions.defaultSocket

    @Flag(help: "One JSON object, or JSON Lines where the verb says so.")
    var json = false

    @Flag(name: .customLong("no-color"), help: "No colour; NO_COLOR and output that is not a terminal do the same.")
    var noColor = false

    @Flag(name: .customLong("no-pager"), help: "No pager for an answer that is longer than the terminal.")
    var noPager = false

    var console: Console { CommandContext.current.console(noColor || json) }
}

struct RangeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Begin: 2h, 7d, today, yesterday, 2026-11-01, RFC 3339 or @epoch.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("End, in the same forms; now where not given.", valueName: "time"))
    var until: String?

    var isGiven: Bool { since != nil || until != nil }

    /// - Parameter back: how far the range reaches back where `--since` is not given.
    func resolved(back: Duration) throws -> TimeRange {
        do {
            return try TimeRange(
                since: since, until: until, back: back, now: CommandContext.current.now(),
                timeZone: CommandContext.current.timeZone)
        } catch {
            throw CommandError.usage("\(error)")
        }
    }
}

/// A duration on the command line: `500ms`, `5s`, `2h`.
struct DurationArgument: ExpressibleByArgument {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = try? DurationText.parse(argument) else { return nil }
        self.duration = duration
    }

    var defaultValueDescription: String {
        let milliseconds = duration.clampedNanoseconds / 1_000_000
        if milliseconds > 0, milliseconds % 3_600_000 == 0 { return "\(milliseconds / 3_600_000)h" }
        return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
    }
}
