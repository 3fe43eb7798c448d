// What `taut analyze` prints of a capture file.

internal import Capturing
internal import Model
internal import Wire

struct AnalysisRenderer {
    static let schema = "taut/analyze/1"

    enum Grouping: String, CaseIterable, Sendable {
        case kind, service
    }

    var palette: Palette
    var width: Int?

    func lines(_ report: AnalysisReport, by grouping: Grouping) -> [String] {
        var lines = [
            HostileText.line(
                "\(report.file): \(Figures.count(report.packets)) packets, \(Figures.bytes(Int64(clamping: report.bytes))), "
                    + "\(Figures.fixed(report.duration.inSeconds, 3)) s, \(Figures.count(report.flows)) TCP connections"
            )
        ]
        if let warning = report.warning { lines.append(palette.paint(HostileText.line("! \(warning)"), .yellow)) }
        lines += counted("not used", report.drops) + counted("not timed", report.rejected)
        var path: [String] = []
        if report.retransmissions > 0 { path.append("\(Figures.count(report.retransmissions)) retransmissions") }
        if report.spuriousRetransmissions > 0 {
            path.append("\(Figures.count(report.spuriousRetransmissions)) of them not needed")
        }
        if report.upstreamLosses > 0 {
            path.append("\(Figures.count(report.upstreamLosses)) lost before the capture point")
        }
        if report.outOfOrder > 0 { path.append("\(Figures.count(report.outOfOrder)) out of order") }
        if report.duplicates > 0 { path.append("\(Figures.count(report.duplicates)) duplicates") }
        if report.oneSidedFlows > 0 {
            path.append("\(Figures.count(report.oneSidedFlows)) connections seen in one direction only")
        }
        if !path.isEmpty { lines.append("path: " + path.joined(separator: ", ")) }
        lines += missed(report.counters)
        let rows = grouping == .kind ? report.kinds : report.services
        guard !rows.isEmpty else { return lines + ["nothing that could be timed"] }
        return lines + [""] + table(rows, by: grouping)
    }

    func json(_ report: AnalysisReport, generated: WallTime) -> JSONValue {
        .object([
            "schema": .string(AnalysisRenderer.schema), "generated": .time(generated), "file": .string(report.file),
            "packets": .unsigned(report.packets), "used": .unsigned(report.used), "bytes": .unsigned(report.bytes),
            "duration_s": .number(report.duration.inSeconds), "flows": .unsigned(report.flows),
            "one_sided_flows": .unsigned(report.oneSidedFlows), "drops": counters(report.drops),
            "rejected": counters(report.rejected), "retransmissions": .unsigned(report.retransmissions),
            "spurious_retransmissions": .unsigned(report.spuriousRetransmissions),
            "upstream_losses": .unsigned(report.upstreamLosses), "out_of_order": .unsigned(report.outOfOrder),
            "duplicates": .unsigned(report.duplicates), "capture_gaps": .unsigned(report.counters.captureGaps),
            "evicted_flows": .unsigned(report.counters.evictedFlows),
            "refused_flows": .unsigned(report.counters.refusedFlows),
            "kinds": .array(report.kinds.map { .object(figures($0)) }),
            "services": .array(
                report.services.map {
                    .object(
                        [
                            JSONValue.Member(key: "service", value: .optional($0.service)),
                            JSONValue.Member(
                                key: "service_sources", value: .array($0.serviceSources.map { .string($0.rawValue) })),
                        ] + figures($0))
                }),
            "warning": .optional(report.warning),
        ])
    }

