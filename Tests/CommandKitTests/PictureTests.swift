import Control
import Foundation
import Model
import Testing

@testable import CommandKit

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// What an XML reader makes of a document.
final class Reading: NSObject, XMLParserDelegate {
    private(set) var elements: [String: Int] = [:]
    private(set) var texts: [String: String] = [:]
    private(set) var attributes: Set<String> = []
    private var open: [String] = []

    /// nil where the text is not well-formed.
    static func of(_ text: String) -> Reading? {
        let reading = Reading()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = reading
        return parser.parse() ? reading : nil
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes found: [String: String] = [:]
    ) {
        elements[name, default: 0] += 1
        attributes.formUnion(found.keys)
        open.append(name)
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
        if let name = open.last { texts[name, default: ""] += text }
    }
}

@Suite struct PictureTests {
    private static func scene(_ series: HistorySeries = Fixtures.history, width: Double = 600) -> Scene {
        GraphScene(series: series, clock: Fixtures.clock, width: width, height: 300).scene()
    }

    private static func rectangles(_ scene: Scene, _ ink: Ink) -> [(
        x: Double, y: Double, width: Double, height: Double
    )] {
        scene.shapes.compactMap { shape in
            guard case .rectangle(let x, let y, let width, let height, ink) = shape else { return nil }
            return (x, y, width, height)
        }
    }

    private static func texts(_ scene: Scene) -> [String] {
        scene.shapes.compactMap { if case .text(let text, _, _, _, _, _, _) = $0 { text } else { nil } }
    }

    @Test func svg() throws {
        let text = SceneSVG(theme: nil).text(Self.scene())
        try expectSnapshot("graph-svg", [text])
        let reading = try #require(Reading.of(text))
        #expect(reading.texts["title"] == "vpn-west icmp")
        #expect(reading.texts["style"]?.contains("prefers-color-scheme: dark") == true)
        #expect(!SceneSVG(theme: .dark).text(Self.scene()).contains("<style>"))
    }

    /// Axes carry units and the zone; loss and unknown stand where they happened.
    @Test func theSceneShowsWhatTheHistoryHolds() throws {
        let scene = Self.scene()
        let texts = Self.texts(scene)
        #expect(texts.contains("UTC+01:00") && texts.contains("Nov 24") && texts.contains("loss 100 %"))
        #expect(texts.contains { $0.hasSuffix(" ms") } && texts.contains("not measured"))
        // Of the legend and of the one lossy hour, the 19th of 24.
        let loss = Self.rectangles(scene, .loss)
        #expect(loss.count == 2)
        let hour = (600.0 - 76 - 18) / 24
        #expect(abs(loss[0].x - (76 + 18 * hour)) < 0.01 && abs(loss[0].width - hour) < 0.01)
        let unknown = Self.rectangles(scene, .unknown)
        #expect(unknown.count == 3 && abs(unknown[0].x - (76 + 9 * hour)) < 0.01)
        // The median line breaks at the gap.
        let lines = scene.shapes.filter { if case .line(_, _, .median) = $0 { true } else { false } }
        #expect(lines.count == 2)
    }

    @Test func nothingMeasuredIsSaidAndMarked() {
        var series = Fixtures.history
        series.rows = series.rows.map { HistoryRow(start: $0.start, sent: 0, lost: 0, unknown: 0) }
        let scene = Self.scene(series)
        #expect(Self.texts(scene).contains("no round-trip time in this range"))
        #expect(Self.rectangles(scene, .unknown).count == 25)
    }

    @Test func outlandishValuesStayInTheDrawing() {
        for extreme in [Int64.min, -1, 0, 1, .max] {
            let series = Fixtures.outlandish(extreme)
            let scene = Self.scene(series)
            for shape in scene.shapes {
                guard case .rectangle(let x, let y, let width, let height, _) = shape else { continue }
                #expect(x >= 0 && y >= 0 && x + width <= 600.01 && y + height <= 304)
            }
            #expect(Reading.of(SceneSVG(theme: .light).text(scene)) != nil)
        }
    }

