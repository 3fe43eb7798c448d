import Foundation
import Glibc
import Model
import Statistics
import Synchronization
import Wire

@testable import Storing

/// A directory that goes with the test.
final class Scratch: Sendable {
    let path: String
    var database: String { path + "/tautline.db" }

    init() {
        path = NSTemporaryDirectory() + "tautline-store-" + UUID().uuidString
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The files of the database as they are now, in a directory of their own: what a crash would leave.
    func copy() throws -> Scratch {
        let other = Scratch()
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: database + suffix) {
            try FileManager.default.copyItem(atPath: database + suffix, toPath: other.database + suffix)
        }
        return other
    }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// 2026-11-24T04:00:00Z, the start of an hour.
let noon = WallTime(seconds: 1_795_492_800)

func target(_ name: String) -> TargetID { TargetID(sanitising: name) }

func key(_ name: String = "gw", probe: String = "icmp", address: String? = "192.0.2.1") -> SeriesKey {
    SeriesKey(target: target(name), probe: probe, address: address.flatMap { IPAddress($0) })
}

func round(
    _ series: SeriesKey = key(), at time: WallTime, _ outcomes: [Outcome], sequence: UInt32 = 0,
    missed: UInt32 = 0, duplicates: UInt32 = 0, note: String? = nil
) -> Round {
    let results = outcomes.enumerated().map { index, outcome in
        ProbeResult(
            sent: time + .milliseconds(200 * index), sequence: sequence &+ UInt32(index), outcome: outcome,
            source: .kernel, note: note)
    }
    return Round(
        series: series, kind: .icmp, scheduled: time, finished: MonotonicTime(nanoseconds: 0), missedTicks: missed,
        results: results, duplicates: duplicates)
}

func ok(_ milliseconds: Double) -> Outcome { .ok(rtt: .nanoseconds(Int64(milliseconds * 1e6))) }

func spec(_ name: String, probes: [String] = ["icmp"]) -> TargetSpec {
    TargetSpec(
        id: target(name), kind: .gateway, title: "Gateway \(name)", site: "here", labels: ["role": "edge"],
        parents: [target("uplink")], address: .name("gw.example"),
        probes: probes.map {
            ProbeSpec(id: $0, interval: .seconds(10), timeout: .seconds(2), options: .icmp(ICMPOptions()))
        })
}

/// A wall clock that a test sets.
final class TestClock: Sendable {
    private let value: Mutex<WallTime>
    init(_ start: WallTime) { value = Mutex(start) }
    var now: WallTime {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

extension Scratch {
    func open(
        _ settings: StorageSettings = StorageSettings(), at now: WallTime = noon, schema: Schema = .current,
        limits: StoreQueue.Limits = StoreQueue.Limits(), clock: TestClock? = nil
    ) throws -> OpenedStore {
        var opening = Opening(files: StateFiles(directory: path), settings: settings)
        opening.schema = schema
        let clock = clock ?? TestClock(now)
        return try Store.open(opening, now: now, limits: limits) { clock.now }
    }

    func reader() throws -> StoreReader { try StoreReader(path: database) }
}

extension Store {
    /// Runs on the writer as housekeeping does.
    func write<Value: Sendable>(_ body: (inout Writer) throws -> Value) throws -> Value? {
        try state.withLock { writer in
            guard var copy = writer else { return nil }
            defer { writer = copy }
            return try body(&copy)
        }
    }
}

/// A small fixed generator, so that a failure repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A path as a quiet network has it: 30 ms and some, a spike now and then, 2 % lost.
func sample(_ generator: inout SplitMix) -> Outcome {
    let dice = Int.random(in: 0..<100, using: &generator)
    if dice < 2 { return .lost }
    let spread: Int64 = dice < 6 ? 200_000_000 : 4_000_000
    return .ok(rtt: .nanoseconds(30_000_000 + Int64.random(in: 0..<spread, using: &generator)))
}
