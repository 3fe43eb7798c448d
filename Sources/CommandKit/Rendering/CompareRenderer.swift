// Two windows side by side as text and as JSON.

internal import Control
internal import Model
internal import Statistics
internal import Storing

struct CompareRenderer {
    static let schema = "taut/compare/1"
    /// Percentiles that are judged.
    static let quantiles: [(name: String, share: Double)] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)]

    var palette: Palette
    var width: Int?
    var clock: LocalClock

    func lines(_ comparison: Comparison) -> [String] {
        let names = comparison.windows.map(\.name)
        let verdict = CompareVerdict(comparison)
        var lines = [palette.paint(HostileText.line(verdict.text), verdict.colour)]
        let title = names.map { DisplayWidth.of(Text.sanitised($0)) }.max() ?? 0
        for window in comparison.windows {
            let name = DisplayWidth.padded(Text.sanitised(window.name), to: title, alignment: .leading)
            lines.append(HostileText.line("\(name)  \(window.range.text(timeZone: clock.timeZone))"))
        }
        if comparison.overlap > .zero {
            let span = Figures.span(seconds: comparison.overlap.inSeconds)
            lines.append("! the windows overlap by \(span), whose results are in both")
        }
        for probe in comparison.probes {
            lines.append("")
            lines += table(probe, names: names)
            if !probe.isTimedAlike { lines.append("! the windows were timed in different ways") }
            if !probe.isSameAddress {
                lines.append("! the windows are of different addresses")
            }
        }
        return lines
    }

    private func table(_ probe: ProbeComparison, names: [String]) -> [String] {
        var table = Table(
            [TableColumn(Text.sanitised(probe.probe))] + names.map { TableColumn(Text.sanitised($0), .trailing) }
                + [TableColumn("difference", .trailing), TableColumn("")])
        func add(_ name: String, _ text: (WindowFigures) -> String, _ change: [TableCell] = ["", ""]) {
            table.add([TableCell(name)] + probe.figures.map { TableCell($0.map(text) ?? Figures.unknown) } + change)
        }
        func known(_ figures: WindowFigures, _ text: String) -> String { figures.sent > 0 ? text : Figures.unknown }
        add(
            "availability", { Figures.availability($0.loss.map { (1 - $0) * 100 }) },
            change(points: Self.points(probe), probe.loss))
        add(
            "lost of known",
            { known($0, "\(Figures.count($0.counts.failed)) of \(Figures.count($0.sent))") })
        add("unknown results", { Figures.count($0.counts.unknown) })
        add("not measured", { Figures.span(seconds: $0.gap.inSeconds) })
        add("min", { Figures.time(nanoseconds: $0.times.minimum) })
        for (name, share) in Self.quantiles {
            let values = probe.figures.map { $0?.times.quantile(share) }
            add(
                name, { Figures.time(nanoseconds: $0.times.quantile(share)) },
                change(from: values.last ?? nil, to: values.first ?? nil, probe.time(share)))
        }
        add("max", { Figures.time(nanoseconds: $0.times.maximum) })
        add("timed by", { Self.sources($0) })
        add("figures from", { Self.level($0.level) })
        if probe.figures.contains(where: { $0?.addresses.isEmpty == false }), !probe.isSameAddress {
            add("addresses", { $0.addresses.isEmpty ? Figures.unknown : $0.addresses.joined(separator: ", ") })
        }
        return table.lines(width: width, palette: palette)
    }

    /// Difference of the shares answered, in percentage points.
    private static func points(_ probe: ProbeComparison) -> Double? {
        guard let a = probe.first?.loss, let b = probe.second?.loss else { return nil }
        return (b - a) * 100
    }

    private func change(points: Double?, _ order: ProbeComparison.Order) -> [TableCell] {
        judged(points.map { $0 == 0 ? "0" : ($0 > 0 ? "+" : "") + Figures.fixed($0, 3) + " points" }, order)
    }

    private func change(from old: Int64?, to new: Int64?, _ order: ProbeComparison.Order) -> [TableCell] {
        guard let old, let new else { return judged(nil, order) }
        return judged(Figures.change(from: old, to: new), order)
    }

    /// The difference, and whether it is one.
    private func judged(_ text: String?, _ order: ProbeComparison.Order) -> [TableCell] {
        guard let text else { return [TableCell(Figures.unknown), ""] }
        switch order {
        case .more, .less: return [TableCell(text), TableCell("clear", .bold)]
        case .same: return [TableCell(text, .dim), TableCell("not clear", .dim)]
        case .tooFew: return [TableCell(text, .dim), TableCell("too few", .dim)]
        case .unknown: return [TableCell(Figures.unknown), ""]
        }
    }

    static func level(_ level: StorageLevel) -> String {
        switch level {
        case .raw: "single results"
        case .hours: "hours"
        case .days: "days"
        }
    }

    static func sources(_ figures: WindowFigures) -> String {
        let total = figures.sources.values.reduce(0, &+)
        guard total > 0 else { return Figures.unknown }
        let named = figures.sources.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
        return named.map { source, count in
            let name =
                switch source {
                case .kernel: "kernel stamps"
                case .user: "user space"
                case .tcpInfo: "TCP_INFO"
                }
            return named.count == 1 ? name : "\(name) \(Figures.percent(Double(count) * 100 / Double(total)))"
        }.joined(separator: ", ")
    }
}

