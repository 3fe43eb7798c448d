import CLinux
import Synchronization
import Testing

@testable import LinuxSystem

@Suite struct CapabilitiesTests {
    private static let status = """
        Name:\ttautd
        CapInh:\t0000000000000000
        CapPrm:\t0000000000002000
        CapEff:\t0000000000002000
        CapBnd:\t000001ffffffffff
        CapAmb:\t0000000000000000
        NoNewPrivs:\t1

        """

    @Test func readsTheKernelsLines() throws {
        let sets = try #require(Capabilities.parse(status: Self.status, thread: 5))
        #expect(sets.permitted == 1 << 13)
        #expect(sets.noNewPrivileges)
        #expect(!sets.isPowerless)
    }

    @Test(arguments: ["CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd", "NoNewPrivs"])
    func aMissingLineIsNotTakenForNone(_ field: String) {
        let text = Self.status.split(separator: "\n").filter { !$0.hasPrefix(field) }.joined(separator: "\n")
        #expect(Capabilities.parse(status: text, thread: 1) == nil)
    }

    @Test func everyThreadIsSeen() throws {
        let stop = Atomic(false)
        let shared = Shared(stop)
        let threads = try (0..<3).map { index in
            try Thread.start(name: "cap-\(index)") {
                while !shared.stop.load(ordering: .relaxed) { usleep(1_000) }
            }
        }
        defer {
            shared.stop.store(true, ordering: .relaxed)
            for thread in threads { thread.join() }
        }
        let sets = try Capabilities.allThreads()
        #expect(sets.count >= 4)
        #expect(sets.contains { $0.thread == taut_gettid() })
    }

    /// Capabilities belong to threads, so that one thread of the test can give up its own.
    @Test(.enabled(if: geteuid() == 0, "needs root, to have something to give up"))
    func whatIsDroppedIsGoneForGood() throws {
        let result = Mutex<[String]>([])
        let shared = Results(result)
        let thread = try Thread.start(name: "drop") {
            var notes: [String] = []
            func note(_ text: String) { notes.append(text) }
            if !Capabilities.has(.netRaw) { note("had nothing") }
            do { try Capabilities.dropAll() } catch { note("drop: \(error)") }
            if Capabilities.has(.netRaw) { note("still has it") }
            let socket = CLinux.socket(AF_INET, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_ICMP))
            if socket >= 0 { note("opened a raw socket") }
            let me = taut_gettid()
            let mine = try? Capabilities.allThreads().first { $0.thread == me }
            if mine?.isPowerless != true { note("sets: \(String(describing: mine))") }
            if mine?.bounding != 0 { note("bounding set is not empty") }
            // Executing a program as uid 0 would give them back without the locked securebits and no_new_privs.
            let bits = secureBits()
            if bits & 0b1110_1111 != 0b1110_1111 { note("securebits \(bits)") }
            if (try? Capabilities.verifyAllThreads())?.contains(where: { $0.hasPrefix("thread \(me) ") }) != false {
                note("verify names the powerless thread")
            }
            shared.value.withLock { $0 = notes }
        }
        thread.join()
        #expect(shared.value.withLock { $0 } == [])
        // The test's own threads keep theirs, and the check says so.
        #expect(try !Capabilities.verifyAllThreads().isEmpty)
    }

    private final class Shared: Sendable {
        let stop: Atomic<Bool>
        init(_ stop: consuming Atomic<Bool>) { self.stop = stop }
    }

    private final class Results: Sendable {
        let value: Mutex<[String]>
        init(_ value: consuming Mutex<[String]>) { self.value = value }
    }
}

private func secureBits() -> Int32 { taut_prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) }
