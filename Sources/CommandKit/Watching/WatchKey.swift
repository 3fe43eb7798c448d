// What a terminal sends when keys are pressed.

/// One key, as `taut watch` tells them apart.
enum WatchKey: Hashable, Sendable {
    case character(Character)
    case up, down, left, right, pageUp, pageDown, home, end
    case enter, escape, backspace
    /// Ctrl and a letter, in lower case.
    case control(Character)
}

/// Turns the bytes of a terminal into keys: ECMA-48 control sequences as xterm, the Linux console and screen send them,
/// UTF-8, and the escape key, which is the begin of every sequence.
///
/// Total: any bytes give keys or nothing, and the answer does not depend on how the bytes were cut.
struct KeyDecoder {
    private var pending: [UInt8] = []
    /// Longest sequence that is waited for; no key sends more.
    private static let longest = 32

    /// Whether the begin of a sequence was read and not its end; `flush` it when nothing more comes.
    var isWaiting: Bool { !pending.isEmpty }

    mutating func feed(_ bytes: some Sequence<UInt8>) -> [WatchKey] {
        pending += bytes
        var keys: [WatchKey] = []
        while let (length, key) = next() {
            pending.removeFirst(min(length, pending.count))
            if let key { keys.append(key) }
        }
        return keys
    }

    /// Nothing followed: a lone ESC was the escape key, anything else unfinished is dropped.
    mutating func flush() -> [WatchKey] {
        defer { pending = [] }
        return pending == [0x1B] ? [.escape] : []
    }

    /// The length of what stands first and its key; nil while its end is missing.
    private func next() -> (Int, WatchKey?)? {
        guard let first = pending.first else { return nil }
        switch first {
        case 0x1B: return sequence()
        case 0x0A, 0x0D: return (1, .enter)
        case 0x08, 0x7F: return (1, .backspace)
        case 0x01...0x1A: return (1, .control(Character(UnicodeScalar(first + 0x60))))
        case 0x20...0x7E: return (1, .character(Character(UnicodeScalar(first))))
        case 0xC2...0xF4: return character(first)
        default: return (1, nil)
        }
    }

    private func character(_ lead: UInt8) -> (Int, WatchKey?)? {
        let width = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
        let rest = pending.dropFirst().prefix(width - 1)
        guard rest.allSatisfy({ $0 & 0xC0 == 0x80 }) else { return (1, nil) }
        guard rest.count == width - 1 else { return nil }
        guard let text = String(validating: pending.prefix(width), as: UTF8.self), let character = text.first else {
            return (1, nil)
        }
        return (width, .character(character))
    }

    private func sequence() -> (Int, WatchKey?)? {
        guard pending.count > 1 else { return nil }
        switch pending[1] {
        case UInt8(ascii: "["): return controlSequence()
        case UInt8(ascii: "O"):
            guard pending.count > 2 else { return nil }
            return (3, Self.key(final: pending[2], parameter: 0))
        // Anything else is a key of its own that came quickly after the escape key.
        default: return (1, .escape)
        }
    }

    /// `ESC [ parameters final`; the Linux console's function keys have a second `[`.
    private func controlSequence() -> (Int, WatchKey?)? {
        if pending.count > 2, pending[2] == UInt8(ascii: "[") { return pending.count > 3 ? (4, nil) : nil }
        for index in 2..<max(2, pending.count) {
            let byte = pending[index]
            if (0x40...0x7E).contains(byte) {
                let digits = pending[2..<index].prefix { (0x30...0x39).contains($0) }.prefix(3)
                let parameter = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
                return (index + 1, Self.key(final: byte, parameter: parameter))
            }
            // Not a byte of a sequence, or one that never ends: what came so far is no key.
            if !(0x20...0x3F).contains(byte) || index >= Self.longest { return (index, nil) }
        }
        return nil
    }

    private static func key(final: UInt8, parameter: Int) -> WatchKey? {
        switch final {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "C"): .right
        case UInt8(ascii: "D"): .left
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        case UInt8(ascii: "M"): .enter
        case UInt8(ascii: "~"):
            switch parameter {
            case 1, 7: .home
            case 4, 8: .end
            case 5: .pageUp
            case 6: .pageDown
            default: nil
            }
        default: nil
        }
    }
}
