// `taut flows`: passive latency.

internal import ArgumentParser
internal import Control
internal import Model
internal import Storing

struct FlowsVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flows", abstract: "Passive latency, grouped.",
        discussion: """
            Without a range the running daemon's last minutes, or the database's last hour where it is down; with \
            --since or --until the database. server is from the capture point to the side that answered, client to \
            the side that asked, full the whole way.
            """)

    enum GroupingArgument: String, ExpressibleByArgument, CaseIterable {
        case service, peer, interface, kind

        var grouping: FlowsReport.Grouping {
            switch self {
            case .service: .service
            case .peer: .peer
            case .interface: .interface
            case .kind: .kind
            }
        }
    }

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Option(help: "Group by.")
    var by = GroupingArgument.service

    func run() throws {
        let console = global.console
        var note: String?
        let report: FlowsReport
        var isLive = false
        if !range.isGiven, let live = live() {
            report = live
            isLive = true
        } else {
            report = try stored()
            if !range.isGiven { note = "from the database: the daemon does not answer" }
        }
        if global.json {
            try console.json(JSONValue(encoding: report))
        } else {
            if let note { try console.line(console.palette.paint("! \(note)", .yellow)) }
            let renderer = FlowsRenderer(
                palette: console.palette, width: console.width, clock: CommandContext.current.clock,
                isLive: isLive)
            try console.lines(renderer.lines(report))
        }
        if report.rows.isEmpty { throw ExitCode(2) }
    }

    private func live() -> FlowsReport? {
        guard case .flows(let report)? = try? MonitorSource(global).client.send(.flows(by: by.grouping)) else {
            return nil
        }
        return report
    }

    private func stored() throws -> FlowsReport {
        let source = MonitorSource(global)
        let resolved = try range.resolved(back: .seconds(3_600))
        let reader = try source.reader()
        do throws(StoreError) {
            let passive = try reader.passive(since: resolved.since, until: resolved.until)
            let captures = try reader.captures()
            let losses = try reader.captureLosses(since: resolved.since, until: resolved.until)
            return FlowsReport(
                generated: source.now, since: min(passive.since, resolved.since),
                until: max(passive.until, resolved.until),
                by: by.grouping,
                cells: passive.cells.map { ($0.key, $0.value) },
                capture: captures.map { StatusReport.Capture(source: $0.source, counters: $0.counters) },
                losses: losses.map { ($0.source, $0.loss) })
        } catch {
            throw CommandError.failure(error.description)
        }
    }
}