    /// One line of `--samples`.
    static func json(_ sample: AnalyzedSample) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(key: "t", value: .time(sample.time, digits: 9)),
            .init(key: "kind", value: .string(sample.kind.rawValue)),
            .init(key: "side", value: .string(sample.side.rawValue)),
            .init(key: "method", value: .string(sample.method.rawValue)),
            .init(key: "rtt_us", value: .microseconds(sample.rtt)),
            .init(key: "src", value: .string(sample.source.description)),
            .init(key: "sport", value: .integer(Int64(sample.sourcePort))),
            .init(key: "dst", value: .string(sample.destination.description)),
            .init(key: "dport", value: .integer(Int64(sample.destinationPort))),
            .init(key: "interface", value: .optional(sample.interface)),
            .init(key: "service", value: .optional(sample.service)),
            .init(key: "service_source", value: .optional(sample.serviceSource?.rawValue)),
            .init(key: "note", value: .optional(sample.note)),
        ]
        if let outcome = sample.outcome { members.append(.init(key: "outcome", value: .string(outcome.rawValue))) }
        return .object(members)
    }

    private func figures(_ row: PassiveFigures) -> [JSONValue.Member] {
        [
            .init(key: "kind", value: .string(row.kind.rawValue)),
            .init(key: "side", value: .string(row.side.rawValue)),
            .init(key: "count", value: .unsigned(row.count)), .init(key: "failures", value: .unsigned(row.failures)),
            .init(key: "min_us", value: .microseconds(row.minimum)),
            .init(key: "p50_us", value: .microseconds(row.p50)),
            .init(key: "p95_us", value: .microseconds(row.p95)), .init(key: "p99_us", value: .microseconds(row.p99)),
            .init(key: "max_us", value: .microseconds(row.maximum)),
        ]
    }

    /// What the capture lacks, and what there was no room for; nothing where nothing is missing.
    private func missed(_ counters: CaptureCounters) -> [String] {
        var parts: [String] = []
        if counters.captureGaps > 0 {
            parts.append(
                "\(Figures.count(counters.captureGaps)) of \(Figures.count(counters.acknowledgements)) acknowledgements "
                    + "are of data that was not seen")
        }
        if counters.evictedFlows > 0 {
            parts.append("\(Figures.count(counters.evictedFlows)) connections given up for others")
        }
        if counters.refusedFlows > 0 {
            parts.append("\(Figures.count(counters.refusedFlows)) connections refused for want of room")
        }
        return parts.isEmpty ? [] : ["missed: " + parts.joined(separator: ", ")]
    }

    private func counters(_ counts: [String: UInt64]) -> JSONValue {
        .object(counts.sorted { $0.key < $1.key }.map { JSONValue.Member(key: $0.key, value: .unsigned($0.value)) })
    }

    private func counted(_ title: String, _ counts: [String: UInt64]) -> [String] {
        let parts = counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\(Figures.count($0.value)) \($0.key)" }
        return parts.isEmpty ? [] : [HostileText.line("\(title): \(parts.joined(separator: ", "))")]
    }

    private func table(_ rows: [PassiveFigures], by grouping: Grouping) -> [String] {
        var columns = [
            TableColumn("times"), TableColumn("side"), TableColumn("samples", .trailing),
            TableColumn("failed", .trailing), TableColumn("min", .trailing), TableColumn("p50", .trailing),
            TableColumn("p95", .trailing), TableColumn("p99", .trailing), TableColumn("max", .trailing),
        ]
        if grouping == .service {
            columns.insert(contentsOf: [TableColumn("service", flexible: true), TableColumn("by")], at: 0)
        }
        var table = Table(columns)
        for row in rows {
            var cells = [
                TableCell(row.kind.rawValue), TableCell(row.side.rawValue), TableCell(Figures.count(row.count)),
                TableCell(Figures.count(row.failures), row.failures > 0 ? .yellow : nil),
                TableCell(Figures.time(nanoseconds: row.minimum)), TableCell(Figures.time(nanoseconds: row.p50)),
                TableCell(Figures.time(nanoseconds: row.p95)), TableCell(Figures.time(nanoseconds: row.p99)),
                TableCell(Figures.time(nanoseconds: row.maximum)),
            ]
            if grouping == .service {
                let sources = row.serviceSources.map(\.rawValue).joined(separator: ", ")
                cells.insert(contentsOf: [TableCell(row.service ?? "(not known)"), TableCell(sources)], at: 0)
            }
            table.add(cells)
        }
        return table.lines(width: width, palette: palette)
    }
}
