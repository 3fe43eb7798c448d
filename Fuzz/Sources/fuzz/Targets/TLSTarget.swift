// TLS: records, handshake messages, both hellos, and a ClientHello that comes in pieces cut at any place.

import TestSupport
import Wire

@testable import Capturing

enum TLSTarget {
    static func run(_ input: RawSpan) throws(FuzzFailure) {
        guard input.byteCount > 1 else { return }
        let stream = input.suffix(from: 2)
        try records(stream)
        try handshake(stream)
        try gather(stream, cut: 1 + Int(input.byte(at: 0)), order: input.byte(at: 1))
    }

    private static func records(_ stream: RawSpan) throws(FuzzFailure) {
        var offset = 0
        while let record = TLSRecord(stream.suffix(from: offset)) {
            try expect(record.length > 0 && record.length <= TLSRecord.longestFragment, "a fragment's length")
            try expect(record.fragment.byteCount <= record.length, "a fragment longer than its record")
            try expect(TLSRecordHeader(record).contentType == record.contentType, "view and value differ")
            ViewsTarget.touch(record.rest)
            try handshake(record.fragment)
            offset += TLSRecord.headerLength + record.length
        }
        if let length = TLSHelloFraming.length(stream) { try expect(length >= 9, "a hello of \(length) bytes") }
    }

    private static func handshake(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let message = TLSHandshake(bytes) else { return }
        try expect(message.body.byteCount <= message.length, "a body longer than its message")
        try expect(!message.isWhole || message.body.byteCount == message.length, "a whole message without its end")
        if let hello = TLSClientHello(message.body) {
            try expect(hello.serverName.byteCount <= message.body.byteCount, "a name longer than its hello")
            ViewsTarget.touch(hello.serverName)
            ViewsTarget.touch(hello.applicationProtocol)
        }
        if let hello = TLSServerHello(message.body) {
            try expect(
                TLSServerHelloFields(hello).isRetryRequest == hello.isRetryRequest, "view and value differ")
        }
        let facts = HelloFacts(message: bytes, hash: KeyedHash())
        if let facts, facts.nameKey != 0 { try expect(!facts.nameText.isEmpty, "a key without a name") }
    }

    /// Pieces in another order come to the same bytes as the stream itself.
    private static func gather(_ stream: RawSpan, cut: Int, order: UInt8) throws(FuzzFailure) {
        var table = HelloTable()
        let buffer = table.open(1, now: 0)
        let pieces = (stream.byteCount + cut - 1) / cut
        var isKept = true
        for step in 0..<pieces {
            let piece = order & 1 == 0 ? step : pieces - 1 - step
            // Overlaps, and the same again.
            let bytes = stream.suffix(from: piece * cut).prefix(cut + Int(order >> 4))
            if !table.add(buffer, at: piece * cut, bytes) { isKept = false }
            if order & 2 != 0 { _ = table.add(buffer, at: piece * cut, bytes) }
        }
        let expected = min(stream.byteCount, HelloBuffer.size)
        let held = table[buffer].contiguous
        try expect(held <= expected, "more bytes than came")
        try expect(!isKept || held == expected, "\(held) of \(expected) bytes are there")
        let isSame = table.read(buffer) { bytes in
            for index in 0..<bytes.byteCount where bytes.byte(at: index) != stream.byte(at: index) { return false }
            return true
        }
        try expect(isSame, "bytes were put together wrongly")
        table.removeRecordHeaders(buffer)
        try expect(table[buffer].contiguous <= held, "bytes came from nowhere")
        _ = table.read(buffer) { HelloFacts(message: $0, hash: KeyedHash()) != nil }
    }

    // MARK: Seeds

    /// A hello in one record, in many, with all extensions, and the server's answers: each behind two bytes of cut.
    static var seeds: [[UInt8]] {
        let plain = TLSClientHelloFields(serverName: "www.example.com", applicationProtocols: ["h2", "http/1.1"])
        let full = TLSClientHelloFields(
            serverName: "www.example.com", applicationProtocols: ["h3"], hasEncryptedHello: true, hasEarlyData: true,
            keyShareLength: 300)
        let none = TLSClientHelloFields(serverName: nil)
        var many: [UInt8] = []
        let message = plain.write()
        for start in stride(from: 0, to: message.count, by: 20) {
            record(message[start..<min(start + 20, message.count)], to: &many)
        }
        return [plain.write(), full.write(), none.write()].map { [31, 0x10] + record($0) }
            + [
                [7, 3] + many, [255, 0] + record(TLSServerHelloFields().write()),
                [255, 0] + record(TLSServerHelloFields(isRetryRequest: true).write()),
                [255, 0, 20, 3, 3, 0, 1, 1] + record(message), [255, 0, 21, 3, 3, 0, 2, 2, 40], [3, 1] + message,
            ]
    }

    static func record(_ message: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        record(message[...], to: &bytes)
        return bytes
    }

    private static func record(_ message: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        TLSRecordHeader(contentType: TLSContentType.handshake).write(fragment: message, to: &bytes)
    }
}
