import Foundation
import Model
import Statistics
import Storing
import Testing
import Wire

@testable import CommandKit

@Suite struct CompareTests {
    /// Figures of a probe: times in milliseconds, and how many were lost beside them.
    static func figures(
        _ milliseconds: [Double], lost: UInt64 = 0, probe: String = "icmp", source: MeasurementSource = .kernel
    ) -> WindowFigures {
        var figures = WindowFigures(probe: probe, kind: .icmp, level: .raw)
        for one in milliseconds { figures.times.record(nanoseconds: Int64(one * 1_000_000)) }
        figures.counts.ok = UInt64(milliseconds.count)
        figures.counts.lost = lost
        if !milliseconds.isEmpty { figures.sources = [source: UInt64(milliseconds.count)] }
        figures.addresses = ["192.0.2.1"]
        return figures
    }

    static func comparison(_ a: [WindowFigures], _ b: [WindowFigures], target: String = "vpn-west") -> Comparison {
        let now = Fixtures.now
        let windows = [
            CompareWindow(name: "now", range: TimeRange(unchecked: now - .seconds(3_600), until: now)),
            CompareWindow(
                name: "last-week",
                range: TimeRange(unchecked: now - .seconds(608_400), until: now - .seconds(604_800))),
        ]
        return Comparison(target: target, windows: windows, figures: [a, b])
    }

    /// 360 times about `base`, spread over a tenth of it.
    static func hour(_ base: Double, count: Int = 360) -> [Double] {
        (0..<count).map { base * (1 + Double($0 * 37 % 100) / 1_000) }
    }

    private func verdict(_ a: WindowFigures?, _ b: WindowFigures?) -> String {
        CompareVerdict(Self.comparison(a.map { [$0] } ?? [], b.map { [$0] } ?? [])).text
    }

