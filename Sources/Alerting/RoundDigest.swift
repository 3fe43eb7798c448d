// What the judgement keeps of a round: counts and times, no per-packet rows.

import Model

/// One round as the judgement sees it; a few dozen bytes, so that windows of it are cheap.
struct RoundDigest: Sendable {
    /// Packets answered in time or late.
    var answered: Int
    /// Packets lost, refused or answered by an error.
    var failed: Int
    /// Nearest-rank median RTT in nanoseconds; nil where nothing was timed.
    var medianRTT: Int64?
    /// The outcome that stands for the round: an answered one, else the last failed one, else the last one.
    var outcome: Outcome
    var source: MeasurementSource
    var note: String?
    /// Wall time of the first packet.
    var sent: WallTime
    /// When the last packet that decides the round left, on the monotonic clock: an estimate that errs late for a
    /// failed round and early for an answered one, so that "sent after" is never claimed wrongly.
    var left: MonotonicTime
    var standing: Outcome.Standing
    /// The target itself spoke, if only to refuse: the path to it works.
    var provesPath: Bool

    init(_ round: Round, timeout: Duration) {
        var answered = 0
        var failed = 0
        var rtts: [Int64] = []
        var longest: Int64 = 0
        var spoke = false
        var hasLost = false
        for result in round.results {
            switch result.outcome.standing {
            case .answered: answered += 1
            case .failed: failed += 1
            case .unknown: break
            }
            if let rtt = result.outcome.rtt?.clampedNanoseconds {
                rtts.append(rtt)
                longest = max(longest, rtt)
            }
            if case .refused(let rtt?) = result.outcome { longest = max(longest, rtt.clampedNanoseconds) }
            if result.outcome == .lost { hasLost = true }
            spoke = spoke || result.outcome.isFromTarget
        }
        rtts.sort()
        self.answered = answered
        self.failed = failed
        standing = round.standing
        provesPath = spoke
        medianRTT = rtts.isEmpty ? nil : rtts[(rtts.count - 1) / 2]
        let wanted = round.standing
        let standsFor = round.results.last { $0.outcome.standing == wanted } ?? round.results.last
        outcome = standsFor?.outcome ?? .indeterminate(.internalError)
        source = standsFor?.source ?? .user
        note = standsFor?.note
        sent = round.results.first?.sent ?? round.scheduled
        var age: Duration = hasLost ? timeout : .nanoseconds(longest)
        if hasLost, standing == .answered, let last = round.results.last {
            age += min(max(last.sent - sent, .zero), .seconds(60))
        }
        left = MonotonicTime(nanoseconds: round.finished.nanoseconds.subtractingSaturated(age.clampedNanoseconds))
    }
}

extension Outcome {
    /// Only the target can have said this, so the path to it works.
    var isFromTarget: Bool {
        switch self {
        case .ok, .late, .refused: true
        case .error(let error):
            switch error {
            case .reset, .unexpectedRcode, .unexpectedAnswer, .malformed: true
            // "Port unreachable" of the target itself is `refused`; here it is a firewall's on the way.
            case .networkUnreachable, .hostUnreachable, .protocolUnreachable, .portUnreachable, .prohibited,
                .timeExceeded, .packetTooBig, .parameterProblem, .linkDown, .other:
                false
            }
        case .lost, .unresolved, .indeterminate: false
        }
    }
}

/// The newest values of a sequence, a fixed number of them.
struct Recent<Element: Sendable>: Sendable {
    private var storage: [Element] = []
    private var next = 0
    let capacity: Int

    init(capacity: Int) { self.capacity = Swift.max(1, capacity) }

    var count: Int { storage.count }
    var isEmpty: Bool { storage.isEmpty }

    mutating func append(_ element: Element) {
        if storage.count < capacity {
            storage.append(element)
        } else {
            storage[next] = element
        }
        next = next + 1 == capacity ? 0 : next + 1
    }

    mutating func removeAll() {
        storage.removeAll(keepingCapacity: true)
        next = 0
    }

    /// Up to `limit` values, newest first.
    func newest(_ limit: Int) -> [Element] {
        var result: [Element] = []
        let wanted = Swift.min(Swift.max(0, limit), storage.count)
        result.reserveCapacity(wanted)
        var index = next
        for _ in 0..<wanted {
            index = index == 0 ? storage.count - 1 : index - 1
            result.append(storage[index])
        }
        return result
    }
}
