// Views of TLS and QUIC: what was written reads back, and every cut is a refusal or less, never a trap.

import Testing

@testable import Wire

struct TLSAndQUICTests {
    @Test
    func aClientHelloIsReadAsItWasWritten() throws {
        let message = TLSClientHelloFields(
            serverName: "a.example", applicationProtocols: ["h2", "http/1.1"], hasEncryptedHello: true,
            hasEarlyData: true, keyShareLength: 1_216
        ).write()
        var record: [UInt8] = []
        TLSRecordHeader(contentType: TLSContentType.handshake).write(fragment: message, to: &record)
        guard let view = TLSRecord(record.span.bytes), let handshake = TLSHandshake(view.fragment),
            let hello = TLSClientHello(handshake.body)
        else { throw Missing() }
        check(view.contentType == 22 && view.length == message.count && view.rest.byteCount == 0)
        check(handshake.type == TLSHandshakeType.clientHello && handshake.isWhole)
        check(hello.isComplete && hello.hasEncryptedHello && hello.hasEarlyData && hello.version == 0x0303)
        check(text(hello.serverName) == "a.example")
        check(text(hello.applicationProtocol) == "h2")
        for length in 0..<record.count {
            if let cut = TLSRecord(record.span.bytes.prefix(length)), let part = TLSHandshake(cut.fragment) {
                check(!part.isWhole)
                // Cut right before its extensions, a hello looks like one that has none.
                if let hello = TLSClientHello(part.body) { check(!hello.isComplete || !hello.hasEncryptedHello) }
            }
        }
    }

    @Test
    func aRetryRequestIsToldByItsRandom() throws {
        for isRetry in [true, false] {
            let message = TLSServerHelloFields(isRetryRequest: isRetry).write()
            guard let handshake = TLSHandshake(message.span.bytes), let hello = TLSServerHello(handshake.body) else {
                throw Missing()
            }
            check(hello.isRetryRequest == isRetry)
            for length in 0..<handshake.body.byteCount {
                guard let cut = TLSServerHello(handshake.body.prefix(length)) else {
                    check(length < 10)
                    continue
                }
                check(cut.isRetryRequest == isRetry)
            }
        }
    }

    @Test
    func bytesThatAreNoRecordAreRefused() {
        for bytes: [UInt8] in [
            [19, 3, 3, 0, 1], [22, 2, 0, 0, 1], [22, 3, 5, 0, 1], [22, 3, 3, 0, 0], [22, 3, 3, 0xFF, 0xFF],
            [22, 3, 3, 0],
        ] { check(TLSRecord(bytes.span.bytes) == nil) }
    }

    @Test
    func hostNamesHashAsTheirLabels() throws {
        for name in ["a.example", "MAIL.Example", "x_y-1.a0", "example"] {
            let parsed = try #require(DNSName(name))
            let bytes = Array(name.utf8)
            check(DNSName.key(hostName: bytes.span.bytes, seed: 9) == parsed.key(seed: 9))
        }
        for name in ["", ".", "a.", ".a", "a..b", "192.0.2.1", "a b", "::1", String(repeating: "a", count: 64), "é"] {
            let bytes = Array(name.utf8)
            check(DNSName.key(hostName: bytes.span.bytes) == nil, "\(name)")
        }
    }

    @Test(arguments: [QUICVersion.v1, .v2, QUICVersion(rawValue: 0xFF00_001D)])
    func longHeadersReadBack(_ version: QUICVersion) throws {
        for type in [QUICPacketType.initial, .zeroRTT, .handshake, .retry, .versionNegotiation] {
            var packet: [UInt8] = []
            QUICHeader(type: type, version: version, destinationID: [1, 2, 3], sourceID: [4]).write(to: &packet)
            if type == .initial { packet += [2, 7, 7] }
            packet += [0x40, 30] + [UInt8](repeating: 9, count: 30)
            guard let header = QUICLongHeader(packet.span.bytes) else { throw Missing() }
            check(header.type == type)
            check(header.version == (type == .versionNegotiation ? .negotiation : version))
            check(header.destinationID.byteCount == 3 && header.sourceID.byteCount == 1)
            check(header.sourceID.byte(at: 0) == 4)
            if type == .retry || type == .versionNegotiation {
                check(header.protected == nil)
            } else {
                guard let place = header.protected else { throw Missing() }
                check(place.end == packet.count && place.numberOffset == packet.count - 30)
                check(place.tokenLength == (type == .initial ? 2 : 0))
            }
            for length in 0..<packet.count {
                if let cut = QUICLongHeader(packet.span.bytes.prefix(length)) { _ = cut.protected }
            }
        }
        // A connection ID of 21 bytes, and a short header.
        for bytes: [UInt8] in [
            [0xC0, 0, 0, 0, 1, 21] + [UInt8](repeating: 0, count: 30), [0x40, 0, 0, 0, 1, 0, 0, 0],
        ] { check(QUICLongHeader(bytes.span.bytes) == nil) }
    }

