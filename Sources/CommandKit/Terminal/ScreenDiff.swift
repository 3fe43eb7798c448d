/// What must be written to turn one picture into the next: only the lines that differ, so that nothing flickers.
enum ScreenDiff {
    /// - Parameters:
    ///   - old: what the terminal shows; nil where that is not known.
    ///   - columns: the terminal's width. After a line that fills it nothing is erased: the cursor stands on its last
    ///     character then.
    static func update(from old: [String]?, to new: [String], columns: Int) -> String {
        var text = ""
        for (row, line) in new.enumerated() {
            if let old, old.indices.contains(row), old[row] == line { continue }
            text += "\u{1B}[\(row + 1);1H" + line
            if StyledText.width(line) < columns { text += "\u{1B}[K" }
        }
        if old == nil || (old?.count ?? 0) > new.count { text += "\u{1B}[\(max(1, new.count));1H" }
        return text
    }
}
