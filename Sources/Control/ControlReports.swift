// The smaller values that replies carry.

public import Model

/// The daemon's own health (`taut/stat/1`).
public struct DaemonStat: Codable, Hashable, Sendable {
    public static let schema = "taut/stat/1"

    public var schema: String
    public var generated: ReportTime
    public var pid: Int32
    public var version: String
    public var started: ReportTime
    /// On the monotonic clock, which a step of the wall clock does not touch.
    public var uptime: Double
    public var configFile: String
    /// Every diagnostic of a config that was refused on reload, each `file:line:column: sentence`; empty while the
    /// config on disk is the one in use.
    public var configRefused: [String]
    public var heartbeats: [Heartbeat]
    /// Everything counted since the start, by dotted name: `probe.sent`, `control.connections`.
    public var counters: [String: UInt64]

    private enum CodingKeys: String, CodingKey {
        case schema, generated, pid, version, started, heartbeats, counters
        case uptime = "uptime_s"
        case configFile = "config_file"
        case configRefused = "config_refused"
    }

    public init(
        generated: WallTime, pid: Int32, version: String = Version.current, started: WallTime, uptime: Duration,
        configFile: String, configRefused: [String] = [], heartbeats: [Heartbeat] = [],
        counters: [String: UInt64] = [:]
    ) {
        schema = DaemonStat.schema
        self.generated = ReportTime(generated)
        self.pid = pid
        self.version = version
        self.started = ReportTime(started)
        self.uptime = (uptime.inSeconds * 1_000).rounded() / 1_000
        self.configFile = configFile
        self.configRefused = configRefused
        self.heartbeats = heartbeats
        self.counters = counters
    }

    /// One loop and when it was last seen alive.
    public struct Heartbeat: Codable, Hashable, Sendable {
        public var loop: String
        public var age: Double
        /// The watchdog holds its message back while a loop is late.
        public var isLate: Bool

        private enum CodingKeys: String, CodingKey {
            case loop
            case age = "age_s"
            case isLate = "late"
        }

        public init(loop: String, age: Duration, isLate: Bool) {
            self.loop = loop
            self.age = (age.inSeconds * 1_000).rounded() / 1_000
            self.isLate = isLate
        }
    }
}

/// What came of running a hook once.
public struct HookRunReport: Codable, Hashable, Sendable {
    public var hook: String
    public var command: [String]
    public var succeeded: Bool
    /// `exit 0`, `exit 3`, `signal 15`, `timed out after 30 s`, or why it was not started.
    public var result: String
    public var duration: Double
    /// What it printed on stdout and stderr, cut; as it came: escape it where it is shown.
    public var output: String

    private enum CodingKeys: String, CodingKey {
        case hook, command, succeeded, result, output
        case duration = "duration_s"
    }

    public init(
        hook: String, command: [String], succeeded: Bool, result: String, duration: Duration, output: String
    ) {
        self.hook = hook
        self.command = command
        self.succeeded = succeeded
        self.result = result
        self.duration = (duration.inSeconds * 1_000).rounded() / 1_000
        self.output = output
    }
}

/// A silence.
public struct SilenceReport: Codable, Hashable, Sendable {
    public var id: Int64
    public var match: String
    public var from: ReportTime
    public var until: ReportTime
    public var reason: String

    public init(_ silence: Silence) {
        id = silence.id
        match = silence.match
        from = ReportTime(silence.from)
        until = ReportTime(silence.until)
        reason = silence.reason
    }

    public var silence: Silence {
        Silence(id: id, match: match, from: from.time, until: until.time, reason: reason)
    }
}
