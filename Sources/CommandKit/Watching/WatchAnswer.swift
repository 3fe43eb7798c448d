// What `taut watch` knows at a time.

internal import Control
internal import Model

/// A status and when it was had.
struct WatchAnswer: Sendable {
    var report: StatusReport
    /// Where it comes from if not from the daemon.
    var note: String?
    /// CLOCK_MONOTONIC in nanoseconds.
    var received: Int64
}

/// What is read about one target when somebody looks at it.
struct WatchDetail: Sendable {
    var target: String
    /// The last hour; nil where the database has nothing.
    var history: HistorySeries?
    /// Newest first.
    var failures: [Failure] = []
    var transitions: [Transition] = []
    var events: [MonitorEvent] = []
    /// Passive latency of the target's addresses.
    var passive: [FlowsReport.Row] = []
    /// Why something of the above is missing.
    var problem: String?

    /// A result that was no answer as expected.
    struct Failure: Sendable {
        var time: WallTime
        var probe: String
        var outcome: String
        var detail: String?
        var note: String?
    }
}

/// What the thread that asks tells the one that draws.
enum WatchNews: Sendable {
    case answer(WatchAnswer)
    /// Neither the daemon nor the database has a status.
    case failure(String)
    case detail(WatchDetail)
}
