// Between the engine and the hooks: a storm of incidents becomes a few summaries.

import Model

/// Gathers notices by hook and lets them go at each tick, singly while they are few and as a summary when many.
///
/// A hook gets at most `burst` single notices at once and one more every `refill`; what exceeds that waits and goes out
/// as one summary, at most one every `summaryEvery`. So a hook runs at most 10 + t/6 s + t/30 s times in t seconds.
struct NoticeBatcher: Sendable {
    static let burst = 10.0
    static let refill = Duration.seconds(6)
    static let summaryEvery = Duration.seconds(30)
    /// Evidence lines of a summary.
    static let lines = 50

    private struct Lane: Sendable {
        var waiting: [HookNotice] = []
        /// Incidents whose opening waits here, and those of them that closed meanwhile: neither is told.
        var openings: Set<Int64> = []
        var undone: Set<Int64> = []
        var tokens = NoticeBatcher.burst
        var refilled: MonotonicTime?
        var lastSummary: MonotonicTime?

        mutating func add(_ notice: HookNotice, cancelled: inout UInt64) {
            if let incident = notice.incident {
                if notice.event == .resolved, openings.remove(incident) != nil {
                    undone.insert(incident)
                    cancelled &+= 1
                    return
                }
                if notice.event == .firing { openings.insert(incident) }
            }
            waiting.append(notice)
        }

        mutating func clear() {
            waiting = []
            openings = []
        }

        mutating func dropUndone() {
            guard !undone.isEmpty else { return }
            waiting.removeAll { notice in
                notice.event == .firing && notice.incident.map { undone.contains($0) } == true
            }
            undone = []
        }
    }

    private var lanes: [String: Lane] = [:]
    private var summaries: UInt64 = 0
    /// Notices that were not sent singly, and pairs that cancelled out before either was sent.
    private(set) var summarised: UInt64 = 0
    private(set) var cancelled: UInt64 = 0

    mutating func add(_ notice: HookNotice) {
        lanes[notice.hook, default: Lane()].add(notice, cancelled: &cancelled)
    }

    mutating func flush(site: String, now: WallTime, monotonic: MonotonicTime, all: Bool = false) -> [HookNotice] {
        var result: [HookNotice] = []
        for hook in lanes.keys.sorted() {
            guard var lane = lanes[hook] else { continue }
            if let refilled = lane.refilled {
                let gained = (monotonic - refilled) / Self.refill
                lane.tokens = min(Self.burst, lane.tokens + max(0, gained))
            }
            lane.refilled = monotonic
            lane.dropUndone()
            if !lane.waiting.isEmpty {
                if Double(lane.waiting.count) <= lane.tokens {
                    lane.tokens -= Double(lane.waiting.count)
                    result += lane.waiting
                    lane.clear()
                } else if all || lane.lastSummary.map({ monotonic - $0 >= Self.summaryEvery }) ?? true {
                    lane.lastSummary = monotonic
                    summarised &+= UInt64(lane.waiting.count)
                    summaries &+= 1
                    result.append(Self.summary(of: lane.waiting, hook: hook, site: site, number: summaries, now: now))
                    lane.clear()
                }
            }
            lanes[hook] = lane
        }
        return result
    }

    private static func summary(
        of notices: [HookNotice], hook: String, site: String, number: UInt64, now: WallTime
    ) -> HookNotice {
        let opened = notices.flatMap(\.opened)
        let closed = notices.flatMap(\.closed)
        var parts: [String] = []
        if !opened.isEmpty { parts.append("\(opened.count) incidents opened") }
        if !closed.isEmpty { parts.append("\(closed.count) closed") }
        var evidence: [String] = []
        for notice in notices.prefix(lines) {
            let name = notice.target?.rawValue ?? notice.rule
            evidence.append("\(notice.event.rawValue) \(name): \(notice.reason)")
        }
        if notices.count > lines { evidence[lines - 1] = "and \(notices.count - lines + 1) more" }
        let rules = Set(notices.map(\.rule)).sorted().prefix(5).joined(separator: ", ")
        return HookNotice(
            id: "summary-\(now.nanoseconds)-\(number)-\(hook)", hook: hook, event: .summary, opened: opened,
            closed: closed, rule: "", title: parts.joined(separator: ", "),
            severity: notices.map(\.severity).max() ?? .info,
            reason: parts.joined(separator: " and ") + " (rules: \(rules))", site: site,
            since: notices.map(\.since).min() ?? now, evidence: evidence,
            suppressed: notices.map(\.suppressed).reduce(0) { $0.addingSaturated($1) }, created: now)
    }
}
