// What a comparison comes to, in one line that claims no more than the results allow.

internal import Model
internal import Statistics
internal import Storing

struct CompareVerdict {
    /// `vpn-west, now against last-week: icmp slower (p50 45.0 ms against 40.1 ms, +12 %)`.
    let text: String
    let colour: Palette.Colour?

    init(_ comparison: Comparison) {
        let names = comparison.windows.map(\.name)
        let clear = comparison.probes.compactMap { probe in
            let findings = CompareVerdict.findings(probe)
            return findings.isEmpty ? nil : (probe, findings)
        }
        let isWorse = clear.contains { $0.1.contains { $0.isWorse } }
        let isBetter = clear.contains { $0.1.contains { !$0.isWorse } }
        colour = isWorse ? .yellow : isBetter ? .green : nil
        let clauses =
            clear.isEmpty
            ? CompareVerdict.nothingClear(comparison, names: names)
            : clear.map { probe, findings in
                probe.probe + " " + findings.map(\.text).joined(separator: ", ")
            }
        text = "\(comparison.target), \(names.joined(separator: " against ")): \(clauses.joined(separator: "; "))"
    }

    private struct Finding {
        var text: String
        var isWorse: Bool
    }

    private static func findings(_ probe: ProbeComparison) -> [Finding] {
        guard let a = probe.first, let b = probe.second else { return [] }
        var findings: [Finding] = []
        if probe.loss == .more || probe.loss == .less, let first = a.loss, let second = b.loss {
            findings.append(
                Finding(
                    text: "loses \(probe.loss.rawValue) "
                        + "(\(Figures.percent(first * 100)) against \(Figures.percent(second * 100)))",
                    isWorse: probe.loss == .more))
        }
        // The lowest percentile that differs clearly: a slow tail only where the median is not slower.
        for (name, share) in CompareRenderer.quantiles {
            let order = probe.time(share)
            guard order == .more || order == .less, let new = a.times.quantile(share),
                let old = b.times.quantile(share)
            else { continue }
            let word = order == .more ? "slower" : "faster"
            findings.append(
                Finding(
                    text: "\(share == 0.5 ? word : "tail \(word)") (\(name) \(Figures.time(nanoseconds: new)) against "
                        + "\(Figures.time(nanoseconds: old)), \(Figures.percentChange(from: old, to: new)))",
                    isWorse: order == .more))
            break
        }
        return findings
    }

    private static func nothingClear(_ comparison: Comparison, names: [String]) -> [String] {
        func probes(_ order: ProbeComparison.Order) -> [ProbeComparison] {
            comparison.probes.filter { $0.loss == order }
        }
        func list(_ probes: [ProbeComparison]) -> String {
            probes.count == comparison.probes.count ? "" : " of " + probes.map(\.probe).joined(separator: ", ")
        }
        var clauses: [String] = []
        let same = probes(.same)
        if !same.isEmpty { clauses.append("no clear difference" + list(same)) }
        let few = probes(.tooFew)
        if !few.isEmpty {
            let counts = few.map { "\(Figures.count($0.first?.sent ?? 0)) and \(Figures.count($0.second?.sent ?? 0))" }
            clauses.append(
                "too few results\(list(few)) to tell (\(counts.joined(separator: "; ")), "
                    + "at least \(ProbeComparison.leastResults) each)")
        }
        let unknown = probes(.unknown)
        if !unknown.isEmpty || comparison.probes.isEmpty {
            let empty = zip(names, [true, false]).filter { _, isFirst in
                unknown.allSatisfy { ((isFirst ? $0.first : $0.second)?.sent ?? 0) == 0 }
            }
            let place = empty.isEmpty ? "one of the windows" : empty.map(\.0).joined(separator: " and ")
            clauses.append("unknown\(list(unknown)), since nothing is known in \(place)")
        }
        return clauses
    }
}
