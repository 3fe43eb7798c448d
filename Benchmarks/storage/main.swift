// storebench generate: a month of a monitor's results from a seed, into a database and, beside it, into OpenMetrics
// text for peers. Prints what a result takes.

import Foundation
import Model
import Storing
import Wire

/// Reads `--name value`.
func option(_ name: String) -> String? {
    let arguments = CommandLine.arguments
    guard let index = arguments.firstIndex(of: "--" + name), index + 1 < arguments.count else { return nil }
    return arguments[index + 1]
}

func number(_ name: String, _ fallback: Int) -> Int { option(name).flatMap { Int($0) } ?? fallback }

func size(_ path: String) -> Int64 {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
}

/// Writes the same facts as a blackbox prober would export them; nil where no file was asked for.
final class OpenMetrics {
    private let file: FileHandle
    private var text: [UInt8] = []

    init?(path: String?) {
        guard let path, FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { return nil }
        self.file = file
    }

    func add(_ target: String, _ milliseconds: Int64, isUp: Bool, nanoseconds: Int64) {
        text.append(contentsOf: "probe_success{target=\"".utf8)
        text.append(contentsOf: target.utf8)
        text.append(contentsOf: isUp ? "\"} 1 ".utf8 : "\"} 0 ".utf8)
        append(milliseconds, digits: 3)
        text.append(contentsOf: "\nprobe_duration_seconds{target=\"".utf8)
        text.append(contentsOf: target.utf8)
        text.append(contentsOf: "\"} ".utf8)
        append(nanoseconds, digits: 9)
        text.append(0x20)
        append(milliseconds, digits: 3)
        text.append(0x0A)
        if text.count > 1 << 20 { flush() }
    }

    /// Appends a number of parts of a second as seconds with that many digits behind the point. By hand: most of a run
    /// with text would be the formatting of numbers else.
    private func append(_ value: Int64, digits: Int) {
        let start = text.count
        var rest = UInt64(max(value, 0))
        var written = 0
        repeat {
            if written == digits { text.append(0x2E) }
            text.append(0x30 + UInt8(rest % 10))
            rest /= 10
            written += 1
        } while rest > 0 || written <= digits
        text[start...].reverse()
    }

    private func flush() {
        file.write(Data(text))
        text.removeAll(keepingCapacity: true)
    }

    func finish() {
        text.append(contentsOf: "# EOF\n".utf8)
        flush()
        try? file.close()
    }
}

func generate() throws {
    let series = number("series", 200)
    let days = number("days", 30)
    let interval = number("interval", 10)
    guard let path = option("db") else {
        print(
            "usage: storebench generate --db FILE [--series 200] [--days 30] [--interval 10] [--seed 1] [--openmetrics FILE]"
        )
        exit(64)
    }
    let metrics = OpenMetrics(path: option("openmetrics"))
    var paths = (0..<series).map { SyntheticPath(number: $0, seed: UInt64(number("seed", 1))) }
    // Tuesday 2026-10-20, midnight UTC.
    let begin = Int64(1_792_454_400_000)
    let target = try StoreImport(path: path, settings: StorageSettings(maxSize: 64 << 30))
    var gaps = SyntheticGaps(seed: UInt64(number("seed", 1)))
    let started = ContinuousClock.now
    for step in 0..<(days * 86_400 / interval) {
        let tick = begin + Int64(step * interval) * 1000
        if gaps.isOff(at: tick) { continue }
        for index in paths.indices {
            let (sent, outcome) = paths[index].next(tick: tick, sequence: step)
            try target.add(
                ProbeResult(
                    sent: WallTime(nanoseconds: sent), sequence: UInt32(step), outcome: outcome, source: .kernel),
                of: paths[index].key, kind: .icmp)
            guard let metrics else { continue }
            let isUp = if case .ok = outcome { true } else { false }
            metrics.add(
                paths[index].key.target.rawValue, sent / 1_000_000, isUp: isUp,
                nanoseconds: outcome.rtt?.clampedNanoseconds ?? 2_000_000_000)
        }
    }
    try target.finish()
    metrics?.finish()
    let seconds = (ContinuousClock.now - started).inSeconds
    let bytes = size(path) + size(path + "-wal")
    let perResult = Double(bytes) / Double(max(target.count, 1))
    print(
        "results \(target.count)  bytes \(bytes)  bytes/result \(String(format: "%.3f", perResult))  "
            + "results/s \(Int(Double(target.count) / seconds))\(metrics == nil ? "" : " (with text)")")
}

/// Appends results and says after each commit which was the last in it; to be killed, or to have its disk fail.
///
/// `--directory DIR [--from N] [--flushes N] [--results 500] [--commit-ms 50] [--keep-going]`; without `--flushes` for ever. A result has its number as
/// sequence and is one second after the one before, so that hours pass quickly and are sealed.
func write() throws {
    guard let directory = option("directory") else { exit(64) }
    let first = number("from", 0)
    // In the past, so that hours are sealed while the next ones are written.
    let begin = WallTime(seconds: 1_700_000_000 + Int64(first))
    let store: Store
    do throws(StoreError) {
        store = try Store.open(
            directory: directory,
            settings: StorageSettings(commitInterval: .milliseconds(number("commit-ms", 50))),
            now: WallTime(seconds: 1_900_000_000 + Int64(first / 1000))
        ).store
    } catch {
        FileHandle.standardError.write(Data("storebench: \(error)\n".utf8))
        exit(error.exitStatus)
    }
    try store.start()
    let key = SeriesKey(target: TargetID(sanitising: "killed"), probe: "icmp", address: nil)
    let isPatient = CommandLine.arguments.contains("--keep-going")
    var next = first
    for _ in 0..<number("flushes", .max) {
        for _ in 0..<number("results", 500) {
            let result = ProbeResult(
                sent: begin + .milliseconds(1000 * (next - first)),
                sequence: UInt32(truncatingIfNeeded: next),
                outcome: .ok(rtt: .microseconds(next % 5000)), source: .kernel)
            store.append(
                Round(
                    series: key, kind: .icmp, scheduled: result.sent, finished: MonotonicTime(nanoseconds: 0),
                    results: [result]))
            next += 1
        }
        while !store.flush() {
            FileHandle.standardOutput.write(Data("failed: \(store.counters.lastError ?? "?")\n".utf8))
            guard isPatient else { exit(1) }
            usleep(20_000)
        }
        FileHandle.standardOutput.write(Data("\(next - 1)\n".utf8))
    }
    store.close()
}

switch CommandLine.arguments.dropFirst().first {
case "generate": try generate()
case "write": try write()
default:
    print("usage: storebench generate …; see Benchmarks/storage/README.md")
    exit(64)
}
