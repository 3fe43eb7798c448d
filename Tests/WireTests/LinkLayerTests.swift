// Ethernet, VLAN tags, cooked captures, loopback, and the headers of tunnels.

import Testing
import Wire

/// A view could not be made where it should have been.
struct Refused: Error {}

@Suite struct LinkLayerTests {
    @Test func ethernetWithTags() throws {
        var bytes: [UInt8] = []
        EthernetHeader(
            source: 0x0102_0304_0506, destination: 0x0A0B_0C0D_0E0F,
            tags: [.init(type: .serviceVLAN, identifier: 5), .init(type: .vlan, identifier: 0xFFFF)], type: .ipv6
        ).write(payload: [0x60], to: &bytes)
        #expect(bytes.count == 14 + 8 + 1)
        #expect(Array(bytes[0..<12]) == [10, 11, 12, 13, 14, 15, 1, 2, 3, 4, 5, 6])
        let span = bytes.span.bytes
        guard let readFrame = EthernetFrame(span) else { throw Refused() }
        let frame = (readFrame.type, readFrame.payload.byteCount)
        #expect(frame.0 == .serviceVLAN)
        #expect(frame.0.isVLANTag)
        #expect(frame.1 == 9)
        guard let readTag = VLANTag(span.suffix(from: 14)) else { throw Refused() }
        let tag = (readTag.identifier, readTag.type)
        #expect(tag == (5, .vlan))
        guard let readInner = VLANTag(span.suffix(from: 18)) else { throw Refused() }
        let inner = (readInner.identifier, readInner.type)
        #expect(inner == (0x0FFF, .ipv6))
    }

    @Test func everyViewNeedsItsWholeHeader() {
        let zeros = [UInt8](repeating: 0, count: 64)
        func shortest(_ make: (RawSpan) -> Bool) -> Int? {
            (0...64).first { make(zeros.span.bytes.prefix($0)) }
        }
        #expect(shortest { EthernetFrame($0) != nil } == 14)
        #expect(shortest { VLANTag($0) != nil } == 4)
        #expect(shortest { LinuxCookedPacket($0) != nil } == 16)
        #expect(shortest { LinuxCookedPacket2($0) != nil } == 20)
        #expect(shortest { LoopbackPacket($0) != nil } == 4)
        #expect(shortest { MPLSLabel($0) != nil } == 4)
        #expect(shortest { GREPacket($0) != nil } == 4)
        #expect(shortest { PPPoESession($0) != nil } == nil)
        #expect(shortest { VXLANPacket($0) != nil } == nil)
    }

    @Test func cookedVersionsReadBack() throws {
        let header = LinuxCookedHeader(type: .ipv4, interface: 7)
        var one: [UInt8] = []
        header.writeVersion1(payload: [1, 2], to: &one)
        guard let readFirst = LinuxCookedPacket(one.span.bytes) else { throw Refused() }
        let first = (readFirst.type, readFirst.payload.byteCount)
        #expect(first == (.ipv4, 2))
        var two: [UInt8] = []
        header.writeVersion2(payload: [1, 2, 3], to: &two)
        guard let readSecond = LinuxCookedPacket2(two.span.bytes) else { throw Refused() }
        let second = (LinuxCookedHeader(readSecond), readSecond.payload.byteCount)
        #expect(second.0 == header)
        #expect(second.1 == 3)
    }

    @Test(arguments: [
        (UInt32(2), true, false), (24, false, true), (28, false, true), (30, false, true), (7, false, false),
    ])
    func loopbackFamiliesInEitherByteOrder(family: UInt32, isIPv4: Bool, isIPv6: Bool) throws {
        for bigEndian in [true, false] {
            var bytes: [UInt8] = []
            if bigEndian {
                bytes.append(bigEndian: family)
            } else {
                LoopbackHeader(family: family).write(payload: [], to: &bytes)
            }
            guard let readView = LoopbackPacket(bytes.span.bytes) else { throw Refused() }
            let view = (readView.family, readView.type)
            #expect(view.0 == family)
            #expect(view.1 == (isIPv4 ? .ipv4 : isIPv6 ? .ipv6 : nil))
        }
    }

    @Test func labelsSessionsAndTunnels() throws {
        var bytes: [UInt8] = []
        TunnelHeader.mpls(labels: [16, 1_048_575]).write(payload: [0x60], to: &bytes)
        guard let readOuter = MPLSLabel(bytes.span.bytes) else { throw Refused() }
        let outer = (readOuter.label, readOuter.isBottomOfStack, readOuter.innerType)
        #expect(outer == (16, false, nil))
        guard let readBottom = MPLSLabel(bytes.span.bytes.suffix(from: 4)) else { throw Refused() }
        let bottom = (readBottom.label, readBottom.isBottomOfStack, readBottom.innerType)
        #expect(bottom == (1_048_575, true, .ipv6))

        var sessionBytes: [UInt8] = []
        TunnelHeader.pppoe(session: 9, inner: .ipv6).write(payload: [1], to: &sessionBytes)
        guard let readSession = PPPoESession(sessionBytes.span.bytes) else { throw Refused() }
        let session = (readSession.session, readSession.type, readSession.payload.byteCount)
        #expect(session == (9, .ipv6, 1))

        let withKey: [UInt8] = [0x20, 0, 0x08, 0, 0, 0, 0, 1, 0x45]
        guard let readGre = GREPacket(withKey.span.bytes) else { throw Refused() }
        let gre = (readGre.type, readGre.headerLength, readGre.payload.byteCount)
        #expect(gre == (.ipv4, 8, 1))
        let pptp: [UInt8] = [0x30, 0x01, 0x88, 0x0B, 0, 0, 0, 0]
        let isOtherVersionRefused = GREPacket(pptp.span.bytes) == nil
        #expect(isOtherVersionRefused)
        let isCutRefused = GREPacket(withKey.span.bytes.prefix(7)) == nil
        #expect(isCutRefused)

        var authenticated: [UInt8] = []
        TunnelHeader.authentication(next: .tcp).write(payload: [1, 2], to: &authenticated)
        guard let readHeader = AuthenticationHeader(authenticated.span.bytes) else { throw Refused() }
        let header = (readHeader.nextHeader, readHeader.headerLength, readHeader.payload.byteCount)
        #expect(header == (.tcp, 24, 2))
        let isShortRefused = AuthenticationHeader(authenticated.span.bytes.prefix(23)) == nil
        #expect(isShortRefused)
    }
}
