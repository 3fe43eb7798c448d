// The engine on an interface: how much it takes, and what it leaves out when it is held back.

import Capturing
import Glibc
import Model
import Statistics
import Synchronization

enum Live {
    /// Waits for SIGTERM, at most `seconds`.
    private static func wait(_ seconds: UInt32) {
        // A handler of its own, so that the signal ends the sleep and not the program.
        signal(SIGTERM) { _ in }
        sleep(seconds)
    }

    /// The processor's time that this process has used, in microseconds.
    private static var processorTime: Int {
        var used = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
        return used.tv_sec * 1_000_000 + used.tv_nsec / 1_000
    }

    /// Prints packets read, packets that the kernel dropped, and the processor's time in microseconds.
    static func listen(_ interface: String, ring: Int, seconds: UInt32) throws {
        var settings = CaptureSettings()
        settings.ringSize = ring
        // What is measured is how much is taken in full.
        settings.shed = .off
        let capture = try LiveCapture.open(interface: interface, settings: settings)
        try capture.start(attribution: AttributionTable(), interval: .seconds(1), onSummary: { _ in })
        wait(seconds)
        capture.stop()
        print("\(capture.counters.packets) \(capture.counters.kernelDrops) \(processorTime)")
    }

    // MARK: Shedding

    /// What a second of shedding is held against.
    private struct Watch {
        var divisor: UInt64 = 1
        var shed: UInt64 = 0
        /// Clients measured at each share, by their address; each has one connection.
        var clients: [UInt64: Set<String>] = [:]
        var problems: [String] = []
        /// The first interval at a share holds samples of the one before.
        var isFresh = true
    }

    /// Prints a line a second: packets, kernel drops, packets shed, the share of flows, and how many clients were
    /// measured. Then whether the flows that were left out were left out whole. False where they were not.
    ///
    /// The load is one connection a client, so a client is a flow.
    static func shed(_ interface: String, ring: Int, seconds: UInt32) throws -> Bool {
        var settings = CaptureSettings()
        settings.ringSize = ring
        let capture = try LiveCapture.open(interface: interface, settings: settings)
        let watch = Mutex(Watch())
        try capture.start(
            attribution: AttributionTable(peerPrefix4: 32, peerPrefix6: 128), interval: .seconds(1),
            onSummary: { summary in watch.withLock { note(summary, in: &$0) } })
        wait(seconds)
        capture.stop()
        return watch.withLock { verdict($0) }
    }

    private static func note(_ summary: PassiveSummary, in watch: inout Watch) {
        let counters = summary.counters
        // What is measured, not what failed: samples of connections that went by whole.
        let clients = Set(summary.cells.filter { !$0.value.histogram.isEmpty }.compactMap(\.key.peer))
        print(
            "  packets \(summary.loss.packets) dropped \(summary.loss.kernelDrops) shed \(summary.loss.shed)"
                + " one flow in \(counters.flowDivisor) clients \(clients.count)")
        if counters.overflowedKeys > 0 { watch.problems.append("more keys than an interval holds") }
        let isSame = counters.flowDivisor == watch.divisor
        defer {
            watch.divisor = counters.flowDivisor
            watch.shed = counters.loss.shed
            watch.isFresh = !isSame
        }
        // The share may have changed within this interval, or within the one before, after its last packets.
        guard isSame, !watch.isFresh, !clients.isEmpty else { return }
        watch.clients[counters.flowDivisor, default: []].formUnion(clients)
    }

    private static func verdict(_ watch: Watch) -> Bool {
        var problems = watch.problems
        let shares = watch.clients.keys.sorted()
        for (share, next) in zip(shares, shares.dropFirst()) {
            guard let more = watch.clients[share], let fewer = watch.clients[next] else { continue }
            let strangers = fewer.subtracting(more).count
            print("one in \(share): \(more.count) flows; one in \(next): \(fewer.count), \(strangers) of them new")
            if strangers > 0 { problems.append("\(strangers) flows measured that had been left out before") }
            let expected = Double(more.count) * Double(share) / Double(next)
            // Five standard deviations of a share drawn at random.
            if abs(Double(fewer.count) - expected) > 5 * expected.squareRoot() {
                problems.append("\(fewer.count) flows where about \(Int(expected)) were expected")
            }
        }
        if shares.count < 2 || watch.shed == 0 { problems.append("nothing was shed") }
        for problem in problems { print("FAILED \(problem)") }
        return problems.isEmpty
    }
}
