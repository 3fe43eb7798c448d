// From the link layer to the transport header, through tags, labels and tunnels.
//
// One loop over layers, each a view of `Wire`; at most `maximumDepth` of them. Lengths come from the IP headers, so
// link-layer padding is never taken for payload and a payload cut by the snap length keeps its length.

internal import Wire

/// How a capture frames its packets.
enum LinkLayer: Sendable {
    case ethernet, cooked, cooked2, rawIP, loopback, ppp, pppoe, ipv4, ipv6
    /// None that can be read: every packet is counted as dropped for it.
    case unreadable

    /// The framing of a DLT_ or LINKTYPE_ number.
    init(_ number: Int32) {
        switch number {
        case 1: self = .ethernet
        case 113: self = .cooked
        case 276: self = .cooked2
        case 12, 14, 101: self = .rawIP
        case 0, 108: self = .loopback
        case 9, 50: self = .ppp
        case 51: self = .pppoe
        case 228: self = .ipv4
        case 229: self = .ipv6
        default: self = .unreadable
        }
    }
}

/// Reads headers until TCP, UDP or ICMP; one inside another any way round, up to `maximumDepth`.
struct PacketDissector {
    /// Most headers before the transport header.
    static var maximumDepth: Int { 16 }

    private enum Layer {
        case type(EtherType)
        case ethernet
        case found
        case dropped(DropReason)
    }

    let link: LinkLayer

    /// Fills `packet`, whose `time` and `wireLength` are set; says why not where there is nothing to use.
    @inline(__always)
    func dissect(_ record: RawSpan, into packet: inout DissectedPacket) -> DropReason? {
        var offset = 0
        var layer: Layer
        if link == .ethernet, let frame = EthernetFrame(record), frame.type == .ipv4 {
            // Nearly every packet of most captures; the loop below does the same more slowly.
            offset = EthernetFrame.headerLength
            layer = ipv4(record, offset: &offset, packet: &packet)
            if case .found = layer { return nil }
        } else {
            layer = open(record, offset: &offset, packet: &packet)
        }
        for _ in 0..<PacketDissector.maximumDepth {
            switch layer {
            case .found: return nil
            case .dropped(let reason): return reason
            case .ethernet: layer = ethernet(record, offset: &offset)
            case .type(.ipv4): layer = ipv4(record, offset: &offset, packet: &packet)
            case .type(.ipv6): layer = ipv6(record, offset: &offset, packet: &packet)
            case .type(let type): layer = shim(type, record, offset: &offset)
            }
        }
        return .tooDeep
    }

    /// The link-layer header.
    @inline(__always)
    private func open(_ record: RawSpan, offset: inout Int, packet: inout DissectedPacket) -> Layer {
        switch link {
        case .ethernet:
            return ethernet(record, offset: &offset)
        case .cooked2:
            guard let view = LinuxCookedPacket2(record) else { return .dropped(.truncated) }
            offset = LinuxCookedPacket2.headerLength
            packet.interface = view.interface & ~FlowKey.ipv6
            return .type(view.type)
        case .cooked:
            guard let view = LinuxCookedPacket(record) else { return .dropped(.truncated) }
            offset = LinuxCookedPacket.headerLength
            return .type(view.type)
        case .loopback:
            guard let view = LoopbackPacket(record) else { return .dropped(.truncated) }
            offset = LoopbackPacket.headerLength
            guard let type = view.type else { return .dropped(.notIP) }
            return .type(type)
        case .rawIP: return rawIP(record, offset: 0)
        case .ppp: return ppp(record, offset: &offset)
        case .pppoe: return .type(.pppoeSession)
        case .ipv4: return .type(.ipv4)
        case .ipv6: return .type(.ipv6)
        case .unreadable: return .dropped(.linkType)
        }
    }

    /// An IP packet whose version is told by its first half byte alone.
    private func rawIP(_ record: RawSpan, offset: Int) -> Layer {
        guard offset < record.byteCount else { return .dropped(.truncated) }
        switch record.byte(at: offset) >> 4 {
        case 4: return .type(.ipv4)
        case 6: return .type(.ipv6)
        default: return .dropped(.notIP)
        }
    }

