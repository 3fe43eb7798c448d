// TLS over TCP: cases 53 and 54, and what a server name tells. 30 ms to the server, 20 ms to the client.

import Model
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct TLSTests {
    private func hello(
        _ name: String? = "Mail.Example", ech: Bool = false, early: Bool = false, keyShare: Int = 0
    ) -> [UInt8] {
        TLSRecordHeader.record(
            TLSClientHelloFields(
                serverName: name, applicationProtocols: ["h2"], hasEncryptedHello: ech, hasEarlyData: early,
                keyShareLength: keyShare
            ).write())
    }

    private var answer: [UInt8] { TLSRecordHeader.record(TLSServerHelloFields().write()) }
    private var retry: [UInt8] { TLSRecordHeader.record(TLSServerHelloFields(isRetryRequest: true).write()) }

    /// The TLS lines of an analysis.
    private func lines(_ builder: PacketBuilder) throws -> [String] {
        let analysis = try Analysis(builder)
        #expect(analysis.isBalanced)
        return analysis.lines.filter { $0.hasPrefix("tls") }
    }

    @Test func helloToHelloIsTheServersSideAndNamesTheService() throws {
        var builder = PacketBuilder()
        builder.opening()
        let sent = hello()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent)
        builder.tcp(81, fromClient: false, seq: 5001, ack: 1001 + UInt32(sent.count), content: answer)
        let analysis = try Analysis(builder)
        #expect(analysis.lines.filter { $0.hasPrefix("tls") } == ["tls server transaction 30.0"])
        let sample = try #require(analysis.samples.last { $0.kind == .tls })
        #expect(sample.service == "mail.example")
        #expect(sample.serviceSource == .sni)
        // The handshake was over before the name was seen; data sent after it goes by the name.
        #expect(analysis.samples.first?.service == nil)
        #expect(analysis.samples.first { $0.kind == .tcpData }?.service == "mail.example")
        let row = try #require(analysis.report.services.first { $0.kind == .tls })
        #expect(row.service == "mail.example")
        #expect(row.serviceSources == [.sni])
    }

    @Test func aSplitHelloCountsFromItsLastSegment() throws {
        var builder = PacketBuilder()
        builder.opening()
        let sent = hello(keyShare: 1_216)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent.prefix(1_000))
        builder.tcp(61, fromClient: true, seq: 2001, ack: 5001, content: sent.dropFirst(1_000))
        builder.tcp(91, fromClient: false, seq: 5001, ack: 1001 + UInt32(sent.count), content: answer.prefix(40))
        builder.tcp(
            95, fromClient: false, seq: 5041, ack: 1001 + UInt32(sent.count), content: answer.dropFirst(40))
        let analysis = try Analysis(builder)
        #expect(analysis.lines.filter { $0.hasPrefix("tls") } == ["tls server transaction 30.0"])
        #expect(analysis.samples.last { $0.kind == .tls }?.service == "mail.example")
    }

    /// Less than a record's header in the first segment, as it is sent past whoever reads names from the first one.
    @Test(arguments: 1...6)
    func aHelloMayBeginWithAFewBytes(_ first: Int) throws {
        var builder = PacketBuilder()
        builder.opening()
        let sent = hello()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent.prefix(first))
        builder.tcp(61, fromClient: true, seq: 1001 + UInt32(first), ack: 5001, content: sent.dropFirst(first))
        builder.tcp(91, fromClient: false, seq: 5001, ack: 1001 + UInt32(sent.count), content: answer)
        let analysis = try Analysis(builder)
        #expect(analysis.lines.filter { $0.hasPrefix("tls") } == ["tls server transaction 30.0"])
        #expect(analysis.samples.last { $0.kind == .tls }?.service == "mail.example")
    }

    /// What only looks like the beginning of one is let go of, and the true one that follows is still seen.
    @Test(arguments: [[0x16], [0x16, 3], [0x16, 3, 1, 0, 9]])
    func aFewBytesThatAreNoHelloAreForgotten(_ first: [UInt8]) throws {
        var builder = PacketBuilder()
        builder.opening()
        let talk = first + Array("STARTTLS please".utf8)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: talk.prefix(first.count))
        builder.tcp(
            52, fromClient: true, seq: 1001 + UInt32(first.count), ack: 5001, content: talk.dropFirst(first.count))
        builder.tcp(82, fromClient: false, seq: 5001, ack: 1001 + UInt32(talk.count), content: Array("go on".utf8))
        #expect(try lines(builder).isEmpty)
        let start = 1001 + UInt32(talk.count)
        let sent = hello()
        builder.tcp(103, fromClient: true, seq: start, ack: 5006, content: sent)
        builder.tcp(133, fromClient: false, seq: 5006, ack: start + UInt32(sent.count), content: answer)
        #expect(try lines(builder) == ["tls server transaction 30.0"])
    }

    @Test func aHelloInManyRecordsAndSegmentsOutOfOrderIsPutTogether() throws {
        let message = TLSClientHelloFields(serverName: "mail.example", keyShareLength: 300).write()
        var sent: [UInt8] = []
        for start in stride(from: 0, to: message.count, by: 50) {
            sent += TLSRecordHeader.record(Array(message[start..<min(start + 50, message.count)]))
        }
        var builder = PacketBuilder()
        builder.opening()
        let cuts = [0, 3, 120, 300, sent.count]
        for (place, part) in [0, 2, 1, 3].enumerated() {
            builder.tcp(
                51 + Double(place), fromClient: true, seq: 1001 + UInt32(cuts[part]), ack: 5001,
                content: sent[cuts[part]..<cuts[part + 1]])
        }
        builder.tcp(84, fromClient: false, seq: 5001, ack: 1001 + UInt32(sent.count), content: answer)
        let analysis = try Analysis(builder)
        // Three bytes are no hello yet, so this one is timed from where it can be told, and has no name.
        #expect(analysis.isBalanced)

        var whole = PacketBuilder()
        whole.opening()
        let again = [0, 60, 120, 300, sent.count]
        for (place, part) in [0, 2, 1, 3].enumerated() {
            whole.tcp(
                51 + Double(place), fromClient: true, seq: 1001 + UInt32(again[part]), ack: 5001,
                content: sent[again[part]..<again[part + 1]])
        }
        whole.tcp(84, fromClient: false, seq: 5001, ack: 1001 + UInt32(sent.count), content: answer)
        let second = try Analysis(whole)
        #expect(second.rtts(.tls, .server) == [30])
        #expect(second.samples.last { $0.kind == .tls }?.service == "mail.example")
    }

    @Test func aRetryRequestIsToldApart() throws {
        var builder = PacketBuilder()
        builder.opening()
        let sent = hello()
        let next = 1001 + UInt32(sent.count)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent)
        builder.tcp(81, fromClient: false, seq: 5001, ack: next, content: retry)
        let change = TLSRecordHeader.record([1], type: TLSContentType.changeCipherSpec)
        let serverNext = 5001 + UInt32(retry.count)
        builder.tcp(101, fromClient: true, seq: next, ack: serverNext, content: change + sent)
        builder.tcp(
            131.5, fromClient: false, seq: serverNext, ack: next + UInt32(sent.count + change.count), content: answer)
        #expect(
            try lines(builder) == [
                "tls_retry server transaction 30.0", "tls server transaction 30.5 [after_retry]",
            ])
    }

    @Test func aSecondHelloMayBeginWithAFewBytesToo() throws {
        let sent = hello()
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent)
        let asked = 1001 + UInt32(sent.count)
        builder.tcp(81, fromClient: false, seq: 5001, ack: asked, content: retry)
        let told = 5001 + UInt32(retry.count)
        builder.tcp(101, fromClient: true, seq: asked, ack: told, content: sent.prefix(3))
        builder.tcp(102, fromClient: true, seq: asked + 3, ack: told, content: sent.dropFirst(3))
        builder.tcp(132, fromClient: false, seq: told, ack: asked + UInt32(sent.count), content: answer)
        #expect(
            try lines(builder) == [
                "tls_retry server transaction 30.0", "tls server transaction 30.0 [after_retry]",
            ])
    }

    @Test func startTLSOnAnyPortIsToldByContent() throws {
        var parties = Endpoints.ipv4
        parties.serverPort = 2_525
        var builder = PacketBuilder()
        builder.opening(endpoints: parties)
        builder.tcp(
            52, fromClient: false, seq: 5001, ack: 1001, content: Array("220 mail\r\n".utf8), endpoints: parties)
        builder.tcp(72, fromClient: true, seq: 1001, ack: 5011, content: Array("STARTTLS\r\n".utf8), endpoints: parties)
        builder.tcp(
            102, fromClient: false, seq: 5011, ack: 1011, content: Array("220 go on\r\n".utf8), endpoints: parties)
        builder.tcp(122, fromClient: true, seq: 1011, ack: 5022, content: hello(), endpoints: parties)
        builder.tcp(152, fromClient: false, seq: 5022, ack: 1011, content: answer, endpoints: parties)
        #expect(try lines(builder) == ["tls server transaction 30.0"])
    }

    /// Of a connection joined in its middle the lower port is taken for the server's until its hello tells.
    @Test func theHelloTellsTheClientWhereTheOpeningWasMissed() throws {
        var parties = Endpoints.ipv4
        parties.clientPort = 1_024
        parties.serverPort = 8_443
        var builder = PacketBuilder()
        let sent = hello()
        let end = 1001 + UInt32(sent.count)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent, endpoints: parties)
        builder.tcp(81, fromClient: false, seq: 5001, ack: end, content: answer, endpoints: parties)
        builder.tcp(
            101, fromClient: true, .ack, seq: end, ack: 5001 + UInt32(answer.count), endpoints: parties)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tls, .server) == [30])
        #expect(analysis.rtts(.tcpData, .server) == [30])
        #expect(analysis.rtts(.tcpData, .client) == [20])
        #expect(analysis.samples.allSatisfy { $0.service == "mail.example" })
    }

    @Test func theOuterNameOfAnEncryptedHelloIsNotTheService() throws {
        func capture(_ extra: (inout PacketBuilder) throws -> Void) throws -> Analysis {
            var builder = PacketBuilder()
            try extra(&builder)
            builder.opening(from: 100)
            builder.tcp(151, fromClient: true, seq: 1001, ack: 5001, content: hello("front.example", ech: true))
            builder.tcp(181, fromClient: false, seq: 5001, ack: 1001, content: answer)
            return try Analysis(builder)
        }
        let alone = try capture { _ in }
        #expect(alone.lines.last { $0.hasPrefix("tls") } == "tls server transaction 30.0 [ech]")
        #expect(alone.samples.last { $0.kind == .tls }?.service == nil)
        func resolve(_ name: String, _ builder: inout PacketBuilder) throws {
            let parsed = try #require(DNSName(name))
            builder.udp(0, fromClient: true, payload: try #require(DNSQuery.write(id: 1, name: name, type: DNSType.a)))
            builder.udp(
                20, fromClient: false,
                payload: DNSReply(
                    id: 1, question: DNSQuestion(name: parsed, type: DNSType.a),
                    answers: [DNSResource(name: parsed, address: Endpoints.ipv4.server, ttl: 300)]
                ).write())
        }
        // DNS led there under another name: that one is the service.
        let other = try capture { try resolve("true.example", &$0) }
        #expect(other.samples.last { $0.kind == .tls }?.service == "true.example")
        #expect(other.samples.last { $0.kind == .tls }?.serviceSource == .dns)
        // Under the same one: the encrypted hello is for show.
        let same = try capture { try resolve("front.example", &$0) }
        #expect(same.samples.last { $0.kind == .tls }?.serviceSource == .sni)
    }

    @Test func aRepeatedHelloHasBoundsOnly() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello(early: true))
        builder.tcp(251, fromClient: true, seq: 1001, ack: 5001, content: hello(early: true))
        builder.tcp(281, fromClient: false, seq: 5001, ack: 1001, content: answer)
        #expect(
            try lines(builder) == [
                "tls server transaction ambiguous [retries=1,bounds_us=30000..230000,early_data]"
            ])
    }

    @Test func copiesOlderThanTheFirstKeepTheBoundsInOrder() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(251, fromClient: true, seq: 1001, ack: 5001, content: hello())
        // The clock has stepped back.
        builder.tcp(200, fromClient: true, seq: 1001, ack: 5001, content: hello())
        builder.tcp(281, fromClient: false, seq: 5001, ack: 1001, content: answer)
        #expect(try lines(builder) == ["tls server transaction ambiguous [retries=1,bounds_us=30000..30000]"])
    }

    @Test func headersOfRecordsAreTakenOutInOnePass() {
        // A hello in records of one byte each, and bytes behind it that are no record.
        var table = HelloTable()
        let buffer = table.open(1, now: 0)
        let message = (0..<600).map { UInt8(truncatingIfNeeded: $0) }
        let stream = message.flatMap { TLSRecordHeader.record([$0]) }
        let isTaken = table.add(buffer, at: 0, stream.span.bytes)
        #expect(isTaken)
        let rest = [UInt8](repeating: 0xEE, count: 7)
        let isRestTaken = table.add(buffer, at: stream.count, rest.span.bytes)
        #expect(isRestTaken)
        table.removeRecordHeaders(buffer)
        let kept = table.read(buffer) { bytes in (0..<bytes.byteCount).map { bytes.byte(at: $0) } }
        #expect(kept == message + rest)
        // Of nothing, nothing.
        let empty = table.open(2, now: 0)
        table.removeRecordHeaders(empty)
        let contiguous = table[empty].contiguous
        #expect(contiguous == 0)
    }

    @Test func anAnswerAfterAHoleIsNotSampled() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello())
        builder.tcp(81, fromClient: false, seq: 5001 + UInt32(answer.count), ack: 1001, content: [1, 2, 3])
        builder.tcp(281, fromClient: false, seq: 5001, ack: 1001, content: answer)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tls, .server).isEmpty)
        #expect(analysis.report.rejected["post_loss"] == 1)
        // A repeated answer after the first copy changes nothing.
        var second = PacketBuilder()
        second.opening()
        second.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello())
        second.tcp(81, fromClient: false, seq: 5001, ack: 1001, content: answer)
        second.tcp(281, fromClient: false, seq: 5001, ack: 1001, content: answer)
        #expect(try lines(second) == ["tls server transaction 30.0"])
    }

    @Test func silenceAlertsAndStraysAreCounted() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello())
        var second = Endpoints.ipv4
        second.clientPort = 40_001
        builder.opening(endpoints: second, from: 100)
        builder.tcp(151, fromClient: true, seq: 1001, ack: 5001, content: hello(), endpoints: second)
        builder.tcp(
            181, fromClient: false, seq: 5001, ack: 1001,
            content: TLSRecordHeader.record([2, 40], type: TLSContentType.alert),
            endpoints: second)
        var third = Endpoints.ipv4
        third.clientPort = 40_002
        builder.tcp(200, fromClient: false, seq: 5001, ack: 1001, content: answer, endpoints: third)
        var fourth = Endpoints.ipv4
        fourth.clientPort = 40_003
        builder.opening(endpoints: fourth, from: 300)
        builder.tcp(351, fromClient: true, seq: 1001, ack: 5001, content: hello(), endpoints: fourth)
        builder.tcp(
            381, fromClient: false, seq: 5001, ack: 1001, content: Array("HTTP/1.1 400 Bad\r\n".utf8), endpoints: fourth
        )
        let analysis = try Analysis(builder)
        #expect(
            analysis.lines.filter { $0.hasPrefix("tls") } == [
                "tls server transaction 30.0 [alert]", "tls server transaction orphan",
                "tls server transaction 30.0 [not_tls]", "tls server transaction timeout",
            ])
        let row = try #require(analysis.report.kinds.first { $0.kind == .tls })
        #expect(row.failures == 3)
        #expect(row.count == 2)
    }

    /// Whether by what follows it or by what the client acknowledges: a server that spoke was not silent.
    @Test func anAnswerThatTheCaptureMissedIsNoTimeout() throws {
        for isFollowed in [true, false] {
            var builder = PacketBuilder()
            builder.opening()
            let sent = hello()
            let next = 1001 + UInt32(sent.count)
            builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent)
            if isFollowed {
                builder.tcp(82, fromClient: false, seq: 6001, ack: next, content: [UInt8](repeating: 0, count: 100))
            } else {
                builder.tcp(101, fromClient: true, .ack, seq: next, ack: 6101)
            }
            let analysis = try Analysis(builder)
            #expect(!analysis.lines.contains { $0.hasPrefix("tls") })
            #expect(analysis.report.rejected["unseen"] == 1)
        }
    }

    @Test func whereTheServerIsNotHeardNothingIsSaidOfIt() throws {
        var builder = PacketBuilder()
        builder.tcp(0, fromClient: true, .syn, seq: 1000)
        builder.tcp(50, fromClient: true, .ack, seq: 1001, ack: 5001)
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello())
        #expect(try lines(builder).isEmpty)
    }

    @Test func namesThatAreNotConfiguredCanBeDropped() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello("secret.example"))
        builder.tcp(81, fromClient: false, seq: 5001, ack: 1001, content: answer)
        let services = [ServiceSpec(name: "Mail", names: ["*.mail.example"])]
        let quiet = try Analysis(
            bytes: builder.file(), attribution: AttributionTable(services: services, keepsNames: false))
        #expect(quiet.samples.allSatisfy { $0.service == nil && $0.serviceSource == nil })
        var named = PacketBuilder()
        named.opening()
        named.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello("a.mail.example"))
        named.tcp(81, fromClient: false, seq: 5001, ack: 1001, content: answer)
        let known = try Analysis(
            bytes: named.file(), attribution: AttributionTable(services: services, keepsNames: false))
        #expect(known.samples.last { $0.kind == .tls }?.service == "Mail")
        #expect(known.samples.last { $0.kind == .tls }?.serviceSource == .sni)
    }

    @Test func snapLengthCutsTheNameButNotTheTime() throws {
        var builder = PacketBuilder()
        builder.opening()
        builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: hello(keyShare: 1_216))
        builder.tcp(81, fromClient: false, seq: 5001, ack: 1001, content: retry)
        builder.cut(to: 96)
        let analysis = try Analysis(builder)
        #expect(analysis.rtts(.tlsRetry, .server) == [30])
        #expect(analysis.samples.last?.service == nil)
    }

    @Test func everyCutOfAHelloIsSurvived() throws {
        let sent = hello(ech: true, early: true, keyShare: 100)
        for length in 0...sent.count {
            var builder = PacketBuilder()
            builder.opening()
            builder.tcp(51, fromClient: true, seq: 1001, ack: 5001, content: sent.prefix(length))
            builder.tcp(52, fromClient: true, seq: 1001 + UInt32(length), ack: 5001, content: sent.dropFirst(length))
            builder.tcp(81, fromClient: false, seq: 5001, ack: 1001, content: answer)
            let analysis = try Analysis(builder)
            // From six bytes on it is told by its first segment.
            if length >= 6 { #expect(analysis.rtts(.tls, .server) == [length == sent.count ? 30 : 29], "\(length)") }
        }
    }
}
