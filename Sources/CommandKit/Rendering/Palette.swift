// Colour says again what words and signs say already; without it nothing is lost.

internal import Model

/// Writes SGR sequences, or nothing where colour is off.
struct Palette: Sendable {
    var isColoured: Bool

    enum Colour: String, Sendable {
        case red = "31", green = "32", yellow = "33", magenta = "35", cyan = "36", dim = "2", bold = "1"
        case reverse = "7"
        /// On a background of their own, so that they are read on light and dark terminals alike: yellow and green
        /// letters on white are not.
        case onGreen = "30;42", onYellow = "30;43", onRed = "97;41", onMagenta = "97;45"
    }

    static let plain = Palette(isColoured: false)

    func paint(_ text: String, _ colour: Colour?) -> String {
        guard isColoured, let colour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    /// The colour of a state's name in JSON: green, yellow, red; magenta for unknown.
    static func colour(ofState state: String) -> Colour? {
        switch TargetState(rawValue: state) {
        case .up: .green
        case .degraded: .yellow
        case .down: .red
        case .unknown: .magenta
        case nil: nil
        }
    }

    /// The same as a background.
    static func badge(ofState state: String) -> Colour {
        switch TargetState(rawValue: state) {
        case .up: .onGreen
        case .degraded: .onYellow
        case .down: .onRed
        case .unknown, nil: .onMagenta
        }
    }
}
