import Foundation
import TestSupport
import Wire

/// Two namespaces with the emulated wide area between them: 10.9.1.1 and fd09:1::1 here, 10.9.2.1 and fd09:2::1 there.
final class LabPair: Sendable {
    let near: Namespace
    let far: Namespace
    let emulator: WideAreaEmulator

    static let nearPrefixes = [IPPrefix("10.9.1.0/24"), IPPrefix("fd09:1::/64")].compactMap { $0 }
    static let farPrefixes = [IPPrefix("10.9.2.0/24"), IPPrefix("fd09:2::/64")].compactMap { $0 }
    static let there = WideAreaEmulator.Rule(from: IPPrefix("10.9.1.0/24"), to: IPPrefix("10.9.2.0/24"))
    static let back = WideAreaEmulator.Rule(from: IPPrefix("10.9.2.0/24"), to: IPPrefix("10.9.1.0/24"))

    init(_ conditions: PathConditions, seed: UInt64 = 1) throws {
        near = try Namespace("near")
        far = try Namespace("far")
        emulator = try WideAreaEmulator(seed: seed)
        try emulator.attach(
            near, addresses: ["10.9.1.1/24", "fd09:1::1/64"], prefixes: Self.nearPrefixes)
        try emulator.attach(far, addresses: ["10.9.2.1/24", "fd09:2::1/64"], prefixes: Self.farPrefixes)
        set(conditions)
    }

    /// Both ways and both families alike.
    func set(_ conditions: PathConditions) {
        for (near, far) in zip(Self.nearPrefixes, Self.farPrefixes) {
            emulator.set(conditions, between: near, and: far)
        }
    }

    /// What the path takes without a delay, in milliseconds: the median, at the pace at which a delay is then measured.
    func baseRTT(_ address: String = "10.9.2.1") throws -> Double {
        set(PathConditions())
        guard let median = try ping(address, count: 20, interval: 0.05).median else {
            throw LabError("no echo came back from \(address)")
        }
        return median
    }

    /// Whether what a path added, in milliseconds, is what was asked of it: within 0.3 ms, and later by no more than the
    /// emulator's own lateness over `count` packets a direction (it counts that to the nanosecond) and 0.2 ms for the two
    /// ends, which sleep deeper while they wait.
    func isTrue(_ added: Double, to delay: Double, over count: Int) -> Bool {
        let rules = zip(Self.nearPrefixes, Self.farPrefixes).flatMap { near, far in
            [WideAreaEmulator.Rule(from: near, to: far), WideAreaEmulator.Rule(from: far, to: near)]
        }
        let lateness = rules.map { Double(emulator.truth(of: $0).latenessSum) }.reduce(0, +) / Double(count) / 1e6
        return added > delay - 0.3 && added < delay + 0.5 + lateness
    }

    deinit { emulator.stop() }

    /// The kernel's ping from near to far.
    func ping(_ address: String = "10.9.2.1", count: Int, interval: Double, options: [String] = []) throws -> PingReport
    {
        // -W: how long the last reply is waited for.
        let command = near.inside(
            ["ping", "-n", "-c", "\(count)", "-i", "\(interval)", "-W", "1"] + options + [address])
        return PingReport(try Command.attempt(command).output)
    }
}

/// What ping(8) printed.
struct PingReport {
    /// In milliseconds, in the order of arrival; duplicates left out.
    var times: [Double] = []
    /// Sequence numbers in the order of arrival.
    var sequence: [Int] = []
    var duplicates = 0
    var transmitted = 0
    var received = 0

    init(_ output: String) {
        for line in output.split(separator: "\n") {
            func number(after mark: String) -> Double? {
                guard let start = line.range(of: mark)?.upperBound else { return nil }
                return Double(line[start...].prefix { $0.isNumber || $0 == "." })
            }
            if line.contains("packets transmitted") {
                let words = line.split(separator: " ")
                transmitted = words.first.flatMap { Int($0) } ?? 0
                received = words.count > 3 ? Int(words[3]) ?? 0 : 0
            } else if let time = number(after: "time="), let index = number(after: "icmp_seq=") {
                if line.contains("DUP!") {
                    duplicates += 1
                } else {
                    times.append(time)
                    sequence.append(Int(index))
                }
            }
        }
    }

    var median: Double? {
        let sorted = times.sorted()
        return sorted.isEmpty ? nil : sorted[sorted.count / 2]
    }

    var loss: Double { transmitted == 0 ? 0 : Double(transmitted - received) / Double(transmitted) }
}
