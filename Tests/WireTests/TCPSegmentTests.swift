// TCP headers and the options that latency is read from.

import Testing
import Wire

@Suite struct TCPSegmentTests {
    private func bytes(options: [UInt8], payload: [UInt8] = []) -> [UInt8] {
        var bytes: [UInt8] = []
        TCPHeader(
            sourcePort: 40_000, destinationPort: 443, sequence: 0xFFFF_FFFE, acknowledgement: 7, flags: [.syn, .ece],
            window: 512, checksum: 0xBEEF, options: options
        ).write(payload: payload, to: &bytes)
        return bytes
    }

    private func options(_ raw: [UInt8]) throws -> TCPOptions {
        let bytes = bytes(options: raw)
        guard let view = TCPSegment(bytes.span.bytes) else { throw Refused() }
        return view.options
    }

    @Test func fieldsReadBack() throws {
        let bytes = bytes(options: [], payload: [1, 2, 3])
        guard let readView = TCPSegment(bytes.span.bytes) else { throw Refused() }
        let view = (TCPHeader(readView), readView.payload.byteCount)
        #expect(view.0.sequence == 0xFFFF_FFFE)
        #expect(view.0.flags == [.syn, .ece])
        #expect(view.0.window == 512)
        #expect(view.0.checksum == 0xBEEF)
        #expect(view.1 == 3)
        #expect("\(view.0)" == "TCP 40000 > 443 [SE] seq 4294967294 ack 7")
    }

    @Test func timestampsInTheUsualPlaceAndElsewhere() throws {
        let usual = try options(TCPHeader.timestamps(value: 5, echo: 6))
        #expect(usual.hasTimestamps)
        #expect(usual.timestampValue == 5)
        #expect(usual.timestampEcho == 6)
        #expect(try options([2, 4, 5, 0xB4, 4, 2, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 1, 3, 3, 7]) == usual)
        #expect(try options([8, 10, 0, 0, 0, 5, 0, 0, 0, 6]) == usual)
    }

    @Test func firstSelectiveBlockBehindTimestamps() throws {
        let all = try options(
            TCPHeader.timestamps(value: 5, echo: 6) + TCPHeader.selective([(100, 200), (300, 400)]))
        #expect(all.hasTimestamps)
        #expect(all.hasSelectiveBlock)
        #expect(all.selectiveLeft == 100)
        #expect(all.selectiveRight == 200)
    }

    @Test(
        arguments: [
            [8], [8, 0], [8, 1, 0, 0], [8, 10, 0, 0], [5, 9, 0, 0, 0, 0, 0, 0, 0], [0, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            [8, 255], [1, 1, 8, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0],
        ] as [[UInt8]])
    func malformedOptionsAreNone(raw: [UInt8]) throws {
        #expect(try options(raw) == TCPOptions())
    }

    private func isRead(_ bytes: RawSpan) -> Bool { TCPSegment(bytes) != nil }

    @Test func headersThatDoNotFitAreRefused() {
        var bytes = bytes(options: TCPHeader.timestamps(value: 1, echo: 2))
        for count in 0..<32 {
            let isRead = isRead(bytes.span.bytes.prefix(count))
            #expect(!isRead)
        }
        for (lengthField, expected) in [(UInt8(0x80), true), (0x40, false), (0xF0, false)] {
            bytes[12] = lengthField
            let isRead = isRead(bytes.span.bytes)
            #expect(isRead == expected)
        }
    }
}
