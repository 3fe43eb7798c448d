// `taut analyze` without the rest of `taut`: what the benchmarks build where the whole command would cost minutes.
// usage: tautbench FILE...

import Capturing
import Glibc
import Model

for file in CommandLine.arguments.dropFirst() {
    do {
        let report = try Analyzer.run(file: file)
        print("packets \(report.packets)")
        print("used \(report.used)")
        print("samples \(report.kinds.reduce(0) { $0 + $1.count })")
        print("flows \(report.flows)")
        print("active \(report.counters.activeFlows)")
        print("evicted \(report.counters.evictedFlows)")
        print("refused \(report.counters.refusedFlows)")
        for (reason, count) in report.rejected.sorted(by: { $0.key < $1.key }) { print("rejected \(reason) \(count)") }
        for kind in report.kinds { print("\(kind.kind) \(kind.side) \(kind.count) \(kind.p50 ?? 0) \(kind.p95 ?? 0)") }
    } catch {
        print("tautbench: \(error)")
        exit(1)
    }
}
