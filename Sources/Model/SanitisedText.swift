// Text from the network is shown to people: in terminals, logs, mails. One function makes it harmless.

/// Makes text from outside safe to show. Applied where it enters and again by every renderer.
public enum Text {
    /// Longest result, in UTF-8 bytes.
    public static let maximumLength = 255

    /// Replaces control characters (C0, DEL, C1), line and paragraph separators, format characters (bidirectional
    /// controls, zero-width ones, tags) and everything else that is never drawn by `\xNN` or `\u{NNNN}`, and cuts at
    /// `maximumLength` bytes.
    ///
    /// The list is that of Unicode's categories Cc, Cf, Zl and Zp and of Default_Ignorable_Code_Point, see UTR 36.
    /// Idempotent on its own output.
    public static func sanitised(_ text: some StringProtocol) -> String {
        // Most texts are short and of ASCII's letters, and stay what they are.
        if text.utf8.count <= maximumLength, text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) {
            return String(text)
        }
        return sanitised(scalars: text.unicodeScalars)
    }

    /// The same for bytes that may not be UTF-8: each invalid byte becomes `\xNN`.
    public static func sanitised(bytes: some Sequence<UInt8>) -> String {
        var result = ""
        var pending: [UInt8] = []
        for byte in bytes {
            pending.append(byte)
            if pending.count > maximumLength { break }
        }
        var index = pending.startIndex
        while index < pending.endIndex {
            let width = scalarWidth(pending[index])
            let slice = pending[index..<min(index + width, pending.endIndex)]
            if slice.count == width, let text = String(validating: slice, as: UTF8.self) {
                result += text
            } else {
                result += escape(byte: pending[index])
                index += 1
                continue
            }
            index += width
        }
        return sanitised(scalars: result.unicodeScalars)
    }

    private static func sanitised(scalars: some Sequence<UnicodeScalar>) -> String {
        var result = ""
        var length = 0
        for scalar in scalars {
            let piece = isHarmless(scalar) ? String(scalar) : escape(scalar)
            length += piece.utf8.count
            if length > maximumLength { break }
            result += piece
        }
        return result
    }

    private static func scalarWidth(_ lead: UInt8) -> Int {
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    private static func isHarmless(_ scalar: UnicodeScalar) -> Bool {
        // The ASCII that names are mostly made of needs no look at Unicode's tables.
        if scalar.value < 0x7F { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: return false
        // What draws nothing can make two names look like one; variation selectors only choose a form.
        default: return !scalar.properties.isDefaultIgnorableCodePoint || (0xFE00...0xFE0F).contains(scalar.value)
        }
    }

    private static func escape(byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "\\x" + (digits.count == 1 ? "0" + digits : digits)
    }

    private static func escape(_ scalar: UnicodeScalar) -> String {
        scalar.value < 0x100
            ? escape(byte: UInt8(scalar.value)) : "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
    }
}
