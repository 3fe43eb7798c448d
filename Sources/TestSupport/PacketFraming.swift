// How the packets of a test's capture are framed: link layers, tags, labels, tunnels.

public import Wire

/// How a packet is framed and what it is wrapped in.
public enum PacketFraming: Hashable, Sendable {
    case ethernet
    case vlan([UInt16])
    /// An outer tag of 802.1ad, or of another type.
    case qinq(outer: UInt16, inner: UInt16, type: EtherType = .serviceVLAN)
    case pppoe
    case mpls([UInt32])
    case gre
    /// GRE with checksum, key and sequence number as given; bridged: with an Ethernet header inside.
    case greOptions(hasChecksum: Bool, key: UInt32?, sequence: UInt32?, isBridged: Bool)
    /// IPv4 or IPv6 in IPv4.
    case ipInIP
    /// IPv4 or IPv6 in IPv6.
    case ipInIPv6
    /// With an authentication header in the packet itself.
    case authenticated
    case vxlan
    /// Another overlay over UDP, the outer packet of either IP version.
    case overlay(Overlay, isOuterIPv6: Bool = false)
    case cooked
    case cooked2(interface: UInt32)
    case raw
    case null
    /// As `null`, in network byte order.
    case loop
    case ppp
    /// PPP without address and control, with a protocol number of one byte.
    case barePPP
    /// A PPPoE session without an Ethernet header.
    case linkPPPoE
    /// The IP version told by the link type.
    case rawVersion(isIPv6: Bool)
    /// VLAN, MPLS, GRE, VXLAN and IP in IP, one inside the other.
    case nested

    /// What lies between the outer UDP header and the packet.
    public enum Overlay: Hashable, Sendable {
        /// VXLAN with a group policy.
        case vxlanGroup
        /// VXLAN on the port that Linux took first.
        case vxlanLegacy
        /// On its own port or on that of VXLAN.
        case vxlanGPE(isBridged: Bool, isOldPort: Bool = false)
        case geneve(options: [UInt8], isBridged: Bool)
        case gtpUser(sequence: UInt16?, isExtended: Bool)
    }

    /// The file's LINKTYPE_ number.
    public var link: UInt32 {
        switch self {
        case .cooked: CaptureFileWriter.LinkType.cooked
        case .cooked2: CaptureFileWriter.LinkType.cooked2
        case .raw: CaptureFileWriter.LinkType.raw
        case .null: CaptureFileWriter.LinkType.null
        case .loop: CaptureFileWriter.LinkType.loop
        case .ppp: CaptureFileWriter.LinkType.ppp
        case .barePPP: CaptureFileWriter.LinkType.pppSerial
        case .linkPPPoE: CaptureFileWriter.LinkType.pppEthernet
        case .rawVersion(let isIPv6): isIPv6 ? CaptureFileWriter.LinkType.ipv6 : CaptureFileWriter.LinkType.ipv4
        default: CaptureFileWriter.LinkType.ethernet
        }
    }

    /// The record's bytes around an IP packet.
    public func frame(_ packet: [UInt8], isIPv6: Bool) -> [UInt8] {
        let type: EtherType = isIPv6 ? .ipv6 : .ipv4
        var bytes: [UInt8] = []
        switch self {
        case .ethernet: EthernetHeader(type: type).write(payload: packet, to: &bytes)
        case .vlan(let identifiers):
            let tags = identifiers.map { EthernetHeader.Tag(type: .vlan, identifier: $0) }
            EthernetHeader(tags: tags, type: type).write(payload: packet, to: &bytes)
        case .qinq(let outer, let inner, let outerType):
            let tags = [
                EthernetHeader.Tag(type: outerType, identifier: outer),
                EthernetHeader.Tag(type: .vlan, identifier: inner),
            ]
            EthernetHeader(tags: tags, type: type).write(payload: packet, to: &bytes)
        case .pppoe, .mpls, .linkPPPoE: frameLabelled(packet, type: type, to: &bytes)
        case .cooked: LinuxCookedHeader(type: type).writeVersion1(payload: packet, to: &bytes)
        case .cooked2(let interface):
            LinuxCookedHeader(type: type, interface: interface).writeVersion2(payload: packet, to: &bytes)
        case .raw, .rawVersion: bytes = packet
        case .null: LoopbackHeader(family: isIPv6 ? 30 : 2).write(payload: packet, to: &bytes)
        case .loop: bytes = [0, 0, 0, isIPv6 ? 24 : 2] + packet
        case .ppp: bytes = [0xFF, 0x03, 0x00, isIPv6 ? 0x57 : 0x21] + packet
        case .barePPP: bytes = [isIPv6 ? 0x57 : 0x21] + packet
        case .nested: bytes = nest(packet, type: type)
        default:
            let outer = tunnel(packet, type: type)
            EthernetHeader(type: outer.isIPv6 ? .ipv6 : .ipv4).write(payload: outer.bytes, to: &bytes)
        }
        return bytes
    }

    private func frameLabelled(_ packet: [UInt8], type: EtherType, to bytes: inout [UInt8]) {
        var inner: [UInt8] = []
        if case .mpls(let labels) = self {
            TunnelHeader.mpls(labels: labels).write(payload: packet, to: &inner)
            EthernetHeader(type: .mpls).write(payload: inner, to: &bytes)
        } else {
            TunnelHeader.pppoe(session: 1, inner: type).write(payload: packet, to: &inner)
            guard self != .linkPPPoE else {
                bytes = inner
                return
            }
            EthernetHeader(type: .pppoeSession).write(payload: inner, to: &bytes)
        }
    }

