// The smoke plot of `taut graph` as a drawing.

internal import Control
internal import Model

/// Lays a history out: title, value axis, smoke and median, time axis, a strip of loss, legend.
struct GraphScene {
    var series: HistorySeries
    var clock: LocalClock
    var width: Double
    var height: Double

    private static let left = 76.0
    private static let right = 18.0
    private static let top = 54.0
    private static let stripHeight = 34.0
    private static let textSize = 11.0
    /// What lies below the plot: times, strip, legend.
    private static var bottom: Double { 26 + stripHeight + 34 }

    /// Buckets that are drawn: about three units wide each.
    static func columns(width: Double) -> Int { max(20, Int((width - left - right) / 3)) }

    private var plotWidth: Double { width - Self.left - Self.right }
    private var plotBottom: Double { height - Self.bottom }
    private var stripTop: Double { plotBottom + 26 }
    private var stripBottom: Double { stripTop + Self.stripHeight }

    func scene() -> Scene {
        let name = Scene.text([series.target, series.probe].compactMap { $0 }.joined(separator: " "))
        var scene = Scene(width: width, height: height, title: name, summary: summary)
        scene.shapes.append(.rectangle(x: 0, y: 0, width: width, height: height, .paper))
        // About six units a character; what does not fit is cut.
        let room = Int((width - 2 * Self.right) / 6.2)
        scene.shapes.append(
            .text(
                DisplayWidth.cut(name, to: max(8, room * 2 / 3)), x: Self.right, y: 22, size: 15, bold: true, .start,
                .text))
        scene.shapes.append(
            .text(
                DisplayWidth.cut(Scene.text(subtitle), to: max(8, room)), x: Self.right, y: 40,
                size: Self.textSize, bold: false, .start, .faint))
        let scale = GraphRenderer.Scale(series.rows, rows: max(4, Int((plotBottom - Self.top) / 12)))
        addUnknown(to: &scene)
        addValueAxis(scale, to: &scene)
        if let scale { addSmoke(scale, to: &scene) }
        addStrip(to: &scene)
        addTimeAxis(to: &scene)
        addLegend(to: &scene)
        return scene
    }

    private var subtitle: String {
        "\(series.range.text(timeZone: clock.timeZone)), a step each \(Figures.span(seconds: series.step.inSeconds)), "
            + "from \(series.level) data"
    }

    private var summary: String {
        let sent = series.rows.reduce(0) { $0 &+ $1.sent }
        let lost = series.rows.reduce(0) { $0 &+ $1.lost }
        let medians = series.rows.compactMap(\.p50)
        let loss = sent > 0 ? "\(Figures.percent(Double(lost) * 100 / Double(sent))) lost" : "nothing measured"
        let times = medians.min().flatMap { low in
            medians.max().map { "medians \(Figures.time(nanoseconds: low)) to \(Figures.time(nanoseconds: $0))" }
        }
        return Scene.text(([subtitle, loss] + [times].compactMap { $0 }).joined(separator: "; "))
    }

    // MARK: places

    private func x(_ time: WallTime) -> Double {
        let length = (series.range.until - series.range.since).inSeconds
        guard length > 0 else { return Self.left }
        let share = (time - series.range.since).inSeconds / length
        return Self.left + plotWidth * min(max(share, 0), 1)
    }

    /// Buckets with where they begin and end. They have no holes between them; those of whole days are 23 or 25 hours
    /// long now and then, and the first one may begin before the range.
    private var places: [(row: HistoryRow, from: Double, to: Double)] {
        let ends = series.rows.dropFirst().map(\.start) + [series.range.until]
        return zip(series.rows, ends).compactMap { row, end in
            let (from, to) = (x(row.start), x(end))
            return to > from ? (row, from, to) : nil
        }
    }

    private func y(_ value: Int64, _ scale: GraphRenderer.Scale) -> Double {
        let share = (scale.high - Double(value)) / (scale.high - scale.low)
        return Self.top + (plotBottom - Self.top) * min(max(share, 0), 1)
    }

    // MARK: parts

    /// Time in which nothing was measured, over the whole height.
    private func addUnknown(to scene: inout Scene) {
        for (row, from, to) in places where row.sent == 0 {
            scene.shapes.append(
                .rectangle(x: from, y: Self.top, width: to - from, height: stripBottom - Self.top, .unknown))
        }
    }

    private func addValueAxis(_ scale: GraphRenderer.Scale?, to scene: inout Scene) {
        let end = width - Self.right
        if let scale {
            for value in scale.marks {
                let place = y(value, scale)
                let line = [Scene.Point(x: Self.left, y: place), Scene.Point(x: end, y: place)]
                scene.shapes.append(.line(line, width: 1, .grid))
                scene.shapes.append(
                    label(Figures.time(nanoseconds: value), x: Self.left - 8, y: place + 4, .end))
            }
        } else {
            scene.shapes.append(
                label(
                    "no round-trip time in this range", x: (Self.left + end) / 2, y: (Self.top + plotBottom) / 2,
                    .middle))
        }
        for (from, to) in [
            (Scene.Point(x: Self.left, y: Self.top), Scene.Point(x: Self.left, y: plotBottom)),
            (Scene.Point(x: Self.left, y: plotBottom), Scene.Point(x: end, y: plotBottom)),
        ] {
            scene.shapes.append(.line([from, to], width: 1, .axis))
        }
    }

