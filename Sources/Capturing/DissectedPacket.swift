// What is left of a packet when its headers have been read.

internal import Wire

/// Why a packet was not used. The raw value indexes counters; `name` is the key in JSON.
enum DropReason: Int, CaseIterable {
    /// The capture's link type cannot be read.
    case linkType
    /// Cut off inside a header, by the snap length or by the sender.
    case truncated
    /// A header contradicts itself.
    case malformed
    /// No IP packet inside (ARP, spanning tree, …).
    case notIP
    /// A fragment other than the first, but for those of a TCP segment that follow on the first.
    case fragment
    /// An IP protocol that nothing is measured of.
    case protocolNumber
    /// UDP of no protocol that is measured, or of a QUIC connection whose handshake was not seen.
    case udp
    /// ICMP that is neither an echo nor one of the errors below.
    case icmp
    /// More headers inside one another than are followed.
    case tooDeep
    /// The same packet again within a millisecond: a mirror port, a bridge.
    case duplicate
    /// A segment of no known connection that must not open one (RST).
    case noFlow
    /// The flow table had no room.
    case tableFull
    /// An ICMP error about a packet that was not waiting for an answer here: no way to its destination.
    case icmpUnreachable
    /// Likewise: its time to live ran out, or the time for putting it together.
    case icmpTimeExceeded
    /// Likewise: too big for the next hop.
    case icmpTooBig
    /// Packets inside a VPN: ESP, with and without UDP, its keepalives, WireGuard transport.
    case vpnData
    /// IKE version 1, which is not measured.
    case ikeVersion1
    /// Of a flow that is left out while the kernel drops packets.
    case shed

    var name: String {
        switch self {
        case .linkType: "link-type"
        case .truncated: "truncated"
        case .malformed: "malformed"
        case .notIP: "not-ip"
        case .fragment: "fragment"
        case .protocolNumber: "protocol"
        case .udp: "udp"
        case .icmp: "icmp"
        case .tooDeep: "too-deep"
        case .duplicate: "duplicate"
        case .noFlow: "no-flow"
        case .tableFull: "table-full"
        case .icmpUnreachable: "icmp-unreachable"
        case .icmpTimeExceeded: "icmp-time-exceeded"
        case .icmpTooBig: "icmp-too-big"
        case .vpnData: "vpn-data"
        case .ikeVersion1: "ikev1"
        case .shed: "shed"
        }
    }
}

/// The addresses of a packet and where its transport header lies.
struct DissectedPacket {
    /// Record time in nanoseconds.
    var time: Int64 = 0
    /// Bytes on the wire by the record.
    var wireLength = 0
    var source = IPAddress(v4: 0)
    var destination = IPAddress(v4: 0)
    var protocolNumber = IPProtocol.tcp
    /// Interface index; 0 where the link type does not tell.
    var interface: UInt32 = 0
    /// Of IPv4; 0 for IPv6.
    var identification: UInt16 = 0
    /// Other fragments follow: the transport payload is not whole.
    var isFragmented = false
    /// Of a fragment of IPv6, what it shares with the others of its packet.
    var fragmentIdentification: UInt32 = 0
    /// Where in the payload of the whole packet this part lies; its `length` is then that of the part.
    var fragmentOffset = 0
    /// Where the transport header begins in the record.
    var offset = 0
    /// Bytes of transport header and payload by the IP header.
    var length = 0
    /// Bytes of them that were captured.
    var captured = 0
}
