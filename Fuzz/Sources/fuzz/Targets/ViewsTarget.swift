// Every view of `Wire`: if the initialiser succeeded, no accessor may fail, and no payload may leave the bytes.

import TestSupport
import Wire

enum ViewsTarget {
    static func run(_ input: RawSpan) throws(FuzzFailure) {
        guard input.byteCount > 0 else { return }
        let bytes = input.suffix(from: 1)
        // A table of these functions would read better, but the compiler cannot make one of functions over spans.
        switch input.byte(at: 0) & 31 {
        case 0: try ethernet(bytes)
        case 1: try tag(bytes)
        case 2: try cooked(bytes)
        case 3: try cooked2(bytes)
        case 4: try loopback(bytes)
        case 5: try label(bytes)
        case 6: try session(bytes)
        case 7: try gre(bytes)
        case 8: try vxlan(bytes)
        case 9: try ipv4(bytes)
        case 10: try ipv6(bytes)
        case 11: try tcp(bytes)
        case 12: try udp(bytes)
        case 13: try icmpv4(bytes)
        case 14: try icmpv6(bytes)
        case 15: try text(bytes)
        default: try TunnelViews.run(input.byte(at: 0) & 31, bytes)
        }
    }

    static func within(_ payload: RawSpan, _ bytes: RawSpan, header: Int) throws(FuzzFailure) {
        try expect(payload.byteCount <= max(bytes.byteCount - header, 0), "payload longer than what follows the header")
        touch(payload)
    }

    /// Reads every byte, so that a span that reaches too far is found out.
    static func touch(_ bytes: RawSpan) {
        var sum: UInt8 = 0
        for index in 0..<bytes.byteCount { sum ^= bytes.byte(at: index) }
        sink = sum
    }

    /// A place that the optimiser must write to.
    nonisolated(unsafe) static var sink: UInt8 = 0

    // MARK: Link layers

    private static func ethernet(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = EthernetFrame(bytes) else { return }
        sink = UInt8(truncatingIfNeeded: view.type.rawValue)
        try within(view.payload, bytes, header: EthernetFrame.headerLength)
    }

    private static func tag(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = VLANTag(bytes) else { return }
        try expect(view.identifier < 4_096, "a VLAN identifier has twelve bits")
        sink = UInt8(truncatingIfNeeded: view.type.rawValue)
        try within(view.payload, bytes, header: VLANTag.length)
    }

    private static func cooked(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = LinuxCookedPacket(bytes) else { return }
        sink = UInt8(truncatingIfNeeded: view.type.rawValue)
        try within(view.payload, bytes, header: LinuxCookedPacket.headerLength)
    }

    private static func cooked2(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = LinuxCookedPacket2(bytes) else { return }
        let header = LinuxCookedHeader(view)
        try expect(header.interface == view.interface && header.type == view.type, "view and value differ")
        sink = UInt8(truncatingIfNeeded: view.hardwareType)
        try within(view.payload, bytes, header: LinuxCookedPacket2.headerLength)
    }

    private static func loopback(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = LoopbackPacket(bytes) else { return }
        sink = UInt8(truncatingIfNeeded: LoopbackHeader(view).family &+ UInt32(view.type?.rawValue ?? 0))
        try within(view.payload, bytes, header: LoopbackPacket.headerLength)
    }

    // MARK: Between the layers

    private static func label(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = MPLSLabel(bytes) else { return }
        try expect(view.label < 1 << 20, "a label has twenty bits")
        try expect(view.innerType == nil || view.isBottomOfStack, "only the bottom label has an inner type")
        try within(view.payload, bytes, header: MPLSLabel.length)
    }

    private static func session(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = PPPoESession(bytes) else { return }
        sink = UInt8(truncatingIfNeeded: view.session ^ (view.type?.rawValue ?? 0))
        try within(view.payload, bytes, header: PPPoESession.headerLength)
    }

