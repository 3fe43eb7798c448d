import Model
import Testing
import Wire

@testable import Probing

private let second: Int64 = 1_000_000_000
private let key = NameKey(name: "a.test", isIPv6: false)
private let first = IPAddress(v4: 0xC000_0201)

struct NameCacheTests {
    private func makeCache() -> NameCache { NameCache(minimumTTL: .seconds(5), maximumTTL: .seconds(3_600)) }

    @Test
    func anAnswerLastsForItsTTLWithinBounds() {
        for (ttl, lowest, highest) in [(UInt32(60), Int64(54), Int64(60)), (0, 4, 5), (.max, 3_240, 3_600)] {
            for jitter in [0, 0.5, 0.999] {
                let cache = Box(makeCache())
                cache.it.retain(key, now: 0)
                #expect(cache.it.lookup(key, now: 0) == .pending)
                #expect(cache.it.takeDue(now: 0) == key)
                #expect(cache.it.takeDue(now: 0) == nil)
                cache.it.succeed(key, [first], ttl: ttl, now: 0, jitter: jitter)
                #expect(cache.it.lookup(key, now: second) == .addresses([first], age: nil))
                #expect(cache.it.takeDue(now: lowest * second - 1) == nil)
                #expect(cache.it.takeDue(now: highest * second) == key)
            }
        }
    }

    @Test
    func aFailingResolverKeepsTheOldAddressWithItsAge() {
        let cache = Box(makeCache())
        cache.it.retain(key, now: 0)
        _ = cache.it.takeDue(now: 0)
        cache.it.succeed(key, [first], ttl: 10, now: 0, jitter: 0)
        _ = cache.it.takeDue(now: 10 * second)
        cache.it.fail(key, reason: "SERVFAIL", now: 12 * second, jitter: 0)
        #expect(cache.it.lookup(key, now: 15 * second) == .addresses([first], age: 15 * second))
        // NXDOMAIN too: the name is gone, the address perhaps not.
        _ = cache.it.takeDue(now: 13 * second)
        cache.it.deny(key, reason: "NXDOMAIN", now: 13 * second, jitter: 0)
        #expect(cache.it.lookup(key, now: 20 * second) == .addresses([first], age: 20 * second))
        cache.it.succeed(key, [first], ttl: 10, now: 30 * second, jitter: 0)
        #expect(cache.it.lookup(key, now: 30 * second) == .addresses([first], age: nil))
    }

    @Test
    func withoutAnyAddressTheReasonIsKept() {
        let cache = Box(makeCache())
        cache.it.retain(key, now: 0)
        _ = cache.it.takeDue(now: 0)
        cache.it.fail(key, reason: "SERVFAIL from 192.0.2.53", now: 0, jitter: 0)
        #expect(cache.it.lookup(key, now: 0) == .none(reason: "SERVFAIL from 192.0.2.53", isNegative: false))
    }

    @Test
    func retriesGrowAndStayBounded() {
        let cache = Box(makeCache())
        cache.it.retain(key, now: 0)
        var now: Int64 = 0
        var pauses: [Int64] = []
        for _ in 0..<10 {
            #expect(cache.it.takeDue(now: now) == key)
            cache.it.fail(key, reason: "timeout", now: now, jitter: 0)
            let next = cache.it.nextDeadline ?? 0
            pauses.append((next - now) / second)
            now = next
        }
        #expect(pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30])
    }

    @Test
    func aNameWithoutUsersIsForgotten() {
        let cache = Box(makeCache())
        cache.it.retain(key, now: 0)
        cache.it.retain(key, now: 0)
        cache.it.release(key)
        #expect(cache.it.takeDue(now: 0) == key)
        cache.it.release(key)
        #expect(cache.it.count == 0)
        cache.it.succeed(key, [first], ttl: 10, now: 0, jitter: 0)
        #expect(cache.it.takeDue(now: 100 * second) == nil)
    }

    @Test
    func searchDomainsAreForNamesWithoutADot() {
        let search = ["corp.test", "test"]
        #expect(
            NameResolver.candidates("vpn", search: search).map(\.description) == ["vpn.corp.test", "vpn.test", "vpn"])
        #expect(NameResolver.candidates("vpn.example", search: search).map(\.description) == ["vpn.example"])
        #expect(NameResolver.candidates("a..b", search: []).isEmpty)
    }
}
