// What `taut` asks of a running daemon: one JSON object a line.

internal import Model

/// One request on the control socket, written as `{"request": "<name>", …}`.
public enum ControlRequest: Hashable, Sendable {
    /// The live status; answered by `ControlReply.status`.
    case status
    /// Passive latency of the daemon's live window; answered by `ControlReply.flows`.
    case flows(by: FlowsReport.Grouping)
    /// The daemon's own health; answered by `ControlReply.stat`.
    case stat
    /// Read the config again; answered by `done`, or `failed` with every diagnostic.
    case reload
    /// Run a hook once with a made-up event; answered by `hookRun`.
    case hooksTest(name: String)
    /// Put a delivery that was given up back on the spool; answered by `done`.
    case hooksReplay(id: String)
    /// Acknowledge an incident; answered by `done`.
    case ack(id: Int64)
    /// Keep hooks quiet for what matches; answered by `silences` with the new one alone.
    case silence(match: String, duration: Duration, reason: String)
    /// The silences in force and to come; answered by `silences`.
    case silences
    /// End a silence now; answered by `done`.
    case unsilence(id: Int64)

    /// The name on the wire.
    public var name: String { key.rawValue }

    private enum Name: String, Codable {
        case status, flows, stat, reload, ack, silence, silences, unsilence
        case hooksTest = "hooks_test"
        case hooksReplay = "hooks_replay"
    }

    private var key: Name {
        switch self {
        case .status: .status
        case .flows: .flows
        case .stat: .stat
        case .reload: .reload
        case .hooksTest: .hooksTest
        case .hooksReplay: .hooksReplay
        case .ack: .ack
        case .silence: .silence
        case .silences: .silences
        case .unsilence: .unsilence
        }
    }
}

extension ControlRequest: Codable {
    private enum CodingKeys: String, CodingKey {
        case request, by, hook, id, match, reason
        case duration = "duration_s"
    }

    /// Fails for an unknown name, a missing part, and a duration that is not a positive number of seconds.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(Name.self, forKey: .request) {
        case .status: self = .status
        case .flows:
            self = .flows(by: try container.decodeIfPresent(FlowsReport.Grouping.self, forKey: .by) ?? .service)
        case .stat: self = .stat
        case .reload: self = .reload
        case .hooksTest: self = .hooksTest(name: try container.decode(String.self, forKey: .hook))
        case .hooksReplay: self = .hooksReplay(id: try container.decode(String.self, forKey: .id))
        case .ack: self = .ack(id: try container.decode(Int64.self, forKey: .id))
        case .silences: self = .silences
        case .unsilence: self = .unsilence(id: try container.decode(Int64.self, forKey: .id))
        case .silence:
            let seconds = try container.decode(Double.self, forKey: .duration)
            // Up to a hundred years; keeps the conversion below in range.
            guard seconds > 0, seconds <= 3_155_760_000 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .duration, in: container, debugDescription: "a silence lasts between 0 and 100 years")
            }
            self = .silence(
                match: try container.decode(String.self, forKey: .match), duration: .seconds(seconds),
                reason: try container.decode(String.self, forKey: .reason))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(key, forKey: .request)
        switch self {
        case .status, .stat, .reload, .silences: break
        case .flows(let grouping): try container.encode(grouping, forKey: .by)
        case .hooksTest(let name): try container.encode(name, forKey: .hook)
        case .hooksReplay(let id): try container.encode(id, forKey: .id)
        case .ack(let id), .unsilence(let id): try container.encode(id, forKey: .id)
        case .silence(let match, let duration, let reason):
            try container.encode(match, forKey: .match)
            try container.encode(duration.inSeconds, forKey: .duration)
            try container.encode(reason, forKey: .reason)
        }
    }
}
