// What the packets that went by anyway say about latency, as one value.

public import Model
public import Statistics

/// Passive latency over a range of time, grouped (`taut/flows/1`).
public struct FlowsReport: Codable, Hashable, Sendable {
    public static let schema = "taut/flows/1"
    /// Most rows of one report; the rest is counted in `rows_omitted`.
    public static let maximumRows = 1_000

    /// What rows are grouped by; within a group, each kind of measurement is a row of its own, since a DNS answer's
    /// time and a TCP handshake's do not make one distribution.
    public enum Grouping: String, Codable, Hashable, Sendable, CaseIterable {
        case service, peer, interface, kind
    }

    public var schema: String
    public var generated: ReportTime
    @OrNull public var since: ReportTime?
    @OrNull public var until: ReportTime?
    public var by: Grouping
    /// Most samples first.
    public var rows: [Row]
    public var rowsOmitted: Int
    /// The capture sources and what they could not use.
    public var capture: [StatusReport.Capture]
    /// What each source missed within the range; `capture` counts from the start of the source.
    public var losses: [CaptureLosses]

    private enum CodingKeys: String, CodingKey {
        case schema, generated, since, until, by, rows, capture, losses
        case rowsOmitted = "rows_omitted"
    }

    /// - Parameter cells: may hold a key more than once (one an interval); they are merged.
    public init(
        generated: WallTime, since: WallTime?, until: WallTime?, by: Grouping,
        cells: some Sequence<(PassiveKey, PassiveCell)>, capture: [StatusReport.Capture],
        losses: [(source: String, loss: CaptureLoss)] = []
    ) {
        schema = FlowsReport.schema
        self.generated = ReportTime(generated)
        self.since = ReportTime(since)
        self.until = ReportTime(until)
        self.by = by
        self.capture = capture
        self.losses = losses.map { CaptureLosses(source: $0.source, $0.loss) }
        var groups: [RowKey: Accumulated] = [:]
        for (key, cell) in cells {
            groups[RowKey(key, by: by), default: Accumulated()].add(cell, side: key.side)
        }
        let all = groups.map { Row($0.key, $0.value, by: by) }.sorted { a, b in
            if a.count != b.count { return a.count > b.count }
            if a.failures != b.failures { return a.failures > b.failures }
            return (a.name ?? "", a.kind) < (b.name ?? "", b.kind)
        }
        rows = Array(all.prefix(FlowsReport.maximumRows))
        rowsOmitted = all.count - rows.count
    }

    /// One group and kind of measurement.
    public struct Row: Codable, Hashable, Sendable {
        /// The service, peer or interface; the kind where grouped by it. null where it is not known.
        @OrNull public var name: String?
        /// How the service was learned (`sni`, `dns`, `prefix`), where rows are services.
        public var serviceSources: [String]
        /// What is timed: `tcp_handshake`, `tcp_data`, `dns`, ….
        public var kind: String
        /// Samples of all sides.
        public var count: UInt64
        /// Timeouts, refusals and failed rcodes.
        public var failures: UInt64
        public var retransmissions: UInt64
        /// Capture point to the side that answered, and back.
        @OrNull public var server: Figures?
        /// Capture point to the side that asked, and back.
        @OrNull public var client: Figures?
        /// The whole way.
        @OrNull public var full: Figures?

        private enum CodingKeys: String, CodingKey {
            case name, kind, count, failures, retransmissions, server, client, full
            case serviceSources = "service_sources"
        }

        fileprivate init(_ key: RowKey, _ sum: Accumulated, by: Grouping) {
            name = key.name
            serviceSources = by == .service ? sum.sources.list.map(\.rawValue) : []
            kind = key.kind.rawValue
            failures = sum.failures
            retransmissions = sum.retransmissions
            server = sum.sides[.server].flatMap { Figures($0) }
            client = sum.sides[.client].flatMap { Figures($0) }
            full = sum.sides[.full].flatMap { Figures($0) }
            count = sum.sides.values.reduce(0) { $0.addingSaturated($1.count) }
        }
    }

    /// The distribution of one side's RTTs.
    public struct Figures: Codable, Hashable, Sendable {
        public var count: UInt64
        public var min: Double
        public var p50: Double
        public var p95: Double
        public var p99: Double
        public var max: Double

        private enum CodingKeys: String, CodingKey {
            case count
            case min = "min_us"
            case p50 = "p50_us"
            case p95 = "p95_us"
            case p99 = "p99_us"
            case max = "max_us"
        }

        /// nil for an empty histogram: there is no distribution of nothing.
        public init?(_ histogram: Histogram) {
            guard let minimum = histogram.minimum, let maximum = histogram.maximum,
                let p50 = histogram.quantile(0.5), let p95 = histogram.quantile(0.95),
                let p99 = histogram.quantile(0.99)
            else { return nil }
            count = histogram.count
            min = Double(minimum) / 1_000
            self.p50 = Double(p50) / 1_000
            self.p95 = Double(p95) / 1_000
            self.p99 = Double(p99) / 1_000
            max = Double(maximum) / 1_000
        }
    }

    /// What a capture source missed within the range of the report.
    public struct CaptureLosses: Codable, Hashable, Sendable {
        public var source: String
        public var packets: UInt64
        /// Dropped by the kernel since the ring was full.
        public var kernelDrops: UInt64
        public var interfaceDrops: UInt64
        public var acknowledgements: UInt64
        /// Acknowledgements of data that never came by: holes in the capture, not losses of the network.
        public var captureGaps: UInt64
        /// The share of them in percent; null where none could be judged.
        @OrNull public var captureLoss: Double?
        /// Packets left out by flow.
        public var shed: UInt64

        private enum CodingKeys: String, CodingKey {
            case source, packets, acknowledgements, shed
            case kernelDrops = "kernel_drops"
            case interfaceDrops = "interface_drops"
            case captureGaps = "capture_gaps"
            case captureLoss = "capture_loss_percent"
        }

        public init(source: String, _ loss: CaptureLoss) {
            self.source = source
            packets = loss.packets
            kernelDrops = loss.kernelDrops
            interfaceDrops = loss.interfaceDrops
            acknowledgements = loss.acknowledgements
            captureGaps = loss.gaps
            captureLoss = loss.gapShare.map { ($0 * 100_000).rounded() / 1_000 }
            shed = loss.shed
        }
    }

    fileprivate struct RowKey: Hashable {
        var name: String?
        var kind: PassiveKind

        init(_ key: PassiveKey, by: Grouping) {
            kind = key.kind
            switch by {
            case .service: name = key.service
            case .peer: name = key.peer
            case .interface: name = key.interface
            case .kind: name = key.kind.rawValue
            }
        }
    }

    fileprivate struct Accumulated {
        var sides: [PassiveSide: Histogram] = [:]
        var failures: UInt64 = 0
        var retransmissions: UInt64 = 0
        var sources: ServiceSources = []

        mutating func add(_ cell: PassiveCell, side: PassiveSide) {
            sources.formUnion(cell.serviceSources)
            sides[side, default: Histogram()].merge(cell.histogram)
            failures = failures.addingSaturated(cell.failures)
            retransmissions = retransmissions.addingSaturated(cell.retransmissions)
        }
    }
}
