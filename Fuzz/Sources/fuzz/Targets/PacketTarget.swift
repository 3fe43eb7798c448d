// The dissector: one record of any link layer.

import TestSupport
import Wire

@testable import Capturing

enum PacketTarget {
    private static let links: [LinkLayer] = [
        .ethernet, .cooked, .cooked2, .rawIP, .loopback, .ppp, .ipv4, .ipv6, .unreadable,
    ]

    static func run(_ input: RawSpan) throws(FuzzFailure) {
        guard input.byteCount > 0 else { return }
        let dissector = PacketDissector(link: links[Int(input.byte(at: 0)) % links.count])
        let record = input.suffix(from: 1)
        var packet = DissectedPacket()
        packet.wireLength = record.byteCount
        if dissector.dissect(record, into: &packet) != nil { return }
        try expect(packet.offset >= 0 && packet.length >= 0, "offset and length are never negative")
        try expect(packet.captured >= 0 && packet.captured <= packet.length, "no more captured than the length says")
        try expect(
            packet.captured == 0 || packet.offset + packet.captured <= record.byteCount,
            "what is captured lies within the record")
        try expect(packet.source.isIPv6 == packet.destination.isIPv6, "both addresses are of one family")
        ViewsTarget.touch(record.suffix(from: packet.offset).prefix(packet.captured))
    }

    static var seeds: [[UInt8]] {
        let framings: [(UInt8, PacketFraming)] = [
            (0, .ethernet), (0, .vlan([5])), (0, .qinq(outer: 5, inner: 6)), (0, .pppoe), (0, .mpls([16, 17])),
            (0, .gre), (0, .ipInIP), (0, .vxlan), (1, .cooked), (2, .cooked2(interface: 7)), (3, .raw), (4, .null),
            (5, .ppp), (6, .raw), (7, .raw),
        ]
        var result: [[UInt8]] = []
        for (link, framing) in framings {
            for endpoints in [Endpoints.ipv4, .ipv6] where !(link == 6 && endpoints.client.isIPv6) {
                if link == 7, endpoints.client.isIPv4 { continue }
                var builder = PacketBuilder(framing: framing)
                builder.tcp(
                    0, fromClient: true, .ack, seq: 1, ack: 2, payload: 8, ts: (1, 2), endpoints: endpoints,
                    extensions: endpoints.client.isIPv6 ? [0, 60] : [])
                builder.udp(0, fromClient: true, payload: [1, 2, 3, 4], endpoints: endpoints)
                result += builder.records.map { [link] + $0.bytes }
            }
        }
        return result
    }
}
