// Text inside markup.

enum Markup {
    /// Text as HTML and XML 1.0 take it, in quoted attributes too: five characters by reference, and what no document may
    /// hold (XML, 2.2, Char) as `\u{…}`, should a text have it.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                switch scalar.value {
                case 0..<0x20, 0x7F..<0xA0, 0xFFFE...0xFFFF: result += "\\u{\(String(scalar.value, radix: 16))}"
                default: result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }
}
