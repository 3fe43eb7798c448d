// The frames that nearly all of a capture is made of: Ethernet, IP without options, TCP. Read in one go, into registers.
//
// Whatever is different in any way is nobody's loss: `PacketDissector.dissect` reads it, and does the same with these.

internal import Wire

/// A TCP segment with all that the flow table asks of it and of the packet around it.
struct PlacedSegment: BitwiseCopyable {
    /// The connection's canonical key, its hash, and what tells the segment from others of the connection.
    var key = FlowKey()
    var hash: UInt64 = 0
    var fingerprint: UInt64 = 0
    var input = TCPInput()
    /// Of IPv4; 0 for IPv6.
    var identification: UInt16 = 0
}

/// Where the TCP header of a plain frame lies, and how long it and its payload are by the IP header.
struct PlainSegment {
    var offset = 0
    var length = 0

    /// Fills key, sender and identification of `segment`; nil, with them in any state, for everything that is not plain
    /// or not whole as far as the ports.
    @inline(__always)
    init?(_ record: RawSpan, into segment: inout PlacedSegment) {
        // Ethernet, the lesser IP header and the ports; what is proved once here is not asked again below.
        guard record.byteCount >= EthernetFrame.headerLength &+ IPv4Packet.minimumHeaderLength &+ 4,
            let frame = EthernetFrame(record)
        else { return nil }
        let rest = record.suffix(from: EthernetFrame.headerLength)
        if frame.type == .ipv4 {
            guard let packet = IPv4Packet(plain: rest), packet.protocolNumber == .tcp,
                packet.totalLength >= IPv4Packet.minimumHeaderLength &+ 4
            else { return nil }
            offset = EthernetFrame.headerLength &+ IPv4Packet.minimumHeaderLength
            length = packet.totalLength &- IPv4Packet.minimumHeaderLength
            segment.identification = packet.identification
            // The order of address and port as one number is that of addresses, then of ports.
            let source = packet.source.low &<< 16 | UInt64(record.bigEndian16(at: offset))
            let destination = packet.destination.low &<< 16 | UInt64(record.bigEndian16(at: offset &+ 2))
            segment.input.sender = source <= destination ? 0 : 1
            let first = min(source, destination)
            let second = max(source, destination)
            segment.key.high0 = 0
            segment.key.low0 = first &>> 16
            segment.key.high1 = 0
            segment.key.low1 = second &>> 16
            segment.key.rest = first &<< 48 | (second & 0xFFFF) &<< 32
        } else if frame.type == .ipv6 {
            guard let packet = IPv6Packet(rest), packet.nextHeader == .tcp, packet.payloadLength >= 4
            else { return nil }
            offset = EthernetFrame.headerLength &+ IPv6Packet.headerLength
            length = packet.payloadLength
            guard record.byteCount >= offset &+ 4 else { return nil }
            segment.identification = 0
            segment.input.sender = segment.key.fill(
                source: packet.source, sourcePort: record.bigEndian16(at: offset), destination: packet.destination,
                destinationPort: record.bigEndian16(at: offset &+ 2), interface: 0)
        } else {
            return nil
        }
    }
}

extension FlowKey {
    /// Makes the key that both directions share; returns which side is the source, 0 or 1.
    @inline(__always)
    mutating func fill(
        source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16, interface: UInt32
    ) -> Int {
        let scope = UInt64(interface | (source.isIPv6 ? FlowKey.ipv6 : 0))
        let sourceIsLower: Bool
        if source.high != destination.high {
            sourceIsLower = source.high < destination.high
        } else if source.low != destination.low {
            sourceIsLower = source.low < destination.low
        } else {
            sourceIsLower = sourcePort <= destinationPort
        }
        if sourceIsLower {
            high0 = source.high
            low0 = source.low
            high1 = destination.high
            low1 = destination.low
            rest = UInt64(sourcePort) &<< 48 | UInt64(destinationPort) &<< 32 | scope
            return 0
        }
        high0 = destination.high
        low0 = destination.low
        high1 = source.high
        low1 = source.low
        rest = UInt64(destinationPort) &<< 48 | UInt64(sourcePort) &<< 32 | scope
        return 1
    }
}
