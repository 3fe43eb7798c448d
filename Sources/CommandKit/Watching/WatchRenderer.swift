// The picture of `taut watch`: a state and a size in, one line a row of the terminal out.

internal import Control
internal import Model

struct WatchRenderer {
    var palette: Palette
    var clock: LocalClock

    /// Exactly as many lines as the terminal has rows, none wider than it.
    ///
    /// - Parameter state: gets the lengths that moving about needs.
    func lines(_ state: inout WatchState) -> [String] {
        let size = state.size
        let notes = notes(state)
        state.noteCount = notes.count
        let page = state.isHelpShown ? help(columns: size.columns) : target(state)
        state.pageLength = page?.count ?? 0
        state.settle()
        let layout = WatchLayout(state)
        var lines: [String]
        if layout.isTooSmall {
            lines = ["terminal too small", "\(WatchLayout.leastColumns) × \(WatchLayout.leastRows) at least"]
        } else {
            lines = head(state) + notes.prefix(layout.notes).map { note($0) } + (layout.hasGap ? [""] : [])
            lines += page.map { $0.dropFirst(state.top).prefix(layout.body) } ?? list(state, layout)[...]
            lines = fill(lines, to: size.rows - 1 - layout.reason) + reason(state, lines: layout.reason)
            lines = fill(lines, to: size.rows - 1) + [footer(state)]
        }
        return fill(lines, to: size.rows).map { StyledText.cut($0, to: size.columns) }
    }

    private func fill(_ lines: [String], to rows: Int) -> [String] {
        lines.prefix(max(0, rows)) + [String](repeating: "", count: max(0, rows - lines.count))
    }

    // MARK: Head

    private func head(_ state: WatchState) -> [String] {
        let live = state.isLive ? state.answer?.report : nil
        let word = live.map { Text.sanitised($0.state) } ?? TargetState.unknown.rawValue
        let badge = palette.paint(
            " \(StatusRenderer.sign(ofState: word)) \(word) ", Palette.badge(ofState: word))
        return ["\(badge) \(palette.paint(HostileText.line(verdict(state)), .bold))", daemon(state)]
    }

    private func verdict(_ state: WatchState) -> String {
        guard let report = state.answer?.report else {
            return state.failure == nil ? "asking tautd" : "nothing is known yet"
        }
        guard state.isLive else { return "nobody judges now: tautd does not answer" }
        let site = report.site.map { $0.isEmpty ? "" : "\($0): " } ?? ""
        let whole = HostileText.line(site + report.verdict(timeZone: clock.timeZone))
        // The reasons are in the table as well; who is in trouble must be read here.
        return DisplayWidth.of(whole) + 14 <= state.size.columns
            ? whole : site + report.shortVerdict(timeZone: clock.timeZone)
    }

    /// Who says so, and how old it is.
    private func daemon(_ state: WatchState) -> String {
        var parts: [String] = []
        if state.isPaused {
            let when = state.answer.map { "picture of \(clock.seconds($0.report.generated.time))" } ?? "no picture yet"
            let age = state.age.map { ", \(Figures.span(seconds: $0.inSeconds)) old" } ?? ""
            parts.append(palette.paint(" paused ", .onYellow) + " \(when)\(age)")
        } else {
            parts.append(clock.seconds(clock.now))
        }
        guard let answer = state.answer else {
            return (parts + [HostileText.line(state.failure ?? "no answer yet")]).joined(separator: " · ")
        }
        let daemon = answer.report.daemon
        let newest = daemon.dataAge.map { age in
            let whole = age + (state.isPaused ? 0 : state.age?.inSeconds ?? 0)
            let text = "data \(Figures.span(seconds: whole)) old"
            return whole > 60 ? palette.paint(" \(text) ", .onYellow) : text
        }
        // How old it is stands before why: a narrow terminal cuts the end.
        if let failure = state.failure ?? answer.note {
            parts += [newest, palette.paint(" \(HostileText.line(failure)) ", .onRed)].compactMap { $0 }
        } else if state.isSilent {
            let silence = " no answer for \(Figures.span(seconds: state.age?.inSeconds)) "
            parts += [palette.paint(silence, .onRed), newest].compactMap { $0 }
        } else {
            let up = daemon.started.map { " up \(Figures.span(seconds: (clock.now - $0.time).inSeconds))" } ?? ""
            parts += ["tautd\(up)", newest].compactMap { $0 }
        }
        let open = answer.report.incidentsOpen.count
        if open > 0 { parts.append("\(Figures.count(open)) incident\(open == 1 ? "" : "s") open") }
        return parts.joined(separator: " · ")
    }

