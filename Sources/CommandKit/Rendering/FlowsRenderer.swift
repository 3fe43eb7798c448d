// The table of `taut flows`.

internal import Control
internal import Model

struct FlowsRenderer {
    var palette: Palette
    var width: Int?
    var clock: LocalClock
    /// False for a report out of the database, which does not know what flows there are now.
    var isLive = true

    func lines(_ report: FlowsReport) -> [String] {
        var lines: [String] = []
        if let since = report.since, let until = report.until, since < until {
            let heading =
                "\(clock.full(since.time)) to \(clock.full(until.time)) \(clock.zoneText) "
                + "(\(Figures.span(seconds: (until.time - since.time).inSeconds))), by \(report.by.rawValue)"
            lines.append(width.map { DisplayWidth.cut(heading, to: $0) } ?? heading)
        }
        for capture in report.capture { lines += self.capture(capture) }
        for losses in report.losses { lines += self.losses(losses) }
        guard !report.rows.isEmpty else { return lines + ["no passive latency was seen in this range"] }
        var columns = [
            TableColumn(report.by.rawValue, flexible: true), TableColumn("times"), TableColumn("samples", .trailing),
            TableColumn("server p50", .trailing), TableColumn("p95", .trailing, dispensable: 6),
            TableColumn("p99", .trailing, dispensable: 2), TableColumn("client p50", .trailing, dispensable: 7),
            TableColumn("p95", .trailing, dispensable: 3), TableColumn("p99", .trailing, dispensable: 1),
            TableColumn("full p50", .trailing, dispensable: 5), TableColumn("failed", .trailing),
            TableColumn("retrans", .trailing),
        ]
        // How the name was learned, as `taut analyze` shows it.
        if report.by == .service { columns.insert(TableColumn("by", dispensable: 4), at: 1) }
        var table = Table(columns)
        for row in report.rows {
            func figure(_ value: Double?) -> TableCell { TableCell(Figures.time(microseconds: value)) }
            var cells = [
                TableCell(row.name ?? "(not known)"), TableCell(row.kind), TableCell(Figures.count(row.count)),
                figure(row.server?.p50), figure(row.server?.p95), figure(row.server?.p99),
                figure(row.client?.p50), figure(row.client?.p95), figure(row.client?.p99), figure(row.full?.p50),
                TableCell(Figures.count(row.failures), row.failures > 0 ? .yellow : nil),
                TableCell(Figures.count(row.retransmissions), row.retransmissions > 0 ? .yellow : nil),
            ]
            if report.by == .service { cells.insert(TableCell(row.serviceSources.joined(separator: ", ")), at: 1) }
            table.add(cells)
        }
        lines += table.lines(width: width, palette: palette)
        if report.rowsOmitted > 0 { lines.append("and \(Figures.count(report.rowsOmitted)) more rows") }
        return lines
    }

    private func capture(_ capture: StatusReport.Capture) -> [String] {
        var parts = ["\(Figures.count(capture.packets)) packets"]
        if isLive { parts.append("\(Figures.count(capture.activeFlows)) flows now") }
        let unused = capture.drops.values.reduce(UInt64(0)) { $0.addingSaturated($1) }
        if unused > 0 { parts.append("\(Figures.count(unused)) not used") }
        var lost: [String] = []
        if capture.kernelDrops > 0 { lost.append("\(Figures.count(capture.kernelDrops)) dropped by the kernel") }
        if capture.interfaceDrops > 0 { lost.append("\(Figures.count(capture.interfaceDrops)) by the interface") }
        if capture.refusedFlows > 0 { lost.append("\(Figures.count(capture.refusedFlows)) flows not tracked") }
        if capture.overflowedKeys > 0 { lost.append("\(Figures.count(capture.overflowedKeys)) groups in \"other\"") }
        if capture.running, let problem = capture.problem { lost.append(problem) }
        if !capture.running { lost.append("not running: \(capture.problem ?? "no reason kept")") }
        let text = HostileText.line("capture \(capture.source): " + (parts + lost).joined(separator: ", "))
        return [palette.paint(width.map { DisplayWidth.cut(text, to: $0) } ?? text, lost.isEmpty ? nil : .yellow)]
    }

    /// What the range lacks; nothing where nothing does.
    private func losses(_ losses: FlowsReport.CaptureLosses) -> [String] {
        var parts: [String] = []
        if losses.kernelDrops > 0 { parts.append("\(Figures.count(losses.kernelDrops)) packets dropped by the kernel") }
        if losses.interfaceDrops > 0 { parts.append("\(Figures.count(losses.interfaceDrops)) by the interface") }
        if losses.captureGaps > 0 {
            parts.append(
                "capture loss \(Figures.percent(losses.captureLoss)) (\(Figures.count(losses.captureGaps)) of "
                    + "\(Figures.count(losses.acknowledgements)) acknowledgements are of data that was not seen)")
        }
        if losses.shed > 0 { parts.append("\(Figures.count(losses.shed)) packets left out by flow") }
        guard !parts.isEmpty else { return [] }
        let text = HostileText.line("capture \(losses.source) in this range: " + parts.joined(separator: ", "))
        return [palette.paint(width.map { DisplayWidth.cut(text, to: $0) } ?? text, .yellow)]
    }
}
