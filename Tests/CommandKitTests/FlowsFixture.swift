import Control
import Model
import Statistics

enum FlowsFixture {
    static func cell(
        milliseconds: [Int64], failures: UInt64 = 0, retransmissions: UInt64 = 0, sources: ServiceSources = .sni
    ) -> PassiveCell {
        var histogram = Histogram()
        for value in milliseconds { histogram.record(nanoseconds: value * 1_000_000) }
        return PassiveCell(
            histogram: histogram, failures: failures, retransmissions: retransmissions, serviceSources: sources)
    }

    static func key(_ service: String?, _ kind: PassiveKind, _ side: PassiveSide, interface: String = "eth0")
        -> PassiveKey
    {
        PassiveKey(interface: interface, service: service, peer: "office", kind: kind, side: side)
    }

    static var cells: [(PassiveKey, PassiveCell)] {
        [
            (key("crm.example.com", .tcpHandshake, .server), cell(milliseconds: [30, 31, 32], retransmissions: 2)),
            (key("crm.example.com", .tcpHandshake, .server), cell(milliseconds: [29], sources: .dns)),
            (key("crm.example.com", .tcpHandshake, .client), cell(milliseconds: [20, 20], failures: 1)),
            (key("crm.example.com", .tcpHandshake, .server, interface: "wg0"), cell(milliseconds: [50])),
            (key(nil, .dns, .full), cell(milliseconds: [5], sources: [])),
        ]
    }

    static var loss: CaptureLoss {
        var loss = CaptureLoss()
        loss.packets = 50_000
        loss.kernelDrops = 120
        loss.acknowledgements = 4_000
        loss.gaps = 10
        loss.shed = 900
        return loss
    }

    static var report: FlowsReport {
        FlowsReport(
            generated: Fixtures.now, since: Fixtures.now - .seconds(3_600), until: Fixtures.now, by: .service,
            cells: cells, capture: Fixtures.daemon.capture, losses: [("any", loss)])
    }
}