    @Test func cutOffValuesAreNamed() {
        var series = Fixtures.history
        series.rows[5].maximum = 900_000_000
        #expect(Self.texts(Self.scene(series)).contains { $0.hasPrefix("up to 900 ms (") })
        let lines = GraphRenderer(palette: .plain, clock: Fixtures.clock, width: 60, height: 12).lines(series)
        #expect(lines.contains { $0.contains("; up to 900 ms (") })
    }

    /// Whatever a name holds, the document is well-formed, has no element or attribute of the name's making, and no
    /// control character.
    @Test func hostileNamesStayText() throws {
        var generator = SplitMix(seed: 5)
        let pieces = [
            "</title>", "<script>alert(1)</script>", "]]>", "<!--", "&amp;", "&#0;", "\"", "'", "\u{0}", "\u{1B}[2J",
            "\u{FFFE}", "\u{FFFF}", "\u{1FFFE}", "\u{85}", "\u{202E}", "漢", "🎉", "<svg onload=x>", "&",
            "<?xml?>", "<![CDATA[",
        ]
        let plain = try #require(Reading.of(SceneSVG(theme: nil).text(Self.scene(width: 4_000))))
        for round in 0..<100 {
            func text() -> String {
                (0..<Int.random(in: 1...8, using: &generator))
                    .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            }
            var series = Fixtures.history
            series.target = text()
            series.probe = text()
            series.level = text()
            let document = SceneSVG(theme: nil).text(Self.scene(series, width: 4_000))
            let reading = try #require(Reading.of(document), "\(series.target.debugDescription)")
            #expect(reading.elements == plain.elements)
            #expect(reading.attributes == plain.attributes)
            #expect(
                document.unicodeScalars.allSatisfy {
                    $0 == "\n" || $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value)
                })
            #expect(!document.unicodeScalars.contains("\u{202E}"))
            if round % 10 == 0 { #expect(try ScenePNG(theme: .light).bytes(Self.scene(series)).count > 1_000) }
        }
    }

    @Test func pngHasTheSizeAsked() throws {
        let bytes = try ScenePNG(theme: .dark).bytes(Self.scene())
        #expect(bytes.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        // IHDR: width and height, big-endian.
        #expect(bytes[16..<24] == [0, 0, 2, 88, 0, 0, 1, 44])
        #expect(try ScenePNG(theme: .light).bytes(Self.scene()) != bytes)
    }

    @Test func withoutTheLibraryOneSentenceSaysWhatToInstall() {
        #expect {
            _ = unsafe try CairoLibrary(file: "libcairo-that-is-not-there.so.2")
        } throws: { error in
            "\(error)".contains("apt install libcairo2") && !"\(error)".contains("\n")
        }
        // A library that is there and is not cairo.
        #expect { _ = unsafe try CairoLibrary(file: "libc.so.6") } throws: { "\($0)".contains("has no cairo_") }
    }

    @Test func theVerbWritesFilesWholeAndSaysWhere() throws {
        try StoredStatusTests.withDatabase { path in
            func run(_ arguments: [String]) -> CommandLineTests.Outcome {
                CommandLineTests.run(
                    ["graph", "gw", "--since", "5m", "--db", path, "--socket", "/nonexistent/control.sock"] + arguments)
            }
            let file = path + ".svg"
            let outcome = run(["--svg", file, "--size", "640x360"])
            #expect(outcome.code == 0)
            #expect(outcome.output.hasPrefix("wrote \(file), 640x360: 2026-11-24 14:25:00 to "))
            let written = try String(contentsOfFile: file, encoding: .utf8)
            #expect(Reading.of(written) != nil)
            let nowhere = run(["--svg", "/nonexistent/x.svg"])
            #expect(nowhere.code == 1 && nowhere.notes.hasPrefix("taut: cannot write /nonexistent/x.svg: "))
            for wrong in [
                ["--size", "10x10"], ["--size", "wide"], ["--theme", "blue"], ["--svg", "-", "--png", "-"],
                ["--svg", file, "--json"],
            ] {
                #expect(run(wrong).code == 64, "\(wrong)")
            }
        }
    }
}
