// One rule at one target: whether it breaches, whether it is clear, and since when.

import Model

/// What a metric rule keeps of a round.
struct RoundSample: Sendable {
    var failed: Int
    var total: Int
    /// Nanoseconds, sorted.
    var rtts: [Int64]
}

/// A rule's memory for one target.
struct RuleTrack: Sendable {
    /// Index into the engine's rules.
    let rule: Int
    var incident: Int64?
    var breachedSince: MonotonicTime?
    var clearSince: MonotonicTime?
    /// By probe, or by probe and family: at most twice as many as the target has probes.
    private var rounds: [String: Recent<RoundSample>] = [:]

    init(rule: Int, incident: Int64?) {
        self.rule = rule
        self.incident = incident
    }

    /// Keeps holds and rounds of the same rule across a reload; not the rounds of probes that are gone.
    mutating func takeMemory(of other: RuleTrack, probes: [ProbeSpec]) {
        breachedSince = other.breachedSince
        clearSince = other.clearSince
        rounds = other.rounds.filter { entry in
            probes.contains { probe in
                [nil, true, false].contains { Phrases.label(probe.id, isIPv6: $0) == entry.key }
            }
        }
    }

    mutating func forgetRounds() {
        rounds.removeAll()
        breachedSince = nil
        clearSince = nil
    }

    /// `series`: what the round is judged together with, in words.
    mutating func push(_ round: Round, of series: String, rule: AlertRule) {
        let wantsRTT: Bool
        switch rule.condition {
        case .state: return
        case .loss: wantsRTT = false
        case .rtt: wantsRTT = true
        }
        var sample = RoundSample(failed: 0, total: 0, rtts: [])
        for result in round.results {
            switch result.outcome.standing {
            case .answered: sample.total += 1
            case .failed:
                sample.total += 1
                sample.failed += 1
            case .unknown: break
            }
            if wantsRTT, let rtt = result.outcome.rtt { sample.rtts.append(rtt.clampedNanoseconds) }
        }
        guard sample.total > 0, !wantsRTT || !sample.rtts.isEmpty else { return }
        sample.rtts.sort()
        var recent = rounds[series] ?? Recent(capacity: min(1_000, max(1, rule.of)))
        recent.append(sample)
        rounds[series] = recent
    }

    /// What a metric rule finds over its window.
    struct Finding: Sendable {
        var breaches = false
        var isClear = false
        var reason = ""
    }

    /// A rule breaches when, for some probe, the figure over all of the last `of` rounds is above the limit and at
    /// least `needed` of them are above it by themselves; it is clear when no probe's figure is at or above the lower
    /// limit. A window that is not full yet says neither.
    func finding(_ rule: AlertRule) -> Finding {
        var result = Finding()
        var full = 0
        var raised = 0
        for probe in rounds.keys.sorted() {
            guard let recent = rounds[probe], recent.count >= max(1, rule.of) else { continue }
            full += 1
            let window = recent.newest(rule.of)
            switch rule.condition {
            case .state: continue
            case .loss(let above, let clear):
                let failed = window.reduce(0) { $0 + $1.failed }
                let total = window.reduce(0) { $0 + $1.total }
                let share = Double(failed) / Double(max(1, total))
                if share >= clear, failed > 0 { raised += 1 }
                let single = window.count { Double($0.failed) > above * Double($0.total) }
                if share > above, single >= rule.needed, !result.breaches {
                    result.breaches = true
                    result.reason =
                        "loses \(Phrases.percent(share)) of \(probe) over \(rule.of) rounds (limit \(Phrases.percent(above)))"
                }
            case .rtt(let percentile, let above, let clear):
                let all = window.flatMap(\.rtts).sorted()
                let value = Self.percentile(all, percentile)
                if value >= clear.clampedNanoseconds { raised += 1 }
                let limit = above.clampedNanoseconds
                let single = window.count { Self.percentile($0.rtts, percentile) > limit }
                if value > limit, single >= rule.needed, !result.breaches {
                    result.breaches = true
                    let name = percentile == 50 ? "median" : "p\(Phrases.decimal(percentile).replacingDotZero)"
                    result.reason =
                        "\(name) RTT \(Phrases.duration(value)) by \(probe) over \(rule.of) rounds (limit \(Phrases.duration(above)))"
                }
            }
        }
        result.isClear = full > 0 && raised == 0
        return result
    }

    /// Nearest rank: the smallest value that at least `percentile` percent do not exceed; 0 for none.
    static func percentile(_ sorted: [Int64], _ percentile: Double) -> Int64 {
        guard let last = sorted.last else { return 0 }
        let rank = (percentile / 100 * Double(sorted.count)).rounded(.up)
        guard rank.isFinite, rank >= 1 else { return sorted[0] }
        return rank >= Double(sorted.count) ? last : sorted[Int(rank) - 1]
    }
}

extension String {
    fileprivate var replacingDotZero: String { hasSuffix(".0") ? String(dropLast(2)) : self }
}
