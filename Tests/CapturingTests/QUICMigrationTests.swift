// QUIC connections whose client's address changes, case 52, and hellos in more pieces than are looked at. 30 ms to the
// server, 20 ms to the client.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct QUICMigrationTests {
    private let quic = QUICBuilder()
    private let home = Endpoints.ipv4
    /// The same client behind its NAT's new mapping.
    private var away: Endpoints {
        var parties = Endpoints.ipv4
        parties.clientPort = 51_234
        return parties
    }

    private var hello: [UInt8] {
        TLSClientHelloFields(serverName: "mail.example", applicationProtocols: ["h3"]).write()
    }

    private func openInitial(_ builder: inout PacketBuilder, at time: Double = 0, from parties: Endpoints) {
        builder.udp(
            time, fromClient: true,
            payload: quic.clientInitial(number: UInt64(time), frames: QUICBuilder.crypto(hello)), endpoints: parties)
    }

    private func answer(_ builder: inout PacketBuilder, at time: Double, to parties: Endpoints) {
        builder.udp(time, fromClient: false, payload: quic.handshake(fromServer: true), endpoints: parties)
    }

    /// Twelve round trips of a spin bit that turns as the RFC has it, which is more than proves it.
    private func spin(_ builder: inout PacketBuilder, from start: Double, parties: Endpoints) -> UInt64 {
        for turn in 0..<12 {
            let at = start + Double(turn) * 50
            let bit = turn % 2 == 1
            builder.udp(at, fromClient: true, payload: quic.short(fromServer: false, spin: bit), endpoints: parties)
            builder.udp(
                at + 30, fromClient: false, payload: quic.short(fromServer: true, spin: bit), endpoints: parties)
        }
        return 24
    }

    private func opened() -> PacketBuilder {
        var builder = PacketBuilder()
        openInitial(&builder, from: home)
        answer(&builder, at: 30, to: home)
        builder.udp(50, fromClient: true, payload: quic.handshake(fromServer: false), endpoints: home)
        return builder
    }

    /// One socket may hold several connections to a server: the second's answer is not waited for in the first's name.
    @Test func anotherConnectionOnPortsThatStillWaitIsTimed() throws {
        let second = QUICBuilder(
            original: [1, 1, 2, 2, 3, 3, 4, 4], client: [6, 6, 6, 6], server: [7, 7, 7, 7, 7, 7, 7, 7])
        var builder = PacketBuilder()
        openInitial(&builder, from: home)
        builder.udp(
            5_000, fromClient: true, payload: second.clientInitial(number: 0, frames: QUICBuilder.crypto(hello)),
            endpoints: home)
        builder.udp(5_030, fromClient: false, payload: second.handshake(fromServer: true), endpoints: home)
        builder.udp(5_050, fromClient: true, payload: second.handshake(fromServer: false), endpoints: home)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == [
                "quic_handshake server transaction 30.0", "quic_handshake client transaction 20.0",
            ])
        #expect(analysis.report.rejected == ["no_room": 1])
    }

    /// From another port these are packets of a connection whose handshake was not seen: counted, never timed. What the
    /// connection told before holds, and its end is no timeout.
    @Test func anotherPortInTheMiddleTellsNothingAndTakesNothingBack() throws {
        var builder = opened()
        _ = spin(&builder, from: 100, parties: home)
        let before = try Analysis(builder)
        #expect(before.rtts(.quicSpin, .server).count >= 5)

        let moved = spin(&builder, from: 700, parties: away)
        // Long after, so that everything that could time out has.
        builder.udp(200_000, fromClient: true, payload: quic.short(fromServer: false, spin: true), endpoints: away)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == before.lines)
        #expect(analysis.samples.allSatisfy { ($0.rtt ?? 0) >= 0 && $0.outcome == nil })
        #expect(analysis.report.drops == ["udp": moved + 1])
        #expect(analysis.report.rejected.isEmpty)
        #expect(analysis.isBalanced)
    }

    /// And back again: the old ports are the old connection still, and its bit, which stood still meanwhile, gives no time
    /// that spans the absence.
    @Test func theOldPortsAgainAreTheOldConnection() throws {
        var builder = opened()
        _ = spin(&builder, from: 100, parties: home)
        let moved = spin(&builder, from: 700, parties: away)
        _ = spin(&builder, from: 1_300, parties: home)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.quicSpin, .server).allSatisfy { $0 == 30 })
        #expect(analysis.rtts(.quicSpin, .client).allSatisfy { $0 == 20 })
        #expect(analysis.report.drops == ["udp": moved])
    }

    /// A mapping that changes before the client's second flight: its Handshake packets come from elsewhere, and open
    /// nothing.
    @Test func handshakePacketsFromAnotherPortOpenNothing() throws {
        var builder = PacketBuilder()
        openInitial(&builder, from: home)
        answer(&builder, at: 30, to: home)
        builder.udp(50, fromClient: true, payload: quic.handshake(fromServer: false), endpoints: away)
        answer(&builder, at: 80, to: away)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["quic_handshake server transaction 30.0"])
        #expect(analysis.report.drops == ["udp": 2])
    }

    /// An Initial sent again from a new mapping is a connection of its own, timed from there and not from the first.
    @Test func anInitialFromAnotherPortIsTimedFromThere() throws {
        var builder = PacketBuilder()
        openInitial(&builder, from: home)
        openInitial(&builder, at: 1_000, from: away)
        answer(&builder, at: 1_030, to: away)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines == ["quic_handshake server transaction 30.0", "quic_handshake server transaction timeout"])
        #expect(analysis.samples.map(\.sourcePort) == [away.clientPort, home.clientPort])
    }

    // MARK: Pieces of a hello

    /// A hello in so many frames of one packet, of equal length but for the last.
    private func cut(into pieces: Int) throws -> Analysis {
        let size = hello.count / pieces
        var frames: [UInt8] = []
        for piece in 0..<pieces {
            let end = piece == pieces - 1 ? hello.count : (piece + 1) * size
            frames += QUICBuilder.crypto(hello[(piece * size)..<end], at: piece * size)
        }
        var builder = PacketBuilder()
        builder.udp(0, fromClient: true, payload: quic.clientInitial(number: 0, frames: frames), endpoints: home)
        answer(&builder, at: 30, to: home)
        return try Analysis(builder)
    }

    @Test func framesBeyondThoseThatAreLookedAtAreCounted() throws {
        let whole = try cut(into: 16)
        #expect(whole.samples.map(\.service) == ["mail.example"])
        #expect(whole.report.rejected.isEmpty)
        let partly = try cut(into: 20)
        #expect(partly.lines == ["quic_handshake server transaction 30.0"])
        #expect(partly.samples.map(\.service) == [nil])
        #expect(partly.report.rejected == ["no_room": 4])
    }
}
