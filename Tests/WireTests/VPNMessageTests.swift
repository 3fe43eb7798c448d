// WireGuard, IKE and OpenVPN: what is read back, and what is refused.

import Testing
import Wire

@Suite struct VPNMessageTests {
    @Test func wireGuardReadsBack() throws {
        for (type, sender, receiver) in [
            (WireGuardType.initiation, UInt32?(0xAABB_CCDD), UInt32?.none), (.response, 0xAABB_CCDD, 0x1122_3344),
            (.cookieReply, nil, 0x1122_3344), (.transport, nil, 0x1122_3344),
        ] {
            var bytes: [UInt8] = []
            WireGuardHeader(type: type, sender: 0xAABB_CCDD, receiver: 0x1122_3344).write(to: &bytes)
            #expect(bytes.count == type.length)
            // Little-endian on the wire.
            #expect(bytes[4] == (type == .initiation || type == .response ? 0xDD : 0x44))
            guard let view = WireGuardMessage(bytes.span.bytes.prefix(12), length: bytes.count) else { throw Missing() }
            check(view.type == type && view.sender == sender && view.receiver == receiver)
            check(WireGuardMessage(bytes.span.bytes.prefix(11), length: bytes.count) == nil)
            check(WireGuardMessage(bytes.span.bytes, length: bytes.count + 1) == nil)
        }
    }

    @Test func ikeReadsBack() throws {
        var bytes: [UInt8] = []
        IKEHeader(
            initiatorSPI: 0x1111, responderSPI: 0x2222, exchange: IKEExchange.createChild, messageID: 7,
            isResponse: true, isFromInitiator: true
        ).write(payloads: [(IKEPayload.encrypted, [1, 2, 3])], to: &bytes)
        guard let view = IKEMessage(bytes.span.bytes, length: bytes.count) else { throw Missing() }
        check(view.initiatorSPI == 0x1111 && view.responderSPI == 0x2222 && view.exchange == 36 && view.messageID == 7)
        check(view.isResponse && view.isFromInitiator && view.majorVersion == 2 && view.length == bytes.count)
        check(view.fragment == nil && view.rejection == 0)
        check(IKEMessage(bytes.span.bytes, length: bytes.count - 1) == nil)
        check(IKEMessage(bytes.span.bytes.prefix(27), length: bytes.count) == nil)
        for (place, value) in [(17, UInt8(0x00)), (17, 0x30), (27, 27)] {
            var changed = bytes
            changed[place] = value
            check(IKEMessage(changed.span.bytes, length: changed.count) == nil, "byte \(place)")
        }
        let nobody = [UInt8](repeating: 0, count: 8) + bytes.dropFirst(8)
        check(IKEMessage(nobody.span.bytes, length: nobody.count) == nil)
    }

    @Test func fragmentsNeedSenseAndTheirHeader() throws {
        for (number, total, isRead) in [(1, 1, true), (3, 9, true), (0, 2, false), (3, 2, false)] {
            var bytes: [UInt8] = []
            IKEHeader(initiatorSPI: 1, exchange: 35).write(
                fragment: IKEFragment(number: number, total: total), to: &bytes)
            guard let view = IKEMessage(bytes.span.bytes, length: bytes.count) else { throw Missing() }
            check(view.fragment == (isRead ? IKEFragment(number: number, total: total) : nil))
            guard let cut = IKEMessage(bytes.span.bytes.prefix(35), length: bytes.count) else { throw Missing() }
            check(cut.fragment == nil)
        }
    }

    @Test func rejectionIsTheNotificationWithoutAnAssociation() throws {
        func rejection(_ payloads: [(type: UInt8, content: [UInt8])], cut: Int = 0) throws -> UInt16 {
            var bytes: [UInt8] = []
            IKEHeader(initiatorSPI: 1, exchange: 34, isResponse: true).write(payloads: payloads, to: &bytes)
            guard let view = IKEMessage(bytes.span.bytes.prefix(bytes.count - cut), length: bytes.count)
            else { throw Missing() }
            return view.rejection
        }
        let cookie: [UInt8] = [0, 0, 0x40, 0x06, 1, 2]
        #expect(try rejection([]) == 0)
        #expect(try rejection([(41, cookie)]) == IKENotification.cookie)
        #expect(try rejection([(43, [1, 2]), (41, [0, 0, 0, 17, 0, 31]), (41, cookie)]) == 17)
        #expect(try rejection([(41, cookie), (33, [1, 2, 3, 4])]) == 0)
        #expect(try rejection([(41, cookie)], cut: 3) == 0)
        #expect(try rejection([(UInt8, [UInt8])](repeating: (43, []), count: 40) + [(41, cookie)]) == 0)
    }

    @Test func resetsReadBackInEveryWrapping() throws {
        let time: Int64 = 1_700_000_000_000_000_000
        for (wrapping, hash) in [
            (OpenVPNWrapping.none, 0), (.tlsAuth, 16), (.tlsAuth, 20), (.tlsAuth, 28), (.tlsAuth, 32), (.tlsAuth, 48),
            (.tlsAuth, 64), (.tlsCrypt, 0),
        ] {
            for isFromServer in [false, true] {
                var bytes: [UInt8] = []
                OpenVPNResetHeader(
                    isFromServer: isFromServer, session: 0x1111, echoedSession: 0x2222, wrapping: wrapping,
                    hashLength: hash, seconds: 1_700_000_000
                ).write(to: &bytes)
                guard let view = OpenVPNReset(bytes.span.bytes, length: bytes.count, time: time) else {
                    throw Missing()
                }
                check(view.isFromServer == isFromServer && view.session == 0x1111 && view.wrapping == wrapping)
                check(view.echoedSession == (isFromServer && wrapping != .tlsCrypt ? 0x2222 : 0))
                let longer = bytes + [0]
                check(OpenVPNReset(longer.span.bytes, length: longer.count, time: time) == nil)
                let other = [bytes[0] | 1] + bytes.dropFirst()
                check(OpenVPNReset(other.span.bytes, length: other.count, time: time) == nil)
                let nobody = [bytes[0]] + [UInt8](repeating: 0, count: 8) + bytes.dropFirst(9)
                check(OpenVPNReset(nobody.span.bytes, length: nobody.count, time: time) == nil)
            }
        }
    }

    @Test func anyBytesAreReadOrRefused() {
        var generator = SystemRandomNumberGenerator()
        let firsts: [UInt8] = [1, 2, 3, 4, 0x38, 0x40, 0x50, 0]
        for round in 0..<30_000 {
            var bytes = (0..<Int.random(in: 0...160, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            if !bytes.isEmpty { bytes[0] = firsts[round % firsts.count] }
            if bytes.count > 20 { bytes[17] = 0x20 }
            let length = bytes.count + Int.random(in: -3...3, using: &generator)
            let span = bytes.span.bytes
            if let view = WireGuardMessage(span, length: length) { _ = (view.sender, view.receiver) }
            if let view = IKEMessage(span, length: .max) { _ = (view.fragment, view.rejection) }
            if let view = OpenVPNReset(span, length: length, time: .min) { _ = (view.session, view.echoedSession) }
            if let view = OpenVPNReset(span, length: length, time: .max) { _ = (view.session, view.echoedSession) }
        }
    }
}
