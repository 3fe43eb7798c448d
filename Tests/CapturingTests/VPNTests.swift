// Handshakes of VPNs: WireGuard and IKEv2, cases 56 and 57.

import Capturing
import Model
import TestSupport
import Testing
import Wire

extension Endpoints {
    /// A worker behind address translation and the gateway's port for IKE.
    static func vpn(_ clientPort: UInt16, _ serverPort: UInt16) -> Endpoints {
        var parties = Endpoints.ipv4
        parties.clientPort = clientPort
        parties.serverPort = serverPort
        return parties
    }
}

@Suite struct WireGuardTests {
    private func message(_ type: WireGuardType, sender: UInt32 = 0, receiver: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        WireGuardHeader(type: type, sender: sender, receiver: receiver).write(to: &bytes)
        return bytes
    }

    @Test(arguments: [Endpoints.ipv4, .ipv6])
    func responseIsMatchedByTheIndexItEchoes(parties: Endpoints) throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: message(.initiation, sender: 7), endpoints: parties)
        builder.udp(1, fromClient: true, payload: message(.initiation, sender: 8), endpoints: parties)
        // Of neither: an orphan.
        builder.udp(2, fromClient: false, payload: message(.response, sender: 1, receiver: 9), endpoints: parties)
        builder.udp(2.5, fromClient: false, payload: message(.response, sender: 1, receiver: 8), endpoints: parties)
        builder.udp(4, fromClient: false, payload: message(.response, sender: 1, receiver: 7), endpoints: parties)
        builder.udp(4.1, fromClient: false, payload: message(.response, sender: 1, receiver: 7), endpoints: parties)
        builder.udp(5, fromClient: true, payload: message(.transport, receiver: 1), endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "wireguard server transaction orphan", "wireguard server transaction 1.5",
                "wireguard server transaction 4.0",
            ])
        #expect(analysis.report.duplicates == 1)
        #expect(analysis.report.drops == ["vpn-data": 1])
        #expect(analysis.samples[1].source == parties.client)
        #expect(analysis.samples[1].destinationPort == parties.serverPort)
        #expect(analysis.isBalanced)
    }

    @Test func rekeyingEitherWayIsASeries() throws {
        var builder = PacketBuilder()
        for (step, fromClient) in [true, true, false].enumerated() {
            let at = Double(step) * 120_000
            let index = UInt32(step + 1)
            builder.udp(at, fromClient: fromClient, payload: message(.initiation, sender: index), endpoints: .ipv4)
            builder.udp(
                at + 30, fromClient: !fromClient, payload: message(.response, sender: 99, receiver: index),
                endpoints: .ipv4)
        }
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.wireguard, .server) == [30, 30, 30])
        #expect(analysis.samples.last?.source == Endpoints.ipv4.server)
    }

    @Test func aGatewayThatAsksTimesTheWayToTheWorker() throws {
        let office = NetworkSpec(name: "Workers", prefixes: [try #require(IPPrefix("10.0.0.0/8"))])
        let parties = Endpoints.vpn(40_000, WireGuardMessage.customaryPort)
        var builder = PacketBuilder()
        builder.udp(0, fromClient: false, payload: message(.initiation, sender: 1), endpoints: parties)
        builder.udp(20, fromClient: true, payload: message(.response, receiver: 1), endpoints: parties)
        builder.udp(5_000, fromClient: false, payload: message(.initiation, sender: 2), endpoints: parties)
        builder.udp(5_020, fromClient: true, payload: message(.cookieReply, receiver: 2), endpoints: parties)
        let analysis = try Analysis(bytes: builder.file(), attribution: AttributionTable(networks: [office]))
        #expect(
            analysis.lines == [
                "wireguard client transaction 20.0", "wireguard client transaction unanswered [under_load]",
            ])
        #expect(analysis.samples.first?.source == parties.server)
    }

    @Test func silenceIsATimeoutAndTheSameIndexAgainIsAmbiguous() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: message(.initiation, sender: 1), endpoints: .ipv4)
        builder.udp(5_000, fromClient: true, payload: message(.initiation, sender: 2), endpoints: .ipv4)
        builder.udp(10_000, fromClient: true, payload: message(.initiation, sender: 2), endpoints: .ipv4)
        builder.udp(10_030, fromClient: false, payload: message(.response, receiver: 2), endpoints: .ipv4)
        builder.udp(60_000, fromClient: true, payload: message(.transport), endpoints: .ipv4)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "wireguard server transaction ambiguous [retries=1,bounds_us=30000..5030000]",
                "wireguard server transaction timeout",
            ])
        #expect(analysis.report.rejected == ["ambiguous": 1])
        #expect(analysis.report.kinds.map(\.failures) == [1])
        #expect(analysis.report.kinds.map(\.count) == [0])
    }

    @Test func cookieReplyIsUnderLoadAndNoSuccess() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: message(.initiation, sender: 1), endpoints: .ipv4)
        builder.udp(30, fromClient: false, payload: message(.cookieReply, receiver: 1), endpoints: .ipv4)
        builder.udp(30.2, fromClient: false, payload: message(.cookieReply, receiver: 1), endpoints: .ipv4)
        builder.udp(5_000, fromClient: true, payload: message(.initiation, sender: 2), endpoints: .ipv4)
        builder.udp(5_040, fromClient: false, payload: message(.response, receiver: 2), endpoints: .ipv4)
        builder.udp(6_000, fromClient: false, payload: message(.cookieReply, receiver: 77), endpoints: .ipv4)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "wireguard server transaction unanswered [under_load]", "wireguard server transaction 40.0",
                "wireguard server transaction orphan [under_load]",
            ])
        #expect(analysis.report.kinds.map(\.failures) == [1])
        #expect(analysis.report.duplicates == 1)
    }

    @Test func otherLengthsAndReservedBytesAreNotWireGuard() throws {
        var builder = PacketBuilder()
        let initiation = message(.initiation, sender: 1)
        builder.udp(0, fromClient: true, payload: initiation + [0], endpoints: .ipv4)
        builder.udp(1, fromClient: true, payload: Array(initiation.dropLast()), endpoints: .ipv4)
        builder.udp(2, fromClient: true, payload: [1, 0, 1, 0] + initiation.dropFirst(4), endpoints: .ipv4)
        builder.udp(3, fromClient: true, payload: [5, 0, 0, 0] + initiation.dropFirst(4), endpoints: .ipv4)
        let analysis = try Analysis(builder)
        #expect(analysis.report.drops == ["udp": 4])
        #expect(analysis.samples.isEmpty)
    }

    @Test func snapLengthAndFramingDoNotMatter() throws {
        var builder = PacketBuilder(framing: .overlay(.geneve(options: [], isBridged: true)))
        builder.udp(0, fromClient: true, payload: message(.initiation, sender: 1), endpoints: .ipv4)
        builder.udp(30, fromClient: false, payload: message(.response, receiver: 1), endpoints: .ipv4)
        builder.cut(to: 14 + 20 + 8 + 8 + 14 + 20 + 8 + 12)
        #expect(try Analysis(builder).rtts(.wireguard, .server) == [30])
    }

    @Test func copiesOfAMirrorPortAreNoRetries() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: message(.initiation, sender: 1), endpoints: .ipv4)
        builder.repeatLast(after: 0.01)
        builder.udp(30, fromClient: false, payload: message(.response, receiver: 1), endpoints: .ipv4)
        builder.repeatLast(after: 0.01)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["wireguard server transaction 30.0"])
        #expect(analysis.report.duplicates == 2)
    }
}

