// The frames that nearly all of a capture is made of: Ethernet, IP without options, TCP. Read in one go, into registers.
//
// Whatever is different in any way is nobody's loss: `PacketDissector.dissect` reads it, and does the same with these.

internal import Wire

/// A TCP segment with all that the flow table asks of the packet around it.
struct PlacedSegment: BitwiseCopyable {
    var place = FlowPlace()
    /// Record time in nanoseconds.
    var time: Int64 = 0
    /// Bytes of TCP header and payload by the IP header.
    var length = 0
    /// Of IPv4; 0 for IPv6.
    var identification: UInt16 = 0
}

/// Where the TCP header of a plain frame lies, and between whom it goes.
struct PlainSegment {
    var key = FlowKey()
    /// 0 or 1.
    var sender = 0
    var identification: UInt16 = 0
    /// Where the TCP header begins in the record.
    var offset = 0
    /// Bytes of TCP header and payload by the IP header.
    var length = 0

    /// nil for everything that is not plain, or not whole as far as the ports.
    @inline(__always)
    init?(_ record: RawSpan) {
        // Ethernet, the lesser IP header and the ports; what is proved once here is not asked again below.
        guard record.byteCount >= EthernetFrame.headerLength &+ IPv4Packet.minimumHeaderLength &+ 4,
            let frame = EthernetFrame(record)
        else { return nil }
        let rest = record.suffix(from: EthernetFrame.headerLength)
        if frame.type == .ipv4 {
            guard let packet = IPv4Packet(rest), packet.headerLength == IPv4Packet.minimumHeaderLength,
                packet.protocolNumber == .tcp, !packet.moreFragments, packet.fragmentOffset == 0,
                packet.totalLength != 0
            else { return nil }
            offset = EthernetFrame.headerLength &+ IPv4Packet.minimumHeaderLength
            length = packet.totalLength &- IPv4Packet.minimumHeaderLength
            guard holdsPorts(record) else { return nil }
            identification = packet.identification
            // The order of address and port as one number is that of addresses, then of ports.
            let source = packet.source.low &<< 16 | UInt64(record.bigEndian16(at: offset))
            let destination = packet.destination.low &<< 16 | UInt64(record.bigEndian16(at: offset &+ 2))
            sender = source <= destination ? 0 : 1
            let first = min(source, destination)
            let second = max(source, destination)
            key.low0 = first &>> 16
            key.low1 = second &>> 16
            key.ports = UInt32(truncatingIfNeeded: first) &<< 16 | UInt32(truncatingIfNeeded: second & 0xFFFF)
        } else if frame.type == .ipv6 {
            guard let packet = IPv6Packet(rest), packet.nextHeader == .tcp, packet.payloadLength != 0
            else { return nil }
            offset = EthernetFrame.headerLength &+ IPv6Packet.headerLength
            length = packet.payloadLength
            guard holdsPorts(record) else { return nil }
            sender = key.fill(
                source: packet.source, sourcePort: record.bigEndian16(at: offset), destination: packet.destination,
                destinationPort: record.bigEndian16(at: offset &+ 2), interface: 0)
        } else {
            return nil
        }
    }

    /// Bytes of TCP header and payload that the record holds.
    @inline(__always)
    func captured(_ record: RawSpan) -> Int { max(0, min(length, record.byteCount &- offset)) }

    @inline(__always)
    private func holdsPorts(_ record: RawSpan) -> Bool { captured(record) >= 4 }
}

extension FlowKey {
    /// Makes the key that both directions share; returns which side is the source, 0 or 1.
    @inline(__always)
    mutating func fill(
        source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16, interface: UInt32
    ) -> Int {
        scope = interface | (source.isIPv6 ? FlowKey.ipv6 : 0)
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
            ports = UInt32(sourcePort) &<< 16 | UInt32(destinationPort)
            return 0
        }
        high0 = destination.high
        low0 = destination.low
        high1 = source.high
        low1 = source.low
        ports = UInt32(destinationPort) &<< 16 | UInt32(sourcePort)
        return 1
    }
}