    private func addSmoke(_ scale: GraphRenderer.Scale, to scene: inout Scene) {
        for (row, from, to) in places {
            guard let median = row.p50 else { continue }
            let high = row.p95 ?? median
            let bands: [(Int64, Int64, Ink)] = [
                (row.minimum ?? median, row.maximum ?? median, .haze), (row.minimum ?? median, high, .smoke),
            ]
            for (low, high, ink) in bands {
                let upper = y(high, scale)
                let extent = y(low, scale) - upper
                guard extent > 0.05 else { continue }
                scene.shapes.append(.rectangle(x: from, y: upper, width: to - from, height: extent, ink))
            }
        }
        // The line breaks where nothing was answered; a bucket by itself is as long as it is wide.
        var run: [Scene.Point] = []
        var end = 0.0
        func close() {
            if !run.isEmpty {
                scene.shapes.append(.line(run + [Scene.Point(x: end, y: run[run.count - 1].y)], width: 1.6, .median))
            }
            run = []
        }
        for (row, from, to) in places {
            guard let median = row.p50 else {
                close()
                continue
            }
            let place = y(median, scale)
            if run.isEmpty { run.append(Scene.Point(x: from, y: place)) }
            run.append(Scene.Point(x: (from + to) / 2, y: place))
            end = to
        }
        close()
        addBeyond(scale, to: &scene)
    }

    /// What lies above the scale is named: a plot that cuts it off must say so.
    private func addBeyond(_ scale: GraphRenderer.Scale, to scene: inout Scene) {
        guard let note = scale.beyond(series.rows, clock: clock) else { return }
        scene.shapes.append(label(note, x: width - Self.right, y: Self.top - 5, .end))
    }

    private func addStrip(to scene: inout Scene) {
        let end = width - Self.right
        for place in [stripTop, stripBottom] {
            let line = [Scene.Point(x: Self.left, y: place), Scene.Point(x: end, y: place)]
            scene.shapes.append(.line(line, width: 1, .grid))
        }
        scene.shapes.append(label("loss 100 %", x: Self.left - 8, y: stripTop + 4, .end))
        scene.shapes.append(label("0 %", x: Self.left - 8, y: stripBottom + 4, .end))
        for (row, from, to) in places {
            if let percent = row.lossPercent, row.lost > 0 {
                // Loss that is there is seen, however small.
                let extent = min(Self.stripHeight, max(2, Self.stripHeight * percent / 100))
                scene.shapes.append(
                    .rectangle(x: from, y: stripBottom - extent, width: max(1, to - from), height: extent, .loss))
            }
            if row.sent > 0, row.unknown > 0 || row.gap > .zero {
                scene.shapes.append(.rectangle(x: from, y: stripBottom + 1, width: to - from, height: 3, .unknown))
            }
        }
    }

    private func addTimeAxis(to scene: inout Scene) {
        for tick in TimeTicks.ticks(series.range, most: max(2, Int(plotWidth / 80)), clock: clock) {
            let place = x(tick.time)
            let line = [Scene.Point(x: place, y: plotBottom), Scene.Point(x: place, y: plotBottom + 4)]
            scene.shapes.append(.line(line, width: 1, .axis))
            // A label at the very end would leave the drawing, one at the begin would touch the zone.
            guard place > Self.left + 14, place < width - Self.right - 14 else { continue }
            scene.shapes.append(label(tick.label, x: place, y: plotBottom + 17, .middle))
        }
        scene.shapes.append(
            label(
                LocalClock(now: series.range.until, timeZone: clock.timeZone).zoneText, x: Self.left - 8,
                y: plotBottom + 17, .end))
    }

    private func addLegend(to scene: inout Scene) {
        var place = Self.left
        let base = height - 8
        for (ink, text) in [
            (Ink.median, "median"), (.smoke, "min to p95"), (.haze, "to max"), (.loss, "lost"),
            (.unknown, "not measured"),
        ] {
            let size = ink == .median ? 2.0 : 9.0
            scene.shapes.append(
                .rectangle(x: place, y: base - 4 - size / 2, width: 14, height: size, ink))
            scene.shapes.append(label(text, x: place + 19, y: base, .start))
            place += 36 + 6.6 * Double(text.count)
        }
    }

    private func label(_ text: String, x: Double, y: Double, _ anchor: Scene.Anchor) -> Scene.Shape {
        .text(Scene.text(text), x: x, y: y, size: Self.textSize, bold: false, anchor, .faint)
    }
}
