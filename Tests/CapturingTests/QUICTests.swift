// QUIC: cases 46 to 52. 30 ms to the server, 20 ms to the client.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct QUICTests {
    private static let parties = Endpoints.ipv4

    private func hello(_ name: String = "mail.example", keyShare: Int = 0) -> [UInt8] {
        TLSClientHelloFields(serverName: name, applicationProtocols: ["h3"], keyShareLength: keyShare).write()
    }

    private func lines(_ builder: PacketBuilder) throws -> [String] {
        let analysis = try Analysis(builder)
        #expect(analysis.isBalanced)
        return analysis.lines
    }

    /// Initial, answer, and the client's acknowledgement.
    private func handshake(_ builder: inout PacketBuilder, _ quic: QUICBuilder, from start: Double = 0) {
        builder.udp(
            start, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        builder.udp(
            start + 30, fromClient: false,
            payload: quic.serverInitial(
                number: 0, frames: QUICBuilder.acknowledge(0...0) + QUICBuilder.crypto(TLSServerHelloFields().write())),
            endpoints: QUICTests.parties)
        builder.udp(
            start + 50, fromClient: true,
            payload: quic.clientInitial(number: 1, frames: QUICBuilder.acknowledge(0...0), to: quic.server),
            endpoints: QUICTests.parties)
    }

    @Test(arguments: [QUICVersion.v1, .v2])
    func bothHalvesAndTheNameOfAHandshake(_ version: QUICVersion) throws {
        var builder = PacketBuilder()
        handshake(&builder, QUICBuilder(version: version))
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "quic_handshake server transaction 30.0", "quic_handshake client transaction 20.0",
            ])
        #expect(analysis.samples.map(\.service) == ["mail.example", "mail.example"])
        #expect(analysis.samples.map(\.serviceSource) == [.sni, .sni])
        #expect(analysis.report.drops.isEmpty)
    }

    @Test func aHandshakePacketAloneEndsIt() throws {
        let quic = QUICBuilder()
        var builder = PacketBuilder(framing: .ppp)
        builder.udp(0, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())))
        builder.udp(30, fromClient: false, payload: quic.handshake(fromServer: true))
        builder.udp(31, fromClient: false, payload: quic.handshake(fromServer: true))
        builder.udp(50, fromClient: true, payload: quic.handshake(fromServer: false))
        // Port 53 is DNS; anywhere else it is told by content.
        #expect(try Analysis(builder).rtts(.quicHandshake, .server).isEmpty)
        var parties = Endpoints.ipv6
        parties.serverPort = 8_853
        var other = PacketBuilder()
        other.udp(
            0, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: parties)
        other.udp(30, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: parties)
        other.udp(50, fromClient: true, payload: quic.handshake(fromServer: false), endpoints: parties)
        #expect(
            try lines(other) == [
                "quic_handshake server transaction 30.0", "quic_handshake client transaction 20.0",
            ])
    }

    @Test func retryIsASampleOfItsOwnAndRestartsTheClock() throws {
        let first = QUICBuilder()
        let second = QUICBuilder(original: first.server, server: [4, 4, 4, 4])
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: true, payload: first.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        builder.udp(30, fromClient: false, payload: first.retry(), endpoints: QUICTests.parties)
        builder.udp(
            50, fromClient: true,
            payload: second.clientInitial(number: 1, frames: QUICBuilder.crypto(hello()), token: [7, 7, 7]),
            endpoints: QUICTests.parties)
        builder.udp(
            80.5, fromClient: false, payload: second.serverInitial(number: 0, frames: QUICBuilder.acknowledge(1...1)),
            endpoints: QUICTests.parties)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "quic_retry server transaction 30.0", "quic_handshake server transaction 30.5 [after_retry]",
            ])
        #expect(analysis.samples.last?.service == "mail.example")
    }

    @Test func aLateCopyOfTheFirstInitialIsNotTheSecondAttempt() throws {
        let first = QUICBuilder()
        let second = QUICBuilder(original: first.server, server: [4, 4, 4, 4])
        let frames = QUICBuilder.crypto(hello())
        let packets: [(Double, Bool, [UInt8])] = [
            (0, true, first.clientInitial(number: 0, frames: frames)), (30, false, first.retry()),
            (35, true, first.clientInitial(number: 1, frames: frames)),
            (50, true, second.clientInitial(number: 2, frames: frames, token: [7, 7, 7])), (65, false, first.retry()),
            (80, false, second.handshake(fromServer: true)),
        ]
        var builder = PacketBuilder()
        for (at, fromClient, payload) in packets {
            builder.udp(at, fromClient: fromClient, payload: payload, endpoints: QUICTests.parties)
        }
        #expect(
            try lines(builder) == [
                "quic_retry server transaction 30.0", "quic_handshake server transaction 30.0 [after_retry]",
            ])
    }

    @Test func versionNegotiationIsASampleOfItsOwnAndRestartsTheClock() throws {
        let strange = QUICBuilder(version: QUICVersion(rawValue: 0x1A2A_3A4A))
        let plain = QUICBuilder(original: [1, 1, 2, 2, 3, 3, 4, 4])
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: true, payload: strange.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        builder.udp(30, fromClient: false, payload: strange.versionNegotiation(), endpoints: QUICTests.parties)
        handshake(&builder, plain, from: 50)
        #expect(
            try lines(builder) == [
                "quic_version server transaction 30.0", "quic_handshake server transaction 30.0 [after_retry]",
                "quic_handshake client transaction 20.0",
            ])
    }

    @Test func aRepeatedInitialIsToldByAcknowledgedNumbersOnly() throws {
        let quic = QUICBuilder()
        func capture(_ answer: [UInt8]) throws -> [String] {
            var builder = PacketBuilder()
            for number in 0...1 {
                builder.udp(
                    Double(number) * 200, fromClient: true,
                    payload: quic.clientInitial(number: UInt64(number), frames: QUICBuilder.crypto(hello())),
                    endpoints: QUICTests.parties)
            }
            builder.udp(230, fromClient: false, payload: answer, endpoints: QUICTests.parties)
            return try lines(builder)
        }
        #expect(
            try capture(quic.serverInitial(number: 0, frames: QUICBuilder.acknowledge(1...1))) == [
                "quic_handshake server transaction 30.0 [retries=1,last_us=30000]"
            ])
        #expect(
            try capture(quic.serverInitial(number: 0, frames: QUICBuilder.acknowledge(0...0))) == [
                "quic_handshake server transaction 230.0 [retries=1,last_us=30000]"
            ])
        let ambiguous = "quic_handshake server transaction ambiguous [retries=1,bounds_us=30000..230000]"
        #expect(try capture(quic.serverInitial(number: 0, frames: QUICBuilder.acknowledge(0...1))) == [ambiguous])
        #expect(try capture(quic.handshake(fromServer: true)) == [ambiguous])
    }

    @Test func oneInitialSeenTwiceIsADuplicate() throws {
        let quic = QUICBuilder()
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        builder.repeatLast(after: 0.1)
        builder.udp(30, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: QUICTests.parties)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["quic_handshake server transaction 30.0"])
        #expect(analysis.report.duplicates == 1)
    }

    @Test func aHelloOverSeveralInitialsIsPutTogetherByOffset() throws {
        let quic = QUICBuilder()
        let message = hello(keyShare: 1_500)
        let parts = [(1_400, message.count), (0, 500), (500, 1_400)]
        var builder = PacketBuilder()
        for (number, part) in parts.enumerated() {
            // The last one goes to the ID that the server chose; keys follow from the first.
            builder.udp(
                Double(number), fromClient: true,
                payload: quic.clientInitial(
                    number: UInt64(number), frames: QUICBuilder.crypto(message[part.0..<part.1], at: part.0),
                    to: number == 2 ? quic.server : nil), endpoints: QUICTests.parties)
        }
        builder.udp(30, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: QUICTests.parties)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["quic_handshake server transaction 30.0"])
        #expect(analysis.samples.first?.service == "mail.example")
    }

    @Test func silenceIsATimeoutAndWhatIsNotQUICIsCounted() throws {
        let quic = QUICBuilder()
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        var stranger = Endpoints.ipv4
        stranger.clientPort = 40_009
        // Migration or a NAT's new port: a short header of a connection that is not known.
        builder.udp(5, fromClient: true, payload: quic.short(fromServer: false, spin: true), endpoints: stranger)
        builder.udp(6, fromClient: true, payload: [UInt8](repeating: 0xC3, count: 1_300), endpoints: stranger)
        // Too short for a client's Initial, and an answer to another client.
        builder.udp(
            7, fromClient: true,
            payload: Array(quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())).prefix(1_100)),
            endpoints: stranger)
        let other = QUICBuilder(client: [6, 6, 6])
        builder.udp(30, fromClient: false, payload: other.handshake(fromServer: true), endpoints: QUICTests.parties)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["quic_handshake server transaction timeout"])
        #expect(analysis.report.drops == ["udp": 3])
        #expect(analysis.report.kinds.first?.failures == 1)
        #expect(analysis.samples.first?.service == "mail.example")
    }

    @Test func whereTheServerIsNotHeardNothingIsSaidOfIt() throws {
        let quic = QUICBuilder()
        for reply in [quic.handshake(fromServer: false), quic.short(fromServer: false, spin: false)] {
            var builder = PacketBuilder()
            builder.udp(
                0, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
                endpoints: QUICTests.parties)
            builder.udp(50, fromClient: true, payload: reply, endpoints: QUICTests.parties)
            let analysis = try Analysis(builder)
            #expect(analysis.lines.isEmpty)
            #expect(analysis.report.rejected["unseen"] == 1)
        }
    }

    @Test func dataOfTheServerBeforeItsInitialIsNotTheAnswer() throws {
        let quic = QUICBuilder()
        var builder = PacketBuilder()
        builder.udp(
            0, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        builder.udp(
            29, fromClient: false, payload: quic.short(fromServer: true, spin: false), endpoints: QUICTests.parties)
        builder.udp(30, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: QUICTests.parties)
        #expect(try lines(builder) == ["quic_handshake server transaction 30.0"])
    }

    @Test func aClockThatStepsBackGivesNoSample() throws {
        var builder = PacketBuilder()
        let quic = QUICBuilder()
        builder.udp(
            100, fromClient: true, payload: quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello())),
            endpoints: QUICTests.parties)
        builder.udp(70, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: QUICTests.parties)
        let analysis = try Analysis(builder)
        #expect(analysis.lines.isEmpty)
        #expect(analysis.report.rejected["negative"] == 1)
    }

    @Test func copiesOlderThanTheFirstKeepTheBoundsInOrder() throws {
        var builder = PacketBuilder()
        let quic = QUICBuilder()
        for (at, number) in [(251.0, UInt64(0)), (200, 1)] {
            builder.udp(
                at, fromClient: true,
                payload: quic.clientInitial(number: number, frames: QUICBuilder.crypto(hello())),
                endpoints: QUICTests.parties)
        }
        builder.udp(281, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: QUICTests.parties)
        #expect(
            try lines(builder) == ["quic_handshake server transaction ambiguous [retries=1,bounds_us=30000..30000]"])
    }

    /// Record times are 64 bits wide: a turn after centuries must not overflow what it is compared with.
    @Test func spinOverCenturiesIsSurvived() {
        var track = SpinTrack()
        let far = Int64.max / 2
        var at: Int64 = 0
        for turn in 0..<6 {
            for fromServer in [false, true] {
                _ = track.take(
                    fromServer: fromServer, bit: turn % 2 == 1, at: at, hold: 0, server: far, client: far)
                _ = track.take(
                    fromServer: fromServer, bit: turn % 2 == 1, at: at, hold: 0, server: far, client: far)
                at = min(at, .max - far) + far - 1
            }
        }
        #expect(track.directions[0].value != 0)
    }

    @Test func damagedInitialsAreSurvived() throws {
        let quic = QUICBuilder()
        let good = quic.clientInitial(number: 0, frames: QUICBuilder.crypto(hello()))
        var random = SplitMix(state: 7)
        for length in stride(from: 0, to: good.count, by: 7) {
            var builder = PacketBuilder()
            var bytes = good
            for _ in 0..<3 {
                bytes[Int(random.next() % UInt64(good.count))] ^= UInt8(truncatingIfNeeded: random.next())
            }
            builder.udp(0, fromClient: true, payload: bytes, endpoints: QUICTests.parties)
            builder.udp(1, fromClient: true, payload: Array(good.prefix(length)), endpoints: QUICTests.parties)
            builder.udp(2, fromClient: false, payload: bytes, endpoints: QUICTests.parties)
            #expect(try Analysis(builder).isBalanced)
        }
    }

    // MARK: Spin bit

    /// Packets both ways for `turns` round trips, the bit turned as the RFC has it unless `bit` says otherwise.
    private func spinning(
        turns: Int, perHalf: Int = 5,
        bit: (_ fromServer: Bool, _ turn: Int, _ packet: Int) -> Bool = {
            _, turn, _ in turn % 2 == 1
        }
    ) -> PacketBuilder {
        let quic = QUICBuilder()
        var packets: [(at: Double, fromServer: Bool, spin: Bool)] = []
        for turn in 0..<turns {
            for packet in 0..<perHalf {
                let step = Double(packet) * 50 / Double(perHalf)
                packets.append((100 + Double(turn) * 50 + step, false, bit(false, turn, packet)))
                packets.append((130 + Double(turn) * 50 + step, true, bit(true, turn, packet)))
            }
        }
        var builder = PacketBuilder()
        handshake(&builder, quic)
        for packet in packets.sorted(by: { $0.at < $1.at }) {
            builder.udp(
                packet.at, fromClient: !packet.fromServer,
                payload: quic.short(fromServer: packet.fromServer, spin: packet.spin), endpoints: QUICTests.parties)
        }
        return builder
    }

    @Test(arguments: [1, 5, 25])
    func spinTellsBothHalvesOnceProved(_ perHalf: Int) throws {
        let analysis = try Analysis(spinning(turns: 12, perHalf: perHalf))
        let server = analysis.rtts(.quicSpin, .server)
        let client = analysis.rtts(.quicSpin, .client)
        #expect(server.count >= 5 && server.allSatisfy { $0 == 30 }, "\(server)")
        #expect(client.count >= 5 && client.allSatisfy { $0 == 20 }, "\(client)")
        #expect(analysis.samples.last?.method == .spin)
        #expect(analysis.report.drops.isEmpty)
    }

    @Test func fewTurnsProveNothing() throws {
        #expect(try Analysis(spinning(turns: 4)).rtts(.quicSpin, .server).isEmpty)
    }

    @Test func aBitThatStandsStillOrIsRandomTellsNothing() throws {
        #expect(try Analysis(spinning(turns: 40) { _, _, _ in true }).samples.allSatisfy { $0.kind != .quicSpin })
        var random = SplitMix(state: 3)
        let bits = (0..<4_000).map { _ in random.next() & 1 == 1 }
        let noisy = try Analysis(
            spinning(turns: 100) { fromServer, turn, packet in bits[(turn * 5 + packet) * 2 + (fromServer ? 1 : 0)] })
        #expect(noisy.samples.allSatisfy { $0.kind != .quicSpin }, "\(noisy.lines.suffix(5))")
        #expect(noisy.report.rejected["spin_pattern"] == 1)
    }

    @Test func reorderedPacketsMakeNoTurns() throws {
        // The third packet of each half carries the value of the half before.
        let analysis = try Analysis(
            spinning(turns: 20, perHalf: 25) { _, turn, packet in
                packet == 2 || packet == 12 ? turn % 2 == 0 : turn % 2 == 1
            })
        let server = analysis.rtts(.quicSpin, .server)
        #expect(server.count >= 8 && server.allSatisfy { $0 == 30 }, "\(server)")
    }

    @Test func longSilenceIsNotALongWay() throws {
        let quic = QUICBuilder()
        var builder = spinning(turns: 12)
        // The client turns the bit, the server has nothing to say for two seconds.
        builder.udp(
            700, fromClient: true, payload: quic.short(fromServer: false, spin: false), endpoints: QUICTests.parties)
        builder.udp(
            740, fromClient: true, payload: quic.short(fromServer: false, spin: false), endpoints: QUICTests.parties)
        builder.udp(
            2_800, fromClient: false, payload: quic.short(fromServer: true, spin: false), endpoints: QUICTests.parties)
        builder.udp(
            2_840, fromClient: false, payload: quic.short(fromServer: true, spin: false), endpoints: QUICTests.parties)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.quicSpin, .server).allSatisfy { $0 == 30 })
        #expect(analysis.report.rejected["idle"] == 1)
    }
}

/// Seeded random numbers.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
