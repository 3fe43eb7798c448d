// A drawing as SVG 1.1 with a style sheet of CSS media queries: dark where the viewer is dark.

/// Writes a scene as one SVG document.
struct SceneSVG {
    /// The paper; nil follows the viewer (`prefers-color-scheme`), light where that is not understood.
    var theme: SceneTheme?

    func text(_ scene: Scene) -> String {
        let (width, height) = (Self.number(scene.width), Self.number(scene.height))
        var text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
            role="img" font-family="system-ui, 'DejaVu Sans', sans-serif">
            <title>\(Markup.escaped(scene.title))</title>
            <desc>\(Markup.escaped(scene.summary))</desc>

            """
        if theme == nil { text += Self.styleSheet }
        for shape in scene.shapes { text += element(shape) + "\n" }
        return text + "</svg>\n"
    }

    /// Attributes give the colours of light paper, which any style sheet overrides.
    private static let styleSheet: String = {
        var rules = ""
        for ink in Ink.allCases {
            let colour = hex(SceneTheme.dark.colour(ink))
            rules += "  .f-\(ink.rawValue) { fill: \(colour) } .s-\(ink.rawValue) { stroke: \(colour) }\n"
        }
        return "<style>\n@media (prefers-color-scheme: dark) {\n\(rules)}\n</style>\n"
    }()

    private func element(_ shape: Scene.Shape) -> String {
        switch shape {
        case .rectangle(let x, let y, let width, let height, let ink):
            return "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" "
                + "height=\"\(Self.number(height))\" \(fill(ink)) shape-rendering=\"crispEdges\"/>"
        case .line(let points, let width, let ink):
            let places = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
            return "<polyline points=\"\(places)\" fill=\"none\" \(stroke(ink)) stroke-width=\"\(Self.number(width))\" "
                + "stroke-linejoin=\"round\"/>"
        case .text(let text, let x, let y, let size, let bold, let anchor, let ink):
            let weight = bold ? " font-weight=\"bold\"" : ""
            return "<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" font-size=\"\(Self.number(size))\"\(weight) "
                + "text-anchor=\"\(anchor.rawValue)\" \(fill(ink))>\(Markup.escaped(text))</text>"
        }
    }

    private func fill(_ ink: Ink) -> String {
        "class=\"f-\(ink.rawValue)\" fill=\"\(Self.hex((theme ?? .light).colour(ink)))\""
    }

    private func stroke(_ ink: Ink) -> String {
        "class=\"s-\(ink.rawValue)\" stroke=\"\(Self.hex((theme ?? .light).colour(ink)))\""
    }

    private static func hex(_ colour: UInt32) -> String {
        let digits = String(colour & 0xFF_FFFF, radix: 16)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// Two digits are finer than any screen; never an exponent.
    private static func number(_ value: Double) -> String {
        let text = Figures.fixed(value.isFinite ? min(max(value, -1e6), 1e6) : 0, 2)
        var short = Substring(text)
        while short.hasSuffix("0") { short = short.dropLast() }
        return String(short.hasSuffix(".") ? short.dropLast() : short)
    }
}
