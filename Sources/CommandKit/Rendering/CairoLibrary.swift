// The entry points of libcairo that drawings need, found at run time: no program of ours is linked with it.

internal import Glibc

/// libcairo.so.2, loaded. cairo's ABI of these functions has been the same since 1.2 (2006).
@unsafe struct CairoLibrary {
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    typealias Context = OpaquePointer
    typealias Surface = OpaquePointer
    typealias Writer = @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<UInt8>?, UInt32) -> Int32

    let makeSurface: @convention(c) (Int32, Int32, Int32) -> Surface?
    let destroySurface: @convention(c) (Surface?) -> Void
    let surfaceStatus: @convention(c) (Surface?) -> Int32
    let writePNG: @convention(c) (Surface?, Writer?, UnsafeMutableRawPointer?) -> Int32
    let makeContext: @convention(c) (Surface?) -> Context?
    let destroyContext: @convention(c) (Context?) -> Void
    let status: @convention(c) (Context?) -> Int32
    let setColour: @convention(c) (Context?, Double, Double, Double) -> Void
    let setLineWidth: @convention(c) (Context?, Double) -> Void
    let setLineJoin: @convention(c) (Context?, Int32) -> Void
    let rectangle: @convention(c) (Context?, Double, Double, Double, Double) -> Void
    let moveTo: @convention(c) (Context?, Double, Double) -> Void
    let lineTo: @convention(c) (Context?, Double, Double) -> Void
    let fill: @convention(c) (Context?) -> Void
    let stroke: @convention(c) (Context?) -> Void
    let selectFont: @convention(c) (Context?, UnsafePointer<CChar>?, Int32, Int32) -> Void
    let setFontSize: @convention(c) (Context?, Double) -> Void
    let showText: @convention(c) (Context?, UnsafePointer<CChar>?) -> Void
    /// cairo_text_extents_t is six doubles: x and y bearing, width, height, x and y advance.
    let textExtents: @convention(c) (Context?, UnsafePointer<CChar>?, UnsafeMutablePointer<Double>?) -> Void

    init(file: String = "libcairo.so.2") throws(Problem) {
        guard let library = unsafe dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
            throw Problem(
                description: "PNG needs libcairo (\(file)), which is not installed; apt install libcairo2, or use --svg"
            )
        }
        // The signatures are those of cairo.h; the library stays loaded until the program ends.
        func symbol<Function>(_ name: String, _ type: Function.Type) throws(Problem) -> Function {
            guard let address = unsafe dlsym(library, name) else {
                throw Problem(description: "\(file) has no \(name): it is not a libcairo that can draw a PNG")
            }
            return unsafe unsafeBitCast(address, to: type)
        }
        unsafe makeSurface = try symbol(
            "cairo_image_surface_create", (@convention(c) (Int32, Int32, Int32) -> Surface?).self)
        unsafe destroySurface = try symbol("cairo_surface_destroy", (@convention(c) (Surface?) -> Void).self)
        unsafe surfaceStatus = try symbol("cairo_surface_status", (@convention(c) (Surface?) -> Int32).self)
        unsafe writePNG = try symbol(
            "cairo_surface_write_to_png_stream",
            (@convention(c) (Surface?, Writer?, UnsafeMutableRawPointer?) -> Int32).self)
        unsafe makeContext = try symbol("cairo_create", (@convention(c) (Surface?) -> Context?).self)
        unsafe destroyContext = try symbol("cairo_destroy", (@convention(c) (Context?) -> Void).self)
        unsafe status = try symbol("cairo_status", (@convention(c) (Context?) -> Int32).self)
        unsafe setColour = try symbol(
            "cairo_set_source_rgb", (@convention(c) (Context?, Double, Double, Double) -> Void).self)
        unsafe setLineWidth = try symbol("cairo_set_line_width", (@convention(c) (Context?, Double) -> Void).self)
        unsafe setLineJoin = try symbol("cairo_set_line_join", (@convention(c) (Context?, Int32) -> Void).self)
        unsafe rectangle = try symbol(
            "cairo_rectangle", (@convention(c) (Context?, Double, Double, Double, Double) -> Void).self)
        unsafe moveTo = try symbol("cairo_move_to", (@convention(c) (Context?, Double, Double) -> Void).self)
        unsafe lineTo = try symbol("cairo_line_to", (@convention(c) (Context?, Double, Double) -> Void).self)
        unsafe fill = try symbol("cairo_fill", (@convention(c) (Context?) -> Void).self)
        unsafe stroke = try symbol("cairo_stroke", (@convention(c) (Context?) -> Void).self)
        unsafe selectFont = try symbol(
            "cairo_select_font_face",
            (@convention(c) (Context?, UnsafePointer<CChar>?, Int32, Int32) -> Void).self)
        unsafe setFontSize = try symbol("cairo_set_font_size", (@convention(c) (Context?, Double) -> Void).self)
        unsafe showText = try symbol("cairo_show_text", (@convention(c) (Context?, UnsafePointer<CChar>?) -> Void).self)
        unsafe textExtents = try symbol(
            "cairo_text_extents",
            (@convention(c) (Context?, UnsafePointer<CChar>?, UnsafeMutablePointer<Double>?) -> Void).self)
    }
}
