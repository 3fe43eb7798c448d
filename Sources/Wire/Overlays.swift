// Overlays over UDP: VXLAN (RFC 7348, with the group policy extension), VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe),
// Geneve (RFC 8926), GTP-U (3GPP TS 29.281).
//
// Invariant: a view holds its whole header, and the bits that must be zero are. The ports alone prove nothing, since
// any host may use them for something else; the checks here are what tells an overlay from it.

/// A VXLAN header, read in place; an Ethernet frame follows.
@frozen
public struct VXLANPacket: ~Escapable {
    @inlinable public static var headerLength: Int { 8 }
    /// The port assigned by IANA.
    @inlinable public static var port: UInt16 { 4789 }
    /// The port that Linux took before one was assigned.
    @inlinable public static var legacyPort: UInt16 { 8472 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there, the network identifier is not marked valid, or a reserved bit is
    /// set; of the flags of extensions, only that of a group policy may be.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= VXLANPacket.headerLength else { return nil }
        let flags = bytes.byte(at: 0)
        guard flags & 0x7F == 0x08, bytes.byte(at: 7) == 0,
            flags & 0x80 != 0 || bytes.bigEndian32(at: 0) & 0x00FF_FFFF == 0
        else { return nil }
        self.bytes = bytes
    }

    /// The network identifier, 24 bits.
    @inlinable public var network: UInt32 { bytes.bigEndian32(at: 4) >> 8 }

    @inlinable public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.suffix(from: VXLANPacket.headerLength) }
    }
}

/// What an overlay carries.
@frozen
public enum OverlayPayload: Hashable, Sendable {
    case ethernet, ipv4, ipv6
}

/// A header of the generic protocol extension of VXLAN, read in place.
@frozen
public struct VXLANGPEPacket: ~Escapable {
    @inlinable public static var headerLength: Int { 8 }
    @inlinable public static var port: UInt16 { 4790 }

    @usableFromInline let bytes: RawSpan

    /// Fails where fewer than eight bytes are there, the version is not 0, the network identifier or the next protocol
    /// is not marked valid, or a reserved bit is set.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= VXLANGPEPacket.headerLength, bytes.byte(at: 0) & 0xFE == 0x0C,
            bytes.bigEndian16(at: 1) == 0, bytes.byte(at: 7) == 0
        else { return nil }
        self.bytes = bytes
    }

    /// nil for what is none of the three (NSH, …) and for the overlay's own control messages.
    @inlinable public var carries: OverlayPayload? {
        guard bytes.byte(at: 0) & 0x01 == 0 else { return nil }
        switch bytes.byte(at: 3) {
        case 1: return .ipv4
        case 2: return .ipv6
        case 3: return .ethernet
        default: return nil
        }
    }

    /// The network identifier, 24 bits.
    @inlinable public var network: UInt32 { bytes.bigEndian32(at: 4) >> 8 }
}

/// A Geneve header with its options, read in place.
@frozen
public struct GenevePacket: ~Escapable {
    /// Bytes without options.
    @inlinable public static var minimumHeaderLength: Int { 8 }
    @inlinable public static var port: UInt16 { 6081 }

    @usableFromInline let bytes: RawSpan

    /// Fails where the version is not 0, the options do not fit, or a reserved bit is set.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= GenevePacket.minimumHeaderLength, bytes.byte(at: 0) & 0xC0 == 0,
            bytes.byte(at: 1) & 0x3F == 0, bytes.byte(at: 7) == 0,
            GenevePacket.headerLength(bytes.byte(at: 0)) <= bytes.byteCount
        else { return nil }
        self.bytes = bytes
    }

    @inlinable
    static func headerLength(_ first: UInt8) -> Int {
        GenevePacket.minimumHeaderLength &+ Int(first & 0x3F) &* 4
    }

    /// Eight bytes and the options, up to 260.
    @inlinable public var headerLength: Int { GenevePacket.headerLength(bytes.byte(at: 0)) }
    /// Whether this is a message between the tunnel's ends, whose payload is not to be delivered.
    @inlinable public var isControl: Bool { bytes.byte(at: 1) & 0x80 != 0 }
    @inlinable public var type: EtherType { EtherType(rawValue: bytes.bigEndian16(at: 2)) }
    /// The network identifier, 24 bits.
    @inlinable public var network: UInt32 { bytes.bigEndian32(at: 4) >> 8 }

    /// nil for what is none of the three and for the overlay's own control messages.
    @inlinable public var carries: OverlayPayload? {
        if isControl { return nil }
        switch type {
        case .ipv4: return .ipv4
        case .ipv6: return .ipv6
        case .transparentEthernetBridging: return .ethernet
        default: return nil
        }
    }
}

/// The header of a GTP-U packet that carries a user's packet (G-PDU), with extension headers, read in place.
@frozen
public struct GTPUserPacket: ~Escapable {
    /// Bytes of the mandatory part.
    @inlinable public static var minimumHeaderLength: Int { 8 }
    @inlinable public static var port: UInt16 { 2152 }
    /// Most extension headers that are walked.
    @inlinable public static var maximumExtensions: Int { 8 }

    @usableFromInline let bytes: RawSpan
    /// Bytes of the header with its optional fields and extension headers.
    public let headerLength: Int