    @Test func aDifferenceBeyondRoundingAndChanceIsClear() {
        #expect(
            verdict(Self.figures(Self.hour(45)), Self.figures(Self.hour(40)))
                == "vpn-west, now against last-week: icmp slower (p50 46.9 ms against 42.1 ms, +11 %)")
        #expect(
            verdict(Self.figures(Self.hour(40)), Self.figures(Self.hour(45))).contains("icmp faster (p50 42.1 ms"))
        #expect(
            verdict(Self.figures(Self.hour(40), lost: 40), Self.figures(Self.hour(40)))
                == "vpn-west, now against last-week: icmp loses more (10 % against 0 %)")
    }

    @Test func whatMayBeRoundingOrChanceIsNotClear() {
        let clause = "vpn-west, now against last-week: no clear difference"
        #expect(verdict(Self.figures(Self.hour(40)), Self.figures(Self.hour(40))) == clause)
        // 1.5 % lies within the width of a bucket, however many results there are.
        let many = [Double](repeating: 40, count: 100_000)
        #expect(verdict(Self.figures(many), Self.figures(many.map { $0 * 1.015 })) == clause)
        // Two lost of 360 may be chance.
        #expect(verdict(Self.figures(Self.hour(40), lost: 2), Self.figures(Self.hour(40))) == clause)
    }

    @Test func fewResultsSaySo() {
        let text = verdict(Self.figures(Self.hour(400, count: 12)), Self.figures(Self.hour(40)))
        #expect(
            text
                == "vpn-west, now against last-week: too few results to tell (12 and 360, at least 30 each)")
    }

    @Test func anEmptyWindowIsUnknownAndNotZero() {
        let text = verdict(Self.figures(Self.hour(40)), Self.figures([]))
        #expect(text == "vpn-west, now against last-week: unknown, since nothing is known in last-week")
        #expect(verdict(Self.figures(Self.hour(40)), nil) == text)
        #expect(!Self.comparison([Self.figures([])], []).isComparable)
        let renderer = CompareRenderer(palette: .plain, width: nil, clock: Fixtures.clock)
        let lines = renderer.lines(Self.comparison([Self.figures(Self.hour(40))], [Self.figures([])]))
        let availability = lines.first { $0.hasPrefix("availability") } ?? ""
        #expect(availability.contains("100.000 %") && availability.contains("–") && !availability.contains("0 of 0"))
        let json = renderer.json(Self.comparison([Self.figures([])], []), generated: Fixtures.now).text(pretty: false)
        #expect(json.contains(#""availability_percent":null,"loss_percent":null"#))
        #expect(json.contains(#""p50_us":null"#))
    }

    /// All lost is a finding about loss, and says nothing about times.
    @Test func withoutAnswersThereIsNoTimeToCompare() {
        let comparison = Self.comparison([Self.figures([], lost: 360)], [Self.figures(Self.hour(40))])
        #expect(comparison.probes[0].loss == .more)
        #expect(comparison.probes[0].time(0.5) == .unknown)
        #expect(CompareVerdict(comparison).text.hasSuffix("icmp loses more (100 % against 0 %)"))
    }

    @Test func theTailNeedsMoreResults() {
        let probe = Self.comparison([Self.figures(Self.hour(40))], [Self.figures(Self.hour(40))]).probes[0]
        #expect(probe.time(0.5) == .same)
        #expect(probe.time(0.9) == .same)
        #expect(probe.time(0.99) == .tooFew)
        let long = Self.figures(Self.hour(40, count: 5_000))
        #expect(Self.comparison([long], [long]).probes[0].time(0.99) == .same)
    }

    /// Eight of 648 against none of 1,080 is no chance (Fisher's exact test: p < 0.001).
    @Test func aFewLostOfManyAreNotChance() {
        let now = Self.figures(Self.hour(40, count: 640), lost: 8)
        #expect(Self.comparison([now], [Self.figures(Self.hour(40, count: 1_080))]).probes[0].loss == .more)
        #expect(Self.comparison([Self.figures(Self.hour(40, count: 1_080))], [now]).probes[0].loss == .less)
    }

    /// Two draws from one distribution are rarely told apart: two percentiles at 99 % make four of 200 at the most likely.
    @Test func chanceAloneRarelyMakesAClearDifference() {
        var generator = SplitMix(seed: 11)
        // Of 360, a share is lost; the rest takes 20 ms and a tail.
        func draw(_ loss: Double) -> ([Double], UInt64) {
            let lost = (0..<360).count { _ in Double.random(in: 0..<1, using: &generator) < loss }
            return (
                (lost..<360).map { _ in 20 - 8 * log(Double.random(in: 1e-9..<1, using: &generator)) }, UInt64(lost)
            )
        }
        var clear = 0
        var moreLoss = 0
        for _ in 0..<200 {
            let (a, b) = (draw(0.02), draw(0.02))
            let probe = Self.comparison([Self.figures(a.0, lost: a.1)], [Self.figures(b.0, lost: b.1)]).probes[0]
            if [.more, .less].contains(probe.loss) { moreLoss += 1 }
            if [0.5, 0.9].contains(where: { [.more, .less].contains(probe.time($0)) }) { clear += 1 }
        }
        #expect(clear <= 6, "\(clear) of 200")
        #expect(moreLoss <= 5, "\(moreLoss) of 200")
    }

    @Test func rendered() throws {
        var then = Self.figures(Self.hour(40), lost: 1)
        then.counts.indeterminate = 3
        then.gap = .seconds(600)
        let tcp = [Self.figures(Self.hour(42), probe: "tcp-443", source: .tcpInfo)]
        let comparison = Self.comparison([Self.figures(Self.hour(45), lost: 2)] + tcp, [then])
        let renderer = CompareRenderer(palette: .plain, width: 80, clock: Fixtures.clock)
        let lines = renderer.lines(comparison)
        try expectSnapshot("compare", lines)
        // The README shows the same.
        let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("README.md")
        let shown = try String(contentsOf: readme, encoding: .utf8)
        #expect(shown.contains(lines.prefix(12).joined(separator: "\n")))
        // The verdict is prose, which a terminal may wrap.
        for line in lines.dropFirst() { #expect(DisplayWidth.of(line) <= 80) }
        try expectSnapshot("compare-json", [renderer.json(comparison, generated: Fixtures.now).text(pretty: true)])
        let coloured = CompareRenderer(palette: Palette(isColoured: true), width: 80, clock: Fixtures.clock)
        #expect(coloured.lines(comparison).map { RendererTests.withoutColour($0) } == lines)
    }

    @Test func differentWaysAndAddressesAreSaid() {
        var other = Self.figures(Self.hour(40), source: .user)
        other.addresses = ["192.0.2.2"]
        let renderer = CompareRenderer(palette: .plain, width: nil, clock: Fixtures.clock)
        let lines = renderer.lines(Self.comparison([Self.figures(Self.hour(40))], [other]))
        #expect(lines.contains("! the windows were timed in different ways"))
        #expect(lines.contains("! the windows are of different addresses"))
    }

    @Test func theVerbAnswersFromADatabase() throws {
        try StoredStatusTests.withDatabase { path in
            func run(_ arguments: [String]) -> CommandLineTests.Outcome {
                CommandLineTests.run(["compare"] + arguments + ["--db", path, "--socket", "/nonexistent/control.sock"])
            }
            let alone = run(["gw"])
            #expect(alone.code == 2, "last week there was no database")
            #expect(alone.output.hasPrefix("gw, now against last-week: unknown, since nothing is known in last-week\n"))
            let halves = run(["VPN West", "5m", "2026-11-24T13:25:00Z..2026-11-24T13:28:00Z", "--json"])
            #expect(halves.code == 0)
            #expect(halves.output.hasPrefix("{\n  \"schema\": \"taut/compare/1\""))
            #expect(halves.output.contains("\"overlap_s\": 180"))
            #expect(halves.output.contains("\"lost\": 10"))
            #expect(run(["gww"]).notes.contains("did you mean \"gw\"?"))
            #expect(run(["gw", "--probe", "icpm"]).notes.contains("did you mean \"icmp\"?"))
            #expect(run(["gw", "nwo"]).notes == "taut: \"nwo\" is not a window; did you mean \"now\"?\n")
            #expect(run(["gw", "nwo"]).code == 64)
            #expect(run(["gw", "--for", "0s"]).code == 64)
        }
    }
}
