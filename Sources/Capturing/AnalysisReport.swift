// What `taut analyze` says of a file: the whole, by kind, by service, and sample by sample.

public import Model
public import Wire

/// How a passive sample was matched. The raw value is the name in JSON.
public enum PassiveMethod: String, Hashable, Sendable, CaseIterable {
    case syn, seq, timestamp, sack, transaction, spin
}

/// What became of a transaction that has no RTT. The raw value is the name in JSON.
public enum PassiveOutcome: String, Hashable, Sendable, CaseIterable {
    /// No reply within the limit, or until the capture ended (DNS, TLS, QUIC, handshakes of VPNs).
    case timeout
    /// No reply while it was watched (a SYN, an echo request), or an ICMP error in its place; `note` names that.
    case unanswered
    /// A reply without a request.
    case orphan
    /// A reply that cannot be told from which of several copies of the request it comes; `note` holds the bounds.
    case ambiguous
}

/// One passive sample, or one transaction that did not come to one.
public struct AnalyzedSample: Hashable, Sendable {
    /// The record time of the reply; of the last request where there is no reply.
    public var time: WallTime
    public var kind: PassiveKind
    public var side: PassiveSide
    public var method: PassiveMethod
    /// Nanoseconds; nil where there is none.
    public var rtt: Int64?
    public var outcome: PassiveOutcome?
    /// The side that sent what was timed: the SYN (for both halves of a handshake), the data, the query.
    public var source: IPAddress
    public var sourcePort: UInt16
    public var destination: IPAddress
    public var destinationPort: UInt16
    /// nil where the link type does not tell.
    public var interface: String?
    public var service: String?
    /// How the service was learned; nil where there is none.
    public var serviceSource: ServiceSource?
    /// `one_sided`, `retries=1`, an rcode, an IKE exchange, an ICMP error and the like, with commas between; nil where
    /// there is nothing to say.
    public var note: String?
}

/// The figures of one kind and side.
public struct PassiveFigures: Hashable, Sendable {
    /// nil in `AnalysisReport.kinds`; in `services` the service's name, nil for unattributed samples.
    public var service: String?
    /// How the service was learned, in the order of `ServiceSource`; empty where there is none.
    public var serviceSources: [ServiceSource] = []
    public var kind: PassiveKind
    public var side: PassiveSide
    /// Samples with an RTT.
    public var count: UInt64
    /// Timeouts, refusals, failed rcodes.
    public var failures: UInt64
    /// Nanoseconds; nil where count is 0.
    public var minimum: Int64?
    public var p50: Int64?
    public var p95: Int64?
    public var p99: Int64?
    public var maximum: Int64?
}

/// What a capture file came to.
public struct AnalysisReport: Hashable, Sendable {
    public var file: String
    /// Counters with the meaning they have in the daemon: packets, bytes, drops, rejected, retransmissions, …
    public var counters = CaptureCounters()
    /// From the earliest to the latest record.
    public var duration: Duration = .zero
    /// TCP connections seen.
    public var flows: UInt64 = 0
    /// TCP connections of which one direction was seen only.
    public var oneSidedFlows: UInt64 = 0
    /// Out-of-order arrivals too late for plain reordering: lost before the capture point and sent again.
    public var upstreamLosses: UInt64 = 0
    /// Retransmissions that were not needed, told by the echo of the first copy's timestamp.
    public var spuriousRetransmissions: UInt64 = 0
    public var kinds: [PassiveFigures] = []
    public var services: [PassiveFigures] = []
    /// Why reading ended before the end of the file, in one line; the figures are those until then.
    public var warning: String?

    public init(file: String) { self.file = file }

    public var packets: UInt64 { counters.packets }
    public var bytes: UInt64 { counters.bytes }
    public var drops: [String: UInt64] { counters.drops }
    public var rejected: [String: UInt64] { counters.rejected }
    public var retransmissions: UInt64 { counters.retransmissions }
    public var outOfOrder: UInt64 { counters.outOfOrder }
    public var duplicates: UInt64 { counters.duplicates }
    /// Packets that were read and not dropped: `packets` = `used` + the sum of `drops`.
    public var used: UInt64 { counters.packets &- counters.drops.values.reduce(0, &+) }
}
