// The targets, what each of them takes, and the failure that all of them report.
//
// Every target is total: any bytes either pass or break one of the rules it asserts. A trap is a failure by itself.

/// A rule that an input broke.
struct FuzzFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Fails with what was expected, unless it holds.
@inline(__always)
func expect(_ holds: Bool, _ rule: @autoclosure () -> String) throws(FuzzFailure) {
    if !holds { throw FuzzFailure(rule()) }
}

/// What can be fuzzed. The raw value names the dictionary and the folder of `FailCases/`.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// A view of `Wire`, chosen by the first byte, over the rest.
    case views
    /// A DNS message.
    case dns
    /// TLS records and hellos, whole and in pieces.
    case tls
    /// QUIC headers, frames, and Initials that are opened.
    case quic
    /// The dissector: a link layer by the first byte, and one record.
    case packet
    /// The engine with its tables: a script of packets and time steps (`EngineScript`).
    case engine
    /// A capture file, read by libpcap and analysed.
    case file

    /// Takes one input.
    func run(_ input: RawSpan) throws(FuzzFailure) {
        switch self {
        case .views: try ViewsTarget.run(input)
        case .dns: try DNSTarget.run(input)
        case .tls: try TLSTarget.run(input)
        case .quic: try QUICTarget.run(input)
        case .packet: try PacketTarget.run(input)
        case .engine: try EngineTarget.run(input)
        case .file: try FileTarget.run(input)
        }
    }

    /// Well-formed inputs to begin with.
    var seeds: [[UInt8]] {
        switch self {
        case .views: ViewsTarget.seeds
        case .dns: DNSTarget.seeds
        case .tls: TLSTarget.seeds
        case .quic: QUICTarget.seeds
        case .packet: PacketTarget.seeds
        case .engine: EngineTarget.seeds
        case .file: FileTarget.seeds
        }
    }
}
