// `taut incidents`: what alert rules found.

internal import ArgumentParser
internal import Control
internal import Model
internal import Storing

struct IncidentsVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "incidents", abstract: "Incidents, newest first.",
        discussion: "Those of the last seven days where no range is given.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Flag(help: "Only those that are open.")
    var open = false

    func run() throws {
        let resolved = try range.resolved(back: .seconds(7 * 86_400))
        let source = MonitorSource(global)
        let reader = try source.reader()
        let incidents: [Incident]
        do throws(StoreError) {
            incidents =
                open
                ? try reader.incidents(openOnly: true).filter { !range.isGiven || $0.opened < resolved.until }
                : try reader.incidents(since: resolved.since, until: resolved.until)
        } catch {
            throw CommandError.failure(error.description)
        }
        let console = global.console
        let clock = CommandContext.current.clock
        let renderer = IncidentsRenderer(palette: console.palette, width: console.width, clock: clock)
        let newestFirst = Array(incidents.reversed())
        if global.json {
            try console.json(renderer.json(newestFirst, range: open ? nil : resolved, generated: source.now))
        } else {
            if !open { try console.line(resolved.text(timeZone: clock.timeZone)) }
            try console.lines(renderer.lines(newestFirst))
        }
    }
}
