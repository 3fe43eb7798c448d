// Probing by hand: the daemon's own engine for one command, on the caller's thread.

public import LinuxSystem
public import Model
internal import Synchronization
public import Wire

/// What `OneShot` shall do.
public struct OneShotRequest: Hashable, Sendable {
    /// Addresses and names; the text is what results are labelled with.
    public var targets: [TargetAddress]
    public var family: AddressFamily
    public var options: ProbeOptions
    /// Rounds a target, at least 1.
    public var count: Int
    public var interval: Duration
    public var timeout: Duration

    public init(
        targets: [TargetAddress], family: AddressFamily = .any, options: ProbeOptions, count: Int = 5,
        interval: Duration = .seconds(1), timeout: Duration = .seconds(2)
    ) {
        self.targets = targets
        self.family = family
        self.options = options
        self.count = count
        self.interval = interval
        self.timeout = timeout
    }
}

/// One result of a one-shot probe.
public struct OneShotResult: Hashable, Sendable {
    /// The target as it was asked for.
    public var target: TargetAddress
    /// What it resolved to; nil where it did not.
    public var address: IPAddress?
    public var kind: ProbeKind
    public var result: ProbeResult
    /// Duplicates and foreign packets of the result's round; on its last result only, so that sums are right.
    public var duplicates: UInt32
    public var foreign: UInt32
}

/// Ends a `OneShot` early, from a signal handler's thread or any other.
public final class CancelFlag: Sendable {
    private let flag = Atomic(false)

    public init() {}

    public func cancel() { flag.store(true, ordering: .relaxed) }
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}

/// Runs probes on the caller's thread until each has had its rounds.
public enum OneShot {
    /// Probes every target `count` times and calls `onResult` for each result in the order in which they are known.
    ///
    /// Returns the engine's counters. Throws where the kernel gives no descriptors; everything else is a result. Ends
    /// within a quarter of a second after `cancel`, without results for what is outstanding.
    public static func run(
        _ request: OneShotRequest, sockets: ProbeSockets, resolver: ResolverConfiguration = .system(),
        cancel: CancelFlag = CancelFlag(), onResult: (OneShotResult) -> Void
    ) throws(SystemError) -> ProbeCounters {
        let targets = targets(of: request)
        var labels: [TargetID: TargetAddress] = [:]
        for target in targets { labels[target.id] = target.address }
        let rounds = max(request.count, 1)
        return try withoutActuallyEscaping(onResult) { onResult throws(SystemError) in
            let loop = ProbeLoop(
                loop: try EventLoop(), sockets: sockets, shared: SharedState(resolver: resolver),
                heartbeat: Heartbeat(), onEvent: { _ in },
                onRound: { round in
                    guard let label = labels[round.series.target] else { return }
                    report(round, label, onResult)
                })
            loop.schedule(targets)
            loop.run { loop in
                loop.limit(rounds: rounds)
                return cancel.isCancelled || (loop.hasBegun(rounds: rounds) && !loop.hasOpenWork)
            }
            return loop.counters
        }
    }

    private static func targets(of request: OneShotRequest) -> [TargetSpec] {
        let probe = ProbeSpec(
            id: "probe", interval: request.interval, timeout: request.timeout, options: request.options)
        return request.targets.enumerated().map { index, address in
            TargetSpec(
                id: TargetID(sanitising: "t\(index)"), kind: .host, address: address, family: request.family,
                probes: [probe])
        }
    }

    private static func report(_ round: Round, _ label: TargetAddress, _ onResult: (OneShotResult) -> Void) {
        for (index, result) in round.results.enumerated() {
            let isLast = index == round.results.count - 1
            onResult(
                OneShotResult(
                    target: label, address: round.series.address, kind: round.kind, result: result,
                    duplicates: isLast ? round.duplicates : 0, foreign: isLast ? round.foreign : 0))
        }
    }
}
