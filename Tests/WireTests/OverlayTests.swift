// VXLAN, VXLAN-GPE, Geneve and GTP-U.

import Testing
import Wire

@Suite struct OverlayTests {
    private func written(_ header: OverlayHeader, payload: [UInt8] = [0x45, 2]) -> [UInt8] {
        var bytes: [UInt8] = []
        header.write(payload: payload, to: &bytes)
        return bytes
    }

    @Test func vxlanReadsBack() throws {
        let bytes = written(.vxlan(network: 0xABCDEF))
        guard let view = VXLANPacket(bytes.span.bytes) else { throw Missing() }
        check(view.network == 0xABCDEF && view.payload.byteCount == 2)
        let policy = written(.vxlan(network: 1, group: 0xFFFF))
        check(VXLANPacket(policy.span.bytes) != nil)
        for (place, value) in [(0, UInt8(0x00)), (0, 0x0C), (1, 1), (7, 1)] {
            var changed = bytes
            changed[place] = value
            check(VXLANPacket(changed.span.bytes) == nil, "byte \(place)")
        }
        check(VXLANPacket(bytes.span.bytes.prefix(7)) == nil)
    }

    @Test(arguments: [OverlayPayload.ethernet, .ipv4, .ipv6])
    func genericExtensionReadsBack(carries: OverlayPayload) throws {
        let bytes = written(.vxlanGPE(network: 9, carries: carries))
        guard let view = VXLANGPEPacket(bytes.span.bytes) else { throw Missing() }
        check(view.network == 9 && view.carries == carries)
        let message = [bytes[0] | 1] + bytes.dropFirst()
        guard let control = VXLANGPEPacket(message.span.bytes) else { throw Missing() }
        check(control.carries == nil)
        let plain = [0x08] + bytes.dropFirst()
        check(VXLANGPEPacket(plain.span.bytes) == nil)
    }

    @Test func geneveReadsBack() throws {
        let options: [UInt8] = [1, 2, 0x80, 1, 0, 0, 0, 12]
        let bytes = written(.geneve(network: 0xABCDEF, type: .ipv6, options: options))
        guard let view = GenevePacket(bytes.span.bytes) else { throw Missing() }
        check(view.network == 0xABCDEF && view.headerLength == 16 && view.carries == .ipv6 && !view.isControl)
        check(GenevePacket(bytes.span.bytes.prefix(15)) == nil)
        for (place, value) in [(0, UInt8(0x42)), (1, 0x01), (7, 1)] {
            var changed = bytes
            changed[place] = value
            check(GenevePacket(changed.span.bytes) == nil, "byte \(place)")
        }
        var control = bytes
        control[1] = 0x80
        guard let message = GenevePacket(control.span.bytes) else { throw Missing() }
        check(message.isControl && message.carries == nil)
    }

    @Test func gtpReadsBackWithEveryOption() throws {
        let container = OverlayHeader.GTPExtension(type: 0x85, content: [0, 9, 0, 0, 0, 0])
        for (sequence, extensions, length) in [
            (UInt16?.none, [OverlayHeader.GTPExtension](), 8), (5, [], 12), (nil, [container], 20),
            (5, [container, container], 28),
        ] {
            let bytes = written(.gtpUser(endpoint: 0xABCD, sequence: sequence, extensions: extensions))
            guard let view = GTPUserPacket(bytes.span.bytes, length: bytes.count) else { throw Missing() }
            check(view.headerLength == length && view.endpoint == 0xABCD && view.carries == .ipv4)
            check(GTPUserPacket(bytes.span.bytes, length: bytes.count + 1) == nil)
            check(GTPUserPacket(bytes.span.bytes.prefix(length - 1), length: bytes.count) == nil)
        }
    }

    @Test func endlessExtensionsAreRefused() {
        let extensions = [OverlayHeader.GTPExtension](repeating: .init(type: 0x85, content: [0, 9]), count: 9)
        let bytes = written(.gtpUser(endpoint: 1, extensions: extensions))
        check(GTPUserPacket(bytes.span.bytes, length: nil) == nil)
        // A length of no words would never come to an end.
        let still: [UInt8] = [0x34, 0xFF, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x85, 0, 0, 0, 0]
        check(GTPUserPacket(still.span.bytes, length: nil) == nil)
    }

    @Test func anyBytesAreReadOrRefused() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            let span = bytes.span.bytes
            if let view = VXLANPacket(span) { _ = (view.network, view.payload.byteCount) }
            if let view = VXLANGPEPacket(span) { _ = (view.network, view.carries) }
            if let view = GenevePacket(span) { _ = (view.network, view.carries, view.headerLength) }
            if let view = GTPUserPacket(span, length: nil) { _ = (view.endpoint, view.carries) }
            if let view = AuthenticationHeader(span) { _ = (view.nextHeader, view.payload.byteCount) }
        }
    }
}
