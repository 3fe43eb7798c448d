// QUIC where many clients share addresses, mirrors copy and captures miss: what must not become a time or a silence. 30
// ms to the server, 20 ms to the client.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct QUICScaleTests {
    private static let server30client20 = [
        "quic_handshake server transaction 30.0", "quic_handshake client transaction 20.0",
    ]
    private let parties = Endpoints.ipv4
    /// IDs of eight bytes on both sides, as most servers and many clients have them.
    private let quic = QUICBuilder(client: [6, 6, 6, 6, 6, 6, 6, 6])

    private func hello(keyShare: Int = 0) -> [UInt8] {
        TLSClientHelloFields(serverName: "mail.example", applicationProtocols: ["h3"], keyShareLength: keyShare).write()
    }

    private func first(_ quic: QUICBuilder, number: UInt64 = 0, token: [UInt8] = []) -> [UInt8] {
        quic.clientInitial(number: number, frames: QUICBuilder.crypto(hello()), token: token)
    }

    private func answer(_ quic: QUICBuilder, number: UInt64 = 0, to numbers: ClosedRange<UInt64> = 0...0) -> [UInt8] {
        quic.serverInitial(
            number: number,
            frames: QUICBuilder.acknowledge(numbers) + QUICBuilder.crypto(TLSServerHelloFields().write()))
    }

    private func reply(_ quic: QUICBuilder, number: UInt64 = 1) -> [UInt8] {
        quic.clientInitial(number: number, frames: QUICBuilder.acknowledge(0...0), to: quic.server)
    }

    private func analyze(_ packets: [(at: Double, fromClient: Bool, payload: [UInt8])]) throws -> Analysis {
        var builder = PacketBuilder()
        for packet in packets.sorted(by: { $0.at < $1.at }) {
            builder.udp(packet.at, fromClient: packet.fromClient, payload: packet.payload, endpoints: parties)
        }
        let analysis = try Analysis(builder)
        #expect(analysis.isBalanced)
        return analysis
    }

    // MARK: Ports used anew

    /// Clients without an ID of their own, behind a NAT that gives a port to another of them.
    @Test(arguments: [true, false])
    func portsUsedAnewByClientsWithoutAName(_ isAnswered: Bool) throws {
        let one = QUICBuilder(client: [])
        let other = QUICBuilder(original: [1, 1, 2, 2, 3, 3, 4, 4], client: [], server: [7, 7, 7, 7, 7, 7, 7, 7])
        var packets: [(Double, Bool, [UInt8])] = [(0, true, first(one))]
        if isAnswered { packets += [(30, false, answer(one)), (50, true, reply(one))] }
        packets += [(5_000, true, first(other)), (5_030, false, answer(other)), (5_050, true, reply(other))]
        let analysis = try analyze(packets)
        let halves = QUICScaleTests.server30client20
        #expect(analysis.lines == (isAnswered ? halves + halves : halves))
        #expect(analysis.samples.allSatisfy { $0.service == "mail.example" })
        #expect(analysis.report.rejected == (isAnswered ? [:] : ["no_room": 1]))
    }

    /// A Retry that the capture missed: the attempt after it is timed alone.
    @Test func aRetryThatWasMissed() throws {
        let second = QUICBuilder(original: quic.server, client: quic.client, server: [4, 4, 4, 4])
        let analysis = try analyze([
            (0, true, first(quic)), (50, true, first(second, number: 1, token: [7, 7, 7])),
            (80, false, answer(second, to: 1...1)),
        ])
        #expect(analysis.lines == ["quic_handshake server transaction 30.0"])
        #expect(analysis.report.rejected == ["unseen": 1])
    }

    /// The same of a Version Negotiation, after which a client may keep its IDs.
    @Test func aVersionNegotiationThatWasMissed() throws {
        var strange = quic
        strange.version = QUICVersion(rawValue: 0x1A2A_3A4A)
        let analysis = try analyze([(0, true, first(strange)), (50, true, first(quic)), (80, false, answer(quic))])
        #expect(analysis.lines == ["quic_handshake server transaction 30.0"])
        #expect(analysis.report.rejected == ["unseen": 1])
    }

    // MARK: Packets that the capture missed

    /// Without the client's first Initial, neither the server's nor the client's second is one.
    @Test func theFirstInitialMissedOpensNothing() throws {
        let rest: [(Double, Bool, [UInt8])] = [
            (30, false, answer(quic)), (50, true, reply(quic)), (51, true, quic.handshake(fromServer: false)),
            (80, false, quic.handshake(fromServer: true)), (81, false, answer(quic, number: 1)),
        ]
        for missed in 0..<rest.count {
            let analysis = try analyze(Array(rest[missed...]))
            #expect(analysis.lines.isEmpty, "\(analysis.lines)")
            #expect(analysis.report.rejected.isEmpty)
            #expect(analysis.report.drops == ["udp": UInt64(rest.count - missed)])
        }
    }

    /// The client acknowledges an answer that was missed: what comes next does not answer its Initial.
    @Test func theAnswerMissedIsNoAnswerLater() throws {
        let analysis = try analyze([
            (0, true, first(quic)), (50, true, reply(quic)), (80, false, answer(quic, number: 1)),
        ])
        #expect(analysis.lines.isEmpty)
        #expect(analysis.report.rejected == ["unseen": 1])
    }

    /// The server answers an Initial that was missed while the client has sent it again.
    @Test func theAnswerToAMissedInitialIsNotThatToItsCopy() throws {
        let analysis = try analyze([
            (200, true, first(quic, number: 1)), (201, false, answer(quic)), (221, true, reply(quic, number: 2)),
        ])
        #expect(analysis.lines == ["quic_handshake client transaction 20.0"])
        #expect(analysis.report.rejected == ["unseen": 1])
        let twice = try analyze([
            (200, true, first(quic, number: 1)), (600, true, first(quic, number: 2)),
            (601, false, answer(quic, to: 0...1)),
        ])
        #expect(twice.lines.isEmpty)
        #expect(twice.report.rejected == ["unseen": 1])
        // Some begin with number 1.
        let plain = try analyze([(0, true, first(quic, number: 1)), (30, false, answer(quic, to: 1...1))])
        #expect(plain.lines == ["quic_handshake server transaction 30.0"])
    }

    /// The client sends data: a Handshake packet after that is not its reply.
    @Test func theClientsReplyMissedIsNoReplyLater() throws {
        let analysis = try analyze([
            (0, true, first(quic)), (30, false, answer(quic)),
            (51, true, quic.short(fromServer: false, spin: false)), (250, true, quic.handshake(fromServer: false)),
        ])
        #expect(analysis.lines == ["quic_handshake server transaction 30.0"])
        #expect(analysis.report.rejected == ["unseen": 1])
    }

    // MARK: Copies

    /// A mirror's copies come after the packets that follow: neither retransmissions nor second answers.
    @Test func copiesOfAFlightBehindTheFlight() throws {
        let message = hello(keyShare: 1_500)
        let parts = [(0, 600), (600, 1_200), (1_200, message.count)]
        var packets: [(at: Double, fromClient: Bool, payload: [UInt8])] = []
        for (number, part) in parts.enumerated() {
            let frames = QUICBuilder.crypto(message[part.0..<part.1], at: part.0)
            packets.append(
                (Double(number) * 0.05, true, quic.clientInitial(number: UInt64(number), frames: frames)))
        }
        packets += [
            (30, false, answer(quic, to: 0...2)), (30.05, false, quic.handshake(fromServer: true)),
            (50, true, reply(quic, number: 3)),
        ]
        let copies = packets.map { ($0.at + 0.3, $0.fromClient, $0.payload) }
        let analysis = try analyze(packets + copies)
        #expect(analysis.lines == QUICScaleTests.server30client20)
        #expect(analysis.samples.map(\.service) == ["mail.example", "mail.example"])
        #expect(analysis.report.rejected.isEmpty)
        #expect(analysis.report.duplicates == 4)
    }
}
