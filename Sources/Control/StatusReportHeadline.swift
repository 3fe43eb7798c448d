// One line for the whole.

public import Foundation
internal import Model

extension StatusReport {
    /// The verdict over all targets: the worst state, and who is in it.
    struct Headline {
        /// Targets named a state; the rest is counted.
        static let named = 3

        let state: TargetState
        let text: String

        /// `2 of 7 targets down: VPN west since 14:03 (no answer to icmp); … · 1 unknown: resolver`.
        ///
        /// - Parameter hasReasons: with what stands in brackets.
        init(targets: [Target], clock: LocalClock, hasReasons: Bool = true) {
            guard !targets.isEmpty else {
                state = .unknown
                text = "nothing is watched: no targets"
                return
            }
            let grouped = Dictionary(grouping: targets) { TargetState(rawValue: $0.state) ?? .unknown }
            let worst = grouped.keys.max() ?? .unknown
            state = worst
            guard worst != .up else {
                text = targets.count == 1 ? "the one target is up" : "all \(targets.count) targets are up"
                return
            }
            var pieces: [String] = []
            for state in [TargetState.down, .degraded, .unknown] {
                guard let members = grouped[state] else { continue }
                let count =
                    pieces.isEmpty
                    ? "\(members.count) of \(targets.count) target\(targets.count == 1 ? "" : "s") \(state.rawValue)"
                    : "\(members.count) \(state.rawValue)"
                let shown = members.prefix(Headline.named).map {
                    Headline.name($0, clock: clock, hasReason: hasReasons)
                }
                let rest = members.count - shown.count
                pieces.append("\(count): \(shown.joined(separator: "; "))" + (rest > 0 ? "; and \(rest) more" : ""))
            }
            text = pieces.joined(separator: " · ")
        }

        private static func name(_ target: Target, clock: LocalClock, hasReason: Bool) -> String {
            var text = Text.sanitised(target.title)
            if let since = target.since { text += " since \(clock.short(since.time))" }
            if hasReason, !target.reason.isEmpty { text += " (\(Text.sanitised(target.reason)))" }
            return text
        }
    }

    /// The verdict with its times in another zone than the daemon's.
    public func verdict(timeZone: TimeZone) -> String {
        Headline(targets: targets, clock: LocalClock(now: generated.time, timeZone: timeZone)).text
    }

    /// The verdict without reasons, for where there is little room.
    public func shortVerdict(timeZone: TimeZone = .current) -> String {
        Headline(targets: targets, clock: LocalClock(now: generated.time, timeZone: timeZone), hasReasons: false).text
    }
}
