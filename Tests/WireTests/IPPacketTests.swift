// IPv4 and IPv6 packets: lengths that lie, fragments, extension headers.

import Testing
import Wire

@Suite struct IPPacketTests {
    private let four = IPv4Header(
        source: IPAddress(v4: 0x0A00_0001), destination: IPAddress(v4: 0xC000_0209), protocolNumber: .udp,
        identification: 77, timeToLive: 9)

    @Test func ipv4ReadsBackWithAValidChecksum() throws {
        var bytes: [UInt8] = []
        four.write(payload: [1, 2, 3], to: &bytes)
        #expect(internetChecksum(bytes[..<20]) == 0)
        guard let readView = IPv4Packet(bytes.span.bytes) else { throw Refused() }
        let view = (IPv4Header(readView), readView.totalLength, readView.payload.byteCount)
        #expect(view.0 == four)
        #expect(view.1 == 23)
        #expect(view.2 == 3)
    }

    private func payloadLength(_ bytes: RawSpan) -> Int? {
        guard let view = IPv4Packet(bytes) else { return nil }
        return view.payload.byteCount
    }

    private func isWithoutUpperLayer(_ bytes: [UInt8]) -> Bool {
        guard let view = IPv6Packet(bytes.span.bytes) else { return false }
        return view.upperLayer() == nil
    }

    @Test func ipv4PayloadEndsWhereTheHeaderSays() throws {
        var bytes: [UInt8] = []
        four.write(payload: [1, 2, 3], to: &bytes)
        let padded = bytes + [0, 0, 0, 0]
        let paddedLength = payloadLength(padded.span.bytes)
        #expect(paddedLength == 3)
        let cutLength = payloadLength(bytes.span.bytes.prefix(21))
        #expect(cutLength == 1)
        var offloaded = bytes
        offloaded[2] = 0
        offloaded[3] = 0
        let offloadedLength = payloadLength(offloaded.span.bytes)
        #expect(offloadedLength == 3)
    }

    @Test func ipv4HeadersThatContradictThemselvesAreRefused() {
        var bytes: [UInt8] = []
        four.write(payload: [UInt8](repeating: 0, count: 60), to: &bytes)
        func isRead(_ change: (inout [UInt8]) -> Void) -> Bool {
            var changed = bytes
            change(&changed)
            return payloadLength(changed.span.bytes) != nil
        }
        #expect(isRead { _ in })
        #expect(isRead { $0[0] = 0x4F })
        #expect(!isRead { $0[0] = 0x44 })
        #expect(!isRead { $0[0] = 0x65 })
        #expect(!isRead { $0[2...3] = [0, 19] })
        #expect(!isRead { $0 = Array($0.prefix(19)) })
        #expect(
            !isRead {
                $0[0] = 0x4F
                $0 = Array($0.prefix(59))
            })
    }

    @Test func plainIPv4IsWholeAndWithoutOptions() {
        var bytes: [UInt8] = []
        four.write(payload: [UInt8](repeating: 0, count: 60), to: &bytes)
        func isPlain(_ change: (inout [UInt8]) -> Void) -> Bool {
            var changed = bytes
            change(&changed)
            return IPv4Packet(plain: changed.span.bytes) != nil
        }
        #expect(isPlain { _ in })
        #expect(isPlain { $0 = Array($0.prefix(20)) })
        // Don't Fragment is no fragment.
        #expect(isPlain { $0[6] |= 0x40 })
        #expect(!isPlain { $0[0] = 0x46 })
        #expect(!isPlain { $0[0] = 0x44 })
        #expect(!isPlain { $0[0] = 0x65 })
        #expect(!isPlain { $0[6] |= 0x20 })
        #expect(!isPlain { $0[7] = 1 })
        #expect(!isPlain { $0[2...3] = [0, 0] })
        #expect(!isPlain { $0[2...3] = [0, 19] })
        #expect(!isPlain { $0 = Array($0.prefix(19)) })
    }

    @Test func ipv4Fragments() throws {
        var bytes: [UInt8] = []
        var header = four
        header.moreFragments = true
        header.fragmentOffset = 65_528
        header.write(payload: [], to: &bytes)
        guard let readView = IPv4Packet(bytes.span.bytes) else { throw Refused() }
        let view = (readView.moreFragments, readView.fragmentOffset)
        #expect(view == (true, 65_528))
    }

    private func six(_ next: IPProtocol, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        IPv6Header(
            source: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 1),
            destination: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 9), nextHeader: next
        ).write(payload: payload, to: &bytes)
        return bytes
    }

    @Test func ipv6ReadsBack() throws {
        let bytes = six(.tcp, [1, 2])
        guard let readView = IPv6Packet(bytes.span.bytes) else { throw Refused() }
        let view = (IPv6Header(readView), readView.payload.byteCount)
        #expect(view.0.source.description == "2001:db8::1")
        #expect(view.0.destination.description == "2001:db8::9")
        #expect(view.1 == 2)
        let isRefused = IPv6Packet(bytes.span.bytes.prefix(39)) == nil
        #expect(isRefused)
    }

    @Test func ipv6ExtensionsAreWalkedToTheUpperLayer() throws {
        let bytes = six(
            .hopByHopOptions,
            [43, 0, 1, 4, 0, 0, 0, 0] + [51, 1] + [UInt8](repeating: 0, count: 14) + [60, 1]
                + [UInt8](repeating: 0, count: 10)
                + [6, 0, 1, 4, 0, 0, 0, 0] + [0xAB])
        guard let readLayer = IPv6Packet(bytes.span.bytes) else { throw Refused() }
        let foundlayer = readLayer.upperLayer()
        let layer = try #require(foundlayer)
        #expect(layer == IPv6UpperLayer(protocolNumber: .tcp, offset: 40 + 8 + 16 + 12 + 8))
    }

    @Test func ipv6FragmentsEndTheWalk() throws {
        let bytes = six(.fragment, [60, 0, 0x00, 0x09, 0, 0, 0, 1] + [6, 255, 0, 0, 0, 0, 0, 0])
        guard let readLayer = IPv6Packet(bytes.span.bytes) else { throw Refused() }
        let foundlayer = readLayer.upperLayer()
        let layer = try #require(foundlayer)
        #expect(layer.fragmentOffset == 8)
        #expect(layer.moreFragments)
        #expect(layer.fragmentIdentification == 1)
        #expect(layer.protocolNumber == .destinationOptions)
        let atomic = six(.fragment, [6, 0, 0, 0, 0, 0, 0, 1])
        guard let readWhole = IPv6Packet(atomic.span.bytes) else { throw Refused() }
        let foundwhole = readWhole.upperLayer()
        let whole = try #require(foundwhole)
        var expected = IPv6UpperLayer(protocolNumber: .tcp, offset: 48)
        expected.fragmentIdentification = 1
        #expect(whole == expected)
    }

    @Test func ipv6ChainsAreBounded() {
        let long = six(.destinationOptions, (0..<20).flatMap { _ in [UInt8]([60, 0, 1, 4, 0, 0, 0, 0]) })
        #expect(isWithoutUpperLayer(long))
        let cut = six(.destinationOptions, [6, 0, 1])
        #expect(isWithoutUpperLayer(cut))
    }
}
