import Testing

@testable import Wire

struct ICMPv6Tests {
    private let source = IPAddress(v6High: 0xFE80_0000_0000_0000, low: 1)
    private let destination = IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 2)

    @Test
    func theChecksumCoversTheAddresses() throws {
        var packet: [UInt8] = []
        ICMPEcho(isReply: true, identifier: 7, sequence: 9)
            .writeICMPv6(payload: [0xAB], addresses: (source, destination), to: &packet)
        guard let message = ICMPv6Message(packet.span.bytes) else { throw Missing() }
        check(message.isEchoReply && !message.isEchoRequest && !message.isError)
        check(message.identifier == 7 && message.sequence == 9)
        var pseudo = source.bytes + destination.bytes
        pseudo.append(bigEndian: UInt32(packet.count))
        pseudo.append(bigEndian: UInt32(58))
        // A checksum over everything, itself included, is zero.
        check(internetChecksum(pseudo + packet) == 0)
    }

    @Test
    func withoutAddressesTheKernelFillsItIn() throws {
        var packet: [UInt8] = []
        ICMPEcho(identifier: 7, sequence: 9).writeICMPv6(payload: [], addresses: nil, to: &packet)
        check(ICMPv6Message(packet.span.bytes)?.checksum == 0)
        check(packet.count == 8)
    }

    @Test
    func anErrorCarriesItsParameter() throws {
        var packet: [UInt8] = []
        ICMPv6Error(type: 2, code: 0, parameter: 1_280, quoted: [1, 2]).write(
            addresses: (source, destination), to: &packet)
        guard let message = ICMPv6Message(packet.span.bytes) else { throw Missing() }
        check(message.isError && message.type == ICMPv6Type.packetTooBig)
        check(message.parameter == 1_280)
        check(message.payload.byteCount == 2)
        check(ICMPEcho(message) == nil)
    }

    @Test
    func shortBytesAreNoMessage() {
        for count in 0..<8 { check(ICMPv6Message([UInt8](repeating: 0, count: count).span.bytes) == nil) }
    }
}
