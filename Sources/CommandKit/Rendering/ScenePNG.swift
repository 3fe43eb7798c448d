// A drawing as PNG, by libcairo where the host has it.

internal import Foundation
internal import Glibc

/// Paints a scene with libcairo, which is loaded when it is needed (docs/decisions/0010-pictures.md).
struct ScenePNG {
    var theme: SceneTheme

    func bytes(_ scene: Scene) throws(CairoLibrary.Problem) -> [UInt8] {
        let cairo = unsafe try CairoLibrary()
        let canvas = unsafe try CairoCanvas(
            cairo, width: Int32(scene.width.rounded()), height: Int32(scene.height.rounded()))
        for shape in scene.shapes { draw(shape, on: canvas) }
        return try canvas.png()
    }

    private func draw(_ shape: Scene.Shape, on canvas: CairoCanvas) {
        switch shape {
        case .rectangle(let x, let y, let width, let height, let ink):
            // On whole pixels, as the SVG's crispEdges: neighbours leave no seam.
            let (left, right) = (x.rounded(), max(x.rounded() + 1, (x + width).rounded()))
            let (top, bottom) = (y.rounded(), max(y.rounded() + 1, (y + height).rounded()))
            canvas.rectangle(x: left, y: top, width: right - left, height: bottom - top, theme.colour(ink))
        case .line(let points, let width, let ink):
            // Straight lines of the frame on the middle of a pixel, so that they are one pixel wide.
            let isFrame = points.count == 2 && width == 1
            let places = isFrame ? points.map { Scene.Point(x: $0.x.rounded() + 0.5, y: $0.y.rounded() + 0.5) } : points
            canvas.line(places, width: width, theme.colour(ink))
        case .text(let text, let x, let y, let size, let bold, let anchor, let ink):
            canvas.text(text, x: x, y: y, size: size, bold: bold, anchor: anchor, theme.colour(ink))
        }
    }
}
