// Segments of TCP that IP sends in fragments (RFC 791, 3.2; RFC 8200, 4.5), so that what the later ones carry is not missed.
//
// Only the first holds the header. Each that follows on it in order is taken for a segment of its own, as it would be had
// TCP cut the data there; fragments out of order are counted as dropped.

internal import Wire

/// A first fragment, and how far the others have come.
struct FragmentedSegment: BitwiseCopyable {
    var segment = PlacedSegment()
    var source = IPAddress(v4: 0)
    var destination = IPAddress(v4: 0)
    var interface: UInt32 = 0
    /// Of IPv6; that of IPv4 is the segment's.
    var identification: UInt32 = 0
    /// Bytes of the TCP header, and where in the packet's payload the next fragment is to begin; 0: free.
    var headerLength = 0
    var next = 0

    /// Whether a fragment is of the same packet.
    func matches(_ packet: DissectedPacket) -> Bool {
        next > 0 && segment.identification == packet.identification
            && identification == packet.fragmentIdentification && source == packet.source
            && destination == packet.destination && interface == packet.interface
            && packet.time &- segment.input.time < FragmentTable.patience
    }
}

/// The fragmented segments that came last.
struct FragmentTable: ~Copyable {
    static var size: Int { 32 }
    /// Nanoseconds after which a fragment is of another packet with the same identification.
    static var patience: Int64 { 1_000_000_000 }

    var entries: FixedTable<FragmentedSegment> = FixedTable(zeroed: FragmentTable.size)
    private var cursor = 0

    func find(_ packet: DissectedPacket) -> Int? {
        for index in 0..<entries.count where entries[index].matches(packet) { return index }
        return nil
    }

    /// Notes a first fragment in the place of the oldest.
    mutating func note(_ fragmented: FragmentedSegment) {
        entries[cursor] = fragmented
        cursor = cursor &+ 1 < entries.count ? cursor &+ 1 : 0
    }
}

extension CaptureEngine {
    /// Takes the first fragment of a segment, of which key, sender and time are filled, and remembers it; false where the
    /// header is not whole.
    @inline(never)
    mutating func acceptFirst(
        _ place: UnsafeMutablePointer<WaitingPacket>, of packet: DissectedPacket, record: RawSpan
    ) -> Bool {
        let bytes = record.suffix(from: packet.offset).prefix(packet.captured)
        guard let header = TCPSegment(bytes), packet.length >= header.headerLength else { return false }
        var fragmented = FragmentedSegment()
        unsafe fragmented.segment = place.pointee.segment
        read(header, length: packet.length, into: &fragmented.segment)
        fragmented.source = packet.source
        fragmented.destination = packet.destination
        fragmented.interface = packet.interface
        fragmented.identification = packet.fragmentIdentification
        fragmented.headerLength = header.headerLength
        fragmented.next = packet.length
        // Its copy does not begin anew what has come further. A SYN or RST carried on would be a second one.
        let isPlain = fragmented.segment.input.flags & (TCPInput.syn | TCPInput.rst) == 0
        if isPlain, fragments.find(packet) == nil { fragments.note(fragmented) }
        unsafe place.pointee.segment = fragmented.segment
        // The end of the data is that of the last fragment.
        unsafe place.pointee.segment.input.flags &= ~TCPInput.fin
        unsafe take(place, payload: header.payload)
        return true
    }

    /// Takes a later fragment of TCP as the segment that it carries on; false where it does not.
    mutating func acceptFragment(_ packet: DissectedPacket, record: RawSpan) -> Bool {
        guard packet.protocolNumber == .tcp, packet.fragmentOffset > 0, packet.length > 0,
            let index = fragments.find(packet), packet.fragmentOffset <= fragments.entries[index].next
        else { return false }
        let fragmented = fragments.entries[index]
        fragments.entries[index].next = max(fragmented.next, packet.fragmentOffset &+ packet.length)
        let distance = packet.fragmentOffset &- fragmented.headerLength
        let place = unsafe batch.next
        unsafe place.pointee.segment = fragmented.segment
        unsafe place.pointee.segment.input.sequence &+= UInt32(truncatingIfNeeded: distance)
        unsafe place.pointee.segment.input.payload = UInt32(truncatingIfNeeded: packet.length)
        unsafe place.pointee.segment.input.time = packet.time
        if packet.isFragmented { unsafe place.pointee.segment.input.flags &= ~TCPInput.fin }
        // All but the highest bit, which is always set.
        unsafe place.pointee.segment.fingerprint ^=
            (UInt64(truncatingIfNeeded: distance) &* 0x9E37_79B9_7F4A_7C15) &>> 1
        unsafe take(place, payload: record.prefix(0))
        return true
    }

    private mutating func take(_ place: UnsafeMutablePointer<WaitingPacket>, payload: RawSpan) {
        if isBatched {
            unsafe enqueue(place, payload: payload)
        } else {
            unsafe takeSegment(place, payload: payload, hint: -1)
        }
    }
}
