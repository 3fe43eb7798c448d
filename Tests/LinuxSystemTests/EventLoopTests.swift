import Glibc
import LinuxSystem
import Synchronization
import Testing

struct EventLoopTests {
    @Test
    func aDeadlineEndsTheWaitAndNotBefore() throws {
        let loop = try EventLoop()
        let start = Clock.monotonic()
        let deadline = start + 20_000_000
        var events = 0
        while Clock.monotonic() < deadline { try loop.wait(until: deadline) { _, _ in events += 1 } }
        #expect(events == 0)
        #expect(Clock.monotonic() >= deadline)
        // In the past: returns at once.
        try loop.wait(until: start) { _, _ in }
        try loop.wait(until: -5) { _, _ in }
    }

    @Test
    func readinessComesWithItsToken() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let reader = OwnedDescriptor(owning: ends[0])
        let writer = OwnedDescriptor(owning: ends[1])
        let loop = try EventLoop()
        try loop.add(reader.rawValue, for: .readable, token: 42)
        var seen: [UInt64] = []
        try loop.wait(until: Clock.monotonic() + 5_000_000) { token, _ in seen.append(token) }
        #expect(seen.isEmpty)
        #expect(write(ends[1], "x", 1) == 1)
        try loop.wait(until: Clock.monotonic() + 1_000_000_000) { token, readiness in
            seen.append(token)
            #expect(readiness.contains(.readable))
        }
        #expect(seen == [42])
        loop.remove(reader.rawValue)
        try loop.wait(until: Clock.monotonic() + 5_000_000) { token, _ in seen.append(token) }
        #expect(seen == [42])
        _ = consume writer
    }

    @Test
    func anotherThreadWakesIt() throws {
        let loop = try EventLoop()
        let waker = loop.waker
        let thread = try Thread.start(name: "a-name-longer-than-fifteen-bytes") {
            usleep(10_000)
            for _ in 0..<1_000 { waker.wake() }
        }
        let start = Clock.monotonic()
        try loop.wait(until: nil) { _, _ in }
        #expect(Clock.monotonic() - start < 1_000_000_000)
        thread.join()
        thread.join()
        // The many wake-ups after the first are one.
        try loop.wait(until: Clock.monotonic() + 5_000_000) { _, _ in }
        let again = Clock.monotonic()
        try loop.wait(until: again + 10_000_000) { _, _ in }
        #expect(Clock.monotonic() >= again + 9_000_000)
    }

    @Test
    func threadsHaveNamesAndBlockSignals() throws {
        let found = Found()
        let thread = try Thread.start(name: "tautline-test") {
            let path = "/proc/thread-self/status"
            let descriptor = open(path, O_RDONLY)
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = read(descriptor, &buffer, buffer.count)
            close(descriptor)
            found.set(String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self))
        }
        thread.join()
        #expect(found.text.contains("Name:\ttautline-test"))
        // All that can be blocked: SIGKILL, SIGSTOP and two of glibc's own stay.
        #expect(found.text.contains("SigBlk:\tfffffffe7ffbfeff") || found.text.contains("SigBlk:\tfffffffc7ffbfeff"))
    }

    @Test
    func heartbeatsAge() {
        let heartbeat = Heartbeat()
        heartbeat.beat(at: 1_000)
        #expect(heartbeat.lastBeat == 1_000)
        #expect(heartbeat.age(at: 3_500) == 2_500)
        #expect(heartbeat.age(at: 500) == 0)
    }

    @Test
    func clocksAgree() {
        let pair = ClockPair.now()
        #expect(pair.uncertainty >= 0 && pair.uncertainty < 50_000_000)
        #expect(abs(ClockPair.now().offset - pair.offset) < 50_000_000)
        #expect(Clock.boottime() >= Clock.monotonic() - 1_000_000)
        #expect(Clock.wall() > 1_500_000_000_000_000_000)
    }

    private final class Found: Sendable {
        private let state = Mutex("")
        func set(_ text: String) { state.withLock { $0 = text } }
        var text: String { state.withLock { $0 } }
    }
}

struct TimerHeapTests {
    @Test
    func payloadsLeaveInOrder() {
        var heap = TimerHeap<Int>()
        var deadlines: [Int64] = []
        for index in 0..<2_000 {
            let deadline = Int64.random(in: 0..<500)
            deadlines.append(deadline)
            heap.push(index, at: deadline)
        }
        #expect(heap.nextDeadline == deadlines.min())
        var previous: (Int64, Int) = (-1, -1)
        var count = 0
        while let (deadline, payload) = heap.popDue(at: 1_000) {
            #expect(deadline == deadlines[payload])
            #expect(deadline > previous.0 || (deadline == previous.0 && payload > previous.1), "equal ones in turn")
            previous = (deadline, payload)
            count += 1
        }
        #expect(count == 2_000 && heap.isEmpty)
    }

    @Test
    func nothingLeavesBeforeItsTime() {
        var heap = TimerHeap<String>()
        heap.push("late", at: 20)
        heap.push("early", at: 10)
        #expect(heap.popDue(at: 9) == nil)
        #expect(heap.popDue(at: 10)?.payload == "early")
        #expect(heap.popDue(at: 10) == nil)
        #expect(heap.count == 1)
        heap.removeAll()
        #expect(heap.nextDeadline == nil)
    }
}
