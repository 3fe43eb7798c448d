// What a report holds the figures against.

internal import ArgumentParser
internal import Model
internal import Statistics
internal import Storing

/// `99.9%,100ms`: the least availability, the highest p95 of the RTT, or both.
struct ReportObjective: Hashable, ExpressibleByArgument {
    /// 0...100.
    var availabilityPercent: Double?
    var p95: Duration?

    /// Whether a row meets the objective. A p95 of rolled-up data is known within `Histogram.relativeError`: where the limit
    /// lies inside that, nothing is said.
    enum Standing: String, Hashable {
        case met, missed, unknown
    }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
        guard (1...2).contains(parts.count) else { return nil }
        for part in parts {
            if part.hasSuffix("%") {
                guard availabilityPercent == nil, let value = Double(part.dropLast()), (0...100).contains(value) else {
                    return nil
                }
                availabilityPercent = value
            } else {
                guard p95 == nil, let duration = try? DurationText.parse(part) else { return nil }
                p95 = duration
            }
        }
    }

    func standing(of row: Report.Row) -> Standing {
        var isKnown = true
        if let least = availabilityPercent {
            guard let availability = row.availability else { return .unknown }
            if availability < least { return .missed }
        }
        if let limit = p95 {
            if let value = row.figures.p95 {
                let error = row.level == StorageLevel.raw.rawValue ? 0 : Double(value) * Histogram.relativeError
                let nanoseconds = Double(limit.clampedNanoseconds)
                if Double(value) - error > nanoseconds { return .missed }
                isKnown = Double(value) + error <= nanoseconds
            } else {
                isKnown = false
            }
        }
        return isKnown ? .met : .unknown
    }

    var text: String {
        [
            availabilityPercent.map { "availability of at least \(Self.shortest($0)) %" },
            p95.map { "p95 of at most \(Figures.time(nanoseconds: $0.clampedNanoseconds))" },
        ].compactMap { $0 }.joined(separator: ", ")
    }

    /// As it was given: an objective of 99.95 is neither ">99" nor "100".
    private static func shortest(_ value: Double) -> String {
        let text = String(value)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
