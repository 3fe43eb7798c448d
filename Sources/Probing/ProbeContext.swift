// What the probers share on the probe thread.

internal import LinuxSystem
internal import Model
internal import Wire

/// Bounds of the engine, in one place; tests make them smaller.
struct ProbeTuning: Sendable {
    /// The loop being late by more than this voids what it cannot prove by kernel stamps.
    var stallBound: Int64 = 500_000_000
    /// Echoes remembered a family.
    var echoCapacity = 262_144
    /// Losses in a row after which a series takes a new ICMP identifier: a stateful middlebox may have a broken entry
    /// for the old one.
    var lossesPerIdentifier = 5
    /// Sockets for TCP and DNS at once; nil: what the process limit leaves.
    var descriptorLimit: Int?
    /// How long a closing TCP connection may wait for the other side's FIN.
    var lingerTime: Int64 = 1_000_000_000
    /// With more probes than this, wake-ups are gathered on a grid of a millisecond.
    var gatherFrom = 200
    var gatherGrid: Int64 = 1_000_000
}

/// The state that the probers of one loop share. Belongs to the probe thread.
final class ProbeContext {
    let loop: EventLoop
    let tuning: ProbeTuning
    let budget: DescriptorBudget
    private let onRound: (Round) -> Void
    /// The clocks as of this turn of the loop.
    var clock = ClockPair.now()
    /// How late the loop was when it woke up for this turn.
    var stall: Int64 = 0
    var interruptions = Interruptions()
    var network = NetworkView()
    var counters = ProbeCounters()
    /// Rounds begun and not yet delivered.
    private(set) var openRounds = 0

    init(loop: EventLoop, tuning: ProbeTuning, onRound: @escaping (Round) -> Void) {
        self.loop = loop
        self.tuning = tuning
        self.onRound = onRound
        budget = DescriptorBudget(
            limit: tuning.descriptorLimit
                ?? DescriptorBudget.limit(forProcessLimit: InternetSocket.descriptorLimit()))
    }

    /// Opens a round; its results come by `record`.
    func open(_ round: OpenRound) {
        round.series.append(round)
        openRounds += 1
    }

    /// Notes a result; delivers what is complete by it.
    func record(
        _ outcome: Outcome, in round: OpenRound, packet: Int, sent: Int64? = nil, source: MeasurementSource = .user,
        kernelRTT: Duration? = nil, note: String? = nil
    ) {
        let result = ProbeResult(
            sent: WallTime(nanoseconds: sent ?? clock.wall),
            sequence: round.firstSequence &+ UInt32(truncatingIfNeeded: packet), outcome: outcome, source: source,
            kernelRTT: kernelRTT, note: note.map { Text.sanitised($0) })
        guard !round.series.isRetired, round.record(result, packet: packet) else { return }
        counters.count(outcome)
        while let finished = round.series.takeFinished() {
            openRounds -= 1
            counters.rounds += 1
            onRound(finished.report(finished: clock.monotonic))
        }
    }

    /// Drops the rounds of a series whose probe is gone.
    func retire(_ series: Series) {
        openRounds -= series.retire()
    }

    /// The outcome of a packet that nobody answered in time. Where we were not there while it was under way, the answer
    /// may have come and gone.
    func outcomeWithoutAnswer(sent: Int64) -> Outcome {
        if interruptions.isSuspended(sent: sent) { return .indeterminate(.suspended) }
        if interruptions.isStalled(sent: sent) { return .indeterminate(.schedulerStall) }
        return .lost
    }

    /// The outcome of an answer by its stamps.
    func outcome(of trip: RoundTrip, patience: Patience) -> (outcome: Outcome, source: MeasurementSource) {
        if interruptions.isSuspended(sent: trip.sent.monotonic) { return (.indeterminate(.suspended), .user) }
        switch trip.measure(stall: stall, stallBound: tuning.stallBound) {
        case .time(let rtt, let source):
            if source == .user { counters.unstamped += 1 }
            return (patience.outcome(rtt: rtt), source)
        case .clockStep: return (.indeterminate(.clockStep), .user)
        case .tooLateToTell: return (.indeterminate(.schedulerStall), .user)
        }
    }

    /// The reason for a failed system call.
    func reason(_ errno: Int32, source: ProbeSource) -> IndeterminateReason {
        // For a source that is none of ours raw sockets get "network unreachable".
        if let address = source.address, network.isKnownNotOwn(address) { return .noSourceAddress }
        return SendErrors.reason(errno, hasSourceAddress: source.address != nil, noRoute: network.reasonForNoRoute)
    }
}
