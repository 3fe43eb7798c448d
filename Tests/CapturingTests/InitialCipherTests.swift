// The protection of Initials against the RFCs' own figures: RFC 9001, A.1 and A.2, and RFC 9369, A.1.

import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct InitialCipherTests {
    private func hex<let count: Int>(_ bytes: InlineArray<count, UInt8>) -> String {
        bytes.indices.map { (bytes[$0] < 16 ? "0" : "") + String(bytes[$0], radix: 16) }.joined()
    }

    private func bytes(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text[...]
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            result.append(byte)
            rest = rest.dropFirst(2)
        }
        return result
    }

    private struct Known {
        var version: QUICVersion
        var isServer: Bool
        var key: String
        var nonce: String
        var header: String
    }

    @Test func keysAreThoseOfTheRFCs() {
        let known = [
            Known(
                version: .v1, isServer: false, key: "1f369613dd76d5467730efcbe3b1a22d",
                nonce: "fa044b2f42a3fd3b46fb255c", header: "9f50449e04a0e810283a1e9933adedd2"),
            Known(
                version: .v1, isServer: true, key: "cf3a5331653c364c88f0f379b6067e37",
                nonce: "0ac1493ca1905853b0bba03e", header: "c206b8d9b9f0f37644430b490eeaa314"),
            Known(
                version: .v2, isServer: false, key: "8b1a0bc121284290a29e0971b5cd045d",
                nonce: "91f73e2351d8fa91660e909f", header: "45b95e15235d6f45a6b19cbcb0294ba9"),
            Known(
                version: .v2, isServer: true, key: "82db637861d55e1d011f19ea71d5d2a7",
                nonce: "dd13c276499c0249d3310652", header: "edf6d05c83121201b436e16877593c3a"),
        ]
        var cipher = InitialCipher()
        let original = bytes("8394c8f03e515708")
        let id = ConnectionID(original.span.bytes)
        for expected in known {
            guard let keys = cipher.keys(expected.version, id, ofServer: expected.isServer) else {
                Issue.record("no keys for \(expected.version)")
                continue
            }
            #expect(hex(keys.key) == expected.key)
            #expect(hex(keys.nonce) == expected.nonce)
            #expect(hex(keys.headerKey) == expected.header)
            let built = QUICBuilder(version: expected.version).keys(isServer: expected.isServer)
            #expect(built.key == bytes(expected.key) && built.header == bytes(expected.header))
        }
        let strange = cipher.keys(QUICVersion(rawValue: 0x1A2A_3A4A), id, ofServer: false)
        #expect(strange.map { hex($0.key) } == nil)
    }

    @Test func theHelloOfTheRFCIsOpened() {
        // RFC 9001, A.2: a ClientHello of 245 bytes in a CRYPTO frame, packet number 2 in four bytes.
        let frame = bytes(
            "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0"
                + "00000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e"
                + "000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74"
                + "d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffff"
                + "ffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff")
        let hello = Array(frame.dropFirst(4))
        let facts = HelloFacts(message: hello.span.bytes, hash: KeyedHash())
        #expect(facts.map(\.nameText) == "example.com")
        let sealed = QUICBuilder().clientInitial(number: 2, frames: frame)
        guard let header = QUICLongHeader(sealed.span.bytes), let place = header.protected else {
            Issue.record("not a long header")
            return
        }
        var cipher = InitialCipher()
        guard let keys = cipher.keys(header.version, ConnectionID(header.destinationID), ofServer: false) else {
            Issue.record("no keys")
            return
        }
        let opened = cipher.open(sealed.span.bytes, place, keys: keys) { number, plain in
            (number, (0..<frame.count).map { plain.byte(at: $0) })
        }
        #expect(opened?.0 == 2)
        #expect(opened?.1 == frame)
        var damaged = sealed
        damaged[600] ^= 1
        let forged = cipher.open(damaged.span.bytes, place, keys: keys) { _, _ in true }
        #expect(forged == nil)
        let cut = cipher.open(sealed.span.bytes.prefix(900), place, keys: keys) { _, _ in true }
        #expect(cut == nil)
    }

    @Test func piecesOfAHelloAreKeptInOrder() {
        var table = HelloTable()
        let text = (0..<100).map { UInt8($0) }
        let index = table.open(7, now: 0)
        var kept: [Bool] = []
        for (start, end) in [(90, 100), (10, 20), (0, 5), (40, 60), (15, 45)] {
            let piece = Array(text[start..<end])
            kept.append(table.add(index, at: start, piece.span.bytes))
        }
        let buffer = table[index]
        #expect(buffer.contiguous == 5)
        #expect(buffer.overlaps(4, 6) && !buffer.overlaps(5, 10))
        let filler = Array(text[5..<10])
        kept.append(table.add(index, at: 5, filler.span.bytes))
        let longer = table[index].contiguous
        #expect(longer == 60)
        let end = Array(text[50..<95])
        kept.append(table.add(index, at: 50, end.span.bytes))
        let read = table.read(index) { bytes in (0..<bytes.byteCount).map { bytes.byte(at: $0) } }
        #expect(read == text)
        #expect(kept.allSatisfy { $0 })
        let beyond = table.add(index, at: 5_000, text.span.bytes)
        #expect(!beyond)
        // Seven runs are more than a hello has.
        let one: [UInt8] = [1]
        let other = table.open(8, now: 1)
        let six = (0..<6).map { table.add(other, at: $0 * 10, one.span.bytes) }
        #expect(six.allSatisfy { $0 })
        let seventh = table.add(other, at: 100, one.span.bytes)
        #expect(!seventh)
        // The one not used longest gives way, and is counted.
        for owner in 100..<228 { _ = table.open(UInt64(owner), now: 2) }
        let isHeld = table.holds(index, 7)
        let evicted = table.evicted
        #expect(!isHeld && evicted == 2)
    }
}