@Suite struct IKETests {
    private static let spi: UInt64 = 0xA888_75A8_1989_92A6

    /// A message with its marker where it goes by port 4500.
    private func message(
        _ exchange: UInt8, id: UInt32 = 0, isResponse: Bool = false, isFromInitiator: Bool? = nil, marked: Bool = false,
        payload: UInt8 = IKEPayload.encrypted, content: [UInt8] = [UInt8](repeating: 0x5A, count: 40),
        version: UInt8 = 2
    ) -> [UInt8] {
        var bytes: [UInt8] = marked ? [0, 0, 0, 0] : []
        IKEHeader(
            initiatorSPI: Self.spi, responderSPI: exchange == IKEExchange.initialize && !isResponse ? 0 : 5,
            exchange: exchange, messageID: id, isResponse: isResponse, isFromInitiator: isFromInitiator ?? !isResponse,
            majorVersion: version
        ).write(payloads: [(payload, content)], to: &bytes)
        return bytes
    }

    private func notification(_ type: UInt16) -> [UInt8] {
        message(
            IKEExchange.initialize, isResponse: true, payload: IKEPayload.notification,
            content: [0, 0, UInt8(type >> 8), UInt8(type & 0xFF), 1, 2, 3, 4])
    }

    private func association(isResponse: Bool) -> [UInt8] {
        message(IKEExchange.initialize, isResponse: isResponse, payload: IKEPayload.association)
    }

