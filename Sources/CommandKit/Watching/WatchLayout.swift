// Which lines of the screen hold what.

internal import Control
internal import Model

/// The shares of the screen's rows; the list and the page between them get what is left.
struct WatchLayout: Hashable, Sendable {
    static let leastColumns = 24
    static let leastRows = 6

    let isTooSmall: Bool
    /// Lines of what is amiss, below the two head lines.
    let notes: Int
    let hasGap: Bool
    /// Lines for what is to be said of the marked target.
    let reason: Int
    /// Rows of the list without its header, or of a target's page.
    let body: Int

    init(_ state: WatchState) {
        let rows = state.size.rows
        isTooSmall = rows < Self.leastRows || state.size.columns < Self.leastColumns
        let room = rows >= 20 ? 3 : rows >= 14 ? 1 : 0
        notes = state.isHelpShown ? 0 : min(room, state.noteCount)
        hasGap = rows >= 14
        let isList = state.drilled == nil && !state.isHelpShown
        reason = !isList || rows < 8 ? 0 : rows < 20 ? 1 : 2
        // Verdict, daemon and keys.
        body = max(0, rows - 3 - notes - (hasGap ? 1 : 0) - (isList ? 1 : 0) - reason)
    }
}
