// One target's line of a status report, and how it is made from results.

public import Model
internal import Wire

extension StatusReport {
    /// One target: the judgement, the figures of its primary probe, and a row for each probe.
    public struct Target: Codable, Hashable, Sendable {
        public var target: String
        public var title: String
        /// `interface`, `gateway`, `resolver`, `vpn`, `saas`, `host`.
        public var kind: String
        @OrNull public var site: String?
        /// The address probed last; the configured text where none was.
        @OrNull public var address: String?
        /// `up`, `degraded`, `down` or `unknown`.
        public var state: String
        @OrNull public var since: ReportTime?
        public var reason: String
        @OrNull public var layer: String?
        public var evidence: [String]
        /// What was last judged, where the data are too old for `state` to say it; else null.
        @OrNull public var lastKnownState: String?

        /// Id of the probe that the figures below are of; null where there is no result.
        @OrNull public var probe: String?
        /// Packets of the window that say something about the target: answered or failed.
        public var sent: Int
        /// Of these, not answered as expected in time: lost, refused or an error.
        public var lost: Int
        /// Packets that say nothing about the target.
        public var unknown: Int
        /// Share of `lost` in `sent`, 0...100; null where nothing was sent.
        @OrNull public var lossPercent: Double?
        @OrNull public var rttP50: Double?
        @OrNull public var rttP95: Double?
        /// The nearest rank: of a window this short, the highest RTT or the one below it.
        @OrNull public var rttP99: Double?
        /// RFC 3550 interarrival jitter at the end of the window; null below two RTTs.
        @OrNull public var jitter: Double?
        /// The newest RTTs, oldest first; null where there was none.
        public var spark: [Double?]
        /// The outcome of each point of `spark`.
        public var sparkOutcomes: [String]
        @OrNull public var last: Last?
        /// How the newest RTT was measured: `kernel`, `user` or `tcp_info`.
        @OrNull public var source: String?
        /// How old the address is where its name could not be resolved anew; null while resolution works.
        @OrNull public var staleAddressAge: Double?
        /// Results older than this say nothing about now.
        public var staleAfter: Double
        public var probes: [ProbeRow]

        private enum CodingKeys: String, CodingKey {
            case target, title, kind, site, address, state, since, reason, layer, evidence, probe, sent, lost, unknown
            case spark, last, source, probes
            case lastKnownState = "last_known_state"
            case lossPercent = "loss_percent"
            case rttP50 = "rtt_p50_us"
            case rttP95 = "rtt_p95_us"
            case rttP99 = "rtt_p99_us"
            case jitter = "jitter_us"
            case sparkOutcomes = "spark_outcomes"
            case staleAddressAge = "stale_address_age_s"
            case staleAfter = "stale_after_s"
        }

        /// - Parameters:
        ///   - verdict: nil where no change of state is known.
        ///   - series: what came of the target's probes, a value each probe and address.
        ///   - isLive: true for a report of the running daemon, whose judge knows about gaps. False: a state that
        ///     rests on results older than `subject.staleAfter` becomes `unknown`.
        public init(
            _ subject: Subject, verdict: Verdict?, series: [ProbeSeries], now: WallTime, isLive: Bool
        ) {
            target = subject.id.rawValue
            title = subject.title
            kind = subject.kind.rawValue
            site = subject.site
            let current = ProbeSeries.current(series, staleAfter: subject.staleAfter)
            let primary = ProbeSeries.primary(current)
            let newest = current.compactMap { $0.results.last }.max { $0.sent < $1.sent }
            let judgement = Judgement(
                verdict: verdict, newest: newest, now: now, staleAfter: isLive ? nil : subject.staleAfter)
            state = judgement.state.rawValue
            since = ReportTime(judgement.since)
            reason = judgement.reason
            layer = judgement.layer?.rawValue
            evidence = verdict?.evidence ?? []
            lastKnownState = judgement.lastKnown?.rawValue
            address = primary?.address?.description ?? subject.address

            let figures = ProbeFigures(primary?.results ?? [])
            probe = primary?.probe
            sent = figures.sent
            lost = figures.lost
            unknown = figures.unknown
            lossPercent = figures.lossPercent
            rttP50 = figures.rttP50
            rttP95 = figures.rttP95
            rttP99 = figures.rttP99
            jitter = figures.jitter
            let points = (primary?.results ?? []).suffix(StatusReport.sparkLength)
            spark = points.map { $0.outcome.rtt?.reportMicroseconds }
            sparkOutcomes = points.map { $0.outcome.name }
            last = primary?.results.last.map { Last($0) }
            source = primary?.results.last { $0.outcome.rtt != nil }?.source.rawValue
            staleAddressAge = current.compactMap { $0.staleAddressAge }.max()?.inSeconds
            staleAfter = subject.staleAfter.inSeconds
            probes = current.map { ProbeRow($0) }
        }
    }

    /// The newest result of a probe.
    public struct Last: Codable, Hashable, Sendable {
        public var t: ReportTime
        public var outcome: String
        /// The error class or the reason of an indeterminate result.
        @OrNull public var detail: String?
        @OrNull public var rtt: Double?
        /// The kernel's own handshake RTT, for TCP.
        @OrNull public var kernelRTT: Double?
        @OrNull public var note: String?
        public var source: String

        private enum CodingKeys: String, CodingKey {
            case t, outcome, detail, note, source
            case rtt = "rtt_us"
            case kernelRTT = "kernel_rtt_us"
        }

        public init(_ result: ProbeResult) {
            t = ReportTime(result.sent)
            outcome = result.outcome.name
            detail = result.outcome.detail
            rtt = result.outcome.rtt?.reportMicroseconds
            kernelRTT = result.kernelRTT?.reportMicroseconds
            note = result.note
            source = result.source.rawValue
        }
    }

    /// The figures of one probe at one address.
    public struct ProbeRow: Codable, Hashable, Sendable {
        public var probe: String
        /// `icmp`, `tcp`, `dns`, `link`; null where the config no longer says.
        @OrNull public var kind: String?
        @OrNull public var address: String?
        public var sent: Int
        public var lost: Int
        public var unknown: Int
        @OrNull public var lossPercent: Double?
        @OrNull public var rttP50: Double?
        @OrNull public var rttP95: Double?
        @OrNull public var rttP99: Double?
        @OrNull public var jitter: Double?
        @OrNull public var last: Last?
        @OrNull public var staleAddressAge: Double?

        private enum CodingKeys: String, CodingKey {
            case probe, kind, address, sent, lost, unknown, last
            case lossPercent = "loss_percent"
            case rttP50 = "rtt_p50_us"
            case rttP95 = "rtt_p95_us"
            case rttP99 = "rtt_p99_us"
            case jitter = "jitter_us"
            case staleAddressAge = "stale_address_age_s"
        }

        public init(_ series: ProbeSeries) {
            let figures = ProbeFigures(series.results)
            probe = series.probe
            kind = series.kind?.rawValue
            address = series.address?.description
            sent = figures.sent
            lost = figures.lost
            unknown = figures.unknown
            lossPercent = figures.lossPercent
            rttP50 = figures.rttP50
            rttP95 = figures.rttP95
            rttP99 = figures.rttP99
            jitter = figures.jitter
            last = series.results.last.map { Last($0) }
            staleAddressAge = series.staleAddressAge?.inSeconds
        }
    }
}
