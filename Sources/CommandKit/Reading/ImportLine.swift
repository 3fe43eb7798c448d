// One line of an export, read back.

internal import Foundation
internal import Model
internal import Wire

/// A result with its series, out of JSON Lines or CSV.
struct ImportLine {
    var series: SeriesKey
    var kind: ProbeKind
    var result: ProbeResult

    /// What is wrong with a line, without its number.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    private struct Fields: Decodable {
        var t: String
        var target: String
        var probe: String
        var address: String?
        var outcome: String
        var rttMicroseconds: Double?
        var detail: String?
        var kind: String?
        var seq: UInt32?
        var source: String?
        var note: String?

        enum CodingKeys: String, CodingKey {
            case t, target, probe, address, outcome, detail, kind, seq, source, note
            case rttMicroseconds = "rtt_us"
        }
    }

    /// Reads `{"t":…}`.
    init(json line: some StringProtocol) throws(Problem) {
        let fields: Fields
        do {
            fields = try JSONDecoder().decode(Fields.self, from: Data(line.utf8))
        } catch {
            throw Problem(description: "expected an object with t, target, probe, address, outcome and rtt_us")
        }
        try self.init(fields)
    }

    /// Reads a row whose columns the header names.
    init(csv line: some StringProtocol, columns: [String]) throws(Problem) {
        let cells = ImportLine.cells(line)
        guard cells.count == columns.count else {
            throw Problem(description: "expected \(columns.count) columns, found \(cells.count)")
        }
        let values = Dictionary(zip(columns, cells), uniquingKeysWith: { first, _ in first }).filter {
            !$0.value.isEmpty
        }
        guard let time = values["t"], let target = values["target"], let probe = values["probe"],
            let outcome = values["outcome"]
        else { throw Problem(description: "expected t, target, probe and outcome") }
        if let rtt = values["rtt_us"], Double(rtt) == nil {
            throw Problem(description: "expected microseconds, found \"\(HostileText.line(rtt))\"")
        }
        try self.init(
            Fields(
                t: time, target: target, probe: probe, address: values["address"], outcome: outcome,
                rttMicroseconds: values["rtt_us"].flatMap { Double($0) }, detail: values["detail"],
                kind: values["kind"],
                seq: values["seq"].flatMap { UInt32($0) }, source: values["source"], note: values["note"]))
    }

    private init(_ fields: Fields) throws(Problem) {
        guard let sent = WallTime(rfc3339: fields.t) else {
            throw Problem(description: "expected an RFC 3339 time, found \"\(HostileText.line(fields.t))\"")
        }
        guard let target = TargetID(rawValue: fields.target) else {
            throw Problem(description: "\"\(HostileText.line(fields.target))\" is not a target's id")
        }
        let address = try fields.address.map { text throws(Problem) in
            guard let address = IPAddress(text) else {
                throw Problem(description: "expected an IP address, found \"\(HostileText.line(text))\"")
            }
            return address
        }
        var rtt: Duration?
        if let microseconds = fields.rttMicroseconds {
            guard microseconds >= 0, microseconds <= 1e12 else {
                throw Problem(description: "expected microseconds from 0 to 10^12, found \(microseconds)")
            }
            rtt = .nanoseconds(Int64((microseconds * 1000).rounded()))
        }
        let probe = Text.sanitised(fields.probe)
        series = SeriesKey(target: target, probe: probe, address: address)
        kind =
            fields.kind.flatMap { ProbeKind(rawValue: $0) }
            ?? ProbeKind(rawValue: String(probe.prefix { $0 != "-" })) ?? .icmp
        result = ProbeResult(
            sent: sent, sequence: fields.seq ?? 0, outcome: try ImportLine.outcome(fields, rtt),
            source: fields.source.flatMap { MeasurementSource(rawValue: $0) } ?? .user,
            note: fields.note.map { Text.sanitised($0) })
    }

    private static func outcome(_ fields: Fields, _ rtt: Duration?) throws(Problem) -> Outcome {
        switch fields.outcome {
        case "ok": return .ok(rtt: rtt)
        case "late": if let rtt { return .late(rtt: rtt) }
        case "lost": return .lost
        case "refused": return .refused(rtt: rtt)
        case "unresolved": return .unresolved
        case "error": return .error(fields.detail.flatMap { ErrorClass(rawValue: $0) } ?? .other)
        case "indeterminate":
            return .indeterminate(fields.detail.flatMap { IndeterminateReason(rawValue: $0) } ?? .internalError)
        default: throw Problem(description: "\"\(HostileText.line(fields.outcome))\" is not an outcome")
        }
        throw Problem(description: "a late answer needs its rtt_us")
    }

    /// The cells of a CSV row, RFC 4180 without line breaks in cells.
    static func cells(_ text: some StringProtocol) -> [String] {
        var cells: [String] = [""]
        var isQuoted = false
        var rest = Substring(text)
        while let character = rest.popFirst() {
            let last = cells.count - 1
            if isQuoted, character == "\"" {
                // A doubled quote is one that belongs to the text.
                if rest.first == "\"" { cells[last].append(rest.removeFirst()) } else { isQuoted = false }
            } else if !isQuoted, character == "\"", cells[last].isEmpty {
                isQuoted = true
            } else if !isQuoted, character == "," {
                cells.append("")
            } else if character != "\r" {
                cells[last].append(character)
            }
        }
        return cells
    }
}
