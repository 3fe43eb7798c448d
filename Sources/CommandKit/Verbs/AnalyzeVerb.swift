// `taut analyze`: passive latency out of capture files, with the daemon's own engine.

internal import ArgumentParser
internal import Capturing
internal import Configuring
internal import Model

struct AnalyzeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "analyze", abstract: "Passive latency from capture files (pcap, pcapng).",
        discussion: """
            With --json one object a file; with --samples a line of JSON each sample, in the order of completion. \
            --config lends the networks and services of a configuration.
            """)

    enum GroupingArgument: String, ExpressibleByArgument, CaseIterable {
        case kind, service
    }

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Capture files.", completion: .file())
    var files: [String]

    @Flag(help: "Print each sample as a line of JSON.")
    var samples = false

    @Option(help: "Group the table by kind or by service.")
    var by = GroupingArgument.kind

    @Option(
        help: ArgumentHelp("Name services and networks as this config does.", valueName: "file"), completion: .file())
    var config: String?

    func run() throws {
        let console = global.console
        let attribution = try self.attribution()
        var hasFailed = false
        for (index, file) in files.enumerated() {
            switch try analysed(file, attribution: attribution, console: console) {
            case .success(let report):
                if samples { continue }
                try show(report, console: console, isFirst: index == 0)
            case .failure(let error):
                hasFailed = true
                console.note("taut: \(HostileText.line(error.description))")
            }
        }
        if hasFailed { throw ExitCode(1) }
    }

    /// Throws an `OutputError` where the samples could not be written.
    private func analysed(
        _ file: String, attribution: AttributionTable, console: Console
    ) throws -> Result<AnalysisReport, CaptureError> {
        let output = LineBuffer(console)
        let name = HostileText.line(file)
        // Progress and samples on one terminal would overwrite each other.
        let progress = samples && console.isTerminal ? nil : console.progress
        defer { progress?("") }
        let result: Result<AnalysisReport, CaptureError>
        do throws(CaptureError) {
            let report = try Analyzer.run(
                file: file, attribution: attribution,
                onSample: samples ? { output.line(AnalysisRenderer.json($0).text(pretty: false)) } : nil,
                onProgress: progress.map { show in
                    { done, total in
                        let share = total > 0 ? "\(min(100, done / max(1, total / 100))) % of " : ""
                        show("\(name): \(share)\(Figures.bytes(total > 0 ? total : done))")
                    }
                })
            result = .success(report)
        } catch {
            result = .failure(error)
        }
        output.flush()
        if let problem = output.problem { throw problem }
        return result
    }

    private func show(_ report: AnalysisReport, console: Console, isFirst: Bool) throws {
        let renderer = AnalysisRenderer(palette: console.palette, width: console.width)
        if global.json {
            let value = renderer.json(report, generated: CommandContext.current.now())
            try console.line(value.text(pretty: files.count == 1))
        } else {
            if !isFirst { try console.line() }
            try console.lines(renderer.lines(report, by: by == .kind ? .kind : .service))
        }
    }

    private func attribution() throws -> AttributionTable {
        guard let config else { return AttributionTable() }
        let configuration = try ConfigurationSource.load(config)
        return AttributionTable(
            networks: configuration.networks, services: configuration.services,
            peerPrefix4: configuration.capture.peerPrefix4, peerPrefix6: configuration.capture.peerPrefix6,
            keepsNames: configuration.capture.keepsNames)
    }
}
