// The wide-area emulator's thread.

import CLinux
import Glibc
import LinuxSystem
import Synchronization
import Wire

/// Takes packets, decides what becomes of them, and hands them on when they are due.
struct EmulatorLoop {
    private struct Pending {
        let packet: [UInt8]
        let device: Int
        let rule: Int
        let arrival: Int64
        let due: Int64
        let isDuplicate: Bool
    }

    fileprivate struct Direction {
        let rule: WideAreaEmulator.Rule
        var conditions: PathConditions
        var truth = PathTruth()
        /// When the last packet that keeps its place is due.
        var lastDue: Int64 = .min
        var generator: SeededGenerator
    }

    private let shared: WideAreaEmulator.Shared
    private let loop: EventLoop
    private let seed: UInt64
    private var version = -1
    private var devices: [TunnelDevice] = []
    private var routes: [(prefix: IPPrefix, device: Int)] = []
    private var directions: [Direction] = []
    private var queue = TimerHeap<Pending>()
    private var unroutable: UInt64 = 0
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    /// The last stretch before a packet is due is spent awake.
    private static let spin: Int64 = 60_000
    /// Packets on their way at once; a bandwidth-delay product of 1 Gbit/s and 0.5 s.
    private static let capacity = 65_536

    init(shared: WideAreaEmulator.Shared, waker: Waker, seed: UInt64) throws {
        self.shared = shared
        self.seed = seed
        loop = try EventLoop(waker: waker)
        RealTimePriority.take(RealTimePriority.emulator)
    }

    mutating func run() {
        while true {
            guard exchange() else { return }
            let next = queue.nextDeadline
            var readable: [Int] = []
            let wakeAt = next.map { $0 - Self.spin }
            guard (try? loop.wait(until: wakeAt, { token, _ in readable.append(Int(token)) })) != nil else { return }
            for index in readable where devices.indices.contains(index) { take(from: index) }
            deliver()
        }
    }

    /// Takes edits and leaves the truth. False at the end.
    private mutating func exchange() -> Bool {
        var directions = self.directions
        let unroutable = self.unroutable
        let seed = self.seed
        var version = self.version
        var routes = self.routes
        var devices = self.devices
        let goesOn = shared.state.withLock { state in
            for direction in directions { state.truths[direction.rule] = direction.truth }
            state.unroutable = unroutable
            guard state.version != version else { return !state.isStopping }
            version = state.version
            routes = state.routes
            devices = state.devices
            for (rule, conditions) in state.rules {
                if let index = directions.firstIndex(where: { $0.rule == rule }) {
                    directions[index].conditions = conditions
                } else {
                    // A stream of its own, by the rule's text: independent of the order in which rules are set.
                    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
                    for byte in "\(rule.source.map(\.description) ?? "*")>\(rule.destination.map(\.description) ?? "*")"
                        .utf8
                    {
                        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
                    }
                    directions.append(
                        Direction(rule: rule, conditions: conditions, generator: SeededGenerator(seed: seed ^ hash)))
                }
            }
            return !state.isStopping
        }
        if devices.count > self.devices.count {
            for index in self.devices.count..<devices.count {
                try? loop.add(devices[index].descriptor.rawValue, for: .readable, token: UInt64(index))
            }
        }
        self.directions = directions
        self.version = version
        self.routes = routes
        self.devices = devices
        return goesOn
    }

    private mutating func take(from device: Int) {
        // A few at a time, so that packets that are due meanwhile do not wait for a burst to end.
        for _ in 0..<32 {
            guard let count = devices[device].read(into: &buffer) else { return }
            admit(Array(buffer[..<count]), at: Clock.monotonic())
        }
    }

    private mutating func admit(_ packet: [UInt8], at now: Int64) {
        guard let (source, destination) = Self.addresses(packet), !destination.isMulticast,
            let route = routes.first(where: { $0.prefix.contains(destination) }),
            let index = directions.indices.filter({ directions[$0].rule.fits(source, destination) })
                .max(by: { directions[$0].rule.weight < directions[$1].rule.weight })
        else {
            unroutable += 1
            return
        }
        directions[index].truth.packets += 1
        let conditions = directions[index].conditions
        if conditions.isCut {
            directions[index].truth.cut += 1
        } else if let limit = conditions.maximumLength, packet.count > limit {
            directions[index].truth.blackHoled += 1
        } else if directions[index].chance(conditions.loss) {
            directions[index].truth.lost += 1
        } else if queue.count >= Self.capacity {
            directions[index].truth.refused += 1
        } else {
            let due = directions[index].due(after: now)
            schedule(packet, route.device, index, now, due, isDuplicate: false)
            if directions[index].chance(conditions.duplication) {
                directions[index].truth.duplicated += 1
                schedule(packet, route.device, index, now, due, isDuplicate: true)
            }
        }
    }

    private mutating func schedule(
        _ packet: [UInt8], _ device: Int, _ rule: Int, _ arrival: Int64, _ due: Int64, isDuplicate: Bool
    ) {
        queue.push(
            Pending(packet: packet, device: device, rule: rule, arrival: arrival, due: due, isDuplicate: isDuplicate),
            at: due)
    }

    /// Hands on what is due, and waits awake for what is due within the spin time.
    private mutating func deliver() {
        while let next = queue.nextDeadline {
            var now = Clock.monotonic()
            guard next - now <= Self.spin else { return }
            while now < next { now = Clock.monotonic() }
            guard let (_, pending) = queue.popDue(at: now) else { return }
            let isTaken = devices[pending.device].write(pending.packet)
            if !isTaken {
                directions[pending.rule].truth.refused += 1
            } else if !pending.isDuplicate {
                directions[pending.rule].truth.record(delay: now - pending.arrival, lateness: now - pending.due)
            }
        }
    }

    /// Source and destination of an IPv4 or IPv6 packet.
    static func addresses(_ packet: [UInt8]) -> (source: IPAddress, destination: IPAddress)? {
        guard let first = packet.first else { return nil }
        switch first >> 4 {
        case 4 where packet.count >= 20:
            guard let source = IPAddress(bytes: packet[12..<16]), let destination = IPAddress(bytes: packet[16..<20])
            else { return nil }
            return (source, destination)
        case 6 where packet.count >= 40:
            guard let source = IPAddress(bytes: packet[8..<24]), let destination = IPAddress(bytes: packet[24..<40])
            else { return nil }
            return (source, destination)
        default: return nil
        }
    }
}

extension EmulatorLoop.Direction {
    fileprivate mutating func chance(_ share: Double) -> Bool {
        // Drawn even where it cannot matter to the result, so that one setting does not shift another one's numbers.
        let number = Double.random(in: 0..<1, using: &generator)
        return number < share
    }

    /// When a packet that arrived at `now` is due.
    fileprivate mutating func due(after now: Int64) -> Int64 {
        var delay = nanoseconds(conditions.delay)
        let jitter = nanoseconds(conditions.jitter)
        if jitter > 0 { delay += Int64.random(in: -jitter...jitter, using: &generator) }
        let due = now + max(delay, 0)
        if chance(conditions.reordering) {
            truth.reordered += 1
            return due + nanoseconds(conditions.reorderHold)
        }
        lastDue = max(lastDue, due)
        return lastDue
    }

    private func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
