// JSON with its keys in the order they were given: an object begins with "schema", and a reader may rely on it.

internal import Control
internal import Model

/// A JSON text in the making.
enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    struct Member: Hashable, Sendable {
        var key: String
        var value: JSONValue
    }

    static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { Member(key: $0.key, value: $0.value) })
    }

    static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
    static func optional(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    static func optional(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
    /// Nanoseconds as the microseconds of a `_us` key.
    static func microseconds(_ nanoseconds: Int64?) -> JSONValue {
        nanoseconds.map { .number(Double($0) / 1_000) } ?? .null
    }
    static func time(_ time: WallTime?, digits: Int = 3) -> JSONValue {
        time.map { .string($0.rfc3339(fractionDigits: digits)) } ?? .null
    }

    /// The text on one line, or indented by two spaces a level.
    func text(pretty: Bool) -> String {
        var text = ""
        write(to: &text, indent: pretty ? 0 : nil)
        return text
    }

    private func write(to text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .unsigned(let value): text += String(value)
        case .number(let value): text += JSONValue.number(value)
        case .string(let value): JSONValue.write(value, to: &text)
        case .array(let values):
            let isShort = values.allSatisfy { $0.isScalar }
            JSONValue.write(values, open: "[", close: "]", indent: isShort ? nil : indent, to: &text) {
                $0.write(to: &$1, indent: $2)
            }
        case .object(let members):
            JSONValue.write(members, open: "{", close: "}", indent: indent, to: &text) { member, text, indent in
                JSONValue.write(member.key, to: &text)
                text += indent == nil ? ":" : ": "
                member.value.write(to: &text, indent: indent)
            }
        }
    }

    private var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    private static func write<Element>(
        _ elements: [Element], open: String, close: String, indent: Int?, to text: inout String,
        element: (Element, inout String, Int?) -> Void
    ) {
        text += open
        for (index, value) in elements.enumerated() {
            if index > 0 { text += indent == nil ? "," : "," }
            if let indent { text += "\n" + String(repeating: "  ", count: indent + 1) }
            element(value, &text, indent.map { $0 + 1 })
        }
        if let indent, !elements.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
        text += close
    }

    /// The shortest text that reads back as the same number; whole numbers without a fraction. JSON has no NaN: null.
    private static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value.magnitude < 1e15, value == value.rounded() { return String(Int64(value)) }
        return "\(value)"
    }

    /// RFC 8259 escapes; beyond them, what could act on a terminal is escaped too, so that JSON is safe to look at.
    private static func write(_ string: String, to text: inout String) {
        text += "\""
        // Most texts, and every key, have nothing to escape.
        if string.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }) {
            text += string
            text += "\""
            return
        }
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            default:
                if scalar.value >= 0x20, Text.sanitised(String(scalar)) == String(scalar) {
                    text.unicodeScalars.append(scalar)
                } else {
                    for unit in String(scalar).utf16 {
                        let digits = String(unit, radix: 16)
                        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                    }
                }
            }
        }
        text += "\""
    }
}
