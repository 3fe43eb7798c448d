// QUIC: headers and integers, frames as they would be inside, and Initials that are really opened.

import TestSupport
import Wire

@testable import Capturing

enum QUICTarget {
    /// The first byte: what the rest is.
    static func run(_ input: RawSpan) throws(FuzzFailure) {
        guard input.byteCount > 1 else { return }
        let mode = input.byte(at: 0)
        let bytes = input.suffix(from: 1)
        switch mode & 3 {
        case 0: try packet(bytes)
        case 1: try frames(bytes)
        case 2: try sealed(bytes, isServer: mode & 4 != 0, isV2: mode & 8 != 0)
        default: try integers(bytes)
        }
    }

    private static func packet(_ bytes: RawSpan) throws(FuzzFailure) {
        if let short = QUICShortHeader(bytes, length: bytes.byteCount) {
            try expect(QUICShortHeaderFields(short).spinBit == short.spinBit, "view and value differ")
        }
        guard let header = QUICLongHeader(bytes) else { return }
        try expect(header.destinationID.byteCount <= 20 && header.sourceID.byteCount <= 20, "an ID has 20 bytes")
        ViewsTarget.touch(header.destinationID)
        ViewsTarget.touch(header.sourceID)
        ViewsTarget.sink = header.type.rawValue
        guard let place = header.protected else { return }
        try expect(place.numberOffset <= bytes.byteCount, "a packet number beyond the packet")
        try expect(place.end - place.numberOffset >= 20, "no room for number and tag")
        var cipher = InitialCipher()
        guard header.type == .initial,
            let keys = cipher.keys(header.version, ConnectionID(header.destinationID), ofServer: false)
        else { return }
        let pieces = cipher.open(bytes, place, keys: keys) { CaptureEngine.collect($0, $1) }
        if let pieces { try take(pieces, cipher) }
    }

    /// The same frames sealed as a packet, which must open, and to the same frames.
    private static func sealed(_ bytes: RawSpan, isServer: Bool, isV2: Bool) throws(FuzzFailure) {
        var plain: [UInt8] = []
        for index in 0..<min(bytes.byteCount, 1_000) { plain.append(bytes.byte(at: index)) }
        let builder = QUICBuilder(version: isV2 ? .v2 : .v1)
        let number = UInt64(plain.count) & 0xFF
        let packet =
            isServer
            ? builder.serverInitial(number: number, frames: plain)
            : builder.clientInitial(number: number, frames: plain)
        guard let header = QUICLongHeader(packet.span.bytes), let place = header.protected else {
            throw FuzzFailure("what was written is refused")
        }
        var cipher = InitialCipher()
        guard let keys = cipher.keys(header.version, ConnectionID(builder.original.span.bytes), ofServer: isServer)
        else { throw FuzzFailure("no keys") }
        let pieces = cipher.open(packet.span.bytes, place, keys: keys) { CaptureEngine.collect($0, $1) }
        guard let pieces else { throw FuzzFailure("what was sealed does not open") }
        try expect(pieces.content.number == number, "the packet number")
        try take(pieces, cipher)
    }

    /// The pieces of the hello go to the buffer as the engine puts them there.
    private static func take(
        _ pieces: CaptureEngine.CryptoPieces, _ cipher: borrowing InitialCipher
    ) throws(FuzzFailure) {
        var table = HelloTable()
        let buffer = table.open(1, now: 0)
        for piece in 0..<pieces.count {
            let start = Int(clamping: pieces.offsets[piece])
            let count = Int(pieces.counts[piece])
            _ = table[buffer].overlaps(start, start &+ count)
            _ = cipher.readPlain(at: Int(pieces.starts[piece]), count: count) { table.add(buffer, at: start, $0) }
        }
        try expect(table[buffer].contiguous <= HelloBuffer.size, "more bytes than there is room for")
        _ = table.read(buffer) { HelloFacts(message: $0, hash: KeyedHash()) != nil }
    }

    private static func frames(_ bytes: RawSpan) throws(FuzzFailure) {
        var frames = QUICFrames(bytes)
        var count = 0
        while let frame = frames.next() {
            count += 1
            if case .crypto(_, let start, let size) = frame {
                try expect(start >= 0 && size >= 0 && start + size <= bytes.byteCount, "data beyond the payload")
            }
        }
        try expect(count <= bytes.byteCount, "more frames than bytes")
        ViewsTarget.sink = UInt8(truncatingIfNeeded: CaptureEngine.collect(0, bytes).count)
    }

    private static func integers(_ bytes: RawSpan) throws(FuzzFailure) {
        guard let (value, end) = QUICInteger.read(bytes, at: 0) else { return }
        try expect(end <= bytes.byteCount && value < 1 << 62, "an integer of 62 bits")
        var written: [UInt8] = []
        QUICInteger.write(value, to: &written)
        try expect(written.count <= end, "an integer in more room than it came in")
        try expect(QUICInteger.read(written.span.bytes, at: 0)?.value == value, "an integer does not read back")
    }

    // MARK: Seeds

    static var seeds: [[UInt8]] {
        let hello = TLSClientHelloFields(serverName: "www.example.com", applicationProtocols: ["h3"]).write()
        let split =
            QUICBuilder.crypto(hello[40...], at: 40) + [1] + QUICBuilder.crypto(hello[..<40])
            + QUICBuilder.acknowledge(0...3)
        let one = QUICBuilder()
        let two = QUICBuilder(version: .v2)
        var result: [[UInt8]] = [
            one.clientInitial(number: 0, frames: QUICBuilder.crypto(hello)),
            one.clientInitial(number: 1, frames: split, token: [1, 2, 3]),
            two.clientInitial(number: 0, frames: QUICBuilder.crypto(hello)),
            one.serverInitial(number: 0, frames: QUICBuilder.acknowledge(0...0)), one.handshake(fromServer: true),
            two.handshake(fromServer: false), one.retry(), one.versionNegotiation([.v1, .v2]),
            one.short(fromServer: false, spin: true), one.short(fromServer: true, spin: false),
        ].map { [0] + $0 }
        result += [1, 2, 6, 10, 14].map { [$0] + split }
        result += [[1, 3, 0x40, 0x40, 5, 2, 1, 1, 2, 3, 1, 2, 3], [1, 0x1C, 0, 0, 0]]
        result += [[3, 63], [3, 0x7F, 0xFF], [3, 0xBF, 0xFF, 0xFF, 0xFF], [3] + [UInt8](repeating: 0xFF, count: 8)]
        return result
    }
}