extension CompareRenderer {
    func json(_ comparison: Comparison, generated: WallTime) -> JSONValue {
        let verdict = CompareVerdict(comparison)
        return .object([
            "schema": .string(Self.schema), "generated": .time(generated), "target": .string(comparison.target),
            "verdict": .string(verdict.text), "overlap_s": .number(comparison.overlap.inSeconds),
            "windows": .array(
                comparison.windows.map { window in
                    .object([
                        "name": .string(window.name), "since": .time(window.range.since),
                        "until": .time(window.range.until),
                        "duration_s": .number((window.range.until - window.range.since).inSeconds),
                    ])
                }),
            "probes": .array(comparison.probes.map { Self.json($0) }),
        ])
    }

    private static func json(_ probe: ProbeComparison) -> JSONValue {
        let p = quantiles.map { share in
            JSONValue.Member(key: share.name, value: .string(probe.time(share.share).rawValue))
        }
        return .object([
            "probe": .string(probe.probe),
            "kind": .optional((probe.first ?? probe.second)?.kind.rawValue),
            // How the first window stands to the second.
            "order": .object([JSONValue.Member(key: "loss", value: .string(probe.loss.rawValue))] + p),
            "windows": .array(probe.figures.map { $0.map { json($0) } ?? .null }),
        ])
    }

    private static func json(_ figures: WindowFigures) -> JSONValue {
        let times = figures.times
        return .object([
            "level": .string(figures.level.rawValue), "sent": .unsigned(figures.sent),
            "lost": .unsigned(figures.counts.failed), "unknown": .unsigned(figures.counts.unknown),
            "unmeasured_s": .number(figures.gap.inSeconds),
            "availability_percent": .optional(figures.loss.map { (1 - $0) * 100 }),
            "loss_percent": .optional(figures.loss.map { $0 * 100 }), "samples": .unsigned(times.count),
            "min_us": .microseconds(times.minimum), "p50_us": .microseconds(times.quantile(0.5)),
            "p90_us": .microseconds(times.quantile(0.9)), "p99_us": .microseconds(times.quantile(0.99)),
            "max_us": .microseconds(times.maximum),
            "sources": figures.sources.isEmpty
                ? .null
                : .object(
                    figures.sources.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                        JSONValue.Member(key: $0.key.rawValue, value: .unsigned($0.value))
                    }),
            "addresses": .array(figures.addresses.map { .string($0) }),
        ])
    }
}
