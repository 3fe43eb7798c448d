// One interval's figures by interface, service, peer, kind and side, in a bounded table.

internal import Model
internal import Statistics
internal import Wire

/// `PassiveKey` in numbers.
struct SummaryKey: Equatable {
    var interface: UInt32 = 0
    var service: ServiceReference = .none
    /// A masked address, or the index of a configured network in `peerLow`.
    var peerHigh: UInt64 = 0
    var peerLow: UInt64 = 0
    var peer: Peer = .other
    var kind: PassiveKind = .tcpData
    var side: PassiveSide = .server

    enum Peer: UInt8 { case other, network, prefix4, prefix6 }
}

/// Cells are allocated once; recording into an existing bucket of a histogram allocates nothing.
struct SummaryTable: ~Copyable {
    /// Most keys an interval may have; a few more places are kept for what does not fit.
    static var capacity: Int { 4_096 }
    private static var reserve: Int { 64 }
    private static var slotCount: Int { 16_384 }
    private static var longestProbe: Int { 32 }

    /// Index of a cell + 1; 0 is free.
    private var slots: FixedTable<UInt16> = FixedTable(zeroed: SummaryTable.slotCount)
    private var keys: [SummaryKey] = []
    private var cells: [PassiveCell] = []
    private let hash = KeyedHash()
    private(set) var overflowed: UInt64 = 0

    init() {
        keys.reserveCapacity(SummaryTable.capacity + SummaryTable.reserve)
        cells.reserveCapacity(SummaryTable.capacity + SummaryTable.reserve)
    }

    var count: Int { keys.count }

    /// Adds one RTT in nanoseconds (below 0: none), a failure, a retransmission, and how the service was learned.
    mutating func add(
        _ key: SummaryKey, rtt: Int64 = -1, failures: UInt64 = 0, retransmissions: UInt64 = 0,
        source: ServiceSource? = nil
    ) {
        var index = find(key, limit: SummaryTable.capacity)
        if index < 0 {
            overflowed &+= 1
            var rest = SummaryKey()
            rest.kind = key.kind
            rest.side = key.side
            index = find(rest, limit: SummaryTable.capacity + SummaryTable.reserve)
        }
        guard index >= 0 else { return }
        if rtt >= 0 { cells[index].histogram.record(nanoseconds: rtt) }
        cells[index].failures &+= failures
        cells[index].retransmissions &+= retransmissions
        // What did not fit is of no service.
        if let source, keys[index].service != .none { cells[index].serviceSources.formUnion(ServiceSources(source)) }
    }

    /// The key's cell, made where there is room; -1 where there is none.
    private mutating func find(_ key: SummaryKey, limit: Int) -> Int {
        let small =
            UInt64(key.interface) &<< 32 | UInt64(key.kind.code) &<< 16 | UInt64(key.side.code) &<< 8
            | UInt64(key.peer.rawValue)
        let value = hash.hash(key.peerHigh, key.peerLow, small ^ UInt64(key.service.rawValue) &<< 20)
        var slot = Int(truncatingIfNeeded: value) & (SummaryTable.slotCount - 1)
        for _ in 0..<SummaryTable.longestProbe {
            let cell = Int(slots[slot]) &- 1
            if cell < 0 {
                guard keys.count < limit else { return -1 }
                keys.append(key)
                cells.append(PassiveCell())
                slots[slot] = UInt16(keys.count)
                return keys.count - 1
            }
            if keys[cell] == key { return cell }
            slot = (slot &+ 1) & (SummaryTable.slotCount - 1)
        }
        return -1
    }

    subscript(index: Int) -> (key: SummaryKey, cell: PassiveCell) { (keys[index], cells[index]) }

    /// Begins a new interval.
    mutating func removeAll() {
        keys.removeAll(keepingCapacity: true)
        cells.removeAll(keepingCapacity: true)
        for slot in 0..<SummaryTable.slotCount { slots[slot] = 0 }
    }
}

extension PassiveKind {
    /// A small number for hashing.
    var code: UInt8 {
        switch self {
        case .tcpHandshake: 0
        case .tcpData: 1
        case .tcpKeepalive: 2
        case .tcpRefused: 3
        case .dns: 4
        case .icmpEcho: 5
        case .tls: 6
        case .tlsRetry: 7
        case .quicHandshake: 8
        case .quicRetry: 9
        case .quicVersion: 10
        case .quicSpin: 11
        case .wireguard: 12
        case .ikev2: 13
        case .openvpn: 14
        }
    }
}

extension PassiveSide {
    var code: UInt8 {
        switch self {
        case .server: 0
        case .client: 1
        case .full: 2
        }
    }
}
