// The memory of one probe of one target: its run of like rounds, and the window that loss and RTT are taken over.

import Model

/// Everything the judgement knows of one probe.
struct ProbeTrack: Sendable {
    var spec: ProbeSpec
    /// The family whose rounds these are, where each has a memory of its own; nil: all rounds of the probe.
    let isIPv6: Bool?
    /// It answered once in this run of the daemon, or was answering when the last one stopped.
    var everAnswered = false
    private(set) var newest: RoundDigest?
    /// When the newest round finished; nil before the first.
    private(set) var lastFinished: MonotonicTime?
    /// Since when its next round is waited for, where that is later.
    private var awaitedSince: MonotonicTime?
    /// How the newest failed round failed.
    private var way: (name: String, detail: String?)?
    /// Failed rounds in a row; rounds that say nothing neither count nor break the row.
    private(set) var failures = 0
    /// How many of them, up to the newest, failed in the same way.
    private(set) var alike = 0
    private(set) var answers = 0
    /// Rounds in a row that say nothing.
    private(set) var unknowns = 0
    /// The first round of the present row of like rounds.
    private(set) var runBegan: WallTime?
    private(set) var unknownBegan: WallTime?
    /// When the first round of the present row of failures left, and of that of rounds that say nothing.
    private(set) var failuresLeft: MonotonicTime?
    private(set) var unknownsLeft: MonotonicTime?
    /// When the first round of the present row of answers left.
    private(set) var answersBegan: MonotonicTime?
    private(set) var lastAnswered: MonotonicTime?
    /// When the round left that made the row of failures long enough.
    private(set) var decided: MonotonicTime?
    private(set) var lastFailed: MonotonicTime?
    /// The newest rounds that say something, three windows of them.
    private(set) var window: Recent<RoundDigest>

    /// Whether each of the newest rounds outside of outages failed: what loss is usual here.
    private var usual = Recent<Bool>(capacity: 64)

    init(spec: ProbeSpec, isIPv6: Bool? = nil, window: Int) {
        self.spec = spec
        self.isIPv6 = isIPv6
        self.window = Recent(capacity: Swift.min(3_000, Swift.max(1, window) * 3))
    }

    /// The probe's id, and the family where that makes a difference.
    var label: String { Phrases.label(spec.id, isIPv6: isIPv6) }

    var isFailing: Bool { failures > 0 }
    var isAnswering: Bool { answers > 0 }

    mutating func observe(_ round: RoundDigest, finished: MonotonicTime, judgement: JudgementSettings) {
        lastFinished = lastFinished.map { max($0, finished) } ?? finished
        newest = round
        switch round.standing {
        case .answered:
            // A row of failures that was long enough to be judged was an outage and says nothing of the usual loss.
            if decided == nil { for _ in 0..<min(failures, 64) { usual.append(true) } }
            usual.append(false)
            if answers == 0 {
                runBegan = round.sent
                answersBegan = round.left
            }
            answers += 1
            failures = 0
            unknowns = 0
            decided = nil
            everAnswered = true
            lastAnswered = round.left
            window.append(round)
        case .failed:
            if failures == 0 {
                runBegan = round.sent
                failuresLeft = round.left
                answersBegan = nil
            }
            let isAlike = way.map { $0 == (round.outcome.name, round.outcome.detail) } ?? false
            alike = failures > 0 && isAlike ? alike + 1 : 1
            way = (round.outcome.name, round.outcome.detail)
            failures += 1
            answers = 0
            unknowns = 0
            lastFailed = round.left
            window.append(round)
            if decided == nil, failures >= needed(judgement) { decided = round.left }
        case .unknown:
            if unknowns == 0 {
                unknownBegan = round.sent
                unknownsLeft = round.left
            }
            unknowns += 1
        }
    }

    /// The row of failures begins anew: what hid the target is gone, and only rounds from now on speak of it.
    mutating func forgetFailures() {
        guard failures > 0 else { return }
        failures = 0
        decided = nil
        lastFailed = nil
        runBegan = nil
        window.removeAll()
    }

    /// The row of answers begins anew: those before a hole that was ours say nothing of what came after it.
    mutating func restartAnswers() {
        guard answers > 0 else { return }
        answers = 0
        answersBegan = nil
        runBegan = nil
    }

    mutating func forgetWindow() { window.removeAll() }

    mutating func beginWaiting(at monotonic: MonotonicTime) { awaitedSince = monotonic }

    /// Failed rounds in a row that mean down. `downAfter`, unless the probe is known to lose packets: then as many
    /// as that loss would bring about by chance less than once in a hundred thousand rows, at most `downAfter` + 12.
    ///
    /// Thirty percent of loss gives three losses in a row every fifty rounds or so; without this a lossy line would
    /// be reported down and up all day.
    func needed(_ judgement: JudgementSettings) -> Int {
        let downAfter = max(1, judgement.downAfter)
        let before = usual.newest(64)
        let silent = before.count { $0 }
        guard before.count >= 8, silent >= 2, silent < before.count else { return downAfter }
        let share = Double(silent) / Double(before.count)
        var chance = 1.0
        var rounds = 0
        while chance > 0.000_01, rounds < downAfter + 12 {
            chance *= share
            rounds += 1
        }
        return max(downAfter, rounds)
    }

    /// Packets failed of packets that say something, over the newest `rounds` rounds.
    func loss(rounds: Int) -> (failed: Int, of: Int) {
        var failed = 0
        var total = 0
        for round in window.newest(rounds) {
            failed += round.failed
            total += round.failed + round.answered
        }
        return (failed, total)
    }

    /// Nearest-rank median of the rounds' medians, in nanoseconds.
    func medianRTT(rounds: Int) -> Int64? {
        let sorted = window.newest(rounds).compactMap(\.medianRTT).sorted()
        return sorted.isEmpty ? nil : sorted[(sorted.count - 1) / 2]
    }

    /// How long without a round before its silence is ours: three intervals, never less than an interval, two
    /// timeouts and five seconds.
    var patience: Duration {
        max(spec.interval * 3, spec.interval + spec.timeout * 2 + burst + .seconds(5))
    }

    /// How long to wait for the next word of it when another's fate hangs on it.
    var confirmation: Duration { spec.interval * 2 + spec.timeout + burst }

    private var burst: Duration {
        guard case .icmp(let options) = spec.options else { return .zero }
        return options.spacing * max(0, options.count - 1)
    }

    func isStale(at monotonic: MonotonicTime) -> Bool {
        guard let lastFinished else { return false }
        return monotonic - max(lastFinished, awaitedSince ?? lastFinished) > patience
    }

    /// Whether its newest round was no older than its patience, whatever it has been excused for.
    func wasFresh(at monotonic: MonotonicTime) -> Bool {
        lastFinished.map { monotonic - $0 <= patience } ?? false
    }

    /// It was answering when `failed` (another's newest failed packet) left, and answered one that left after
    /// `decided`: so what lies between us and it was not why the other failed.
    func vouches(since decided: MonotonicTime, newestFailure failed: MonotonicTime) -> Bool {
        guard isAnswering, let lastAnswered, let answersBegan else { return false }
        return lastAnswered >= decided && answersBegan <= failed
    }
}
