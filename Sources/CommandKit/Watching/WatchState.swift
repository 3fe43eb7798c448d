// The state of `taut watch`: what is shown, and what a key or an answer does to it. No input or output here.

internal import Control
internal import Model

struct WatchState: Sendable {
    /// What a key asks of the program beyond another picture.
    enum Effect: Hashable, Sendable { case none, quit, suspend, redraw }

    var size: TerminalSize
    /// Between two looks.
    var interval: Duration
    /// CLOCK_MONOTONIC of this picture, in nanoseconds.
    var now: Int64 = 0
    /// Ids that the command line names; nil for all.
    var only: Set<String>?

    private(set) var answer: WatchAnswer?
    /// Why the newest look failed.
    private(set) var failure: String?
    private(set) var detail: WatchDetail?

    /// Id of the target that is looked at; nil in the list.
    private(set) var drilled: String?
    /// Id of the marked row: it keeps its mark wherever sorting puts it.
    private(set) var selection: String?
    /// The first row is marked, whichever it is, until somebody moves the mark.
    private var marksFirst = true
    /// The first row of the list that is shown, and the first line of a target's page.
    private(set) var top = 0
    private(set) var sort = WatchSort.state
    private(set) var isReversed = false
    private(set) var filter = ""
    private(set) var isFiltering = false
    private(set) var isPaused = false
    private(set) var isHelpShown = false
    /// Lines of the page and of notes that the renderer has; moving about needs them.
    var pageLength = 0
    var noteCount = 0

    static let longestFilter = 64

    init(size: TerminalSize, interval: Duration = .seconds(1)) {
        self.size = size
        self.interval = interval
    }

    // MARK: What is known

    /// How old the newest answer is; nil where there is none.
    var age: Duration? { answer.map { .nanoseconds(max(0, now.subtractingSaturated($0.received))) } }

    /// No answer for so long that it says nothing about now. A picture that was stopped says so itself.
    var isSilent: Bool {
        guard let age else { return false }
        return !isPaused && age > max(.seconds(10), interval * 3)
    }

    /// Whether what is shown is what a daemon judges now.
    var isLive: Bool { answer?.report.daemon.running == true && !isSilent }

    /// The rows of the list.
    var rows: [StatusReport.Target] {
        let words = filter.lowercased().split(separator: " ")
        let kept = targets.filter { target in words.allSatisfy { Self.text(of: target).contains($0) } }
        return sort.sorted(kept, isReversed: isReversed)
    }

    /// Every target that is watched; a state is shown only as long as somebody judges it.
    var targets: [StatusReport.Target] {
        guard let report = answer?.report else { return [] }
        return report.targets.filter { only?.contains($0.target) ?? true }.map { honest($0, report) }
    }

    var drilledTarget: StatusReport.Target? {
        guard let drilled, let report = answer?.report else { return nil }
        return report.targets.first { $0.target == drilled }.map { honest($0, report) }
    }

    private func honest(_ target: StatusReport.Target, _ report: StatusReport) -> StatusReport.Target {
        guard target.state != TargetState.unknown.rawValue else { return target }
        let newest = target.probes.compactMap { $0.last?.t }.max()
        let isOld = newest.map { (report.generated.time - $0.time).inSeconds > target.staleAfter } ?? false
        guard !isLive || isOld else { return target }
        var unknown = target
        unknown.lastKnownState = target.state
        unknown.state = TargetState.unknown.rawValue
        unknown.layer = FaultLayer.monitor.rawValue
        unknown.since = newest ?? target.since
        unknown.reason = "\(isLive ? "not measured since then" : "tautd does not answer"); was \(target.state)"
        return unknown
    }

    private static func text(of target: StatusReport.Target) -> String {
        [
            target.title, target.target, target.kind, target.site ?? "", target.address ?? "", target.state,
            target.layer ?? "", target.reason,
        ].joined(separator: "\n").lowercased()
    }

    // MARK: What happens

