// The one line of a monitoring plugin, with its exit code.

internal import Control
internal import Model

/// The codes of the Monitoring Plugins Development Guidelines.
enum CheckCode: Int32, Hashable, Sendable {
    case ok = 0, warning = 1, critical = 2, unknown = 3

    var name: String {
        switch self {
        case .ok: "OK"
        case .warning: "WARNING"
        case .critical: "CRITICAL"
        case .unknown: "UNKNOWN"
        }
    }
}

/// What `taut check` says of a target.
struct CheckResult: Hashable, Sendable {
    var code: CheckCode
    /// Without the code's name and without perfdata.
    var text: String
    var perfdata: String

    /// A check that could not be made: never OK.
    static func failure(_ text: String) -> CheckResult { CheckResult(code: .unknown, text: text, perfdata: "") }

    /// - Parameter generated: when the report was made; the age of the newest result counts from there.
    init(
        _ target: StatusReport.Target, generated: WallTime, warning: CheckThreshold, critical: CheckThreshold,
        clock: LocalClock
    ) {
        let age = target.last.map { (generated - $0.t.time).inSeconds }
        var reasons: [String] = []
        if target.lastKnownState != nil || age == nil || age.map({ $0 > target.staleAfter }) == true {
            code = .unknown
            let stale = age.map {
                $0 < 0 ? "newest result lies in the future" : "stale: newest result is \(Figures.span(seconds: $0)) old"
            }
            reasons.append(stale ?? "no result yet")
        } else {
            let grade = CheckResult.grade(target, warning: warning, critical: critical)
            code = grade.code
            reasons = grade.reasons
        }
        // Figures of an unknown target are not of now; a graph must not draw the last one on and on.
        let rtt = code == .unknown ? nil : target.rttP50
        let loss = code == .unknown ? nil : target.lossPercent
        let since = target.since.map { " since \(clock.short($0.time))" } ?? ""
        text =
            "\(target.title) \(target.state)\(since)" + (reasons.isEmpty ? "" : ": \(reasons.joined(separator: ", "))")
            + ", rtt \(Figures.time(microseconds: rtt)), loss \(Figures.percent(loss))"
        perfdata = CheckResult.perfdata(rtt: rtt, loss: loss, warning: warning, critical: critical)
    }

    private init(code: CheckCode, text: String, perfdata: String) {
        self.code = code
        self.text = text
        self.perfdata = perfdata
    }

    /// `OK - VPN west up since 14:03, rtt 40.1 ms, loss 0 % | rtt=40.1ms;;;0 loss=0%;;;0;100`. A `|` in the text would
    /// begin perfdata, so it becomes `/`.
    var line: String {
        let text = HostileText.line(self.text).map { $0 == "|" ? "/" : $0 }
        return "\(code.name) - \(String(text))" + (perfdata.isEmpty ? "" : " | \(perfdata)")
    }

    private static func grade(
        _ target: StatusReport.Target, warning: CheckThreshold, critical: CheckThreshold
    ) -> (code: CheckCode, reasons: [String]) {
        var code: CheckCode
        switch TargetState(rawValue: target.state) {
        case .up: code = .ok
        case .degraded: code = .warning
        case .down: code = .critical
        case .unknown, nil: code = .unknown
        }
        var reasons = target.reason.isEmpty || code == .ok ? [] : [target.reason]
        // An unknown target stays unknown: its figures are not of now.
        guard code != .unknown else { return (code, reasons) }
        func raise(_ threshold: CheckThreshold, to worse: CheckCode) {
            var breached: [String] = []
            if let limit = threshold.rtt, let rtt = target.rttP50, rtt >= limit.microseconds {
                breached.append("rtt at or above \(Figures.time(microseconds: limit.microseconds))")
            }
            if let limit = threshold.lossPercent, let loss = target.lossPercent, loss >= limit, loss > 0 {
                breached.append("loss at or above \(Figures.percent(limit))")
            }
            guard !breached.isEmpty, worse.rawValue >= code.rawValue else { return }
            code = worse
            reasons += breached
        }
        raise(critical, to: .critical)
        if code != .critical { raise(warning, to: .warning) }
        return (code, reasons)
    }

    /// `'label'=value[UOM];[warn];[crit];[min];[max]`; an unknown value is `U`.
    private static func perfdata(
        rtt: Double?, loss: Double?, warning: CheckThreshold, critical: CheckThreshold
    ) -> String {
        func milliseconds(_ duration: Duration?) -> String {
            duration.map { trimmed($0.microseconds / 1_000) } ?? ""
        }
        let rtt = rtt.map { "\(trimmed($0 / 1_000))ms" } ?? "U"
        let loss = loss.map { "\(trimmed($0))%" } ?? "U"
        return "rtt=\(rtt);\(milliseconds(warning.rtt));\(milliseconds(critical.rtt));0 "
            + "loss=\(loss);\(warning.lossPercent.map(trimmed) ?? "");\(critical.lossPercent.map(trimmed) ?? "");0;100"
    }

    /// Three digits of fraction at most, no zeros at the end.
    private static func trimmed(_ value: Double) -> String {
        var text = Figures.fixed(value, 3)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
