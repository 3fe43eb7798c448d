// `taut report`: availability and latency of a month.

internal import ArgumentParser
internal import Control
internal import Foundation
internal import Model
internal import Storing

struct ReportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Availability and latency of every target over a month, exclusions listed.",
        discussion: """
            The running month where none is given; --since and --until give any other range. Availability is the share of \
            answered among the results that say something; unknown results and time without measurement are left out and \
            listed.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, csv, json, html
    }

    @OptionGroup var global: GlobalOptions
    @OptionGroup var range: RangeOptions

    @Option(help: ArgumentHelp("The month, in local time.", valueName: "YYYY-MM"))
    var month: String?

    @Option(help: ArgumentHelp("Group by a label such as customer, or by site.", valueName: "label"))
    var by: String?

    @Option(
        help: ArgumentHelp(
            "Availability and p95 to hold each row against, such as 99.9%,100ms; one of them will do.",
            valueName: "percent,time"))
    var objective: ReportObjective?

    @Option(help: "The form of the report.")
    var format = Format.text

    func validate() throws {
        if month != nil && range.isGiven { throw ValidationError("--month and --since or --until exclude each other") }
    }

    func run() throws {
        let context = CommandContext.current
        let range = try resolvedRange(context)
        let reader = try MonitorSource(global).reader()
        let report: Report
        do {
            let targets = try reader.targets(includingInactive: true)
            if let by { try Self.check(label: by, of: targets) }
            let totals = try reader.totals(since: range.since, until: range.until)
            report = Report(
                totals, targets: targets, range: range, by: by, objective: objective, month: monthName(range, context))
        } catch let error as StoreError {
            throw CommandError.failure(error.description)
        }
        let console = global.console
        let renderer = ReportRenderer(clock: context.clock)
        switch global.json ? .json : format {
        case .text: try console.lines(renderer.lines(report, width: console.width, palette: console.palette))
        case .csv:
            console.note(range.text(timeZone: context.timeZone))
            try console.lines(renderer.csv(report))
        case .json: try console.json(renderer.json(report, generated: context.now()))
        case .html: try console.lines(ReportPage(clock: context.clock).lines(report, generated: context.now()))
        }
        if report.rows.allSatisfy({ $0.isEmpty }) { throw ExitCode(2) }
    }

    /// Refuses a label that no target has: everything would be in one group without a name.
    private static func check(label: String, of targets: [StoredTarget]) throws {
        let labels = Set(targets.flatMap(\.labels.keys)).union(["site"])
        guard !labels.contains(label) else { return }
        let hint = Suggestion.nearest(to: label, among: labels.sorted()).map { "; did you mean \"\($0)\"?" }
        throw CommandError.notFound(
            "no target has a label \"\(label)\"\(hint ?? "; there are \(labels.sorted().joined(separator: ", "))")")
    }

    /// `2026-11`; nil for a range that is not a month.
    private func monthName(_ range: TimeRange, _ context: CommandContext) -> String? {
        self.range.isGiven ? nil : String(context.clock.full(range.since).prefix(7))
    }

    private func resolvedRange(_ context: CommandContext) throws -> TimeRange {
        if range.isGiven { return try range.resolved(back: .seconds(30 * 86_400)) }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = context.timeZone
        let now = Date(timeIntervalSince1970: Double(context.now().seconds))
        var parts = calendar.dateComponents([.year, .month], from: now)
        if let month {
            let numbers = month.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard numbers.count == 2, let year = numbers[0], (1970...9999).contains(year), let number = numbers[1],
                (1...12).contains(number)
            else { throw CommandError.usage(HostileText.line("--month is YYYY-MM, such as 2026-11, not \"\(month)\"")) }
            parts = DateComponents(year: year, month: number)
        }
        guard let first = calendar.date(from: parts), let next = calendar.date(byAdding: .month, value: 1, to: first)
        else { throw CommandError.usage("there is no such month") }
        let since = WallTime(seconds: Int64(first.timeIntervalSince1970))
        let end = min(WallTime(seconds: Int64(next.timeIntervalSince1970)), context.now())
        guard since < end else { throw CommandError.usage("the month has not begun yet") }
        return TimeRange(unchecked: since, until: end)
    }
}

/// A report in the making.
struct Report {
    struct Row {
        /// The value of the label that is grouped by; nil where the target has none, or nothing is grouped by.
        var group: String?
        var target: String
        var title: String
        var probe: String
        var level: String
        var figures: HistoryBucket

        /// 0...100; nil where nothing is known.
        var availability: Double? { figures.loss.map { (1 - $0) * 100 } }
        /// Whether nothing is stored of the range.
        var isEmpty: Bool { figures.sent == 0 && figures.unknown == 0 }
    }

    var range: TimeRange
    var by: String?
    var objective: ReportObjective?
    /// `2026-11`; nil where the range is not a month.
    var month: String?
    /// The site of all targets; nil where there are several, or none is named.
    var site: String?
    var rows: [Row]
    var unknown: [TimeSpan]
    var damaged: [TimeSpan]

    init(
        _ totals: WindowTotals, targets: [StoredTarget], range: TimeRange, by: String?,
        objective: ReportObjective? = nil, month: String? = nil
    ) {
        self.range = range
        self.objective = objective
        self.by = by
        self.month = month
        let reported = Set(totals.lines.map(\.target))
        let sites = Set(targets.filter { reported.contains($0.id) }.map { $0.site ?? "" })
        site = sites.count == 1 ? sites.first.flatMap { $0.isEmpty ? nil : $0 } : nil
        unknown = totals.unknown
        damaged = totals.damaged
        let known = Dictionary(targets.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        rows = totals.lines.map { line in
            let target = known[line.target]
            let group = by.flatMap { $0 == "site" ? target?.site : target?.labels[$0] }
            return Row(
                group: group, target: line.target.rawValue, title: target?.title ?? line.target.rawValue,
                probe: line.probe, level: line.level.rawValue, figures: line.figures)
        }
        // Targets without the label come last.
        rows.sort { a, b in
            (a.group == nil ? 1 : 0, a.group ?? "", a.target, a.probe) < (
                b.group == nil ? 1 : 0, b.group ?? "", b.target, b.probe
            )
        }
    }

    /// Whether some row was measured for a shorter time than the monitor ran, by more than the pause before a first result.
    var hasOwnGaps: Bool {
        let common = unknown.reduce(Duration.zero) { $0 + ($1.end - $1.start) }
        return rows.contains { $0.figures.gap - common > .seconds(60) }
    }

    /// The rows by group, in their order; one group where nothing is grouped by.
    var groups: [(name: String?, rows: [Row])] {
        var groups: [(name: String?, rows: [Row])] = []
        for row in rows {
            if groups.last?.name == row.group, !groups.isEmpty {
                groups[groups.count - 1].rows.append(row)
            } else {
                groups.append((row.group, [row]))
            }
        }
        return groups
    }
}
