// The orders in which `taut watch` lists targets.

internal import Control
internal import Model

/// What the list is sorted by; the raw value names the column.
enum WatchSort: String, CaseIterable, Sendable {
    case state, target, since, loss, p50, p99, jitter
    /// As the configuration has them.
    case configured

    /// The next one of the cycle.
    var next: WatchSort {
        let all = WatchSort.allCases
        let index = all.firstIndex(of: self) ?? 0
        return all[(index + 1) % all.count]
    }

    /// Names rise; of everything else, what needs attention comes first: the worst, the newest, the highest. What is
    /// not known comes last in both directions, and equals stay in the order of the configuration.
    func sorted(_ targets: [StatusReport.Target], isReversed: Bool) -> [StatusReport.Target] {
        switch self {
        case .configured: return isReversed ? targets.reversed() : targets
        case .target:
            return Self.stable(targets, by: { $0.title.lowercased() }, rising: !isReversed)
        case .state:
            return Self.stable(targets, by: { TargetState(rawValue: $0.state) ?? .unknown }, rising: isReversed)
        case .since: return Self.stable(targets, by: { $0.since }, rising: isReversed)
        case .loss: return Self.stable(targets, by: { $0.lossPercent }, rising: isReversed)
        case .p50: return Self.stable(targets, by: { $0.rttP50 }, rising: isReversed)
        case .p99: return Self.stable(targets, by: { $0.rttP99 }, rising: isReversed)
        case .jitter: return Self.stable(targets, by: { $0.jitter }, rising: isReversed)
        }
    }

    private static func stable<Key: Comparable>(
        _ targets: [StatusReport.Target], by key: (StatusReport.Target) -> Key?, rising: Bool
    ) -> [StatusReport.Target] {
        let keyed = targets.enumerated().map { (offset: $0.offset, key: key($0.element), target: $0.element) }
        return keyed.sorted { a, b in
            guard let left = a.key, let right = b.key else {
                return (a.key == nil) == (b.key == nil) ? a.offset < b.offset : a.key != nil
            }
            if left == right { return a.offset < b.offset }
            return rising ? left < right : right < left
        }.map { $0.target }
    }
}
