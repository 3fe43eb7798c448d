// How many terminal columns a text takes, so that tables align whatever the names in them.

/// Column widths of text in a terminal.
enum DisplayWidth {
    /// Columns that `text` takes: two for East Asian wide characters and emoji, none for combining marks.
    ///
    /// The ranges are those of Unicode's EastAsianWidth W and F in rough blocks; terminals differ at the edges.
    static func of(_ text: some StringProtocol) -> Int {
        text.unicodeScalars.reduce(0) { $0 + of($1) }
    }

    static func of(_ scalar: UnicodeScalar) -> Int {
        let value = scalar.value
        if value < 0x300 { return value < 0x20 || (0x7F..<0xA0).contains(value) ? 0 : 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch value {
        // Vowels and final consonants of Hangul are drawn into the syllable before them.
        case 0x1160...0x11FF, 0xD7B0...0xD7FF: return 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x20000...0x3FFFD:
            return 2
        // Emoji are scattered over blocks that are narrow else.
        default: return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }

    /// `text` cut to at most `columns` columns, the last of them an ellipsis where something was cut.
    static func cut(_ text: String, to columns: Int) -> String {
        guard of(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var result = ""
        var width = 0
        for character in text {
            let next = of(String(character))
            if width + next > columns - 1 { break }
            result.append(character)
            width += next
        }
        return result + "…"
    }

    /// `text` filled with spaces to `columns` columns; longer text stays as it is.
    static func padded(_ text: String, to columns: Int, alignment: TableColumn.Alignment) -> String {
        let space = String(repeating: " ", count: max(0, columns - of(text)))
        return alignment == .leading ? text + space : space + text
    }
}
