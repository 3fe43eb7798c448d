// `taut export`: every stored result as a line.

internal import ArgumentParser
internal import Control
internal import Model
internal import Storing
internal import Wire

struct ExportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Stored results as lines, oldest first.",
        discussion: """
            All that is stored where no range is given. Sealed results have whole milliseconds as time of sending and RTTs \
            rounded to a thousandth or less. `taut db import` reads what this writes.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case jsonl, csv
    }

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Argument(help: "The target's id or title; all where not given.", completion: TargetCompletion.kind)
    var target: String?

    @Option(
        help: ArgumentHelp("Only this probe.", valueName: "id"),
        completion: TargetCompletion.probes)
    var probe: String?

    @Option(help: "The form of the lines.")
    var format = Format.jsonl

    func run() throws {
        let console = global.console
        let reader = try MonitorSource(global).reader()
        var resolved: TimeRange?
        if range.isGiven {
            let range = try self.range.resolved(back: .seconds(86_400 * 36_500))
            console.note(range.text(timeZone: CommandContext.current.timeZone))
            resolved = range
        }
        let lines = ExportLines(format: global.json ? .jsonl : format)
        var buffer = LineBatch(console: console)
        if let header = lines.header { try buffer.add(header) }
        do {
            let known = try reader.targets(includingInactive: true)
            let one = try target.map { try TargetLookup.find($0, in: known) }
            if let probe, let one { try TargetLookup.check(probe: probe, of: one, in: reader) }
            let damaged = try reader.eachResult(
                of: one?.id, probe: probe, since: resolved?.since, until: resolved?.until
            ) { result in
                try buffer.add(lines.line(result))
            }
            try buffer.flush()
            for span in damaged.prefix(20) {
                let clock = CommandContext.current.clock
                console.note("damaged and left out: \(clock.full(span.start)) to \(clock.full(span.end))")
            }
            if damaged.count > 20 { console.note("and \(damaged.count - 20) more damaged spans") }
        } catch let error as StoreError {
            throw CommandError.failure(error.description)
        }
        if buffer.count == (lines.header == nil ? 0 : 1) { throw ExitCode(2) }
    }
}

/// Writes many lines at once.
struct LineBatch {
    var console: Console
    private var text = ""
    /// Lines that were added.
    private(set) var count = 0

    init(console: Console) { self.console = console }

    mutating func add(_ line: String) throws {
        text += line
        text += "\n"
        count += 1
        if text.utf8.count > 1 << 16 { try flush() }
    }

    mutating func flush() throws {
        guard !text.isEmpty else { return }
        try console.put(text)
        text.removeAll(keepingCapacity: true)
    }
}

/// The lines of an export: `t`, `target`, `probe`, `address`, `outcome`, `rtt_us`, then what an import needs besides.
struct ExportLines {
    var format: ExportVerb.Format

    static let columns = [
        "t", "target", "probe", "address", "outcome", "rtt_us", "detail", "kind", "seq", "source", "note",
    ]

    var header: String? { format == .csv ? ExportLines.columns.joined(separator: ",") : nil }

    func line(_ stored: StoredResult) -> String {
        let result = stored.result
        // A refusal has a time too, though it is not one of the network alone.
        let rtt: Duration? = if case .refused(let time) = result.outcome { time } else { result.outcome.rtt }
        let nanoseconds = rtt?.clampedNanoseconds
        switch format {
        case .jsonl:
            return JSONValue.object([
                "t": .time(result.sent, digits: 6), "target": .string(stored.series.target.rawValue),
                "probe": .string(stored.series.probe), "address": .optional(stored.series.address?.description),
                "outcome": .string(result.outcome.name), "rtt_us": .microseconds(nanoseconds),
                "detail": .optional(result.outcome.detail), "kind": .string(stored.kind.rawValue),
                "seq": .unsigned(UInt64(result.sequence)), "source": .string(result.source.rawValue),
                "note": .optional(result.note),
            ]).text(pretty: false)
        case .csv:
            let time = nanoseconds.map { Figures.fixed(Double($0) / 1000, 3) } ?? ""
            return [
                result.sent.rfc3339(fractionDigits: 6), ExportLines.quoted(stored.series.target.rawValue),
                ExportLines.quoted(stored.series.probe), stored.series.address?.description ?? "",
                result.outcome.name, time, result.outcome.detail ?? "", stored.kind.rawValue,
                String(result.sequence), result.source.rawValue, ExportLines.quoted(result.note ?? ""),
            ].joined(separator: ",")
        }
    }

    /// RFC 4180, and control characters spelt out: a CSV is looked at in terminals too.
    static func quoted(_ text: String) -> String {
        let safe = HostileText.line(text)
        guard safe.contains(where: { $0 == "," || $0 == "\"" }) else { return safe }
        return "\"" + safe.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
