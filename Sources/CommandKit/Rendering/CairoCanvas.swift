// One picture in the making, in memory.

/// An RGB image that libcairo draws on. cairo objects take any call after an error and remember it, so that only the end
/// needs a check.
@safe final class CairoCanvas {
    private let cairo: CairoLibrary
    private let surface: CairoLibrary.Surface
    private let context: CairoLibrary.Context

    private final class Output {
        var bytes: [UInt8] = []
    }

    init(_ cairo: CairoLibrary, width: Int32, height: Int32) throws(CairoLibrary.Problem) {
        unsafe self.cairo = cairo
        // CAIRO_FORMAT_RGB24; neither call returns null, an object in error instead.
        guard let surface = unsafe cairo.makeSurface(1, width, height), let context = unsafe cairo.makeContext(surface)
        else {
            throw CairoLibrary.Problem(description: "libcairo made no picture of \(width)x\(height)")
        }
        unsafe self.surface = surface
        unsafe self.context = context
        // CAIRO_LINE_JOIN_ROUND
        unsafe cairo.setLineJoin(context, 1)
    }

    deinit {
        unsafe cairo.destroyContext(context)
        unsafe cairo.destroySurface(surface)
    }

    func rectangle(x: Double, y: Double, width: Double, height: Double, _ colour: UInt32) {
        set(colour)
        unsafe cairo.rectangle(context, x, y, width, height)
        unsafe cairo.fill(context)
    }

    func line(_ points: [Scene.Point], width: Double, _ colour: UInt32) {
        guard let first = points.first else { return }
        set(colour)
        unsafe cairo.setLineWidth(context, width)
        unsafe cairo.moveTo(context, first.x, first.y)
        for point in points.dropFirst() { unsafe cairo.lineTo(context, point.x, point.y) }
        unsafe cairo.stroke(context)
    }

    func text(
        _ text: String, x: Double, y: Double, size: Double, bold: Bool, anchor: Scene.Anchor, _ colour: UInt32
    ) {
        set(colour)
        unsafe "sans-serif".withCString { unsafe cairo.selectFont(context, $0, 0, bold ? 1 : 0) }
        unsafe cairo.setFontSize(context, size)
        // Both calls copy what they need of the text before they return.
        unsafe text.withCString { bytes in
            var extents = [Double](repeating: 0, count: 6)
            unsafe cairo.textExtents(context, bytes, &extents)
            let advance = extents[4]
            let shift: Double =
                switch anchor {
                case .start: 0
                case .middle: advance / 2
                case .end: advance
                }
            unsafe cairo.moveTo(context, x - shift, y)
            unsafe cairo.showText(context, bytes)
        }
    }

    func png() throws(CairoLibrary.Problem) -> [UInt8] {
        let drawn = unsafe (cairo.status(context), cairo.surfaceStatus(surface))
        guard drawn == (0, 0) else {
            throw CairoLibrary.Problem(description: "libcairo could not draw (status \(drawn.0), \(drawn.1))")
        }
        let output = Output()
        // The writer is called within this call only, while `output` is held here.
        let status = withExtendedLifetime(output) {
            unsafe cairo.writePNG(
                surface,
                { closure, bytes, count in
                    guard let closure = unsafe closure, let bytes = unsafe bytes else { return 11 }
                    let output = unsafe Unmanaged<Output>.fromOpaque(closure).takeUnretainedValue()
                    unsafe output.bytes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: Int(count)))
                    return 0
                }, Unmanaged.passUnretained(output).toOpaque())
        }
        guard status == 0 else {
            throw CairoLibrary.Problem(description: "libcairo could not write the PNG (status \(status))")
        }
        return output.bytes
    }

    private func set(_ colour: UInt32) {
        unsafe cairo.setColour(
            context, Double(colour >> 16 & 0xFF) / 255, Double(colour >> 8 & 0xFF) / 255, Double(colour & 0xFF) / 255)
    }
}