    private static func gre(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = GREPacket(bytes) else { return }
        try expect(view.headerLength <= bytes.byteCount, "the header lies within the bytes")
        sink = UInt8(truncatingIfNeeded: view.type.rawValue)
        try within(view.payload, bytes, header: view.headerLength)
    }

    private static func vxlan(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = VXLANPacket(bytes) else { return }
        try expect(view.network < 1 << 24, "a VXLAN network identifier has 24 bits")
        try within(view.payload, bytes, header: VXLANPacket.headerLength)
    }

    // MARK: Network and transport

    private static func ipv4(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = IPv4Packet(bytes) else { return }
        try expect(view.headerLength >= 20 && view.headerLength <= bytes.byteCount, "the header lies within the bytes")
        try expect(
            view.fragmentOffset < 65_536 && view.fragmentOffset % 8 == 0, "fragments begin at multiples of eight")
        let header = IPv4Header(view)
        try expect(header.source == view.source && header.destination == view.destination, "view and value differ")
        try expect(IPAddress(header.source.description) == header.source, "an address reads back")
        var written: [UInt8] = []
        header.write(payload: [1, 2], to: &written)
        guard let again = IPv4Packet(written.span.bytes) else { throw FuzzFailure("what was written is refused") }
        try expect(IPv4Header(again) == header, "what was written reads back")
        try within(view.payload, bytes, header: view.headerLength)
    }

    private static func ipv6(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = IPv6Packet(bytes) else { return }
        let header = IPv6Header(view)
        try expect(IPAddress(header.source.description) == header.source, "an address reads back")
        var written: [UInt8] = []
        header.write(payload: [1, 2], to: &written)
        guard let again = IPv6Packet(written.span.bytes) else { throw FuzzFailure("what was written is refused") }
        try expect(IPv6Header(again) == header, "what was written reads back")
        if let upper = view.upperLayer() {
            try expect(upper.offset >= IPv6Packet.headerLength, "extension headers lie behind the header")
            try expect((0...65_528).contains(upper.fragmentOffset), "a fragment's offset has 13 bits of eight bytes")
        }
        try within(view.payload, bytes, header: IPv6Packet.headerLength)
    }

    private static func tcp(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = TCPSegment(bytes) else { return }
        try expect((20...60).contains(view.headerLength), "a TCP header has 20 to 60 bytes")
        let options = view.options
        try expect(options.hasTimestamps || options.timestampValue == 0, "no timestamps, no TSval")
        let header = TCPHeader(view)
        try expect(header.sequence == view.sequence && header.flags == view.flags, "view and value differ")
        var written: [UInt8] = []
        header.write(payload: [], to: &written)
        guard let again = TCPSegment(written.span.bytes) else { throw FuzzFailure("what was written is refused") }
        try expect(TCPHeader(again) == header, "what was written reads back")
        try within(view.payload, bytes, header: view.headerLength)
    }

    private static func udp(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = UDPDatagram(bytes) else { return }
        let header = UDPHeader(view)
        try expect(header.sourcePort == view.sourcePort, "view and value differ")
        try within(view.payload, bytes, header: UDPDatagram.headerLength)
        try expect(view.length == 0 || view.payload.byteCount <= view.length - 8, "the length field bounds the payload")
    }

    private static func icmpv4(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = ICMPv4Message(bytes) else { return }
        try expect(!(view.isEchoRequest && view.isEchoReply), "a message is not both request and reply")
        if let echo = ICMPEcho(view) {
            try expect(echo.isReply == view.isEchoReply && echo.sequence == view.sequence, "view and value differ")
            var written: [UInt8] = []
            echo.writeICMPv4(payload: [1, 2, 3], to: &written)
            guard let again = ICMPv4Message(written.span.bytes) else {
                throw FuzzFailure("what was written is refused")
            }
            try expect(again.hasValidChecksum, "what was written has a valid checksum")
        }
        sink = view.hasValidChecksum ? 1 : UInt8(truncatingIfNeeded: view.nextHopMTU)
        touch(view.payload)
    }

