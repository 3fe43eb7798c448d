// What a probe can come to. Unknown is a state of its own: `indeterminate` never counts for or against a target.

/// What became of one probe packet or attempt.
public enum Outcome: Hashable, Sendable {
    /// Answered as expected. `rtt` is nil only where there is nothing to time (a link's state).
    case ok(rtt: Duration?)
    /// No answer until the timeout.
    case lost
    /// Answered as expected, but after the timeout.
    case late(rtt: Duration)
    /// The target said no: RST to a SYN, or a port-unreachable from the target itself.
    case refused(rtt: Duration?)
    /// The target or the path answered with an error.
    case error(ErrorClass)
    /// The target's name has no address now; the resolver's fault or the name's, not the target's.
    case unresolved
    /// We were unwell: says nothing about the target.
    case indeterminate(IndeterminateReason)

    /// The measured round-trip time where there is one that speaks of the network (ok and late).
    public var rtt: Duration? {
        switch self {
        case .ok(let rtt): rtt
        case .late(let rtt): rtt
        case .lost, .refused, .error, .unresolved, .indeterminate: nil
        }
    }

    /// Which of the three sides the outcome counts for.
    public var standing: Standing {
        switch self {
        case .ok, .late: .answered
        case .lost, .refused, .error: .failed
        case .unresolved, .indeterminate: .unknown
        }
    }

    public enum Standing: Hashable, Sendable { case answered, failed, unknown }

    /// The name used in JSON, CSV and the database: `ok`, `lost`, `late`, `refused`, `error`, `unresolved`, `indeterminate`.
    public var name: String {
        switch self {
        case .ok: "ok"
        case .lost: "lost"
        case .late: "late"
        case .refused: "refused"
        case .error: "error"
        case .unresolved: "unresolved"
        case .indeterminate: "indeterminate"
        }
    }

    /// The error class or the reason, where the outcome has one.
    public var detail: String? {
        switch self {
        case .error(let error): error.rawValue
        case .indeterminate(let reason): reason.rawValue
        default: nil
        }
    }
}

/// Why a target or the path to it said no. The raw value is the name in JSON and in the database.
public enum ErrorClass: String, Hashable, Sendable, CaseIterable {
    case networkUnreachable = "network-unreachable"
    case hostUnreachable = "host-unreachable"
    case protocolUnreachable = "protocol-unreachable"
    case portUnreachable = "port-unreachable"
    case prohibited = "prohibited"
    case timeExceeded = "time-exceeded"
    case packetTooBig = "packet-too-big"
    case parameterProblem = "parameter-problem"
    case reset = "reset"
    case linkDown = "link-down"
    /// DNS: an rcode other than the expected one; the name of the rcode is in the result's detail.
    case unexpectedRcode = "unexpected-rcode"
    /// DNS: the expected answer is not in the reply.
    case unexpectedAnswer = "unexpected-answer"
    /// The reply is not what the protocol allows.
    case malformed = "malformed"
    case other = "other"
}

/// Why a probe says nothing about its target. The raw value is the name in JSON and in the database.
public enum IndeterminateReason: String, Hashable, Sendable, CaseIterable {
    case linkDown = "own-link-down"
    case noRoute = "no-route"
    case gatewayDown = "gateway-down"
    case uplinkDown = "uplink-down"
    case schedulerStall = "scheduler-stall"
    case clockStep = "clock-step"
    case suspended = "suspended"
    case descriptorsExhausted = "descriptors-exhausted"
    case sendBufferFull = "send-buffer-full"
    case sendRefused = "send-refused"
    case noPermission = "no-permission"
    case noSourceAddress = "no-source-address"
    case internalError = "internal-error"
    case stopped = "stopped"
}

/// How an RTT was measured. The raw value is the name in JSON and in the database.
public enum MeasurementSource: String, Hashable, Sendable, CaseIterable {
    /// Kernel transmit and receive timestamps.
    case kernel
    /// At least one stamp was taken in user space, so our own scheduling is in the figure.
    case user
    /// The kernel's own handshake RTT (TCP_INFO).
    case tcpInfo = "tcp_info"
}