    private func nest(_ packet: [UInt8], type: EtherType) -> [UInt8] {
        let inner = PacketFraming.ipInIP.tunnel(packet, type: type).bytes
        let overlay = PacketFraming.vxlan.tunnel(inner, type: .ipv4).bytes
        let routed = PacketFraming.gre.tunnel(overlay, type: .ipv4).bytes
        var labelled: [UInt8] = []
        TunnelHeader.mpls(labels: [16]).write(payload: routed, to: &labelled)
        var frame: [UInt8] = []
        EthernetHeader(tags: [.init(type: .vlan, identifier: 5)], type: .mpls).write(payload: labelled, to: &frame)
        return frame
    }

    /// The outer IP packet.
    private func tunnel(_ packet: [UInt8], type: EtherType) -> (bytes: [UInt8], isIPv6: Bool) {
        let plain: IPProtocol = type == .ipv6 ? .ipv6 : .ipv4
        var frame: [UInt8] = []
        EthernetHeader(type: type).write(payload: packet, to: &frame)
        var inner: [UInt8] = []
        switch self {
        case .gre:
            TunnelHeader.gre(inner: type).write(payload: packet, to: &inner)
            return (Self.outer(inner, .gre, isIPv6: false), false)
        case .greOptions(let hasChecksum, let key, let sequence, let isBridged):
            TunnelHeader.gre(
                inner: isBridged ? .transparentEthernetBridging : type, hasChecksum: hasChecksum, key: key,
                sequence: sequence
            ).write(payload: isBridged ? frame : packet, to: &inner)
            return (Self.outer(inner, .gre, isIPv6: false), false)
        case .ipInIPv6: return (Self.outer(packet, plain, isIPv6: true), true)
        case .authenticated: return (Self.authenticate(packet, isIPv6: type == .ipv6), type == .ipv6)
        case .vxlan:
            return (Self.overlay(.vxlan(network: 7), payload: frame, isIPv6: false), false)
        case .overlay(let overlay, let isIPv6):
            return (Self.overlay(overlay, packet: packet, frame: frame, type: type, isIPv6: isIPv6), isIPv6)
        default: return (Self.outer(packet, plain, isIPv6: false), false)
        }
    }

    private static func overlay(
        _ overlay: Overlay, packet: [UInt8], frame: [UInt8], type: EtherType, isIPv6: Bool
    ) -> [UInt8] {
        let plain: OverlayPayload = type == .ipv6 ? .ipv6 : .ipv4
        switch overlay {
        case .vxlanGroup: return self.overlay(.vxlan(network: 7, group: 300), payload: frame, isIPv6: isIPv6)
        case .vxlanLegacy:
            return self.overlay(
                .vxlan(network: 7), payload: frame, isIPv6: isIPv6, port: VXLANPacket.legacyPort)
        case .vxlanGPE(let isBridged, let isOldPort):
            return self.overlay(
                .vxlanGPE(network: 7, carries: isBridged ? .ethernet : plain), payload: isBridged ? frame : packet,
                isIPv6: isIPv6, port: isOldPort ? VXLANPacket.port : nil)
        case .geneve(let options, let isBridged):
            return self.overlay(
                .geneve(network: 7, type: isBridged ? .transparentEthernetBridging : type, options: options),
                payload: isBridged ? frame : packet, isIPv6: isIPv6)
        case .gtpUser(let sequence, let isExtended):
            // A PDU session container (QFI 9) and a PDCP number, as between a base station and a 5G core.
            let extensions: [OverlayHeader.GTPExtension] =
                isExtended ? [.init(type: 0x85, content: [0, 9]), .init(type: 0xC0, content: [0, 1])] : []
            return self.overlay(
                .gtpUser(endpoint: 0xABCD, sequence: sequence, extensions: extensions), payload: packet, isIPv6: isIPv6)
        }
    }

    private static func overlay(
        _ header: OverlayHeader, payload: [UInt8], isIPv6: Bool, port: UInt16? = nil
    ) -> [UInt8] {
        var datagram: [UInt8] = []
        header.write(payload: payload, to: &datagram)
        var inner: [UInt8] = []
        UDPHeader(sourcePort: 50_000, destinationPort: port ?? header.port).write(payload: datagram, to: &inner)
        return outer(inner, .udp, isIPv6: isIPv6)
    }

    private static func outer(_ payload: [UInt8], _ number: IPProtocol, isIPv6: Bool) -> [UInt8] {
        var packet: [UInt8] = []
        if isIPv6 {
            IPv6Header(
                source: IPAddress(v6High: 0x2001_0DB8_00FF_0000, low: 1),
                destination: IPAddress(v6High: 0x2001_0DB8_00FF_0000, low: 2), nextHeader: number
            ).write(payload: payload, to: &packet)
        } else {
            IPv4Header(
                source: IPAddress(v4: 0xC633_6401), destination: IPAddress(v4: 0xC633_6402), protocolNumber: number
            ).write(payload: payload, to: &packet)
        }
        return packet
    }

    /// The packet, which has no options or extension headers, with an authentication header put in.
    private static func authenticate(_ packet: [UInt8], isIPv6: Bool) -> [UInt8] {
        let length = isIPv6 ? 40 : 20
        let field = isIPv6 ? 6 : 9
        var result = Array(packet.prefix(length))
        TunnelHeader.authentication(next: IPProtocol(rawValue: packet[field])).write(
            payload: Array(packet.dropFirst(length)), to: &result)
        result[field] = IPProtocol.authentication.rawValue
        let total = UInt16(truncatingIfNeeded: result.count - (isIPv6 ? 40 : 0))
        let place = isIPv6 ? 4 : 2
        result[place] = UInt8(total >> 8)
        result[place + 1] = UInt8(total & 0xFF)
        return result
    }
}
