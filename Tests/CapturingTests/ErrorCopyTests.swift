// Copies of ICMP errors, and of what they are about.

import Capturing
import Model
import TestSupport
import Testing
import Wire

@Suite struct ErrorCopyTests {
    private func error(about frame: [UInt8]) -> [UInt8] {
        var message: [UInt8] = []
        ICMPv4Error(type: 3, code: 1, quoted: Array(frame.dropFirst(14).prefix(28))).write(to: &message)
        return message
    }

    private func add(_ message: [UInt8], at milliseconds: Double, to builder: inout PacketBuilder) {
        builder.add(
            at: milliseconds, from: IPAddress(v4: 0xC633_6409), to: Endpoints.ipv4.client, protocolNumber: .icmp,
            payload: message)
    }

    @Test func aSegmentThatCameBackIsToldOfOnce() throws {
        var builder = PacketBuilder.opened()
        builder.tcp(60, fromClient: true, [.psh, .ack], seq: 1_001, ack: 5_001, payload: 100)
        let message = error(about: try #require(builder.records.last).bytes)
        add(message, at: 70, to: &builder)
        builder.repeatLast(after: 0.3)
        // The same router about the segment sent again.
        builder.tcp(360, fromClient: true, [.psh, .ack], seq: 1_001, ack: 5_001, payload: 100)
        add(message, at: 370, to: &builder)
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines.filter { $0.contains("host_unreachable") }.count == 2)
        #expect(analysis.report.duplicates == 1)
        #expect(analysis.isBalanced)
    }

    /// An error that is quicker than the copy of what it is about.
    @Test func aRequestThatCameBackIsToldOfOnce() throws {
        var echo: [UInt8] = []
        ICMPEcho(isReply: false, identifier: 1, sequence: 1).writeICMPv4(payload: [1, 2, 3, 4], to: &echo)
        var builder = PacketBuilder()
        builder.add(
            at: 0, from: Endpoints.ipv4.client, to: Endpoints.ipv4.server, protocolNumber: .icmp, payload: echo)
        let request = try #require(builder.records.first).bytes
        let message = error(about: request)
        add(message, at: 0.1, to: &builder)
        builder.add(at: 0.3, frame: request)
        add(message, at: 0.4, to: &builder)
        let analysis = try Analysis(builder)
        #expect(analysis.lines == ["icmp_echo server transaction unanswered [host_unreachable]"])
        #expect(analysis.report.duplicates == 1)
        #expect(analysis.report.drops == ["icmp-unreachable": 1])
    }
}
