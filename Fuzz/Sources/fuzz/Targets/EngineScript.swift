// Bytes as a script of packets and time steps, so that a fuzzer reaches states of the flow table and not only headers.
//
// Each step is an operation byte and its operands. Numbers of a segment are told relative to what its flow has sent, so
// that most scripts are nearly conversations. Missing operands are zero; a script ends with its bytes.

import TestSupport
import Wire

/// What a script does next.
enum EngineStep {
    /// A record at `time`.
    case record(bytes: [UInt8], wireLength: Int)
    /// No packet for a while.
    case quiet
    /// The interval's figures are taken.
    case drain
}

/// Reads a script step by step.
struct EngineScript: ~Escapable {
    private static let flowCount = 128
    /// Of TCP and of UDP: where DNS, TLS, QUIC, tunnels and VPNs are looked for, and where nothing is.
    private static let streamPorts: [UInt16] = [443, 53, 1194, 8_080]
    private static let datagramPorts: [UInt16] = [
        53, 443, 500, 4_500, 51_820, 1_194, 4_789, 4_790, 6_081, 2_152, 8_472, 14_500, 853, 5_353, 123, 9,
    ]
    /// Longest script in steps; what follows is not read.
    static let stepLimit = 512

    private let bytes: RawSpan
    private var offset = 0
    private var steps = 0
    /// Nanoseconds since 1970; steps back too.
    private(set) var time: Int64 = 1_700_000_000_000_000_000
    /// One behind the highest sequence number of each side of each flow.
    private var next: [UInt32] = (0..<UInt32(2 * flowCount)).map { 1_000 &+ $0 &* 0x0FFF_FFF1 }
    private var timestamps: [UInt32] = Array(repeating: 100, count: 2 * flowCount)
    private var burstPort: UInt16 = 1_024

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    private mutating func byte() -> UInt8 {
        guard offset < bytes.byteCount else { return 0 }
        offset += 1
        return bytes.byte(at: offset - 1)
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let end = min(offset + count, bytes.byteCount)
        var result: [UInt8] = []
        result.reserveCapacity(end - offset)
        while offset < end {
            result.append(bytes.byte(at: offset))
            offset += 1
        }
        return result
    }

    /// Time goes on by a power of two of nanoseconds, up to 18 minutes; the top bit steps back.
    private mutating func stepTime() {
        let code = byte()
        let distance: Int64 = 1 << Int64(min(code & 0x3F, 40))
        time = time &+ (code & 0x80 == 0 ? distance : -distance)
    }

    /// The next step; nil at the end.
    @_lifetime(self: copy self)
    mutating func nextStep() -> EngineStep? {
        guard offset < bytes.byteCount, steps < EngineScript.stepLimit else { return nil }
        steps += 1
        let operation = byte()
        switch operation & 7 {
        case 0, 1, 2: return segment(operation, hasPayloadBytes: false)
        case 3: return segment(operation, hasPayloadBytes: true)
        case 4: return datagram(operation)
        case 5:
            stepTime()
            let frame = take(Int(byte()))
            // Nobody promises that a record's length is that of its bytes.
            return .record(bytes: frame, wireLength: operation & 8 == 0 ? frame.count : Int(operation) << 8)
        case 6: return syn()
        default:
            stepTime()
            return operation & 8 == 0 ? .quiet : .drain
        }
    }

    private static func endpoints(_ flow: Int) -> Endpoints {
        var endpoints = flow & 8 == 0 ? Endpoints.ipv4 : .ipv6
        endpoints.clientPort = 40_000 + UInt16(flow & 7)
        endpoints.serverPort = streamPorts[flow >> 4 & 3]
        return endpoints
    }

