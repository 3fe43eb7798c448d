// One target in full, for who drilled into it.

internal import Control
internal import Model

/// The lines of a target's page, as many as there are; the screen scrolls through them.
struct WatchPage {
    var palette: Palette
    var clock: LocalClock
    var size: TerminalSize

    func lines(_ target: StatusReport.Target, _ state: WatchState) -> [String] {
        let why = WhyRenderer(palette: palette, width: size.columns, clock: clock)
        let detail = state.detail?.target == target.target ? state.detail : nil
        // Words are folded, drawings are cut.
        var lines = head(target) + figures(target) + history(detail)
        if let problem = detail?.problem { lines += folded([HostileText.line("! \(problem)")]) }
        let incidents = (state.answer?.report.incidentsOpen ?? []).filter {
            $0.target ?? target.target == target.target
        }
        let parts = [
            why.section("probes", target.probes.map { why.probe($0) }),
            why.section("last failures", (detail?.failures ?? []).map { failure($0) }),
            why.section("open incidents", incidents.map { incident($0) }),
            why.section("users' traffic, the last minutes", (detail?.passive ?? []).map { passive($0) }),
            why.section("changes", (detail?.transitions ?? []).map { why.change($0) }),
            why.section("evidence", target.evidence),
            why.section("the monitor itself", (detail?.events ?? []).map { why.event($0) }),
        ]
        for part in parts where !part.isEmpty { lines += ["", part[0]] + folded(Array(part.dropFirst())) }
        return lines
    }

    private func folded(_ lines: [String]) -> [String] {
        lines.flatMap { StyledText.folded($0, to: size.columns) }
    }

    private func head(_ target: StatusReport.Target) -> [String] {
        let since = target.since.map {
            " since \(clock.short($0.time)) (\(Figures.span(seconds: (clock.now - $0.time).inSeconds)))"
        }
        let state = WatchTable.state(target.state, palette)
        let name = HostileText.line("\(target.title) (\(target.kind), \(target.address ?? "no address"))")
        var lines = folded([name]).map { palette.paint($0, .bold) } + ["\(state)\(since ?? "")"]
        let reason = StatusRenderer.reason(of: target)
        if !reason.isEmpty { lines += folded([HostileText.line("because: \(reason)")]) }
        if let layer = target.layer { lines.append(HostileText.line("layer:   \(layer)")) }
        return lines
    }

    private func figures(_ target: StatusReport.Target) -> [String] {
        guard let probe = target.probe else { return [] }
        let parts = [
            "loss \(Figures.percent(target.lossPercent)) of \(Figures.count(target.sent))",
            "p50 \(Figures.time(microseconds: target.rttP50))", "p99 \(Figures.time(microseconds: target.rttP99))",
            "jitter \(Figures.time(microseconds: target.jitter))",
        ]
        let spark = Sparkline.painted(
            target.spark, outcomes: target.sparkOutcomes, columns: max(0, size.columns - 9), palette: palette)
        return folded([HostileText.line("\(probe): " + parts.joined(separator: "  "))]) + ["latest:  \(spark)"]
    }

    /// The smoke plot of the last hour where there is room for one.
    private func history(_ detail: WatchDetail?) -> [String] {
        guard let history = detail?.history, size.columns >= 40, size.rows >= 16 else { return [] }
        let height = min(max(size.rows - 20, 4), 12)
        let graph = GraphRenderer(palette: palette, clock: clock, width: size.columns, height: height)
        // Its own title names the target again.
        return ["", palette.paint("the last hour", .bold)] + graph.lines(history).dropFirst()
    }

    private func failure(_ failure: WatchDetail.Failure) -> String {
        let detail = failure.detail.map { " (\($0))" } ?? ""
        let note = failure.note.map { ", \($0)" } ?? ""
        return "\(clock.full(failure.time))  \(failure.probe): \(failure.outcome)\(detail)\(note)"
    }

    private func incident(_ incident: StatusReport.OpenIncident) -> String {
        let marks = (incident.acknowledged ? ", acknowledged" : "") + (incident.silenced ? ", silenced" : "")
        return "#\(incident.id) \(incident.severity), rule \(incident.rule), since "
            + "\(clock.short(incident.opened.time))\(marks): \(incident.reason)"
    }

    private func passive(_ row: FlowsReport.Row) -> String {
        var text = "\(row.name ?? "(not known)") \(row.kind): \(Figures.count(row.count)) samples"
        for (side, figures) in [("server", row.server), ("client", row.client), ("full", row.full)] {
            guard let figures else { continue }
            text +=
                ", \(side) p50 \(Figures.time(microseconds: figures.p50))"
                + " p99 \(Figures.time(microseconds: figures.p99))"
        }
        if row.failures > 0 { text += ", \(Figures.count(row.failures)) failed" }
        if row.retransmissions > 0 { text += ", \(Figures.count(row.retransmissions)) retransmissions" }
        return text
    }
}
