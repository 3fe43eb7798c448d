// What `taut probe` prints: a line a result, and the sums.

internal import Model
internal import Probing
internal import Statistics
internal import Wire

/// The sums of one target of a one-shot probe.
struct ProbeTally {
    var target: String
    var probe: String
    var address: String?
    var sent = 0
    var lost = 0
    var unknown = 0
    var duplicates: UInt64 = 0
    var foreign: UInt64 = 0
    /// Nanoseconds, in the order of arrival.
    var times: [Int64] = []
    var jitter = Jitter()

    init(target: String, probe: String) {
        self.target = target
        self.probe = probe
    }

    mutating func add(_ result: OneShotResult) {
        address = result.address?.description ?? address
        duplicates += UInt64(result.duplicates)
        foreign += UInt64(result.foreign)
        switch result.result.outcome.standing {
        case .answered: sent += 1
        case .failed:
            sent += 1
            lost += 1
        case .unknown: unknown += 1
        }
        guard let rtt = result.result.outcome.rtt?.clampedNanoseconds else { return }
        times.append(rtt)
        jitter.record(nanoseconds: rtt)
    }

    var lossPercent: Double? { sent > 0 ? (Double(lost) * 100_000 / Double(sent)).rounded() / 1_000 : nil }
}

struct ProbeRenderer {
    static let schema = "taut/probe/1"
    var palette: Palette

    /// `192.0.2.1 icmp 3: ok 40.12 ms (kernel)`.
    func line(_ result: OneShotResult) -> String {
        let outcome = result.result.outcome
        let address = result.address.map { "\($0)" }
        let name = Text.sanitised(result.target.text)
        let who = address == nil || address == name ? name : "\(name) (\(address ?? ""))"
        var text = "\(who) \(result.kind.rawValue) \(result.result.sequence): "
        text += palette.paint(outcome.name, ProbeRenderer.colour(outcome))
        if let detail = outcome.detail { text += " \(detail)" }
        if let rtt = outcome.rtt {
            text += " \(Figures.time(microseconds: rtt.microseconds)) (\(result.result.source.rawValue)"
            if let kernel = result.result.kernelRTT {
                text += ", tcp_info \(Figures.time(microseconds: kernel.microseconds))"
            }
            text += ")"
        }
        if let note = result.result.note { text += " \(Text.sanitised(note))" }
        return text
    }

    static func json(_ result: OneShotResult) -> JSONValue {
        let outcome = result.result.outcome
        return .object([
            "t": .time(result.result.sent, digits: 6), "target": .string(result.target.text),
            "address": .optional(result.address?.description), "probe": .string(result.kind.rawValue),
            "seq": .integer(Int64(result.result.sequence)), "outcome": .string(outcome.name),
            "detail": .optional(outcome.detail), "rtt_us": .microseconds(outcome.rtt?.clampedNanoseconds),
            "kernel_rtt_us": .microseconds(result.result.kernelRTT?.clampedNanoseconds),
            "source": .string(result.result.source.rawValue), "note": .optional(result.result.note),
        ])
    }

    func summary(_ tallies: [ProbeTally]) -> [String] {
        tallies.flatMap { tally -> [String] in
            let sorted = tally.times.sorted()
            func figure(_ share: Double) -> String { Figures.time(nanoseconds: Quantiles.exact(sorted: sorted, share)) }
            var text = "\(tally.target): \(tally.sent) sent, \(tally.lost) lost (\(Figures.percent(tally.lossPercent)))"
            if tally.unknown > 0 { text += ", \(tally.unknown) unknown" }
            if tally.duplicates > 0 { text += ", \(tally.duplicates) duplicates" }
            if tally.foreign > 0 { text += ", \(tally.foreign) foreign replies" }
            guard !sorted.isEmpty else { return [HostileText.line(text)] }
            return [
                HostileText.line(text),
                "  min \(figure(0)), p50 \(figure(0.5)), p95 \(figure(0.95)), max \(figure(1)), "
                    + "jitter \(Figures.time(nanoseconds: tally.jitter.nanoseconds))",
            ]
        }
    }

    static func json(_ tallies: [ProbeTally], counters: ProbeCounters, generated: WallTime) -> JSONValue {
        let targets = tallies.map { tally -> JSONValue in
            let sorted = tally.times.sorted()
            func figure(_ share: Double) -> JSONValue { .microseconds(Quantiles.exact(sorted: sorted, share)) }
            return .object([
                "target": .string(tally.target), "address": .optional(tally.address), "probe": .string(tally.probe),
                "sent": .integer(Int64(tally.sent)), "lost": .integer(Int64(tally.lost)),
                "unknown": .integer(Int64(tally.unknown)), "loss_percent": .optional(tally.lossPercent),
                "duplicates": .unsigned(tally.duplicates), "foreign": .unsigned(tally.foreign), "min_us": figure(0),
                "p50_us": figure(0.5), "p95_us": figure(0.95), "p99_us": figure(0.99), "max_us": figure(1),
                "jitter_us": .microseconds(tally.jitter.nanoseconds),
            ])
        }
        return .object([
            "summary": .object([
                "schema": .string(schema), "generated": .time(generated), "targets": .array(targets),
                "missed_ticks": .unsigned(counters.missedTicks),
                "lateness_p99_us": .number(counters.latenessP99.microseconds),
            ])
        ])
    }

    private static func colour(_ outcome: Outcome) -> Palette.Colour {
        switch outcome.standing {
        case .answered: .green
        case .failed: .red
        case .unknown: .magenta
        }
    }
}
