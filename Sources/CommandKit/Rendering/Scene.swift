// A drawing as a list of shapes, which SVG and PNG are both made of, so that they cannot differ.

/// What a shape stands for; each picture format gives it its colour.
enum Ink: String, Hashable, Sendable, CaseIterable {
    case paper, text, faint, grid, axis, haze, smoke, median, loss, unknown
}

/// A drawing of `width` × `height` units, the origin at the top left; later shapes cover earlier ones.
struct Scene: Hashable, Sendable {
    enum Anchor: String, Hashable, Sendable { case start, middle, end }

    struct Point: Hashable, Sendable {
        var x: Double
        var y: Double
    }

    enum Shape: Hashable, Sendable {
        case rectangle(x: Double, y: Double, width: Double, height: Double, Ink)
        case line([Point], width: Double, Ink)
        /// `y` is the base line.
        case text(String, x: Double, y: Double, size: Double, bold: Bool, Anchor, Ink)
    }

    /// Text that every format takes: what could act on a terminal, and what is no character (U+FFFE; XML and cairo refuse
    /// it), as `\u{…}`.
    static func text(_ text: String) -> String {
        var result = ""
        for scalar in HostileText.line(text).unicodeScalars {
            if (0xFDD0...0xFDEF).contains(scalar.value) || scalar.value & 0xFFFE == 0xFFFE {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    var width: Double
    var height: Double
    /// For those who hear a drawing.
    var title: String
    var summary: String
    var shapes: [Shape] = []
}

/// The colours of a drawing on light or dark paper.
enum SceneTheme: String, Hashable, Sendable, CaseIterable {
    case light, dark

    /// Red, green and blue.
    func colour(_ ink: Ink) -> UInt32 {
        switch (self, ink) {
        case (.light, .paper): 0xFF_FFFF
        case (.light, .text): 0x1F_2328
        case (.light, .faint): 0x59_636E
        case (.light, .grid): 0xE4_E7EB
        case (.light, .axis): 0x8C_959F
        case (.light, .haze): 0xD3_DAE3
        case (.light, .smoke): 0xA3_B3C7
        case (.light, .median): 0x0B_5CAD
        case (.light, .loss): 0xCF_222E
        case (.light, .unknown): 0xE3_CDF5
        case (.dark, .paper): 0x0D_1117
        case (.dark, .text): 0xE6_EDF3
        case (.dark, .faint): 0x9D_A7B1
        case (.dark, .grid): 0x22_2932
        case (.dark, .axis): 0x6E_7681
        case (.dark, .haze): 0x2B_3440
        case (.dark, .smoke): 0x4C_5D75
        case (.dark, .median): 0x6C_B6FF
        case (.dark, .loss): 0xFF_7B72
        case (.dark, .unknown): 0x4B_3366
        }
    }
}
