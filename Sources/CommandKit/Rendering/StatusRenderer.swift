// The table of `taut status` and `taut watch`.

internal import Control
internal import Model

/// Draws a status report: the verdict first, then a line a target, then what is open and what is amiss.
struct StatusRenderer {
    var palette: Palette
    var width: Int?
    var clock: LocalClock
    /// Shown under the verdict where the daemon did not answer.
    var sourceNote: String?

    private static let signs: [String: String] = ["up": "●", "degraded": "◐", "down": "✖", "unknown": "?"]

    /// The sign of a state, so that colour is never needed.
    static func sign(ofState state: String) -> String { signs[state] ?? "?" }

    func lines(_ report: StatusReport, targets: [StatusReport.Target]? = nil) -> [String] {
        var lines = [palette.paint(headline(report), Palette.colour(ofState: report.state))]
        lines += notes(report).map { palette.paint(clip("! " + $0), .yellow) }
        let shown = targets ?? report.targets
        if !shown.isEmpty { lines += [""] + table(shown) }
        if !report.incidentsOpen.isEmpty { lines += [""] + incidents(report.incidentsOpen) }
        return lines
    }

    private func headline(_ report: StatusReport) -> String {
        let site = report.site.map { $0.isEmpty ? "" : "\(Text.sanitised($0)): " } ?? ""
        return clip(site + safe(report.verdict(timeZone: clock.timeZone)))
    }

    private func table(_ targets: [StatusReport.Target]) -> [String] {
        var table = Table([
            TableColumn("target", flexible: true), TableColumn("state"), TableColumn("since", dispensable: 4),
            TableColumn("loss", .trailing), TableColumn("p50", .trailing),
            TableColumn("p95", .trailing, dispensable: 2), TableColumn("jitter", .trailing, dispensable: 1),
            TableColumn("latest", dispensable: 3), TableColumn("reason", flexible: true, dispensable: 5),
        ])
        let points = (width ?? .max) < 100 ? 8 : 16
        for target in targets {
            let colour = Palette.colour(ofState: target.state)
            let sign = StatusRenderer.sign(ofState: target.state)
            table.add([
                TableCell(target.title), TableCell("\(sign) \(target.state)", colour),
                TableCell(target.since.map { clock.short($0.time) } ?? Figures.unknown),
                TableCell(Figures.percent(target.lossPercent), (target.lossPercent ?? 0) > 0 ? .yellow : nil),
                TableCell(Figures.time(microseconds: target.rttP50)),
                TableCell(Figures.time(microseconds: target.rttP95)),
                TableCell(Figures.time(microseconds: target.jitter)),
                TableCell(Sparkline.text(target.spark, outcomes: target.sparkOutcomes, columns: points), .cyan),
                TableCell(StatusRenderer.reason(of: target)),
            ])
        }
        return table.lines(width: width, palette: palette)
    }

    /// The reason of the state, and what else is to be known of it.
    static func reason(of target: StatusReport.Target) -> String {
        guard let age = target.staleAddressAge else { return target.reason }
        return (target.reason.isEmpty ? "" : "\(target.reason); ")
            + "name not resolved for \(Figures.span(seconds: age))"
    }

    /// What a reader must know before believing the table.
    func notes(_ report: StatusReport) -> [String] {
        var notes: [String] = []
        if let sourceNote { notes.append(sourceNote) }
        if let refused = report.daemon.configRefused {
            notes.append(
                "the config on disk was refused, the one before is in use: \(refused.first ?? "no reason kept")")
            if refused.count > 1 { notes.append("and \(refused.count - 1) more; run `taut config check`") }
        }
        for capture in report.daemon.capture {
            if !capture.running {
                notes.append("not capturing on \(capture.source): \(capture.problem ?? "no reason kept")")
            } else if let problem = capture.problem {
                notes.append("capture on \(capture.source): \(problem)")
            }
            if capture.kernelDrops > 0 {
                notes.append(
                    "capture on \(capture.source): the kernel dropped \(Figures.count(capture.kernelDrops)) packets")
            }
        }
        if let storage = report.daemon.storage {
            if let error = storage.lastError { notes.append("storage: \(error)") }
            if storage.dropped > 0 { notes.append("storage: \(Figures.count(storage.dropped)) values were not stored") }
        }
        if let hooks = report.daemon.hooks, hooks.failed > 0 {
            notes.append("hooks: \(Figures.count(hooks.failed)) deliveries were given up")
        }
        for notice in report.notices.prefix(3) {
            let end = notice.end.map { " to \(clock.short($0.time))" } ?? ""
            notes.append("\(clock.short(notice.start.time))\(end): \(notice.text)")
        }
        return notes
    }

    private func incidents(_ open: [StatusReport.OpenIncident]) -> [String] {
        let unacknowledged = open.filter { !$0.acknowledged }.count
        var lines = ["\(open.count) incident\(open.count == 1 ? "" : "s") open, \(unacknowledged) not acknowledged"]
        for incident in open.prefix(5) {
            let held = incident.suppressed > 0 ? " (\(incident.suppressed) more held back)" : ""
            let marks = (incident.acknowledged ? " acknowledged" : "") + (incident.silenced ? " silenced" : "")
            lines.append(
                clip(
                    "  #\(incident.id) \(safe(incident.severity)) since \(clock.short(incident.opened.time)): "
                        + "\(safe(incident.target ?? "uplink")): \(safe(incident.reason))\(held)\(marks)"))
        }
        if open.count > 5 { lines.append("  and \(open.count - 5) more; see `taut incidents --open`") }
        return lines
    }

    private func safe(_ text: String) -> String { HostileText.line(text) }

    private func clip(_ text: String) -> String {
        let line = HostileText.line(text)
        return width.map { DisplayWidth.cut(line, to: $0) } ?? line
    }
}
