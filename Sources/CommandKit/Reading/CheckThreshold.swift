// Thresholds of `taut check`, in the form that check_ping of the monitoring plugins made known.

internal import Model

/// `100ms,20%`: an RTT, a loss, or both. A bare number is milliseconds, as check_ping has it.
struct CheckThreshold: Hashable, Sendable {
    var rtt: Duration?
    /// 0...100.
    var lossPercent: Double?

    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    init() {}

    init(_ text: String) throws(Problem) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.filter { $0 != " " } }
        guard (1...2).contains(parts.count), !parts.contains("") else { throw CheckThreshold.problem(text) }
        for part in parts {
            if part.hasSuffix("%") {
                guard lossPercent == nil, let value = Double(part.dropLast()), (0...100).contains(value) else {
                    throw CheckThreshold.problem(text)
                }
                lossPercent = value
            } else {
                guard rtt == nil else { throw CheckThreshold.problem(text) }
                let withUnit = Double(part) != nil ? part + "ms" : part
                guard let duration = try? DurationText.parse(withUnit) else { throw CheckThreshold.problem(text) }
                rtt = duration
            }
        }
    }

    private static func problem(_ text: String) -> Problem {
        Problem(description: "\"\(text)\" is not a threshold; write 100ms,20% or 100ms or 20%")
    }
}