    /// PPP in HDLC-like framing (RFC 1662) or bare; a protocol number of one byte is odd.
    private func ppp(_ record: RawSpan, offset: inout Int) -> Layer {
        if record.byteCount >= 2, record.byte(at: 0) == 0xFF, record.byte(at: 1) == 0x03 { offset = 2 }
        guard offset + 2 <= record.byteCount else { return .dropped(.truncated) }
        let first = record.byte(at: offset)
        let number = first & 1 == 1 ? UInt16(first) : record.bigEndian16(at: offset)
        offset += first & 1 == 1 ? 1 : 2
        guard let type = PPPProtocol.type(number) else { return .dropped(.notIP) }
        return .type(type)
    }

    @inline(__always)
    private func ethernet(_ record: RawSpan, offset: inout Int) -> Layer {
        guard let view = EthernetFrame(record.suffix(from: offset)) else { return .dropped(.truncated) }
        offset &+= EthernetFrame.headerLength
        return .type(view.type)
    }

    /// Tags, labels and sessions between the link layer and IP.
    private func shim(_ type: EtherType, _ record: RawSpan, offset: inout Int) -> Layer {
        let rest = record.suffix(from: offset)
        if type.isVLANTag {
            guard let tag = VLANTag(rest) else { return .dropped(.truncated) }
            offset &+= VLANTag.length
            return .type(tag.type)
        }
        switch type {
        case .mpls, .mplsMulticast:
            guard let label = MPLSLabel(rest) else { return .dropped(.truncated) }
            offset &+= MPLSLabel.length
            if !label.isBottomOfStack { return .type(type) }
            guard let inner = label.innerType else { return .dropped(.notIP) }
            return .type(inner)
        case .pppoeSession:
            guard let session = PPPoESession(rest) else { return .dropped(.malformed) }
            offset &+= PPPoESession.headerLength
            guard let inner = session.type else { return .dropped(.notIP) }
            return .type(inner)
        case .transparentEthernetBridging: return .ethernet
        default: return .dropped(.notIP)
        }
    }

    @inline(__always)
    private func ipv4(_ record: RawSpan, offset: inout Int, packet: inout DissectedPacket) -> Layer {
        let rest = record.suffix(from: offset)
        guard let view = IPv4Packet(rest) else {
            return .dropped(rest.byteCount < IPv4Packet.minimumHeaderLength ? .truncated : .malformed)
        }
        packet.source = view.source
        packet.destination = view.destination
        packet.identification = view.identification
        let header = view.headerLength
        // Zero is a segment that the card was to split; the record's own length then tells.
        let total = view.totalLength == 0 ? max(packet.wireLength &- offset, header) : view.totalLength
        packet.isFragmented = view.moreFragments
        if view.fragmentOffset > 0 {
            packet.protocolNumber = view.protocolNumber
            packet.fragmentOffset = view.fragmentOffset
            packet.length = max(total &- header, 0)
            return .dropped(.fragment)
        }
        offset &+= header
        return transport(
            view.protocolNumber, record, offset: &offset, length: total &- header, packet: &packet)
    }

    private func ipv6(_ record: RawSpan, offset: inout Int, packet: inout DissectedPacket) -> Layer {
        let rest = record.suffix(from: offset)
        guard let view = IPv6Packet(rest) else {
            return .dropped(rest.byteCount < IPv6Packet.headerLength ? .truncated : .malformed)
        }
        packet.source = view.source
        packet.destination = view.destination
        packet.identification = 0
        guard let upper = view.upperLayer() else { return .dropped(.truncated) }
        packet.isFragmented = upper.moreFragments
        packet.fragmentIdentification = upper.fragmentIdentification
        let total =
            view.payloadLength == 0
            ? max(packet.wireLength &- offset, IPv6Packet.headerLength)
            : IPv6Packet.headerLength &+ view.payloadLength
        if upper.fragmentOffset > 0 {
            packet.protocolNumber = upper.protocolNumber
            packet.fragmentOffset = upper.fragmentOffset
            packet.length = max(total &- upper.offset, 0)
            return .dropped(.fragment)
        }
        offset &+= upper.offset
        return transport(
            upper.protocolNumber, record, offset: &offset, length: total &- upper.offset, packet: &packet)
    }

