// `taut graph`: a smoke plot in the terminal, or as a picture.

internal import ArgumentParser
internal import Control
internal import Foundation
internal import Glibc
internal import Model

struct GraphVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "A smoke plot of a target's round-trip times.",
        discussion: """
            A line for the median, smoke up to p95 and the maximum, loss and unmeasured time below the axis. The last \
            two hours where no range is given. With --json the plotted buckets, as `taut history --json`. With --svg or \
            --png the plot is written to a file (- is standard output) instead of the terminal.
            """)

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Argument(help: "The target's id or title.", completion: TargetCompletion.kind)
    var target: String

    @Option(
        help: ArgumentHelp("The probe; icmp, else the first of the target, where not given.", valueName: "id"),
        completion: TargetCompletion.probes)
    var probe: String?

    @Option(help: ArgumentHelp("Columns of the drawing; the terminal's where not given.", valueName: "n"))
    var width: Int?

    @Option(help: ArgumentHelp("Rows of the plot.", valueName: "n"))
    var height = 16

    @Option(
        help: ArgumentHelp("Write the plot as SVG, light or dark as its viewer is.", valueName: "file"),
        completion: .file(extensions: ["svg"]))
    var svg: String?

    @Option(
        help: ArgumentHelp("Write the plot as PNG; needs libcairo (libcairo2).", valueName: "file"),
        completion: .file(extensions: ["png"]))
    var png: String?

    @Option(help: ArgumentHelp("Size of the picture in pixels.", valueName: "WxH"))
    var size = PictureSize(width: 1_000, height: 400)

    @Option(help: ArgumentHelp("Paper of the picture; PNG is light where not given.", valueName: "light|dark"))
    var theme: SceneTheme?

    func validate() throws {
        guard (4...200).contains(height) else { throw ValidationError("--height is 4 to 200") }
        if let width, !(GraphRenderer.leastWidth...1_000).contains(width) {
            throw ValidationError("--width is \(GraphRenderer.leastWidth) to 1000")
        }
        if svg == "-" && png == "-" { throw ValidationError("only one picture can go to standard output") }
        if global.json && (svg != nil || png != nil) {
            throw ValidationError("--json and --svg or --png exclude each other")
        }
    }

    func run() throws {
        let console = global.console
        let resolved = try range.resolved(back: .seconds(7_200))
        let columns = width ?? console.width ?? 100
        let isPicture = svg != nil || png != nil
        let buckets =
            isPicture ? GraphScene.columns(width: Double(size.width)) : GraphRenderer.columns(width: columns) - 1
        let step = GraphRenderer.step(for: resolved, columns: buckets)
        let series = try HistorySource(global).series(
            target, probe: probe, range: resolved, step: step, atLeastInterval: true)
        let clock = CommandContext.current.clock
        if global.json {
            let renderer = HistoryRenderer(palette: .plain, width: nil, clock: clock)
            try console.json(renderer.json(series, generated: CommandContext.current.now()))
        } else if isPicture {
            try writePictures(series, clock.timeZone, console)
        } else {
            let renderer = GraphRenderer(palette: console.palette, clock: clock, width: columns, height: height)
            try console.lines(renderer.lines(series))
        }
        if series.rows.allSatisfy({ $0.sent == 0 && $0.unknown == 0 }) { throw ExitCode(2) }
    }

    private func writePictures(_ series: HistorySeries, _ timeZone: TimeZone, _ console: Console) throws {
        let scene = GraphScene(
            series: series, clock: CommandContext.current.clock, width: Double(size.width), height: Double(size.height)
        ).scene()
        var pictures: [(file: String, bytes: [UInt8])] = []
        if let svg { pictures.append((svg, Array(SceneSVG(theme: theme).text(scene).utf8))) }
        if let png {
            do {
                pictures.append((png, try ScenePNG(theme: theme ?? .light).bytes(scene)))
            } catch {
                throw CommandError.failure(error.description)
            }
        }
        let range = series.range.text(timeZone: timeZone)
        for picture in pictures {
            if picture.file == "-" {
                try PictureFile.print(picture.bytes, console)
                console.note(range)
            } else {
                try PictureFile.write(picture.bytes, to: picture.file)
                let line = HostileText.line("wrote \(picture.file), \(size.text): \(range)")
                // With the other picture on standard output, words would end up in it.
                if pictures.contains(where: { $0.file == "-" }) { console.note(line) } else { try console.line(line) }
            }
        }
    }
}

extension SceneTheme: ExpressibleByArgument {}

/// `1000x400`.
struct PictureSize: ExpressibleByArgument, Hashable {
    var width: Int
    var height: Int

    static let range = 200...8_000

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    init?(argument: String) {
        let numbers = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let width = numbers[0], let height = numbers[1], Self.range.contains(width),
            Self.range.contains(height)
        else { return nil }
        self.init(width: width, height: height)
    }

    var text: String { "\(width)x\(height)" }
    var defaultValueDescription: String { text }
}

/// Writes a picture whole or not at all: a page that shows it never sees half of one.
enum PictureFile {
    /// To standard output, but never to a terminal, which would take it for commands.
    static func print(_ bytes: [UInt8], _ console: Console) throws {
        if console.isTerminal {
            throw CommandError.usage("a picture cannot go to a terminal; name a file, or redirect standard output")
        }
        if let error = Console.put(bytes, to: STDOUT_FILENO) { throw error }
    }

    static func write(_ bytes: [UInt8], to file: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: file), options: .atomic)
        } catch {
            let reason = (error as NSError).localizedDescription
            throw CommandError.failure(HostileText.line("cannot write \(file): \(reason)"))
        }
    }
}
