// Outcomes as one small integer a row. The numbers are part of the schema: none is ever given another meaning.

internal import Model

/// The number of an outcome in the `results` table; the table `outcomes` spells each out.
enum OutcomeCode {
    static let ok = 0
    static let late = 1
    static let lost = 2
    static let refused = 3
    static let unresolved = 4

    /// The number of an outcome, without its time.
    static func code(of outcome: Outcome) -> Int {
        switch outcome {
        case .ok: ok
        case .late: late
        case .lost: lost
        case .refused: refused
        case .unresolved: unresolved
        case .error(let error): code(of: error)
        case .indeterminate(let reason): code(of: reason)
        }
    }

    /// The outcome of a number and a time. A number that no release has written says nothing about a target.
    static func outcome(code: Int64, rttNanoseconds: Int64?) -> Outcome {
        let rtt = rttNanoseconds.map { Duration.nanoseconds($0) }
        switch Int(clamping: code) {
        case ok: return .ok(rtt: rtt)
        case late: return rtt.map { .late(rtt: $0) } ?? .indeterminate(.internalError)
        case lost: return .lost
        case refused: return .refused(rtt: rtt)
        case unresolved: return .unresolved
        case let other:
            if let error = errors[other] { return .error(error) }
            return .indeterminate(reasons[other] ?? .internalError)
        }
    }

    /// The time that is stored with an outcome.
    static func rttNanoseconds(of outcome: Outcome) -> Int64? {
        switch outcome {
        case .ok(let rtt), .refused(let rtt): rtt?.clampedNanoseconds
        case .late(let rtt): rtt.clampedNanoseconds
        case .lost, .error, .unresolved, .indeterminate: nil
        }
    }

    /// Every number with its outcome.
    static let all: [(code: Int, outcome: Outcome)] = {
        let plain: [Outcome] = [.ok(rtt: nil), .late(rtt: .zero), .lost, .refused(rtt: nil), .unresolved]
        let outcomes =
            plain + ErrorClass.allCases.map { .error($0) } + IndeterminateReason.allCases.map { .indeterminate($0) }
        return outcomes.map { (code: code(of: $0), outcome: $0) }
    }()

    private static let errors = Dictionary(
        ErrorClass.allCases.map { (code(of: $0), $0) }, uniquingKeysWith: { first, _ in first })
    private static let reasons = Dictionary(
        IndeterminateReason.allCases.map { (code(of: $0), $0) }, uniquingKeysWith: { first, _ in first })

    private static func code(of error: ErrorClass) -> Int {
        switch error {
        case .networkUnreachable: 20
        case .hostUnreachable: 21
        case .protocolUnreachable: 22
        case .portUnreachable: 23
        case .prohibited: 24
        case .timeExceeded: 25
        case .packetTooBig: 26
        case .parameterProblem: 27
        case .reset: 28
        case .linkDown: 29
        case .unexpectedRcode: 30
        case .unexpectedAnswer: 31
        case .malformed: 32
        case .other: 33
        }
    }

    private static func code(of reason: IndeterminateReason) -> Int {
        switch reason {
        case .linkDown: 80
        case .noRoute: 81
        case .gatewayDown: 82
        case .uplinkDown: 83
        case .schedulerStall: 84
        case .clockStep: 85
        case .suspended: 86
        case .descriptorsExhausted: 87
        case .sendBufferFull: 88
        case .sendRefused: 89
        case .noPermission: 90
        case .noSourceAddress: 91
        case .internalError: 92
        case .stopped: 93
        }
    }
}

/// The number of a measurement source in the `results` table.
enum SourceCode {
    static func code(of source: MeasurementSource) -> Int {
        switch source {
        case .kernel: 0
        case .user: 1
        case .tcpInfo: 2
        }
    }

    /// A number that no release has written counts as the least exact source.
    static func source(code: Int64) -> MeasurementSource {
        switch code {
        case 0: .kernel
        case 2: .tcpInfo
        default: .user
        }
    }
}