    /// who (side, flow), flags, time, sequence, acknowledgement, payload, TSval, TSecr, SACK.
    private mutating func segment(_ operation: UInt8, hasPayloadBytes: Bool) -> EngineStep {
        let who = byte()
        let flow = Int(who & 127)
        let isClient = who & 128 == 0
        let own = flow * 2 + (isClient ? 0 : 1)
        let peer = own ^ 1
        let flags = TCPFlags(rawValue: byte())
        stepTime()
        let scale: UInt32 = [1, 100, 1 << 20, 1 << 27][Int(operation >> 3 & 3)]
        func moved(_ base: UInt32, _ by: UInt8) -> UInt32 {
            base &+ UInt32(bitPattern: Int32(Int8(bitPattern: by))) &* scale
        }
        let sequence = moved(next[own], byte())
        let acknowledgement = moved(next[peer], byte())
        let size = byte()
        let payload = hasPayloadBytes ? take(Int(size)) : []
        let claimed = hasPayloadBytes ? payload.count : Int(size) * (size > 200 ? 200 : 1)
        var options: [UInt8] = []
        let clock = byte()
        if operation & 32 != 0 {
            timestamps[own] = timestamps[own] &+ UInt32(bitPattern: Int32(Int8(bitPattern: clock)))
            options += TCPHeader.timestamps(
                value: clock == 0x7F ? 0 : timestamps[own], echo: timestamps[peer] &- UInt32(byte() & 3))
        }
        if operation & 64 != 0 {
            let block = byte()
            let left = acknowledgement &+ UInt32(block >> 4) &* scale
            options += TCPHeader.selective([(left, left &+ UInt32(block & 15) &* scale)])
        }
        let ends = sequence &+ UInt32(claimed) &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
        if Int32(bitPattern: ends &- next[own]) > 0 { next[own] = ends }
        let parties = EngineScript.endpoints(flow)
        var segment: [UInt8] = []
        TCPHeader(
            sourcePort: isClient ? parties.clientPort : parties.serverPort,
            destinationPort: isClient ? parties.serverPort : parties.clientPort, sequence: sequence,
            acknowledgement: acknowledgement, flags: flags, window: operation & 128 == 0 ? 64_000 : 0,
            options: options
        ).write(payload: hasPayloadBytes ? payload : [UInt8](repeating: 0, count: claimed), to: &segment)
        // Cut by a snap length, as captures are.
        return packet(parties, isClient, .tcp, segment, cut: hasPayloadBytes ? nil : 96)
    }

    /// who (side, family), time, size, payload: UDP to one of the ports above, or an echo where bit 6 says so.
    private mutating func datagram(_ operation: UInt8) -> EngineStep {
        let who = byte()
        stepTime()
        // An Initial of QUIC takes 1,200 bytes at least.
        let size = byte()
        let payload = take(size == 255 ? 1_200 : Int(size))
        var parties = who & 8 == 0 ? Endpoints.dns : .ipv6
        parties.clientPort = 33_333 + UInt16(who & 7)
        parties.serverPort = EngineScript.datagramPorts[Int(operation >> 3 & 15)]
        let isClient = who & 128 == 0
        if who & 64 != 0 {
            let number: IPProtocol = parties.client.isIPv6 ? .icmpv6 : .icmp
            return packet(parties, isClient, number, payload, cut: nil)
        }
        var datagram: [UInt8] = []
        UDPHeader(
            sourcePort: isClient ? parties.clientPort : parties.serverPort,
            destinationPort: isClient ? parties.serverPort : parties.clientPort
        ).write(payload: payload, to: &datagram)
        return packet(parties, isClient, .udp, datagram, cut: nil)
    }

    /// A SYN of a connection that was never seen; scripts repeat it to fill the table.
    private mutating func syn() -> EngineStep {
        stepTime()
        burstPort &+= UInt16(byte() & 15)
        let kind = byte()
        var segment: [UInt8] = []
        TCPHeader(
            sourcePort: burstPort, destinationPort: 80, sequence: UInt32(kind) << 24,
            flags: kind & 1 == 0 ? .syn : .ack
        ).write(payload: [], to: &segment)
        // An acknowledgement from the server's side establishes the flow.
        return packet(.ipv4, kind & 2 == 0, .tcp, segment, cut: nil)
    }

    private func packet(
        _ parties: Endpoints, _ isClient: Bool, _ number: IPProtocol, _ payload: [UInt8], cut: Int?
    ) -> EngineStep {
        var builder = PacketBuilder()
        builder.add(
            at: 0, from: isClient ? parties.client : parties.server, to: isClient ? parties.server : parties.client,
            protocolNumber: number, payload: payload)
        guard let record = builder.records.first else { return .quiet }
        return .record(bytes: cut.map { Array(record.bytes.prefix($0)) } ?? record.bytes, wireLength: record.wireLength)
    }
}
