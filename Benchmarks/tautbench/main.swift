// The engine without the rest of the product: what the benchmarks build where the whole would cost minutes.
// usage: tautbench FILE...                                      as `taut analyze` reads them
//        tautbench --full FILE...                               every figure and every sample, to hold two builds together
//        tautbench --live INTERFACE RING-BYTES SECONDS          as `tautd` captures, without shedding, until SIGTERM or
//                                                               for SECONDS; prints packets, kernel drops, CPU µs
//        tautbench --shed INTERFACE RING-BYTES SECONDS          with shedding; prints a line a second, and whether
//                                                               flows were left out whole

import Capturing
import Glibc
import Model

func analyze(_ file: String) throws {
    let report = try Analyzer.run(file: file)
    let counters = report.counters
    print("packets \(report.packets) used \(report.used) flows \(report.flows)")
    print("active \(counters.activeFlows) evicted \(counters.evictedFlows) refused \(counters.refusedFlows)")
    for (reason, count) in report.rejected.sorted(by: { $0.key < $1.key }) { print("rejected \(reason) \(count)") }
    for kind in report.kinds { print("\(kind.kind) \(kind.side) \(kind.count) \(kind.p50 ?? 0) \(kind.p95 ?? 0)") }
}

/// Everything that a file comes to, in an order that is the same in each run; without samples first, since a reader that
/// nobody asks for samples may take another way.
func printAll(_ file: String) throws {
    let plain = try Analyzer.run(file: file)
    var samples: [AnalyzedSample] = []
    let report = try Analyzer.run(file: file, onSample: { samples.append($0) })
    print(file, report == plain ? "one result" : "two results")
    var rest = plain
    for (reason, count) in plain.drops.sorted(by: { $0.key < $1.key }) { print("drop", reason, count) }
    for (reason, count) in plain.rejected.sorted(by: { $0.key < $1.key }) { print("rejected", reason, count) }
    rest.counters.drops = [:]
    rest.counters.rejected = [:]
    for figures in plain.kinds + plain.services { print(figures) }
    rest.kinds = []
    rest.services = []
    print(rest)
    for sample in samples { print(sample) }
}

let arguments = CommandLine.arguments.dropFirst()
do {
    if let mode = arguments.first, mode == "--live" || mode == "--shed" {
        let rest = Array(arguments.dropFirst())
        guard rest.count == 3, let ring = Int(rest[1]), let seconds = UInt32(rest[2]) else {
            print("usage: tautbench \(mode) INTERFACE RING-BYTES SECONDS")
            exit(64)
        }
        if mode == "--live" {
            try Live.listen(rest[0], ring: ring, seconds: seconds)
        } else if try !Live.shed(rest[0], ring: ring, seconds: seconds) {
            exit(1)
        }
    } else if arguments.first == "--full" {
        for file in arguments.dropFirst() {
            do { try printAll(file) } catch { print("\(file): \(error)") }
        }
    } else {
        // `analyze` is passed over, so that one command line does for this program and for `taut`.
        for file in arguments where file != "analyze" { try analyze(file) }
    }
} catch {
    print("tautbench: \(error)")
    exit(1)
}
