// What waits to be written.

internal import Model

/// One thing to be written, in the order it was handed over.
enum StoreItem: Sendable {
    case round(Round)
    case passive(PassiveSummary)
    case transition(Transition)
    case verdict(TargetID, Verdict)
    case event(MonitorEvent)
    case incident(Incident)
    case silence(Silence)
    case silenceRemoval(id: Int64)
    case targets([TargetSpec], site: String)

    /// What it counts for in the queue and in the counters.
    var load: StoreLoad {
        switch self {
        case .round(let round): StoreLoad(samples: max(round.results.count, 1))
        case .passive(let summary): StoreLoad(samples: summary.cells.count + 1)
        case .transition, .verdict, .event, .incident, .silence, .silenceRemoval, .targets: StoreLoad(notices: 1)
        }
    }
}

/// How much waits: samples may be dropped first, notices have room of their own.
struct StoreLoad: Hashable, Sendable {
    var samples = 0
    var notices = 0

    static func += (a: inout StoreLoad, b: StoreLoad) {
        a.samples += b.samples
        a.notices += b.notices
    }
    static func -= (a: inout StoreLoad, b: StoreLoad) {
        a.samples -= b.samples
        a.notices -= b.notices
    }
}