    /// Fails where this is no G-PDU of version 1, the length field is not `length` (of the UDP payload; nil: not
    /// known) without the mandatory part, or the extension headers do not fit.
    @inlinable
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan, length: Int?) {
        guard bytes.byteCount >= GTPUserPacket.minimumHeaderLength, bytes.byte(at: 0) & 0xF8 == 0x30,
            bytes.byte(at: 1) == 0xFF
        else { return nil }
        if let length, Int(bytes.bigEndian16(at: 2)) &+ GTPUserPacket.minimumHeaderLength != length { return nil }
        guard let header = GTPUserPacket.headerLength(bytes) else { return nil }
        headerLength = header
        self.bytes = bytes
    }

    /// Any of the three flags brings all optional fields; the last of them begins the chain of extension headers.
    @inlinable
    static func headerLength(_ bytes: RawSpan) -> Int? {
        let flags = bytes.byte(at: 0) & 0x07
        if flags == 0 { return GTPUserPacket.minimumHeaderLength }
        var end = GTPUserPacket.minimumHeaderLength &+ 4
        guard bytes.byteCount >= end else { return nil }
        if flags & 0x04 == 0 { return end }
        for _ in 0..<GTPUserPacket.maximumExtensions {
            if bytes.byte(at: end &- 1) == 0 { return end }
            guard end < bytes.byteCount else { return nil }
            let words = Int(bytes.byte(at: end))
            end &+= words &* 4
            guard words > 0, end <= bytes.byteCount else { return nil }
        }
        return bytes.byte(at: end &- 1) == 0 ? end : nil
    }

    /// The tunnel endpoint identifier.
    @inlinable public var endpoint: UInt32 { bytes.bigEndian32(at: 4) }

    /// By the first half byte of the user's packet, which is the only thing that tells; nil where it is no IP packet.
    @inlinable public var carries: OverlayPayload? {
        guard headerLength < bytes.byteCount else { return nil }
        switch bytes.byte(at: headerLength) >> 4 {
        case 4: return .ipv4
        case 6: return .ipv6
        default: return nil
        }
    }
}

/// The fields of an overlay's header as values.
public enum OverlayHeader: Hashable, Sendable {
    case vxlan(network: UInt32, group: UInt16? = nil)
    case vxlanGPE(network: UInt32, carries: OverlayPayload)
    /// Options in bytes, a multiple of four.
    case geneve(network: UInt32, type: EtherType, options: [UInt8] = [])
    /// Extension headers as (type, content with two bytes less than a multiple of four).
    case gtpUser(endpoint: UInt32, sequence: UInt16? = nil, extensions: [GTPExtension] = [])

    /// An extension header of GTP-U.
    public struct GTPExtension: Hashable, Sendable {
        public var type: UInt8
        public var content: [UInt8]

        public init(type: UInt8, content: [UInt8]) {
            self.type = type
            self.content = content
        }
    }

    /// The UDP port that the overlay is known by.
    public var port: UInt16 {
        switch self {
        case .vxlan: VXLANPacket.port
        case .vxlanGPE: VXLANGPEPacket.port
        case .geneve: GenevePacket.port
        case .gtpUser: GTPUserPacket.port
        }
    }

    /// Appends header and payload.
    public func write(payload: [UInt8], to packet: inout [UInt8]) {
        switch self {
        case .vxlan(let network, let group):
            packet.append(bigEndian: group.map { 0x8800_0000 | UInt32($0) } ?? 0x0800_0000)
            packet.append(bigEndian: network << 8)
        case .vxlanGPE(let network, let carries):
            packet.append(contentsOf: [0x0C, 0, 0, carries == .ipv4 ? 1 : carries == .ipv6 ? 2 : 3])
            packet.append(bigEndian: network << 8)
        case .geneve(let network, let type, let options):
            packet.append(contentsOf: [UInt8(truncatingIfNeeded: options.count / 4) & 0x3F, 0])
            packet.append(bigEndian: type.rawValue)
            packet.append(bigEndian: network << 8)
            packet.append(contentsOf: options)
        case .gtpUser(let endpoint, let sequence, let extensions):
            writeGTP(endpoint, sequence, extensions, payload: payload.count, to: &packet)
        }
        packet.append(contentsOf: payload)
    }

    private func writeGTP(
        _ endpoint: UInt32, _ sequence: UInt16?, _ extensions: [GTPExtension], payload: Int, to packet: inout [UInt8]
    ) {
        var optional: [UInt8] = []
        if sequence != nil || !extensions.isEmpty {
            optional.append(bigEndian: sequence ?? 0)
            optional.append(contentsOf: [0, extensions.first?.type ?? 0])
            for (index, header) in extensions.enumerated() {
                optional.append(UInt8(truncatingIfNeeded: (header.content.count + 2) / 4))
                optional.append(contentsOf: header.content)
                optional.append(index + 1 < extensions.count ? extensions[index + 1].type : 0)
            }
        }
        packet.append(contentsOf: [0x30 | (extensions.isEmpty ? 0 : 4) | (sequence == nil ? 0 : 2), 0xFF])
        packet.append(bigEndian: UInt16(truncatingIfNeeded: optional.count + payload))
        packet.append(bigEndian: endpoint)
        packet.append(contentsOf: optional)
    }
}

extension OverlayHeader: CustomStringConvertible {
    public var description: String {
        switch self {
        case .vxlan(let network, _): "VXLAN \(network)"
        case .vxlanGPE(let network, _): "VXLAN-GPE \(network)"
        case .geneve(let network, _, _): "Geneve \(network)"
        case .gtpUser(let endpoint, _, _): "GTP-U \(endpoint)"
        }
    }
}
