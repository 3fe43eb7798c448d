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

    @TaskLocal static var current = CommandContext(
        now: { WallTime(nanoseconds: Clock.wall()) }, timeZone: .current,
        environment: ProcessInfo.processInfo.environment,
        console: { Console.standard(noColour: $0, environment: ProcessInfo.processInfo.environment) })

    var clock: LocalClock { LocalClock(now: now(), timeZone: timeZone) }
}
