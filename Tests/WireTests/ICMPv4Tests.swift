import Testing

@testable import Wire

struct ICMPv4Tests {
    @Test
    func anEchoIsReadAsItWasWritten() throws {
        var packet: [UInt8] = []
        ICMPEcho(identifier: 0x1234, sequence: 0xFFFE).writeICMPv4(payload: [1, 2, 3], to: &packet)
        guard let message = ICMPv4Message(packet.span.bytes) else { throw Missing() }
        check(message.type == 8 && message.code == 0)
        check(message.isEchoRequest && !message.isEchoReply && !message.isError)
        check(message.identifier == 0x1234 && message.sequence == 0xFFFE)
        check(message.hasValidChecksum)
        check(message.payload.byteCount == 3 && message.payload.byte(at: 2) == 3)
        check(ICMPEcho(message) == ICMPEcho(identifier: 0x1234, sequence: 0xFFFE))
        var damaged = packet
        damaged[9] ^= 1
        check(ICMPv4Message(damaged.span.bytes)?.hasValidChecksum == false)
    }

    /// An odd length, the checksum worked out by hand: 0800 + 0001 + 0005 + 6162 + 6300, complemented.
    @Test
    func theChecksumIsThatOfRFC1071() throws {
        let packet: [UInt8] = [0x08, 0x00, 0x33, 0x97, 0x00, 0x01, 0x00, 0x05, 0x61, 0x62, 0x63]
        check(ICMPv4Message(packet.span.bytes)?.hasValidChecksum == true)
        var written: [UInt8] = []
        ICMPEcho(identifier: 1, sequence: 5).writeICMPv4(payload: [0x61, 0x62, 0x63], to: &written)
        check(written == packet)
    }

    @Test
    func anErrorQuotesItsPacket() throws {
        var packet: [UInt8] = []
        ICMPv4Error(type: 3, code: 4, nextHopMTU: 1_400, quoted: Array(0..<28)).write(to: &packet)
        guard let message = ICMPv4Message(packet.span.bytes) else { throw Missing() }
        check(message.isError && message.hasValidChecksum)
        check(message.nextHopMTU == 1_400)
        check(message.payload.byteCount == 28)
        check(ICMPEcho(message) == nil)
    }

    @Test
    func shortBytesAreNoMessage() {
        for count in 0..<8 { check(ICMPv4Message([UInt8](repeating: 0, count: count).span.bytes) == nil) }
        check(ICMPv4Message([UInt8](repeating: 0, count: 8).span.bytes)?.payload.byteCount == 0)
    }
}
