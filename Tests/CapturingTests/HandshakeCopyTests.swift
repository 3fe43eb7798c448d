// Copies of handshakes that come behind the answer, messages of which a part was missed, and requests without room.

import Capturing
import Model
import TestSupport
import Testing
import Wire

/// Where packets come by twice, it is 0.3 ms apart, and the answer is quicker than that.
@Suite struct HandshakeCopyTests {
    private static let spi: UInt64 = 0xA888_75A8_1989_92A6
    private static let copyDelay = 0.3

    private func wireGuard(_ type: WireGuardType, sender: UInt32 = 0, receiver: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        WireGuardHeader(type: type, sender: sender, receiver: receiver).write(to: &bytes)
        return bytes
    }

    private func reset(fromServer: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        OpenVPNResetHeader(isFromServer: fromServer, session: fromServer ? 2 : 1, echoedSession: 1).write(to: &bytes)
        return bytes
    }

    /// IKE_SA_INIT; `notification` stands in place of an answer.
    private func initialize(isResponse: Bool = false, filler: UInt8 = 1, notification: UInt16? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        let content = notification.map { [0, 0, UInt8($0 >> 8), UInt8($0 & 0xFF), 1, 2, 3, 4] }
        IKEHeader(
            initiatorSPI: Self.spi, exchange: IKEExchange.initialize, isResponse: isResponse,
            isFromInitiator: !isResponse
        ).write(
            payloads: [
                (
                    content == nil ? IKEPayload.association : IKEPayload.notification,
                    content ?? [UInt8](repeating: filler, count: 40)
                )
            ], to: &bytes)
        return bytes
    }

    private func fragment(_ number: Int, of total: Int, id: UInt32, isResponse: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        IKEHeader(
            initiatorSPI: Self.spi, responderSPI: 5, exchange: IKEExchange.authenticate, messageID: id,
            isResponse: isResponse, isFromInitiator: !isResponse
        ).write(fragment: IKEFragment(number: number, total: total), to: &bytes)
        return bytes
    }

    /// These packets and their copies, in order of time.
    private func mirrored(
        _ packets: [(at: Double, fromClient: Bool, payload: [UInt8])], parties: Endpoints
    ) -> PacketBuilder {
        let all = packets.flatMap { packet in
            [packet, (at: packet.at + Self.copyDelay, fromClient: packet.fromClient, payload: packet.payload)]
        }
        var builder = PacketBuilder()
        for packet in all.sorted(by: { $0.at < $1.at }) {
            builder.udp(packet.at, fromClient: packet.fromClient, payload: packet.payload, endpoints: parties)
        }
        return builder
    }

    @Test func aHandshakeQuickerThanItsCopiesIsOne() throws {
        let cases: [(request: [UInt8], reply: [UInt8], port: UInt16, line: String)] = [
            (
                wireGuard(.initiation, sender: 7), wireGuard(.response, sender: 1, receiver: 7), 51_820,
                "wireguard server transaction 0.1"
            ),
            (
                wireGuard(.initiation, sender: 7), wireGuard(.cookieReply, receiver: 7), 51_820,
                "wireguard server transaction unanswered [under_load]"
            ),
            (reset(fromServer: false), reset(fromServer: true), 1_194, "openvpn server transaction 0.1"),
            (initialize(), initialize(isResponse: true), 500, "ikev2 server transaction 0.1 [IKE_SA_INIT]"),
        ]
        for (request, reply, port, line) in cases {
            let builder = mirrored([(0, true, request), (0.1, false, reply)], parties: .vpn(40_000, port))
            let analysis = try Analysis(builder)
            #expect(analysis.lines == [line])
            #expect(analysis.report.duplicates == 2)
        }
    }

