// The engine without the rest of the product: what the benchmarks build where the whole would cost minutes.
// usage: tautbench FILE...                                      as `taut analyze` reads them
//        tautbench --live INTERFACE RING-BYTES SECONDS          as `tautd` captures; prints packets and kernel drops

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

func listen(_ interface: String, ring: Int, seconds: UInt32) throws {
    var settings = CaptureSettings()
    settings.ringSize = ring
    // What is measured is how much is taken in full.
    settings.shed = .off
    let capture = try LiveCapture.open(interface: interface, settings: settings)
    try capture.start(attribution: AttributionTable(), interval: .seconds(1), onSummary: { _ in })
    sleep(seconds)
    capture.stop()
    print("\(capture.counters.packets) \(capture.counters.kernelDrops)")
}

let arguments = CommandLine.arguments.dropFirst()
do {
    if arguments.first == "--live" {
        let rest = Array(arguments.dropFirst())
        guard rest.count == 3, let ring = Int(rest[1]), let seconds = UInt32(rest[2]) else {
            print("usage: tautbench --live INTERFACE RING-BYTES SECONDS")
            exit(64)
        }
        try listen(rest[0], ring: ring, seconds: seconds)
    } else {
        // `analyze` is passed over, so that one command line does for this program and for `taut`.
        for file in arguments where file != "analyze" { try analyze(file) }
    }
} catch {
    print("tautbench: \(error)")
    exit(1)
}
