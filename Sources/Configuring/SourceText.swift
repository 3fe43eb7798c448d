// The bytes of a configuration file made sure of before the YAML parser sees them.

/// A configuration file as text: UTF-8 without byte order mark, control characters or tabs in the indentation.
struct SourceText {
    /// Bytes of one file.
    static let maximumLength = 1 << 20

    var file: String
    /// The whole text; line ends are `\n` or `\r\n`.
    var scalars: [Unicode.Scalar]
    /// Index in `scalars` of the first scalar of each line.
    var lineStarts: [Int]

    /// Fails with findings in `report` where the bytes are not such a text; every kind of fault is told once, at its
    /// first place.
    init?(file: String, bytes: [UInt8], report: Report) {
        guard let text = Self.decode(file: file, bytes: bytes, report: report) else { return nil }
        self.file = file
        scalars = Array(text.unicodeScalars)
        lineStarts = [0]
        for (index, scalar) in scalars.enumerated() where scalar == "\n" { lineStarts.append(index + 1) }
        guard isClean(report) else { return nil }
    }

    var text: String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }

    /// The index of a place in `scalars`; nil outside the text.
    func index(line: Int, column: Int) -> Int? {
        guard lineStarts.indices.contains(line - 1), column >= 1 else { return nil }
        let index = lineStarts[line - 1] + column - 1
        return scalars.indices.contains(index) ? index : nil
    }

    private static func decode(file: String, bytes: [UInt8], report: Report) -> String? {
        func refuse(_ line: Int, _ column: Int, _ message: String) {
            report.error(Place(file: file, line: line, column: column), message)
        }
        guard bytes.count <= maximumLength else {
            refuse(1, 1, "the file is larger than \(Quantity.text(bytes: Int64(maximumLength)))")
            return nil
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            refuse(1, 1, "the file begins with a byte order mark; save it as UTF-8 without one")
            return nil
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            refuse(1, 1, "the file is UTF-16; save it as UTF-8")
            return nil
        }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let valid = validPrefix(bytes)
        let before = String(decoding: bytes[..<valid], as: UTF8.self).unicodeScalars
        let line = before.count { $0 == "\n" } + 1
        let column = before.reversed().prefix { $0 != "\n" }.count + 1
        let digits = String(bytes[valid], radix: 16, uppercase: true)
        refuse(line, column, "the byte 0x\(digits) is not UTF-8; save the file as UTF-8")
        return nil
    }

    /// How many bytes at the start are valid UTF-8, less than all.
    private static func validPrefix(_ bytes: [UInt8]) -> Int {
        var low = 0
        for end in stride(from: 0, through: bytes.count, by: 1_024) {
            // A cut within a scalar makes a prefix invalid, so the search by lines of bytes backs off to a boundary.
            var cut = end
            while cut > low, bytes.indices.contains(cut), bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
            guard String(validating: bytes[low..<cut], as: UTF8.self) != nil else { break }
            low = cut
        }
        while low < bytes.count {
            let width = [1, 2, 3, 4].first {
                low + $0 <= bytes.count && String(validating: bytes[low..<low + $0], as: UTF8.self) != nil
            }
            guard let width else { return low }
            low += width
        }
        return min(low, bytes.count - 1)
    }

    /// Tells the first control character and every tab in an indentation.
    private func isClean(_ report: Report) -> Bool {
        var clean = true
        var line = 1
        var inIndentation = true
        var hasTab = false
        for (index, scalar) in scalars.enumerated() {
            let place = Place(file: file, line: line, column: index - lineStarts[line - 1] + 1)
            switch scalar.value {
            case 0x0A:
                line += 1
                inIndentation = true
                continue
            case 0x20: continue
            case 0x09:
                if inIndentation, !hasTab, indents(at: index) {
                    report.error(place, "a tab cannot indent YAML; use spaces")
                    hasTab = true
                    clean = false
                }
            case 0x0D where index + 1 < scalars.count && scalars[index + 1] == "\n": break
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
                let code = String(scalar.value, radix: 16, uppercase: true)
                let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
                report.error(place, "the control character U+\(digits) is not allowed")
                return false
            default: inIndentation = false
            }
        }
        return clean
    }

    /// Whether something other than a comment or the line's end follows the blanks at `index`.
    private func indents(at index: Int) -> Bool {
        let next = scalars[index...].first { $0 != " " && $0 != "\t" && $0 != "\r" }
        return next != nil && next != "\n" && next != "#"
    }
}
