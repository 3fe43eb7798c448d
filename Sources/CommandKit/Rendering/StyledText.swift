// Lines that hold colours: their width, and cutting and folding them to a terminal's.

/// Text in which `Palette` has put SGR sequences; they take no column and are never cut through.
enum StyledText {
    static func width(_ line: String) -> Int {
        guard line.unicodeScalars.contains("\u{1B}") else { return DisplayWidth.of(line) }
        var width = 0
        var isSequence = false
        for scalar in line.unicodeScalars {
            if scalar == "\u{1B}" { isSequence = true }
            if !isSequence { width += DisplayWidth.of(scalar) }
            if scalar == "m" { isSequence = false }
        }
        return width
    }

    /// `line` in at most `columns` columns, the last of them an ellipsis where something was cut.
    static func cut(_ line: String, to columns: Int) -> String {
        guard width(line) > columns else { return line }
        guard line.unicodeScalars.contains("\u{1B}") else { return DisplayWidth.cut(line, to: columns) }
        guard columns > 0 else { return "" }
        var result = ""
        var width = 0
        var isSequence = false
        for character in line {
            if character == "\u{1B}" { isSequence = true }
            if !isSequence {
                let next = DisplayWidth.of(String(character))
                if width + next > columns - 1 { break }
                width += next
            }
            result.append(character)
            if character == "m" { isSequence = false }
        }
        return result + "…\u{1B}[0m"
    }

    /// `line` without colours folded at blanks into lines of `columns`, the later ones indented like the first and
    /// two more; a line with colours is cut.
    static func folded(_ line: String, to columns: Int) -> [String] {
        guard width(line) > columns else { return [line] }
        guard columns >= 20, !line.unicodeScalars.contains("\u{1B}") else { return [cut(line, to: columns)] }
        let indent = String(repeating: " ", count: min(line.prefix { $0 == " " }.count + 2, columns / 2))
        var lines: [String] = []
        var current = ""
        for (index, word) in line.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
            let candidate = index == 0 ? String(word) : "\(current) \(word)"
            if DisplayWidth.of(candidate) <= columns || current.allSatisfy({ $0 == " " }) {
                current = candidate
            } else {
                lines.append(current)
                current = indent + word
            }
        }
        return (lines + [current]).map { DisplayWidth.cut($0, to: columns) }
    }
}