    mutating func take(_ news: WatchNews) {
        switch news {
        case .detail(let detail): self.detail = detail
        case .failure(let text): failure = text
        case .answer(let answer):
            failure = nil
            if !isPaused { self.answer = answer }
        }
        settle()
    }

    mutating func handle(_ key: WatchKey) -> Effect {
        defer { settle() }
        switch key {
        case .control("c"): return .quit
        case .control("z"): return .suspend
        case .control("l"): return .redraw
        default: break
        }
        if isFiltering, edits(key) { return .none }
        if isHelpShown {
            if !scrolls(key) { (isHelpShown, top) = (false, 0) }
            return .none
        }
        if drilled == nil { return list(key) }
        if scrolls(key) { return .none }
        switch key {
        case .escape, .backspace, .left, .character("h"), .character("q"):
            (drilled, detail, top) = (nil, nil, 0)
        default: common(key)
        }
        return .none
    }

    private mutating func list(_ key: WatchKey) -> Effect {
        let height = WatchLayout(self).body
        switch key {
        case .up, .character("k"): select(by: -1)
        case .down, .character("j"): select(by: 1)
        case .pageUp, .control("b"): select(by: -max(1, height - 1))
        case .pageDown, .control("f"): select(by: max(1, height - 1))
        case .home, .character("g"): select(by: -rows.count)
        case .end, .character("G"): select(by: rows.count)
        case .enter, .right, .character("l"):
            (drilled, detail, top) = (selection, nil, 0)
        case .escape: filter = ""
        case .character("/"): isFiltering = true
        case .character("s"):
            sort = sort.next
            isReversed = false
        case .character("S"): isReversed.toggle()
        case .character("q"), .control("d"): return .quit
        default: common(key)
        }
        return .none
    }

    /// Moves about a page that is longer than the screen; false for another key.
    private mutating func scrolls(_ key: WatchKey) -> Bool {
        let screen = max(1, WatchLayout(self).body - 1)
        switch key {
        case .up, .character("k"): top -= 1
        case .down, .character("j"): top += 1
        case .pageUp, .control("b"): top -= screen
        case .pageDown, .control("f"): top += screen
        case .home, .character("g"): top = 0
        case .end, .character("G"): top = pageLength
        default: return false
        }
        return true
    }

    private mutating func common(_ key: WatchKey) {
        switch key {
        case .character("?"): (isHelpShown, top) = (true, 0)
        case .character("p"), .character(" "): isPaused.toggle()
        default: break
        }
    }

    /// A key while the filter is written; false where it is for the list.
    private mutating func edits(_ key: WatchKey) -> Bool {
        switch key {
        case .enter: isFiltering = false
        case .escape:
            isFiltering = false
            filter = ""
        case .backspace:
            // Of an empty filter there is nothing to delete but the filter.
            if filter.isEmpty { isFiltering = false } else { filter.removeLast() }
        case .control("u"): filter = ""
        case .character(let character):
            if filter.unicodeScalars.count + character.unicodeScalars.count <= Self.longestFilter {
                filter.append(character)
            }
        default: return false
        }
        return true
    }

    private mutating func select(by distance: Int) {
        let ids = rows.map { $0.target }
        guard !ids.isEmpty else { return }
        let index = ids.firstIndex { $0 == selection } ?? 0
        let chosen = min(max(index + distance, 0), ids.count - 1)
        selection = ids[chosen]
        marksFirst = chosen == 0
    }

    /// Keeps the marked row among the rows and on the screen, and a page within its length.
    mutating func settle() {
        let height = max(1, WatchLayout(self).body)
        guard drilled == nil, !isHelpShown else {
            top = min(max(top, 0), max(0, pageLength - height))
            return
        }
        let ids = rows.map { $0.target }
        if marksFirst || selection.map({ !ids.contains($0) }) ?? true { selection = ids.first }
        let index = ids.firstIndex { $0 == selection } ?? 0
        top = min(max(top, index - height + 1, 0), index, max(0, ids.count - height))
    }
}