    private static func icmpv6(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = ICMPv6Message(bytes) else { return }
        try expect(!(view.isEchoRequest && view.isError), "an echo is no error")
        if let echo = ICMPEcho(view) { try expect(echo.identifier == view.identifier, "view and value differ") }
        sink = UInt8(truncatingIfNeeded: view.parameter)
        touch(view.payload)
    }

    /// Addresses and prefixes as text: what is read is written as text that reads back.
    private static func text(_ bytes: RawSpan) throws(FuzzFailure) {
        var characters: [UInt8] = []
        for index in 0..<bytes.byteCount { characters.append(bytes.byte(at: index)) }
        let text = String(decoding: characters, as: UTF8.self)
        if let address = IPAddress(text) {
            try expect(IPAddress(address.description) == address, "\(address) does not read back")
            try expect(IPAddress(bytes: address.bytes) == address, "the bytes of \(address) do not read back")
        }
        if let prefix = IPPrefix(text) {
            try expect(IPPrefix(prefix.description) == prefix, "\(prefix) does not read back")
            try expect(prefix.contains(prefix.address), "\(prefix) does not contain itself")
        }
    }

    // MARK: Seeds

    static var seeds: [[UInt8]] {
        var result: [[UInt8]] = []
        func add(_ view: UInt8, _ write: (inout [UInt8]) -> Void) {
            var bytes = [view]
            write(&bytes)
            result.append(bytes)
        }
        let payload: [UInt8] = [0x45, 2, 3, 4]
        add(0) { EthernetHeader(type: .ipv4).write(payload: payload, to: &$0) }
        add(1) { $0 += [0, 5, 8, 0] + payload }
        add(2) { LinuxCookedHeader(type: .ipv4).writeVersion1(payload: payload, to: &$0) }
        add(3) { LinuxCookedHeader(type: .ipv6, interface: 3).writeVersion2(payload: payload, to: &$0) }
        add(4) { LoopbackHeader(family: 2).write(payload: payload, to: &$0) }
        add(5) { TunnelHeader.mpls(labels: [16, 17]).write(payload: payload, to: &$0) }
        add(6) { TunnelHeader.pppoe(session: 1, inner: .ipv4).write(payload: payload, to: &$0) }
        add(7) { TunnelHeader.gre(inner: .ipv4).write(payload: payload, to: &$0) }
        add(7) { $0 += [0xB0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2] + payload }
        add(8) { OverlayHeader.vxlan(network: 7).write(payload: payload, to: &$0) }
        let six = Endpoints.ipv6
        let four = Endpoints.ipv4
        add(9) {
            IPv4Header(source: four.client, destination: four.server, protocolNumber: .tcp).write(
                payload: payload, to: &$0)
        }
        add(10) {
            IPv6Header(source: six.client, destination: six.server, nextHeader: .hopByHopOptions).write(
                payload: [44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 1] + payload, to: &$0)
        }
        add(11) {
            TCPHeader(
                sourcePort: 40_000, destinationPort: 443, sequence: 1, acknowledgement: 2, flags: .ack,
                options: TCPHeader.timestamps(value: 1, echo: 2) + TCPHeader.selective([(3, 4), (5, 6)])
            ).write(payload: payload, to: &$0)
        }
        add(12) { UDPHeader(sourcePort: 53, destinationPort: 1_000).write(payload: payload, to: &$0) }
        add(13) { ICMPEcho(identifier: 1, sequence: 2).writeICMPv4(payload: payload, to: &$0) }
        add(13) { ICMPv4Error(type: 3, code: 4, nextHopMTU: 1_400, quoted: payload).write(to: &$0) }
        add(14) { $0 += [128, 0, 0, 0, 0, 7, 0, 1] + payload }
        for text in ["10.0.0.1", "2001:db8::1", "::ffff:192.0.2.1", "192.0.2.0/24", "2001:db8::/32"] {
            add(15) { $0 += Array(text.utf8) }
        }
        return result + TunnelViews.seeds
    }
}
