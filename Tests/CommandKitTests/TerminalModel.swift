@testable import CommandKit

/// A terminal that knows exactly the sequences that `taut` sends, and takes anything else as an attack.
struct TerminalModel {
    /// Bytes that no terminal should have got from us.
    struct Refused: Error, CustomStringConvertible {
        var description: String
    }

    private(set) var columns: Int
    private(set) var cells: [[String]]
    private(set) var row = 0
    private(set) var column = 0
    private(set) var isAlternate = false
    private(set) var isCursorShown = true
    private(set) var wraps = true
    /// How many times lines were erased or drawn over; to see that an unchanged picture costs nothing.
    private(set) var moves = 0
    private var normal: [[String]]

    init(columns: Int, rows: Int) {
        self.columns = columns
        cells = Self.blank(columns, rows)
        normal = cells
    }

    private static func blank(_ columns: Int, _ rows: Int) -> [[String]] {
        [[String]](repeating: [String](repeating: " ", count: columns), count: rows)
    }

    /// The rows, without blanks at their ends.
    var lines: [String] {
        cells.map { row in
            var text = row.joined()
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    mutating func resize(columns: Int, rows: Int) {
        self.columns = columns
        cells = Self.blank(columns, rows)
    }

    /// - Parameter bytes: whole characters and sequences.
    mutating func feed(_ bytes: some Collection<UInt8>) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Refused(description: "not UTF-8") }
        try feed(text)
    }

    mutating func feed(_ text: String) throws {
        var rest = Substring(text).unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar.value {
            case 0x1B: try sequence(&rest)
            case 0x0A: (row, column) = (row + 1, wraps ? 0 : column)
            case 0x0D: column = 0
            case 0..<0x20, 0x7F..<0xA0: throw Refused(description: "control U+\(String(scalar.value, radix: 16))")
            default:
                guard Self.isShown(scalar) else {
                    throw Refused(description: "format U+\(String(scalar.value, radix: 16))")
                }
                put(scalar)
            }
            scroll()
        }
    }

    /// The test's own list: what may act on a terminal or hide in a line, by Unicode's category.
    static func isShown(_ scalar: UnicodeScalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
        default: true
        }
    }

    private mutating func scroll() {
        while row >= cells.count {
            cells.removeFirst()
            cells.append([String](repeating: " ", count: columns))
            row -= 1
        }
    }

    private mutating func put(_ scalar: UnicodeScalar) {
        let width = DisplayWidth.of(scalar)
        if width == 0 {
            if column > 0, row < cells.count { cells[row][min(column, columns) - 1] += String(scalar) }
            return
        }
        if column + width > columns {
            guard wraps else { return }
            (row, column) = (row + 1, 0)
            scroll()
        }
        cells[row][column] = String(scalar)
        for index in (column + 1)..<max(column + 1, min(column + width, columns)) { cells[row][index] = "" }
        column += width
    }

    private mutating func sequence(_ rest: inout Substring.UnicodeScalarView) throws {
        guard rest.popFirst() == "[" else { throw Refused(description: "ESC without [") }
        var parameters = ""
        while let scalar = rest.popFirst() {
            guard "0123456789;?".unicodeScalars.contains(scalar) else {
                return try obey(parameters, final: scalar)
            }
            parameters.unicodeScalars.append(scalar)
        }
        throw Refused(description: "a sequence without an end: \(parameters)")
    }

    private mutating func obey(_ parameters: String, final: UnicodeScalar) throws {
        let numbers = parameters.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        switch (final, parameters) {
        case ("m", _):
            let known = [0, 1, 2, 7, 30, 31, 32, 33, 35, 36, 41, 42, 43, 45, 97]
            guard numbers.allSatisfy({ known.contains($0) }) else { throw Refused(description: "SGR \(parameters)") }
        case ("H", _):
            guard numbers.count == 2 else { throw Refused(description: "CUP \(parameters)") }
            (row, column) = (min(max(numbers[0] - 1, 0), cells.count - 1), min(max(numbers[1] - 1, 0), columns - 1))
            moves += 1
        case ("K", ""):
            for index in min(column, columns - 1)..<columns { cells[row][index] = " " }
        case ("h", "?1049"):
            // Terminals differ in what a second time does to the screen and the cursor that are kept.
            guard !isAlternate else { throw Refused(description: "the alternate screen, twice") }
            isAlternate = true
            normal = cells
            cells = Self.blank(columns, cells.count)
        case ("l", "?1049"):
            guard isAlternate else { throw Refused(description: "back from no alternate screen") }
            isAlternate = false
            cells = normal
        case ("h", "?25"): isCursorShown = true
        case ("l", "?25"): isCursorShown = false
        case ("h", "?7"): wraps = true
        case ("l", "?7"): wraps = false
        default: throw Refused(description: "CSI \(parameters)\(final)")
        }
    }
}
