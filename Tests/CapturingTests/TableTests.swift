// The tables under pressure: bounds, eviction, and what a flood cannot do.

import Model
import Statistics
import TestSupport
import Testing
import Wire

@testable import Capturing

@Suite struct TableTests {
    private func key(_ number: Int, port: UInt32 = 443) -> FlowKey {
        var key = FlowKey()
        key.low0 = UInt64(0x0A00_0000 + number)
        key.low1 = 0xC000_0209
        key.rest = 40_000 << 48 | UInt64(port) << 32
        return key
    }

    @Test func entriesFitTheBudget() {
        // Whole cache lines, so that none of the hot ones is two.
        #expect(MemoryLayout<TCPConnection>.stride == 320)
        #expect(MemoryLayout<TCPConnection>.offset(of: \.sides) == 64)
        #expect(MemoryLayout<TCPDirection>.stride == 64)
        #expect(MemoryLayout<SegmentChunk>.stride == 64)
        // Entry, index, opening entries and segments of one connection.
        let perFlow = MemoryLayout<TCPConnection>.stride * 9 / 8 + 8 * 9 / 8 + 8 * 9 / 8 + 64 * 15 / 8
        #expect(perFlow < 512)
    }

    @Test func everyEntryIsFoundAgainUntilItGoes() {
        var pool = SegmentPool(chunks: 64)
        var table = FlowTable(maxFlows: 4_096)
        var indices: [Int] = []
        for number in 0..<4_096 {
            let index = table.insert(key(number), now: 1, pool: &pool)
            #expect(index >= 0)
            table.establish(index, pool: &pool)
            indices.append(index)
        }
        #expect(table.counters.active == 4_096)
        #expect(table.counters.evicted == 0)
        for number in 0..<4_096 { #expect(table.find(key(number)) == indices[number]) }
        #expect(table.find(key(9_999)) == -1)
        for number in stride(from: 0, to: 4_096, by: 2) { table.remove(indices[number], pool: &pool) }
        for number in 0..<4_096 { #expect((table.find(key(number)) >= 0) == (number % 2 == 1)) }
        #expect(table.counters.active == 2_048)
    }

    @Test func aFloodOfSynsPushesOutNothingEstablished() {
        var pool = SegmentPool(chunks: 64)
        var table = FlowTable(maxFlows: 1_024)
        for number in 0..<1_024 {
            let index = table.insert(key(number), now: 1, pool: &pool)
            table.establish(index, pool: &pool)
        }
        for number in 0..<100_000 { _ = table.insert(key(number, port: 80), now: 2, pool: &pool) }
        for number in 0..<1_024 { #expect(table.find(key(number)) >= 0) }
        #expect(table.counters.evicted > 99_000)
        #expect(table.counters.active <= 1_024 + UInt64(table.openingCapacity))
        #expect(table.counters.active + table.counters.evicted + table.counters.refused == 101_024)
    }

    @Test func aFullTableGivesUpWhatIsIdleLongest() {
        var pool = SegmentPool(chunks: 64)
        var table = FlowTable(maxFlows: 1_024)
        for number in 0..<1_024 {
            let index = table.insert(key(number), now: number < 512 ? 10 : 500, pool: &pool)
            table.establish(index, pool: &pool)
        }
        for number in 0..<64 {
            let index = table.insert(key(number, port: 80), now: 600, pool: &pool)
            table.establish(index, pool: &pool)
        }
        #expect(table.counters.active == 1_024)
        #expect(table.counters.evicted == 64)
        let young = (512..<1_024).filter { table.find(key($0)) >= 0 }.count
        #expect(young > 500)
    }

    @Test func segmentsGoBackToThePool() {
        var pool = SegmentPool(chunks: 100)
        var queue = SegmentQueue()
        for round in 0..<50 {
            for number in 0..<40 {
                let start = UInt32(number * 10)
                let record = SegmentRecord(start: start, end: start + 10, timestamp: 0, time: 5, flags: 0)
                #expect(pool.append(record, to: &queue, limit: SegmentPool.queueLimit))
            }
            #expect(pool.first(of: queue).start == 0)
            if round % 2 == 0 {
                for number in 0..<40 {
                    #expect(pool.first(of: queue).start == UInt32(number * 10))
                    pool.removeFirst(of: &queue)
                }
            } else {
                pool.removeAll(of: &queue)
            }
            #expect(queue.isEmpty)
            #expect(pool.chunksInUse == 0)
        }
    }

    @Test func aFullPoolRefusesAndGoesOn() {
        var pool = SegmentPool(chunks: 2)
        var queue = SegmentQueue()
        let record = SegmentRecord(start: 0, end: 1, timestamp: 0, time: 0, flags: 0)
        var taken = 0
        for _ in 0..<20 where pool.append(record, to: &queue, limit: 192) { taken += 1 }
        #expect(taken == 6)
        pool.removeAll(of: &queue)
        #expect(pool.append(record, to: &queue, limit: 192))
    }

    @Test func recordTimesAreExactAndSigned() {
        for time in [0, 1, -1, 1_700_000_000_123_456_789, Int64.max] {
            let record = SegmentRecord(start: 0, end: 1, timestamp: 0, time: time, flags: SegmentRecord.spent)
            #expect(record.age(at: time &+ 30_000_001) == 30_000_001)
            #expect(record.age(at: time &- 5) == -5)
            #expect(record.has(SegmentRecord.spent))
            #expect(!record.has(SegmentRecord.retransmitted))
        }
    }

    @Test func longestPrefixWins() throws {
        var trie = PrefixTrie()
        for (value, text) in ["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1/128"].enumerated()
        {
            trie.insert(try #require(IPPrefix(text)), value: value)
        }
        func match(_ text: String) throws -> Int? { trie.match(try #require(IPAddress(text))) }
        #expect(try match("10.2.3.4") == 0)
        #expect(try match("10.1.3.4") == 1)
        #expect(try match("11.0.0.1") == 2)
        #expect(try match("2001:db8::2") == 3)
        #expect(try match("2001:db8::1") == 4)
        #expect(try match("2001:db9::1") == nil)
    }

    @Test func networksAndGlobsNameWhatTheyCover() throws {
        let table = AttributionTable(
            networks: [NetworkSpec(name: "Office", prefixes: [try #require(IPPrefix("10.0.0.0/8"))])],
            services: [
                ServiceSpec(name: "All", names: ["*.example.com"]),
                ServiceSpec(name: "Mail", names: ["*.mail.example.com", "example.com"], ports: [443]),
            ], peerPrefix4: 24, peerPrefix6: 56)
        #expect(table.network(of: try #require(IPAddress("10.9.8.7"))) == 0)
        #expect(table.network(of: try #require(IPAddress("11.9.8.7"))) == nil)
        #expect(table.service(named: "a.example.com") == 0)
        #expect(table.service(named: "a.mail.example.com") == 1)
        #expect(table.service(named: "example.com") == 1)
        #expect(table.service(named: "badexample.com") == nil)
        #expect(table.accepts(port: 443, service: 1))
        #expect(!table.accepts(port: 80, service: 1))
        #expect(table.peerText(table.masked(try #require(IPAddress("192.0.2.77")))) == "192.0.2.0/24")
        #expect(table.peerText(table.masked(try #require(IPAddress("2001:db8:1:2ff::1")))) == "2001:db8:1:200::/56")
    }

    @Test func moreKeysThanFitAreAddedToOther() {
        var table = SummaryTable()
        for number in 0..<6_000 {
            var key = SummaryKey()
            key.peer = .prefix4
            key.peerLow = UInt64(number) << 8
            table.add(key, rtt: 1_000)
        }
        var total: UInt64 = 0
        var other: UInt64 = 0
        for index in 0..<table.count {
            let (key, cell) = table[index]
            total += cell.histogram.count
            if key.peer == .other { other += cell.histogram.count }
        }
        #expect(total == 6_000)
        #expect(other == 6_000 - UInt64(SummaryTable.capacity))
        #expect(table.overflowed == other)
        table.removeAll()
        #expect(table.count == 0)
    }

    @Test func waitingRequestsAreBounded() {
        var table = TransactionTable(count: 256, limit: 1_000)
        for number in 0..<10_000 {
            var transaction = Transaction()
            transaction.fingerprint = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
            transaction.first = Int64(number)
            transaction.last = Int64(number)
            transaction.state = Transaction.State.waiting
            table.request(transaction)
        }
        var left = 0
        table.finish { _ in left += 1 }
        #expect(left <= 256)
        #expect(UInt64(left) + table.evicted == 10_000)
    }
}