    @Test func copiesOfACookieRoundAnswerNoOtherRequest() throws {
        let cookie = IKENotification.cookie
        let packets: [(at: Double, fromClient: Bool, payload: [UInt8])] = [
            (0, true, initialize()), (0.1, false, initialize(isResponse: true, notification: cookie)),
            (0.15, true, initialize(filler: 2)), (0.9, false, initialize(isResponse: true)),
        ]
        let analysis = try Analysis(mirrored(packets, parties: .vpn(500, 500)))
        #expect(
            analysis.lines == [
                "ikev2 server transaction 0.1 [IKE_SA_INIT,COOKIE]", "ikev2 server transaction 0.75 [IKE_SA_INIT]",
            ])
        #expect(analysis.report.duplicates == 4)
    }

    /// The requests were missed; each answer is one all the same.
    @Test func copiesOfAReplyWithoutARequestAreOneOrphan() throws {
        let packets: [(at: Double, fromClient: Bool, payload: [UInt8])] = [
            (0, false, wireGuard(.response, sender: 1, receiver: 7)), (5, false, reset(fromServer: true)),
            (10, false, fragment(1, of: 2, id: 1, isResponse: true)),
            (10.1, false, fragment(2, of: 2, id: 1, isResponse: true)),
            (20, false, wireGuard(.cookieReply, receiver: 8)),
        ]
        let analysis = try Analysis(mirrored(packets, parties: .vpn(500, 500)))
        #expect(
            analysis.lines == [
                "wireguard server transaction orphan", "openvpn server transaction orphan",
                "ikev2 server transaction orphan [IKE_AUTH]", "wireguard server transaction orphan [under_load]",
            ])
        #expect(analysis.report.duplicates == 5)
    }

    /// The request with the cookie proves that there was an answer with it; its own is timed from it, not from the first.
    @Test(arguments: [5.0, 50])
    func aCookieThatWasMissedIsNoRepetition(later: Double) throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: initialize(), endpoints: .vpn(500, 500))
        builder.udp(later, fromClient: true, payload: initialize(filler: 2), endpoints: .vpn(500, 500))
        builder.udp(later + 4, fromClient: false, payload: initialize(isResponse: true), endpoints: .vpn(500, 500))
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["ikev2 server transaction 4.0 [IKE_SA_INIT]"])
        #expect(analysis.report.rejected == ["unseen": 1])
    }

    /// Of the first try the first part was missed, of the second the second.
    @Test func partsOfTwoTriesAreNotOneRequest() throws {
        var builder = PacketBuilder()
        let parties = Endpoints.vpn(500, 500)
        builder.udp(0, fromClient: true, payload: fragment(2, of: 2, id: 1, isResponse: false), endpoints: parties)
        builder.udp(500, fromClient: true, payload: fragment(1, of: 2, id: 1, isResponse: false), endpoints: parties)
        builder.udp(530, fromClient: false, payload: fragment(1, of: 1, id: 1, isResponse: true), endpoints: parties)
        #expect(
            try Analysis(builder).lines == [
                "ikev2 server transaction ambiguous [IKE_AUTH,retries=1,bounds_us=30000..530000]"
            ])
    }

    /// The client has it all, or it would ask again.
    @Test func aPartOfTheReplyThatWasMissedIsNoTimeout() throws {
        var builder = PacketBuilder()
        let parties = Endpoints.vpn(500, 500)
        for id in [UInt32(1), 2] {
            builder.udp(
                Double(id) * 100, fromClient: true, payload: fragment(1, of: 1, id: id, isResponse: false),
                endpoints: parties)
        }
        builder.udp(130, fromClient: false, payload: fragment(2, of: 2, id: 1, isResponse: true), endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["ikev2 server transaction timeout [IKE_AUTH]"])
        #expect(analysis.report.rejected == ["unseen": 1])
        #expect(analysis.report.kinds.map(\.failures) == [1])
    }

    /// More echoes than have room: what answers one that was forgotten is no reply to nothing.
    @Test func aReplyToAForgottenRequestIsNoOrphan() throws {
        var builder = PacketBuilder()
        func echo(_ at: Double, isReply: Bool, sequence: UInt16) {
            var message: [UInt8] = []
            ICMPEcho(isReply: isReply, identifier: 1, sequence: sequence).writeICMPv4(payload: [], to: &message)
            let parties = Endpoints.ipv4
            builder.add(
                at: at, from: isReply ? parties.server : parties.client, to: isReply ? parties.client : parties.server,
                protocolNumber: .icmp, payload: message)
        }
        for sequence in 0..<UInt16(30_000) { echo(Double(sequence) / 10, isReply: false, sequence: sequence) }
        echo(3_100, isReply: true, sequence: 0)
        let analysis = try Analysis(builder)
        #expect(!analysis.lines.contains { $0.hasSuffix("orphan") })
        #expect(analysis.report.rejected["no_room"] == UInt64(30_000 - analysis.samples.count))
    }
}
