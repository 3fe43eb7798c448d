// OpenVPN's resets over UDP and TCP, case 58.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct OpenVPNTests {
    private static let seconds = UInt32(PacketBuilder.start.seconds)
    private static let parties = Endpoints.vpn(40_000, 1_194)

    private func reset(
        fromServer: Bool = false, session: UInt64 = 0x1111, echo: UInt64 = 0x1111,
        wrapping: OpenVPNWrapping = .none, hash: Int = 20, replay: UInt32 = 1, seconds: UInt32 = Self.seconds,
        wrappedKey: Int = 0, overTCP: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        OpenVPNResetHeader(
            isFromServer: fromServer, session: fromServer ? 0x2222 : session, echoedSession: echo, wrapping: wrapping,
            hashLength: hash, replayNumber: replay, seconds: seconds, wrappedKeyLength: wrappedKey
        ).write(overTCP: overTCP, to: &bytes)
        return bytes
    }

    @Test func theEchoOfTheSessionIsAskedFor() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: reset(), endpoints: Self.parties)
        builder.udp(10, fromClient: false, payload: reset(fromServer: true, echo: 0x9999), endpoints: Self.parties)
        builder.udp(30, fromClient: false, payload: reset(fromServer: true), endpoints: Self.parties)
        // Data of the session gives no RTT.
        builder.udp(
            40, fromClient: true, payload: [0x30] + [UInt8](repeating: 0xC3, count: 60), endpoints: Self.parties)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == ["openvpn server transaction orphan", "openvpn server transaction 30.0"])
        #expect(analysis.report.drops == ["udp": 1])
    }

    @Test(arguments: [16, 20, 28, 32, 48, 64])
    func signedResetsAreRead(hash: Int) throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: reset(wrapping: .tlsAuth, hash: hash), endpoints: Self.parties)
        builder.udp(
            30, fromClient: false, payload: reset(fromServer: true, wrapping: .tlsAuth, hash: hash),
            endpoints: Self.parties)
        #expect(try Analysis(builder).lines == ["openvpn server transaction 30.0 [tls_auth]"])
    }

    @Test(arguments: [(UInt32(1), 0), (0x0F00_0001, 0), (0x0F00_0001, 400)])
    func encryptedResetsAreMatchedByPortsAndTime(replay: UInt32, wrappedKey: Int) throws {
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: true, payload: reset(wrapping: .tlsCrypt, replay: replay, wrappedKey: wrappedKey),
            endpoints: Self.parties)
        builder.udp(
            30, fromClient: false, payload: reset(fromServer: true, wrapping: .tlsCrypt), endpoints: Self.parties)
        #expect(try Analysis(builder).lines == ["openvpn server transaction 30.0 [tls_crypt]"])
    }

    /// Encrypted, there is no echo: without a request, or at another time, it may be anything.
    @Test func encryptedResetsAloneProveNothing() throws {
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: false, payload: reset(fromServer: true, wrapping: .tlsCrypt), endpoints: Self.parties)
        builder.udp(
            1, fromClient: true, payload: reset(wrapping: .tlsCrypt, seconds: Self.seconds - 90_000),
            endpoints: Self.parties)
        builder.udp(
            2, fromClient: true, payload: reset(wrapping: .tlsCrypt, replay: 0x1234_5678), endpoints: Self.parties)
        let analysis = try Analysis(builder)
        #expect(analysis.samples.isEmpty)
        #expect(analysis.report.drops == ["udp": 3])
    }

    @Test func repetitionIsAmbiguousAndSilenceATimeout() throws {
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: reset(wrapping: .tlsAuth), endpoints: Self.parties)
        builder.udp(2_000, fromClient: true, payload: reset(wrapping: .tlsAuth, replay: 2), endpoints: Self.parties)
        builder.udp(
            2_030, fromClient: false, payload: reset(fromServer: true, wrapping: .tlsAuth), endpoints: Self.parties)
        builder.udp(3_000, fromClient: true, payload: reset(session: 0x3333), endpoints: Self.parties)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "openvpn server transaction ambiguous [tls_auth,retries=1,bounds_us=30000..2030000]",
                "openvpn server transaction timeout",
            ])
        #expect(analysis.report.kinds.map(\.failures) == [1])
    }

    /// A connection opened, with the client's first bytes at 60 ms and the server's at 90 ms.
    private func stream(
        client: [UInt8], server: [UInt8], repeatsClient: Bool = false, parties: Endpoints = .ipv4
    ) -> PacketBuilder {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1_000, endpoints: parties)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5_000, ack: 1_001, endpoints: parties)
        builder.tcp(50, fromClient: true, .ack, seq: 1_001, ack: 5_001, endpoints: parties)
        builder.tcp(60, fromClient: true, seq: 1_001, ack: 5_001, bytes: client, endpoints: parties)
        if repeatsClient {
            builder.tcp(85, fromClient: true, seq: 1_001, ack: 5_001, bytes: client, endpoints: parties)
        }
        builder.tcp(
            90, fromClient: false, seq: 5_001, ack: 1_001 + UInt32(client.count), bytes: server, endpoints: parties)
        // The same packets later in the stream are none of the handshake's.
        builder.tcp(
            100, fromClient: true, seq: 1_001 + UInt32(client.count), ack: 5_001 + UInt32(server.count), bytes: client,
            endpoints: parties)
        builder.tcp(
            110, fromClient: false, seq: 5_001 + UInt32(server.count), ack: 1_001 + 2 * UInt32(client.count),
            bytes: server, endpoints: parties)
        return builder
    }

    private func lines(_ builder: PacketBuilder) throws -> [String] {
        try Analysis(builder).lines.filter { $0.hasPrefix("openvpn") }
    }

    @Test(arguments: [OpenVPNWrapping.none, .tlsAuth, .tlsCrypt], [Endpoints.ipv4, .ipv6])
    func overTCPTheFirstBytesOfEachDirectionCount(wrapping: OpenVPNWrapping, parties: Endpoints) throws {
        let note = wrapping == .none ? "tcp" : wrapping == .tlsAuth ? "tls_auth,tcp" : "tls_crypt,tcp"
        let client = reset(wrapping: wrapping, overTCP: true)
        let server = reset(fromServer: true, wrapping: wrapping, overTCP: true)
        let expected = ["openvpn server transaction 30.0 [\(note)]"]
        #expect(try lines(stream(client: client, server: server, parties: parties)) == expected)
        // TCP's own retransmission is not a second request.
        #expect(try lines(stream(client: client, server: server, repeatsClient: true, parties: parties)) == expected)
    }

    /// In two writes, and so in two segments; the packet is what is timed.
    @Test(arguments: [OpenVPNWrapping.none, .tlsAuth, .tlsCrypt])
    func overTCPTheLengthMayComeAlone(wrapping: OpenVPNWrapping) throws {
        let client = reset(wrapping: wrapping, overTCP: true)
        let server = reset(fromServer: true, wrapping: wrapping, overTCP: true)
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1_000)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5_000, ack: 1_001)
        builder.tcp(50, fromClient: true, seq: 1_001, ack: 5_001, content: client.prefix(2))
        builder.tcp(60, fromClient: true, seq: 1_003, ack: 5_001, content: client.dropFirst(2))
        builder.tcp(89, fromClient: false, seq: 5_001, ack: 1_001 + UInt32(client.count), content: server.prefix(2))
        builder.tcp(90, fromClient: false, seq: 5_003, ack: 1_001 + UInt32(client.count), content: server.dropFirst(2))
        let lines = try lines(builder)
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("openvpn server transaction 30.0 ") == true)
    }

    /// The data that goes on proves that there was an answer; a client that asks again proves that there was none yet.
    @Test func overTCPAnAnswerThatWasMissedIsNoTimeout() throws {
        let client = reset(overTCP: true)
        let server = reset(fromServer: true, overTCP: true)
        let (asked, answered) = (1_001 + UInt32(client.count), 5_001 + UInt32(server.count))
        for fromClient in [true, false] {
            var builder = PacketBuilder.opened()
            builder.tcp(60, fromClient: true, seq: 1_001, ack: 5_001, bytes: client)
            builder.tcp(
                95, fromClient: fromClient, seq: fromClient ? asked : answered, ack: fromClient ? answered : asked,
                bytes: [UInt8](repeating: 0xC3, count: 40))
            let analysis = try Analysis(builder)
            #expect(!analysis.lines.contains { $0.hasPrefix("openvpn") })
            #expect(analysis.report.rejected["unseen"] ?? 0 >= 1)
        }
        var builder = PacketBuilder.opened()
        builder.tcp(60, fromClient: true, seq: 1_001, ack: 5_001, bytes: client)
        builder.tcp(2_060, fromClient: true, seq: asked, ack: 5_001, bytes: client)
        builder.tcp(2_090, fromClient: false, seq: 5_001, ack: asked + UInt32(client.count), bytes: server)
        #expect(
            try lines(builder) == ["openvpn server transaction ambiguous [retries=1,bounds_us=30000..2030000,tcp]"])
    }

    @Test func overTCPAnythingElseIsNotOpenVPN() throws {
        let client = reset(overTCP: true)
        let server = reset(fromServer: true, overTCP: true)
        let other: [UInt8] = [0x16, 3, 1, 0, 9] + [UInt8](repeating: 0, count: 9)
        #expect(try lines(stream(client: other, server: server)).isEmpty)
        #expect(try lines(stream(client: client + [0], server: server)).isEmpty)
        let unanswered = ["openvpn server transaction timeout [tcp]"]
        #expect(try lines(stream(client: client, server: other)) == unanswered)
        let stranger = reset(fromServer: true, echo: 0x9999, overTCP: true)
        #expect(
            try lines(stream(client: client, server: stranger)) == ["openvpn server transaction orphan [tcp]"]
                + unanswered)
        // A server that speaks first, and a connection joined in its middle.
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1_000)
        builder.tcp(30, fromClient: false, [.syn, .ack], seq: 5_000, ack: 1_001)
        builder.tcp(50, fromClient: false, seq: 5_001, ack: 1_001, bytes: other)
        builder.tcp(60, fromClient: true, seq: 1_001, ack: 5_015, bytes: client)
        builder.tcp(90, fromClient: false, seq: 5_015, ack: 1_017, bytes: server)
        let parties = Endpoints.vpn(41_000, 1_194)
        builder.tcp(100, fromClient: true, seq: 1_001, ack: 5_001, bytes: client, endpoints: parties)
        builder.tcp(130, fromClient: false, seq: 5_001, ack: 1_017, bytes: server, endpoints: parties)
        #expect(try lines(builder).isEmpty)
    }
}
