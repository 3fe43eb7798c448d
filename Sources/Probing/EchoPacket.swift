// The bytes of our echoes, and what can be read out of packets that claim to have to do with them.

internal import Wire

/// Identifier, sequence and cookie of an echo as found in a packet.
struct EchoIdentity: Hashable, Sendable {
    let identifier: UInt16
    let sequence: UInt16
    /// nil where the packet ends before it.
    let cookie: EchoCookie?
    /// To where the echo went; nil where the packet does not say.
    var destination: IPAddress?
}

enum EchoPacket {
    /// An echo request with `size` bytes of data, of which the first sixteen are the cookie.
    ///
    /// The ICMPv6 checksum is left to the kernel.
    static func request(isIPv6: Bool, identifier: UInt16, sequence: UInt16, cookie: EchoCookie, size: Int) -> [UInt8] {
        var data: [UInt8] = []
        data.reserveCapacity(max(size, EchoCookie.length))
        data.append(bigEndian: cookie.tag)
        data.append(bigEndian: cookie.nonce)
        while data.count < size { data.append(UInt8(truncatingIfNeeded: data.count)) }
        let echo = ICMPEcho(identifier: identifier, sequence: sequence)
        var packet: [UInt8] = []
        packet.reserveCapacity(data.count + ICMPv4Message.headerLength)
        if isIPv6 {
            echo.writeICMPv6(payload: data, addresses: nil, to: &packet)
        } else {
            echo.writeICMPv4(payload: data, to: &packet)
        }
        return packet
    }

    /// The cookie at the start of an echo's data.
    static func cookie(_ data: RawSpan) -> EchoCookie? {
        guard data.byteCount >= EchoCookie.length else { return nil }
        return EchoCookie(tag: data.bigEndian64(at: 0), nonce: data.bigEndian64(at: 8))
    }

    /// The bytes behind an IPv4 header; nil where there is none.
    @_lifetime(copy bytes)
    static func behindIPv4Header(_ bytes: RawSpan) -> RawSpan? {
        guard bytes.byteCount >= 20, bytes.byte(at: 0) >> 4 == 4 else { return nil }
        let length = Int(bytes.byte(at: 0) & 0xF) * 4
        guard length >= 20, length <= bytes.byteCount else { return nil }
        return bytes.suffix(from: length)
    }

    /// Whether an IPv4 packet of at least a header is longer than what is here of it.
    static func isCut(_ bytes: RawSpan) -> Bool { Int(bytes.bigEndian16(at: 2)) > bytes.byteCount }

    /// The echo request that an ICMP error quotes; nil where it quotes something else.
    static func quoted4(_ quoted: RawSpan) -> EchoIdentity? {
        guard let rest = behindIPv4Header(quoted), quoted.byte(at: 9) == 1 else { return nil }
        // A later fragment has no ICMP header.
        guard quoted.bigEndian16(at: 6) & 0x1FFF == 0, let echo = ICMPv4Message(rest), echo.isEchoRequest else {
            return nil
        }
        return EchoIdentity(
            identifier: echo.identifier, sequence: echo.sequence, cookie: cookie(echo.payload),
            destination: IPAddress(v4: quoted.bigEndian32(at: 16)))
    }

    /// The same for ICMPv6; a fragment header before the echo is stepped over.
    static func quoted6(_ quoted: RawSpan) -> EchoIdentity? {
        guard quoted.byteCount >= 40, quoted.byte(at: 0) >> 4 == 6 else { return nil }
        var next = quoted.byte(at: 6)
        var offset = 40
        if next == 44 {
            guard quoted.byteCount >= 48, quoted.bigEndian16(at: 42) >> 3 == 0 else { return nil }
            next = quoted.byte(at: 40)
            offset = 48
        }
        guard next == 58, let echo = ICMPv6Message(quoted.suffix(from: offset)), echo.isEchoRequest else { return nil }
        return EchoIdentity(
            identifier: echo.identifier, sequence: echo.sequence, cookie: cookie(echo.payload),
            destination: IPAddress(v6High: quoted.bigEndian64(at: 24), low: quoted.bigEndian64(at: 32)))
    }

    /// The echo in a packet that the kernel looped back with its transmit stamp: link-layer and IP header, of lengths
    /// that are not ours to know, stand before it, so it is found by the cookie's tag.
    static func loopedBack(_ bytes: RawSpan, tag: UInt64) -> EchoIdentity? {
        let last = min(bytes.byteCount - EchoCookie.length, 160)
        guard last >= 8 else { return nil }
        for offset in 8...last where bytes.bigEndian64(at: offset) == tag {
            return EchoIdentity(
                identifier: bytes.bigEndian16(at: offset - 4), sequence: bytes.bigEndian16(at: offset - 2),
                cookie: EchoCookie(tag: tag, nonce: bytes.bigEndian64(at: offset + 8)), destination: nil)
        }
        return nil
    }
}
