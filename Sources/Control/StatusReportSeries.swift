// What a status report is made from: who a target is, and the newest results of its probes.

public import Model
internal import Statistics
public import Wire

extension StatusReport {
    /// Who a target is; from the config or from the database.
    public struct Subject: Hashable, Sendable {
        public var id: TargetID
        public var title: String
        public var kind: TargetKind
        public var site: String?
        /// The configured address as text.
        public var address: String?
        /// Results older than this say nothing about now.
        public var staleAfter: Duration

        /// - Parameter interval: the longest interval of its probes; nil where it is not known.
        public init(
            id: TargetID, title: String, kind: TargetKind, site: String? = nil, address: String? = nil,
            interval: Duration? = nil
        ) {
            self.id = id
            self.title = title
            self.kind = kind
            self.site = site
            self.address = address
            // Three intervals and the writer's commit interval; a minute at the least.
            staleAfter = max(.seconds(60), (interval ?? .seconds(30)) * 3 + .seconds(20))
        }

        public init(_ spec: TargetSpec) {
            self.init(
                id: spec.id, title: spec.title, kind: spec.kind, site: spec.site, address: spec.address.text,
                interval: spec.probes.map { $0.interval }.max())
        }
    }

    /// The newest results of one probe of one target at one address.
    public struct ProbeSeries: Hashable, Sendable {
        public var probe: String
        public var kind: ProbeKind?
        public var address: IPAddress?
        /// Oldest first, `StatusReport.window` at most.
        public var results: [ProbeResult]
        public var staleAddressAge: Duration?

        public init(
            probe: String, kind: ProbeKind?, address: IPAddress?, results: some Collection<ProbeResult>,
            staleAddressAge: Duration? = nil
        ) {
            self.probe = probe
            self.kind = kind
            self.address = address
            self.results = Array(results.suffix(StatusReport.window))
            self.staleAddressAge = staleAddressAge
        }

        /// The series that speak of now, in the order of probe and address: an address that the target no longer has
        /// is left out once the probe has another.
        static func current(_ all: [ProbeSeries], staleAfter: Duration) -> [ProbeSeries] {
            var newest: [String: WallTime] = [:]
            for series in all {
                guard let sent = series.results.last?.sent else { continue }
                newest[series.probe] = max(newest[series.probe] ?? sent, sent)
            }
            let kept = all.filter { series in
                guard let latest = newest[series.probe] else { return true }
                guard let sent = series.results.last?.sent else { return false }
                return latest - sent <= staleAfter
            }
            return kept.sorted { a, b in
                if a.rank != b.rank { return a.rank < b.rank }
                if a.probe != b.probe { return a.probe < b.probe }
                guard let left = a.address, let right = b.address else { return a.address == nil && b.address != nil }
                return left < right
            }
        }

        /// ICMP if there is one, else the first: the one whose RTT is nearest to the network's.
        static func primary(_ current: [ProbeSeries]) -> ProbeSeries? {
            current.first { !$0.results.isEmpty }
        }

        private var rank: Int {
            switch kind {
            case .icmp: 0
            case .tcp: 1
            case .dns: 2
            case .link: 3
            case nil: probe.hasPrefix("icmp") ? 0 : 4
            }
        }
    }

    /// Counts and quantiles over one probe's results.
    struct ProbeFigures {
        var sent = 0
        var lost = 0
        var unknown = 0
        var lossPercent: Double?
        var rttP50: Double?
        var rttP95: Double?
        var rttP99: Double?
        var jitter: Double?

        init(_ results: [ProbeResult]) {
            var times: [Int64] = []
            var running = Jitter()
            for result in results {
                switch result.outcome.standing {
                case .answered: sent += 1
                case .failed:
                    sent += 1
                    lost += 1
                case .unknown: unknown += 1
                }
                guard let rtt = result.outcome.rtt else { continue }
                let nanoseconds = rtt.clampedNanoseconds
                running.record(nanoseconds: nanoseconds)
                times.append(nanoseconds)
            }
            if sent > 0 { lossPercent = (Double(lost) * 100_000 / Double(sent)).rounded() / 1_000 }
            jitter = running.nanoseconds.map { Double($0) / 1_000 }
            times.sort()
            rttP50 = Quantiles.exact(sorted: times, 0.5).map { Double($0) / 1_000 }
            rttP95 = Quantiles.exact(sorted: times, 0.95).map { Double($0) / 1_000 }
            rttP99 = Quantiles.exact(sorted: times, 0.99).map { Double($0) / 1_000 }
        }
    }

    /// The verdict as it may be told now: what rests on old data is unknown.
    struct Judgement {
        /// A clock that is steered back by less is no clock that was set back.
        private static let clockTolerance = Duration.seconds(10)

        var state: TargetState
        var since: WallTime?
        var reason: String
        var layer: FaultLayer?
        var lastKnown: TargetState?

        init(verdict: Verdict?, newest: ProbeResult?, now: WallTime, staleAfter: Duration?) {
            let latest = newest?.sent
            guard let verdict else {
                state = .unknown
                reason =
                    newest.map { "never seen up or down; the newest result is \($0.outcome.name)" } ?? "no result yet"
                return
            }
            state = verdict.state
            since = verdict.since
            reason = verdict.reason
            layer = verdict.layer
            guard let staleAfter else { return }
            let isAhead = latest.map { $0 - now > Self.clockTolerance } ?? false
            if let latest, !isAhead, now - latest <= staleAfter { return }
            state = .unknown
            lastKnown = verdict.state
            layer = .monitor
            if isAhead {
                // How old it is cannot be told.
                since = now
                reason = "its newest result lies in the future; was \(verdict.state.rawValue)"
            } else {
                since = latest ?? verdict.since
                reason = "not measured since then; was \(verdict.state.rawValue)"
            }
        }
    }
}
