import Testing
import Wire

@testable import Probing

private let host = IPAddress(v4: 0xC000_0201)
private let other = IPAddress(v4: 0xC000_0202)

struct EchoTableTests {
    private func makeTable(capacity: Int = 16) -> EchoTable<Int> { EchoTable(tag: 99, capacity: capacity) }

    private func entry(_ identifier: UInt16, _ sequence: UInt16, nonce: UInt64 = 5) -> EchoTable<Int>.Entry {
        EchoTable<Int>.Entry(
            identifier: identifier, sequence: sequence, nonce: nonce, destination: host, owner: 1, packet: 0)
    }

    private func insert(
        _ entry: EchoTable<Int>.Entry, into table: Box<EchoTable<Int>>
    ) throws -> EchoTable<Int>.Handle {
        let handle = table.it.insert(entry)
        return try #require(handle)
    }

    @Test
    func onlyTheRightReplyAnswers() throws {
        let table = Box(makeTable())
        let handle = try insert(entry(1, 2), into: table)
        let good = EchoCookie(tag: 99, nonce: 5)
        #expect(table.it.match(identifier: 1, sequence: 2, cookie: good, source: host) == .answer(handle))
        #expect(table.it.match(identifier: 1, sequence: 2, cookie: good, source: other) == .foreign(handle))
        #expect(
            table.it.match(identifier: 1, sequence: 2, cookie: EchoCookie(tag: 99, nonce: 6), source: host)
                == .foreign(handle))
        #expect(table.it.match(identifier: 1, sequence: 2, cookie: nil, source: host) == .foreign(handle))
        #expect(table.it.match(identifier: 3, sequence: 2, cookie: good, source: host) == .stray)
        #expect(
            table.it.match(identifier: 3, sequence: 2, cookie: EchoCookie(tag: 1, nonce: 5), source: host) == .unrelated
        )
    }

    @Test
    func secondAndBelatedAnswersAreToldApart() throws {
        let table = Box(makeTable())
        let answered = try insert(entry(1, 1), into: table)
        let lost = try insert(entry(1, 2), into: table)
        let cookie = EchoCookie(tag: 99, nonce: 5)
        table.it[answered]?.isSettled = true
        table.it[answered]?.isAnswered = true
        table.it[lost]?.isSettled = true
        #expect(table.it.match(identifier: 1, sequence: 1, cookie: cookie, source: host) == .duplicate(answered))
        #expect(table.it.match(identifier: 1, sequence: 2, cookie: cookie, source: host) == .tooLate(lost))
        table.it.remove(answered)
        #expect(table.it.match(identifier: 1, sequence: 1, cookie: cookie, source: host) == .stray)
    }

    @Test
    func aHandleOutlivesItsEntryHarmlessly() throws {
        let table = Box(makeTable())
        let old = try insert(entry(1, 1), into: table)
        table.it.remove(old)
        let new = try insert(entry(1, 1), into: table)
        #expect(table.it[old] == nil)
        table.it.remove(old)
        #expect(table.it[new] != nil)
        #expect(table.it.count == 1)
    }

    @Test
    func theTableIsBoundedAndKeysAreUnique() throws {
        let table = Box(makeTable(capacity: 2))
        #expect(table.it.insert(entry(1, 1)) != nil)
        #expect(table.it.insert(entry(1, 1)) == nil)
        #expect(table.it.insert(entry(1, 2)) != nil)
        #expect(table.it.insert(entry(1, 3)) == nil)
    }

    @Test
    func errorsMatchByTheQuotedHeader() throws {
        let table = Box(makeTable())
        let handle = try insert(entry(1, 2), into: table)
        // Eight quoted bytes hold no nonce: id, sequence and destination must do.
        #expect(table.it.matchQuoted(identifier: 1, sequence: 2, destination: host, cookie: nil) == handle)
        #expect(table.it.matchQuoted(identifier: 1, sequence: 2, destination: other, cookie: nil) == nil)
        #expect(
            table.it.matchQuoted(identifier: 1, sequence: 2, destination: host, cookie: EchoCookie(tag: 99, nonce: 7))
                == nil)
        table.it[handle]?.isSettled = true
        #expect(table.it.matchQuoted(identifier: 1, sequence: 2, destination: host, cookie: nil) == nil)
    }

    @Test
    func transmitStampsNeedTheWholeIdentity() throws {
        let table = Box(makeTable())
        let handle = try insert(entry(1, 2), into: table)
        #expect(
            table.it.setTransmitted(identifier: 1, sequence: 2, cookie: EchoCookie(tag: 99, nonce: 4), stamp: 10)
                == false)
        #expect(
            table.it.setTransmitted(identifier: 1, sequence: 3, cookie: EchoCookie(tag: 99, nonce: 5), stamp: 10)
                == false)
        #expect(table.it[handle]?.transmitted == nil)
        #expect(
            table.it.setTransmitted(identifier: 1, sequence: 2, cookie: EchoCookie(tag: 99, nonce: 5), stamp: 10)
                == true)
        #expect(table.it[handle]?.transmitted == 10)
    }

    @Test
    func ourOwnPacketIsFoundBehindAnyLinkHeader() {
        let cookie = EchoCookie(tag: 0x0102_0304_0506_0708, nonce: 77)
        let packet = EchoPacket.request(isIPv6: false, identifier: 3, sequence: 4, cookie: cookie, size: 56)
        for length in [0, 14, 18, 20, 34, 40, 54, 62] {
            let looped = [UInt8](repeating: 0xAA, count: length) + packet
            let identity = EchoPacket.loopedBack(looped.span.bytes, tag: cookie.tag)
            #expect(identity?.identifier == 3)
            #expect(identity?.sequence == 4)
            #expect(identity?.cookie == cookie)
        }
        #expect(EchoPacket.loopedBack([UInt8](repeating: 1, count: 200).span.bytes, tag: cookie.tag) == nil)
        #expect(EchoPacket.loopedBack([UInt8]().span.bytes, tag: cookie.tag) == nil)
    }

    @Test
    func identifiersAreUniqueUntilTheyRunOut() {
        let pool = Box(IdentifierPool())
        var seen = Set<UInt16>()
        for _ in 0..<65_536 { seen.insert(pool.it.take()) }
        #expect(seen.count == 65_536)
        let shared = pool.it.take()
        pool.it.release(shared)
        pool.it.release(42)
        #expect(pool.it.take() == 42)
    }
}