    @Test
    func integersOfEveryLength() {
        for value: UInt64 in [0, 63, 64, 16_383, 16_384, 1 << 30 - 1, 1 << 30, 1 << 62 - 1] {
            var bytes: [UInt8] = []
            QUICInteger.write(value, to: &bytes)
            let read = QUICInteger.read(bytes.span.bytes, at: 0)
            check(read?.value == value && read?.end == bytes.count)
            check(QUICInteger.read(bytes.span.bytes.prefix(bytes.count - 1), at: 0) == nil)
        }
    }

    @Test
    func framesOfAnInitial() {
        var payload: [UInt8] = [0, 0, 1]
        QUICFrame.acknowledgement(numbers: 0b1110).write(to: &payload)
        // Largest 9, one gap: 9, and 3 to 5.
        payload += [0x02, 9, 0, 1, 0, 2, 2]
        QUICFrame.crypto(offset: 70, start: 0, count: 0).write(data: [5, 6], to: &payload)
        payload += [0, 0x1C, 0]
        var frames = QUICFrames(payload.span.bytes)
        var list: [QUICFrame] = []
        while let frame = frames.next() { list.append(frame) }
        check(list.count == 5)
        check(list.prefix(3) == [.ping, .acknowledgement(numbers: 0b1110), .acknowledgement(numbers: 0b10_0011_1000)])
        if case .crypto(let offset, let start, let count) = list[3] {
            check(offset == 70 && count == 2 && payload[start] == 5)
        } else {
            Issue.record("no CRYPTO frame")
        }
        check(list.last == .close && !frames.isMalformed)
        // Frames that an Initial must not carry, and ranges below zero.
        for bytes: [UInt8] in [[0x08, 0], [0x02, 3, 0, 0, 4], [0x02, 9, 0, 1, 0, 9, 0], [0x06, 0, 9, 1]] {
            var bad = QUICFrames(bytes.span.bytes)
            while bad.next() != nil {}
            check(bad.isMalformed)
        }
    }

    @Test
    func shortHeadersTellTheirSpinBit() throws {
        for spin in [true, false] {
            var packet: [UInt8] = []
            QUICShortHeaderFields(spinBit: spin).write(destinationID: [1], payload: [0, 0], to: &packet)
            guard let view = QUICShortHeader(packet.span.bytes, length: 21) else { throw Missing() }
            check(view.spinBit == spin)
            check(QUICShortHeader(packet.span.bytes, length: 20) == nil)
        }
    }

    @Test
    func serviceBindingsGiveTheirHints() throws {
        let target = try #require(DNSName("svc.example"))
        let hints = [IPAddress(v4: 1), IPAddress(v4: 2), IPAddress(v6High: 3, low: 4)]
        let data = DNSServiceBindingFields(target: target, hints: hints).write()
        for length in 0...data.count {
            var found: [IPAddress] = []
            guard let view = DNSServiceBinding(data.span.bytes.prefix(length)) else {
                check(length < 15)
                continue
            }
            view.forEachHint(limit: 8) { found.append($0) }
            check(hints.starts(with: found))
            if length == data.count { check(found == hints) }
        }
    }

    private func text(_ bytes: RawSpan) -> String {
        String(decoding: (0..<bytes.byteCount).map { bytes.byte(at: $0) }, as: UTF8.self)
    }
}
