// Plain tables: a header, rows, columns as wide as their content.

internal import Model

struct TableColumn: Sendable {
    enum Alignment: Sendable { case leading, trailing }

    var title: String
    var alignment: Alignment
    /// The column that is cut when the table is wider than the terminal.
    var isFlexible: Bool
    /// Left out of a table that is too wide even so, lowest first; nil never.
    var dispensable: Int?

    init(
        _ title: String, _ alignment: Alignment = .leading, flexible: Bool = false, dispensable: Int? = nil
    ) {
        self.title = title
        self.alignment = alignment
        isFlexible = flexible
        self.dispensable = dispensable
    }
}

/// One cell: its text is made harmless here, whatever it came from.
struct TableCell: Sendable, ExpressibleByStringLiteral {
    let text: String
    let colour: Palette.Colour?

    init(_ text: String, _ colour: Palette.Colour? = nil) {
        self.text = Text.sanitised(text)
        self.colour = colour
    }

    init(stringLiteral value: String) { self.init(value) }
}

struct Table: Sendable {
    var columns: [TableColumn]
    var rows: [[TableCell]] = []

    /// Least columns that a flexible column keeps.
    private static let leastFlexible = 12
    private static let gap = 2

    init(_ columns: [TableColumn]) { self.columns = columns }

    mutating func add(_ row: [TableCell]) { rows.append(row) }

    /// The lines, header first; no line is wider than `width` unless the fixed columns alone are.
    func lines(width: Int?, palette: Palette) -> [String] {
        if let width, let column = columnTooMany(width) {
            var narrower = self
            narrower.columns.remove(at: column)
            narrower.rows = rows.map { row in row.indices.filter { $0 != column }.map { row[$0] } }
            return narrower.lines(width: width, palette: palette)
        }
        var widths = naturalWidths()
        if let width {
            let total = widths.reduce(0, +) + Table.gap * max(0, columns.count - 1)
            var excess = total - width
            for index in columns.indices.reversed() where excess > 0 && columns[index].isFlexible {
                let cut = min(excess, max(0, widths[index] - Table.leastFlexible))
                widths[index] -= cut
                excess -= cut
            }
        }
        let header = line(columns.map { TableCell($0.title, .dim) }, widths: widths, palette: palette)
        return [header] + rows.map { line($0, widths: widths, palette: palette) }
    }

    private func naturalWidths() -> [Int] {
        var widths = columns.map { DisplayWidth.of($0.title) }
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], DisplayWidth.of(cell.text))
            }
        }
        return widths
    }

    /// The next column to leave out; nil where all fit, or none may go.
    private func columnTooMany(_ width: Int) -> Int? {
        let least = zip(columns, naturalWidths()).map { $0.isFlexible ? min($1, Table.leastFlexible) : $1 }
        guard least.reduce(0, +) + Table.gap * max(0, columns.count - 1) > width else { return nil }
        return columns.indices.filter { columns[$0].dispensable != nil }
            .min { (columns[$0].dispensable ?? 0) < (columns[$1].dispensable ?? 0) }
    }

    private func line(_ cells: [TableCell], widths: [Int], palette: Palette) -> String {
        var text = ""
        for (index, cell) in cells.enumerated() where index < widths.count {
            if index > 0 { text += String(repeating: " ", count: Table.gap) }
            let cut = DisplayWidth.cut(cell.text, to: widths[index])
            let isLast = index == cells.count - 1 && columns[index].alignment == .leading
            let space = String(repeating: " ", count: isLast ? 0 : max(0, widths[index] - DisplayWidth.of(cut)))
            let painted = palette.paint(cut, cell.colour)
            text += columns[index].alignment == .leading ? painted + space : space + painted
        }
        while text.last == " " { text.removeLast() }
        return text
    }
}
