// What the daemon answers: one JSON object a line.

/// One reply on the control socket, written as `{"reply": "<name>", "value": …}`.
public enum ControlReply: Hashable, Sendable {
    case status(StatusReport)
    case flows(FlowsReport)
    case stat(DaemonStat)
    /// The wish was carried out; a sentence that says what came of it.
    case done(String)
    case hookRun(HookRunReport)
    case silences([SilenceReport])
    case failed(ControlFailure)

    /// A failure with its sentence.
    public static func failed(_ code: ControlFailure.Code, _ message: String) -> ControlReply {
        .failed(ControlFailure(code: code, message: message))
    }
}

extension ControlReply: Codable {
    private enum CodingKeys: String, CodingKey {
        case reply, value
    }

    private enum Name: String, Codable {
        case status, flows, stat, done, silences, failed
        case hookRun = "hook_run"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        switch try container.decode(Name.self, forKey: .reply) {
        case .status: self = .status(try container.decode(StatusReport.self, forKey: .value))
        case .flows: self = .flows(try container.decode(FlowsReport.self, forKey: .value))
        case .stat: self = .stat(try container.decode(DaemonStat.self, forKey: .value))
        case .done: self = .done(try container.decode(String.self, forKey: .value))
        case .hookRun: self = .hookRun(try container.decode(HookRunReport.self, forKey: .value))
        case .silences: self = .silences(try container.decode([SilenceReport].self, forKey: .value))
        case .failed: self = .failed(try container.decode(ControlFailure.self, forKey: .value))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func put(_ name: Name, _ value: some Encodable) throws {
            try container.encode(name, forKey: .reply)
            try container.encode(value, forKey: .value)
        }
        switch self {
        case .status(let value): try put(.status, value)
        case .flows(let value): try put(.flows, value)
        case .stat(let value): try put(.stat, value)
        case .done(let value): try put(.done, value)
        case .hookRun(let value): try put(.hookRun, value)
        case .silences(let value): try put(.silences, value)
        case .failed(let value): try put(.failed, value)
        }
    }
}

/// Why a request was not carried out.
public struct ControlFailure: Codable, Hashable, Sendable, Error, CustomStringConvertible {
    public enum Code: String, Codable, Hashable, Sendable {
        /// The request cannot be read.
        case malformed
        /// What the request names is not there.
        case notFound = "not_found"
        /// The request was understood and declined: an invalid config, a value out of bounds.
        case refused
        /// The daemon has no room now; later it may.
        case busy
        /// The peer may not ask.
        case forbidden
        /// The daemon's own fault.
        case unwell
    }

    public var code: Code
    /// A sentence for people.
    public var message: String
    /// More lines where there are more: each diagnostic of a refused config.
    public var details: [String]

    public init(code: Code, message: String, details: [String] = []) {
        self.code = code
        self.message = message
        self.details = details
    }

    public var description: String { message }
}
