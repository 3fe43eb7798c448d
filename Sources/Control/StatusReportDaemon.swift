// The daemon's own part of a status report.

public import Model

extension StatusReport {
    /// How the monitor itself is. Everything but `running` and `data_age_s` is null when the daemon is down.
    public struct Daemon: Codable, Hashable, Sendable {
        public var running: Bool
        @OrNull public var pid: Int32?
        @OrNull public var version: String?
        @OrNull public var started: ReportTime?
        /// Seconds since the newest result; null where there is none.
        @OrNull public var dataAge: Double?
        /// Every error of a config that was refused on reload; null while the config on disk is the one in use.
        @OrNull public var configRefused: [String]?
        @OrNull public var storage: Storage?
        /// One a capture source; empty where nothing is captured.
        public var capture: [Capture]
        @OrNull public var hooks: Hooks?
        @OrNull public var probing: Probing?

        private enum CodingKeys: String, CodingKey {
            case running, pid, version, started, storage, capture, hooks, probing
            case dataAge = "data_age_s"
            case configRefused = "config_refused"
        }

        public init(
            running: Bool, pid: Int32? = nil, version: String? = nil, started: WallTime? = nil,
            dataAge: Duration? = nil, configRefused: [String]? = nil, storage: Storage? = nil,
            capture: [Capture] = [], hooks: Hooks? = nil, probing: Probing? = nil
        ) {
            self.running = running
            self.pid = pid
            self.version = version
            self.started = ReportTime(started)
            self.dataAge = dataAge.map { ($0.inSeconds * 1_000).rounded() / 1_000 }
            self.configRefused = configRefused
            self.storage = storage
            self.capture = capture
            self.hooks = hooks
            self.probing = probing
        }
    }

    /// The database and the queue before it.
    public struct Storage: Codable, Hashable, Sendable {
        @OrNull public var databaseBytes: Int64?
        /// Values waiting for the next commit.
        public var queued: Int
        /// Values let go because the queue was full, since the start.
        public var dropped: UInt64
        public var committed: UInt64
        @OrNull public var lastCommit: ReportTime?
        @OrNull public var lastError: String?

        private enum CodingKeys: String, CodingKey {
            case queued, dropped, committed
            case databaseBytes = "database_bytes"
            case lastCommit = "last_commit"
            case lastError = "last_error"
        }

        public init(
            databaseBytes: Int64?, queued: Int, dropped: UInt64, committed: UInt64, lastCommit: WallTime?,
            lastError: String?
        ) {
            self.databaseBytes = databaseBytes
            self.queued = queued
            self.dropped = dropped
            self.committed = committed
            self.lastCommit = ReportTime(lastCommit)
            self.lastError = lastError
        }
    }

    /// Hook deliveries.
    public struct Hooks: Codable, Hashable, Sendable {
        /// On the spool, not yet delivered.
        public var pending: Int
        /// Given up after the last attempt, since the start.
        public var failed: Int
        @OrNull public var delivered: Int?

        public init(pending: Int, failed: Int, delivered: Int? = nil) {
            self.pending = pending
            self.failed = failed
            self.delivered = delivered
        }
    }

    /// What the probe engine counts about itself, since the start.
    public struct Probing: Codable, Hashable, Sendable {
        public var sent: UInt64
        public var missedTicks: UInt64
        public var duplicates: UInt64
        public var foreign: UInt64
        /// How long after their tick rounds began; null where none has.
        @OrNull public var latenessP99: Double?

        private enum CodingKeys: String, CodingKey {
            case sent, duplicates, foreign
            case missedTicks = "missed_ticks"
            case latenessP99 = "lateness_p99_us"
        }

        public init(sent: UInt64, missedTicks: UInt64, duplicates: UInt64, foreign: UInt64, latenessP99: Duration?) {
            self.sent = sent
            self.missedTicks = missedTicks
            self.duplicates = duplicates
            self.foreign = foreign
            self.latenessP99 = latenessP99?.reportMicroseconds
        }
    }

    /// One capture source and its counters, all from the start of the source.
    public struct Capture: Codable, Hashable, Sendable {
        public var source: String
        /// False while the interface is lost or could not be opened.
        public var running: Bool
        /// Why it is not running, or what is wrong with it.
        @OrNull public var problem: String?
        public var packets: UInt64
        public var bytes: UInt64
        public var kernelDrops: UInt64
        public var interfaceDrops: UInt64
        /// TCP acknowledgements of something new that could be held against the data seen, and those of data that never
        /// came by.
        public var acknowledgements: UInt64
        public var captureGaps: UInt64
        /// Of how many flows one is measured now; 1 unless load is shed.
        public var flowDivisor: UInt64
        /// Packets not used, by reason.
        public var drops: [String: UInt64]
        /// Matches refused, by reason.
        public var rejected: [String: UInt64]
        public var retransmissions: UInt64
        public var outOfOrder: UInt64
        public var duplicates: UInt64
        public var activeFlows: UInt64
        public var evictedFlows: UInt64
        public var refusedFlows: UInt64
        public var overflowedKeys: UInt64

        private enum CodingKeys: String, CodingKey {
            case source, running, problem, packets, bytes, drops, rejected, retransmissions, duplicates
            case acknowledgements
            case captureGaps = "capture_gaps"
            case flowDivisor = "one_flow_of"
            case kernelDrops = "kernel_drops"
            case interfaceDrops = "interface_drops"
            case outOfOrder = "out_of_order"
            case activeFlows = "active_flows"
            case evictedFlows = "evicted_flows"
            case refusedFlows = "refused_flows"
            case overflowedKeys = "overflowed_keys"
        }

        public init(
            source: String, running: Bool = true, problem: String? = nil, counters: CaptureCounters = CaptureCounters()
        ) {
            self.source = source
            self.running = running
            self.problem = problem
            packets = counters.packets
            bytes = counters.bytes
            kernelDrops = counters.kernelDrops
            interfaceDrops = counters.interfaceDrops
            acknowledgements = counters.acknowledgements
            captureGaps = counters.captureGaps
            flowDivisor = counters.flowDivisor
            drops = counters.drops
            rejected = counters.rejected
            retransmissions = counters.retransmissions
            outOfOrder = counters.outOfOrder
            duplicates = counters.duplicates
            activeFlows = counters.activeFlows
            evictedFlows = counters.evictedFlows
            refusedFlows = counters.refusedFlows
            overflowedKeys = counters.overflowedKeys
        }
    }
}