    /// What is amiss with the monitor itself.
    private func notes(_ state: WatchState) -> [String] {
        guard let report = state.answer?.report else { return [] }
        return StatusRenderer(palette: .plain, width: nil, clock: clock).notes(report)
    }

    private func note(_ text: String) -> String { "\(palette.paint("!", .onYellow)) \(HostileText.line(text))" }

    // MARK: Body

    private func list(_ state: WatchState, _ layout: WatchLayout) -> [String] {
        let rows = state.rows
        guard !rows.isEmpty else {
            if state.answer == nil { return [] }
            return ["", state.targets.isEmpty ? "  nothing is watched" : "  no target has this text"]
        }
        let shown = state.top..<min(rows.count, state.top + layout.body)
        return WatchTable(palette: palette, clock: clock, columns: state.size.columns)
            .lines(rows, shown: shown, state: state)
    }

    /// The page of the target that is looked at; nil in the list.
    private func target(_ state: WatchState) -> [String]? {
        guard state.drilled != nil else { return nil }
        guard let target = state.drilledTarget else { return ["this target is not watched any more"] }
        return WatchPage(palette: palette, clock: clock, size: state.size).lines(target, state)
    }

    /// The marked target in words: the table may have had no room for them.
    private func reason(_ state: WatchState, lines: Int) -> [String] {
        guard lines > 0, let target = state.rows.first(where: { $0.target == state.selection }) else { return [] }
        let address = target.address.map { " \($0)" } ?? ""
        let reason = StatusRenderer.reason(of: target)
        let text = HostileText.line("\(target.title) (\(target.kind)\(address))\(reason.isEmpty ? "" : ": \(reason)")")
        let folded = StyledText.folded(text, to: state.size.columns)
        // What does not fit is cut where it would have gone on.
        guard folded.count > lines else { return fill(folded, to: lines) }
        let rest = folded[(lines - 1)...].map { $0.drop { $0 == " " } }.joined(separator: " ")
        return folded.prefix(lines - 1) + [(lines > 1 ? "  " : "") + rest]
    }

    // MARK: Foot

    private func footer(_ state: WatchState) -> String {
        let left: String
        let right: String
        if state.drilled != nil || state.isHelpShown {
            left = state.isHelpShown ? "Esc back  ↑↓ scroll" : "Esc back  ↑↓ scroll  p pause  ? help"
            let end = min(state.pageLength, state.top + WatchLayout(state).body)
            right = "\(state.top + 1)–\(end) of \(state.pageLength)"
        } else {
            let rows = state.rows
            let all = state.targets.count
            let filter = HostileText.line(state.filter)
            if state.isFiltering {
                left = "/\(filter)\(palette.paint(" ", .reverse))  Enter keeps it, Esc clears it"
            } else if !state.filter.isEmpty {
                left = "/\(filter)  Esc clears it  ? help"
            } else {
                left = "q quit  ? help  Enter opens  s sort  / filter  p pause"
            }
            let mark = WatchTable.mark(state.sort, isReversed: state.isReversed)
            let index = rows.firstIndex { $0.target == state.selection }.map { $0 + 1 } ?? 0
            let count = rows.count == all ? "\(all)" : "\(rows.count) (of \(all))"
            right = "by \(state.sort.rawValue)\(mark)  \(index)/\(count)"
        }
        let space = state.size.columns - StyledText.width(left) - StyledText.width(right)
        let foot = state.isFiltering ? left : palette.paint(left, .dim)
        return space >= 2 ? foot + String(repeating: " ", count: space) + palette.paint(right, .dim) : foot
    }

    private func help(columns: Int) -> [String] {
        let keys = [
            ("↑ ↓ j k", "a row up or down"), ("PgUp PgDn", "a screen up or down"), ("Home End g G", "first, last"),
            ("Enter →", "look at the target"), ("Esc q ←", "back to the list"),
            ("s", "sort by the next column"), ("S", "the other way round"),
            ("/", "filter: all words in name, kind, address, state or reason; Esc clears it"),
            ("p space", "pause, go on"), ("Ctrl-L", "draw anew"), ("Ctrl-Z", "stop, to go on with fg"),
            ("q Ctrl-C", "quit"),
        ].map { key, what in "  \(DisplayWidth.padded(key, to: 12, alignment: .leading))  \(what)" }
        let signs = [
            "  ● up  ◐ degraded  ✖ down",
            "  ? unknown: not measured, or nobody judges",
            "  latest: a block a result, as high as its time; × no answer, ? unknown",
            "  loss, p50, p99 and jitter: the newest \(StatusReport.window) results of the ICMP (else first) probe",
        ]
        let bold = { (text: String) in palette.paint(text, .bold) }
        return ([bold("Keys")] + keys + ["", bold("Signs")] + signs).flatMap { StyledText.folded($0, to: columns) }
    }
}
