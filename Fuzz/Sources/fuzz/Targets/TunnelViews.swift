// Views of tunnels, overlays and VPNs, and of service bindings: the rest of `ViewsTarget`.

import TestSupport
import Wire

enum TunnelViews {
    static func run(_ selector: UInt8, _ bytes: RawSpan) throws(FuzzFailure) {
        switch selector {
        case 16: try wireGuard(bytes)
        case 17: try ike(bytes)
        case 18: try openVPN(bytes)
        case 19: try generic(bytes)
        case 20: try geneve(bytes)
        case 21: try gtp(bytes)
        case 22: try authentication(bytes)
        case 23: try binding(bytes)
        default: return
        }
    }

    private static func wireGuard(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = WireGuardMessage(bytes, length: bytes.byteCount) else { return }
        try expect(view.type == .initiation || view.receiver != nil, "only an initiation has no receiver")
        ViewsTarget.sink = UInt8(truncatingIfNeeded: view.sender ?? view.receiver ?? 0)
    }

    private static func ike(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = IKEMessage(bytes, length: bytes.byteCount) else { return }
        try expect(view.initiatorSPI != 0, "an initiator has an SPI")
        try expect(view.majorVersion == 1 || view.majorVersion == 2, "a version")
        try expect(view.length <= bytes.byteCount, "a message longer than its datagram")
        if let part = view.fragment { try expect((1...part.total).contains(part.number), "a part beyond the last") }
        ViewsTarget.sink = UInt8(truncatingIfNeeded: view.rejection)
    }

    private static func openVPN(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = OpenVPNReset(bytes, length: bytes.byteCount, time: 1_700_000_000_000_000_000) else { return }
        try expect(view.session != 0, "a reset has a session")
        try expect(view.isFromServer || view.echoedSession == 0, "only a server echoes a session")
    }

    private static func generic(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = VXLANGPEPacket(bytes) else { return }
        try expect(view.network < 1 << 24, "a network identifier has 24 bits")
        ViewsTarget.sink = view.carries == nil ? 0 : 1
    }

    private static func geneve(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = GenevePacket(bytes) else { return }
        try expect(view.headerLength >= 8 && view.headerLength <= bytes.byteCount, "the header lies within the bytes")
        try expect(view.network < 1 << 24, "a network identifier has 24 bits")
        try expect(!view.isControl || view.carries == nil, "control messages carry nothing")
    }

    private static func gtp(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = GTPUserPacket(bytes, length: nil) else { return }
        try expect(view.headerLength >= 8 && view.headerLength <= bytes.byteCount, "the header lies within the bytes")
        ViewsTarget.sink = UInt8(truncatingIfNeeded: view.endpoint &+ (view.carries == nil ? 0 : 1))
    }

    private static func authentication(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = AuthenticationHeader(bytes) else { return }
        try expect(view.headerLength >= 12 && view.headerLength <= bytes.byteCount, "the header lies within the bytes")
        ViewsTarget.sink = view.nextHeader.rawValue
        try ViewsTarget.within(view.payload, bytes, header: view.headerLength)
    }

    private static func binding(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let view = DNSServiceBinding(bytes) else { return }
        var hints = 0
        view.forEachHint(limit: 8) { _ in hints += 1 }
        try expect(hints <= 8 && hints * 4 <= bytes.byteCount, "more hints than there is room for")
        try expect(view.priority != 0 || hints == 0, "an alias hints at nothing")
    }

    // MARK: Seeds

    static var seeds: [[UInt8]] {
        var result: [[UInt8]] = []
        func add(_ view: UInt8, _ write: (inout [UInt8]) -> Void) {
            var bytes = [view]
            write(&bytes)
            result.append(bytes)
        }
        let payload: [UInt8] = [0x45, 2, 3, 4]
        for type in [WireGuardType.initiation, .response, .cookieReply, .transport] {
            add(16) { WireGuardHeader(type: type, sender: 1, receiver: 2).write(to: &$0) }
        }
        add(17) { IKEHeader(initiatorSPI: 1, exchange: 34).write(payloads: [(33, [1, 2, 3, 4])], to: &$0) }
        add(17) {
            IKEHeader(initiatorSPI: 1, exchange: 34, isResponse: true).write(payloads: [(41, [0, 0, 64, 6])], to: &$0)
        }
        add(17) { IKEHeader(initiatorSPI: 1, exchange: 35).write(fragment: IKEFragment(number: 1, total: 2), to: &$0) }
        for wrapping in [OpenVPNWrapping.none, .tlsAuth, .tlsCrypt] {
            for isFromServer in [false, true] {
                add(18) {
                    OpenVPNResetHeader(
                        isFromServer: isFromServer, session: 1, echoedSession: 2, wrapping: wrapping,
                        seconds: 1_700_000_000
                    ).write(to: &$0)
                }
            }
        }
        add(19) { OverlayHeader.vxlanGPE(network: 7, carries: .ipv4).write(payload: payload, to: &$0) }
        add(20) {
            OverlayHeader.geneve(network: 7, type: .ipv4, options: [0, 1, 2, 0]).write(payload: payload, to: &$0)
        }
        add(21) { OverlayHeader.gtpUser(endpoint: 7).write(payload: payload, to: &$0) }
        add(21) {
            OverlayHeader.gtpUser(endpoint: 7, sequence: 1, extensions: [.init(type: 0x85, content: [0, 1])])
                .write(payload: payload, to: &$0)
        }
        add(22) { TunnelHeader.authentication(next: .tcp).write(payload: payload, to: &$0) }
        if let name = DNSName("www.example.com") {
            let hints = [Endpoints.ipv4.server, Endpoints.ipv6.server]
            add(23) { $0 += DNSServiceBindingFields(target: name, hints: hints).write() }
        }
        return result
    }
}
