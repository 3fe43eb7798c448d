// What a verb needs of its surroundings, so that tests can give it others.

internal import Control
internal import Foundation
internal import LinuxSystem
internal import Model

/// The clock, the zone, the environment and the console of one run of `taut`.
struct CommandContext: Sendable {
    var now: @Sendable () -> WallTime
    var timeZone: TimeZone
    var environment: [String: String]
    /// The console, given `--no-color`.
    var console: @Sendable (Bool) -> Console
    /// A pager for an answer that may be long; nil where none is wanted.
    var pager: @Sendable () -> PagedOutput? = { nil }

    @TaskLocal static var current = CommandContext(
        now: { WallTime(nanoseconds: Clock.wall()) }, timeZone: .current,
        environment: ProcessInfo.processInfo.environment,
        console: { Console.standard(noColour: $0, environment: ProcessInfo.processInfo.environment) },
        pager: { PagedOutput.standard(environment: ProcessInfo.processInfo.environment) })

    /// Runs `body` with its answer going through a pager where it turns out to be long.
    func paged(_ body: () throws -> Void) rethrows {
        guard let output = pager() else { return try body() }
        var context = self
        let console = self.console
        context.console = { noColour in
            var paged = console(noColour)
            let note = paged.note
            paged.write = { output.write($0) }
            paged.note = { text in if !output.holds(note: text) { note(text) } }
            return paged
        }
        defer { for text in output.finish() { console(true).note(text) } }
        try CommandContext.$current.withValue(context) { try body() }
    }

    var clock: LocalClock { LocalClock(now: now(), timeZone: timeZone) }
}