    @Test func roundsForACookieAndForAnotherGroupAreTold() throws {
        let parties = Endpoints.vpn(500, 500)
        var builder = PacketBuilder()
        for (step, answer) in [
            notification(IKENotification.cookie), notification(IKENotification.invalidKeyExchange),
            association(isResponse: true),
        ].enumerated() {
            builder.udp(
                Double(step) * 50, fromClient: true, payload: association(isResponse: false), endpoints: parties)
            builder.udp(
                Double(step) * 50 + 30 + Double(step), fromClient: false, payload: answer, endpoints: parties)
        }
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "ikev2 server transaction 30.0 [IKE_SA_INIT,COOKIE]",
                "ikev2 server transaction 31.0 [IKE_SA_INIT,INVALID_KE_PAYLOAD]",
                "ikev2 server transaction 32.0 [IKE_SA_INIT]",
            ])
        #expect(analysis.report.kinds.map(\.failures) == [0])
    }

    @Test func refusedProposalsAreFailuresWithATime() throws {
        let parties = Endpoints.vpn(500, 500)
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: association(isResponse: false), endpoints: parties)
        builder.udp(30, fromClient: false, payload: notification(14), endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["ikev2 server transaction 30.0 [IKE_SA_INIT,NO_PROPOSAL_CHOSEN]"])
        #expect(analysis.report.kinds.map(\.failures) == [1])
    }

    /// Address translation moves the client to any port; both sides ask, each with numbers of its own.
    @Test(arguments: [UInt16(4_500), 14_500])
    func bothSidesAskOverPort4500(clientPort: UInt16) throws {
        let parties = Endpoints.vpn(clientPort, 4_500)
        var builder = PacketBuilder()
        func exchange(_ at: Double, _ type: UInt8, id: UInt32, clientAsks: Bool, delay: Double) {
            builder.udp(
                at, fromClient: clientAsks, payload: message(type, id: id, isFromInitiator: clientAsks, marked: true),
                endpoints: parties)
            builder.udp(
                at + delay, fromClient: !clientAsks,
                payload: message(type, id: id, isResponse: true, isFromInitiator: !clientAsks, marked: true),
                endpoints: parties)
        }
        exchange(0, IKEExchange.authenticate, id: 1, clientAsks: true, delay: 30)
        exchange(100, IKEExchange.createChild, id: 2, clientAsks: true, delay: 31)
        exchange(200, IKEExchange.informational, id: 3, clientAsks: true, delay: 32)
        exchange(300, IKEExchange.informational, id: 3, clientAsks: false, delay: 20)
        builder.udp(400, fromClient: true, payload: [0xFF], endpoints: parties)
        builder.udp(401, fromClient: true, payload: [UInt8](repeating: 0xC3, count: 80), endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "ikev2 server transaction 30.0 [IKE_AUTH]", "ikev2 server transaction 31.0 [CREATE_CHILD_SA]",
                "ikev2 server transaction 32.0 [INFORMATIONAL]", "ikev2 client transaction 20.0 [INFORMATIONAL]",
            ])
        #expect(analysis.samples.last?.source == parties.server)
        #expect(analysis.report.drops == ["vpn-data": 2])
    }

    @Test func aServerThatAsksInVainIsAFailureOfTheWayToTheClient() throws {
        let parties = Endpoints.vpn(14_500, 4_500)
        let office = NetworkSpec(name: "Workers", prefixes: [try #require(IPPrefix("10.0.0.0/8"))])
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: false,
            payload: message(IKEExchange.informational, id: 9, isFromInitiator: true, marked: true), endpoints: parties)
        let analysis = try Analysis(bytes: builder.file(), attribution: AttributionTable(networks: [office]))
        #expect(analysis.lines == ["ikev2 client transaction timeout [INFORMATIONAL]"])
        #expect(analysis.report.kinds.map(\.failures) == [1])
    }

    @Test func repetitionIsAmbiguousAndSilenceATimeout() throws {
        let parties = Endpoints.vpn(500, 500)
        var builder = PacketBuilder()
        let request = message(IKEExchange.authenticate, id: 1)
        builder.udp(0, fromClient: true, payload: request, endpoints: parties)
        builder.udp(500, fromClient: true, payload: request, endpoints: parties)
        builder.udp(
            530, fromClient: false, payload: message(IKEExchange.authenticate, id: 1, isResponse: true),
            endpoints: parties)
        builder.udp(
            531, fromClient: false, payload: message(IKEExchange.authenticate, id: 1, isResponse: true),
            endpoints: parties)
        builder.udp(600, fromClient: true, payload: message(IKEExchange.informational, id: 2), endpoints: parties)
        builder.udp(
            700, fromClient: false, payload: message(IKEExchange.createChild, id: 8, isResponse: true),
            endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "ikev2 server transaction ambiguous [IKE_AUTH,retries=1,bounds_us=30000..530000]",
                "ikev2 server transaction orphan [CREATE_CHILD_SA]",
                "ikev2 server transaction timeout [INFORMATIONAL]",
            ])
        #expect(analysis.report.duplicates == 1)
    }

    /// From the first fragment of the request to the reply's last, in whatever order they come.
    @Test func fragmentsAreOneExchange() throws {
        let parties = Endpoints.vpn(4_500, 4_500)
        func fragment(_ number: Int, of total: Int, id: UInt32, isResponse: Bool) -> [UInt8] {
            var bytes: [UInt8] = [0, 0, 0, 0]
            IKEHeader(
                initiatorSPI: Self.spi, responderSPI: 5, exchange: IKEExchange.authenticate, messageID: id,
                isResponse: isResponse, isFromInitiator: !isResponse
            ).write(fragment: IKEFragment(number: number, total: total), to: &bytes)
            return bytes
        }
        var builder = PacketBuilder()
        for (at, number) in [(0.0, 2), (0.1, 1), (0.2, 3)] {
            builder.udp(
                at, fromClient: true, payload: fragment(number, of: 3, id: 1, isResponse: false), endpoints: parties)
        }
        for (at, number) in [(30.0, 1), (30.1, 3), (30.5, 2), (30.6, 2)] {
            builder.udp(
                at, fromClient: false, payload: fragment(number, of: 3, id: 1, isResponse: true), endpoints: parties)
        }
        // The whole request again, before a reply in one piece.
        for at in [100.0, 600.0] {
            for number in 1...2 {
                builder.udp(
                    at + Double(number) / 10, fromClient: true,
                    payload: fragment(number, of: 2, id: 2, isResponse: false), endpoints: parties)
            }
        }
        builder.udp(
            630, fromClient: false,
            payload: message(IKEExchange.authenticate, id: 2, isResponse: true, marked: true), endpoints: parties)
        // More parts than are told apart.
        builder.udp(
            700, fromClient: true, payload: message(IKEExchange.authenticate, id: 3, marked: true), endpoints: parties)
        for number in 1...40 {
            builder.udp(
                730 + Double(number), fromClient: false, payload: fragment(number, of: 40, id: 3, isResponse: true),
                endpoints: parties)
        }
        // Without a request: told of once.
        for number in 1...2 {
            builder.udp(
                900 + Double(number), fromClient: false, payload: fragment(number, of: 2, id: 4, isResponse: true),
                endpoints: parties)
        }
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "ikev2 server transaction 30.5 [IKE_AUTH]",
                "ikev2 server transaction ambiguous [IKE_AUTH,retries=1,bounds_us=29900..529900]",
                "ikev2 server transaction 70.0 [IKE_AUTH]", "ikev2 server transaction orphan [IKE_AUTH]",
            ])
        #expect(analysis.report.duplicates == 1)
        #expect(analysis.report.drops.isEmpty)
    }

    @Test func theFirstVersionAndOtherPortsAreNotMeasured() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: message(2, version: 1), endpoints: .vpn(500, 500))
        builder.udp(1, fromClient: true, payload: message(IKEExchange.authenticate), endpoints: .vpn(501, 502))
        builder.udp(2, fromClient: true, payload: [1, 2, 3], endpoints: .vpn(500, 500))
        builder.udp(
            3, fromClient: true, payload: message(IKEExchange.authenticate, version: 3), endpoints: .vpn(500, 500))
        builder.add(
            at: 4, from: Endpoints.ipv4.client, to: Endpoints.ipv4.server, protocolNumber: .encapsulatingSecurity,
            payload: [UInt8](repeating: 0xC3, count: 60))
        let analysis = try Analysis(builder)
        #expect(analysis.report.drops == ["ikev1": 1, "udp": 3, "vpn-data": 1])
        #expect(analysis.samples.isEmpty)
    }
}