    /// What an IP packet carries: the end of the walk, or another packet inside.
    @inline(__always)
    private func transport(
        _ number: IPProtocol, _ record: RawSpan, offset: inout Int, length: Int, packet: inout DissectedPacket
    ) -> Layer {
        guard length >= 0 else { return .dropped(.malformed) }
        packet.protocolNumber = number
        packet.offset = offset
        packet.length = length
        packet.captured = max(0, min(length, record.byteCount &- offset))
        if number == .tcp { return .found }
        return otherTransport(number, record, offset: &offset, packet: &packet)
    }

    private func otherTransport(
        _ number: IPProtocol, _ record: RawSpan, offset: inout Int, packet: inout DissectedPacket
    ) -> Layer {
        switch number {
        case .udp:
            return udp(record, offset: &offset, packet: packet)
        case .icmp, .icmpv6: return .found
        case .ipv4: return .type(.ipv4)
        case .ipv6: return .type(.ipv6)
        case .gre:
            guard let view = GREPacket(record.suffix(from: offset)) else { return .dropped(.protocolNumber) }
            offset &+= view.headerLength
            return .type(view.type)
        case .authentication:
            // Over IPv4; over IPv6 it is one of the extension headers. One inside another would be nobody's packet.
            guard let view = AuthenticationHeader(record.suffix(from: offset)) else { return .dropped(.truncated) }
            guard view.nextHeader != .authentication else { return .dropped(.malformed) }
            let length = view.headerLength
            offset &+= length
            return transport(
                view.nextHeader, record, offset: &offset, length: packet.length &- length, packet: &packet)
        case .encapsulatingSecurity: return .dropped(.vpnData)
        default: return .dropped(.protocolNumber)
        }
    }

    /// Overlays by their ports and what their headers prove; everything else over UDP is for the caller.
    private func udp(_ record: RawSpan, offset: inout Int, packet: DissectedPacket) -> Layer {
        let rest = record.suffix(from: offset).prefix(packet.captured)
        guard let view = UDPDatagram(rest) else {
            return .dropped(packet.captured < UDPDatagram.headerLength ? .truncated : .malformed)
        }
        let port = view.destinationPort
        guard
            port == VXLANPacket.port || port == VXLANPacket.legacyPort || port == GenevePacket.port
                || port == GTPUserPacket.port || port == VXLANGPEPacket.port
        else { return .found }
        return overlay(view, offset: &offset) ?? .found
    }

    /// What an overlay to one of the ports above carries; nil where the datagram is something else.
    private func overlay(_ datagram: borrowing UDPDatagram, offset: inout Int) -> Layer? {
        // The other way round: a service's answer to a client that happened to draw the port.
        guard datagram.sourcePort >= 1_024 else { return nil }
        let header: Int
        let carries: OverlayPayload
        switch datagram.destinationPort {
        case GenevePacket.port:
            guard let view = GenevePacket(datagram.payload), let inner = view.carries else { return nil }
            (header, carries) = (view.headerLength, inner)
        case GTPUserPacket.port:
            let length = datagram.length == 0 ? nil : datagram.length &- UDPDatagram.headerLength
            guard let view = GTPUserPacket(datagram.payload, length: length), let inner = view.carries
            else { return nil }
            (header, carries) = (view.headerLength, inner)
        case VXLANGPEPacket.port:
            guard let view = VXLANGPEPacket(datagram.payload), let inner = view.carries else { return nil }
            (header, carries) = (VXLANGPEPacket.headerLength, inner)
        default:
            header = VXLANPacket.headerLength
            if VXLANPacket(datagram.payload) != nil {
                carries = .ethernet
            } else {
                // Some senders keep the older port for the protocol extension.
                guard let view = VXLANGPEPacket(datagram.payload), let inner = view.carries else { return nil }
                carries = inner
            }
        }
        offset &+= UDPDatagram.headerLength &+ header
        switch carries {
        case .ethernet: return .ethernet
        case .ipv4: return .type(.ipv4)
        case .ipv6: return .type(.ipv6)
        }
    }
}
