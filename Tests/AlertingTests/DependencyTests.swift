import Alerting
import Model
import Testing

/// What a cut looks like from every order in which the probes can meet it.
@Suite struct DependencyTests {
    /// Phases of the gateway and five targets within an interval, and of the cut.
    static let phaseSets: [[Int]] = [
        [0, 0, 0, 0, 0, 0], [950, 0, 200, 400, 600, 800], [0, 950, 900, 850, 800, 750], [500, 100, 100, 100, 900, 900],
        [300, 50, 350, 650, 950, 150], [50, 950, 50, 950, 50, 950],
    ]

    static func phases(_ values: [Int], scale: Int = 1) -> [TargetID: Int] {
        var result = [TargetID("gw"): values[0] * scale]
        for index in 1...5 { result[TargetID("vpn\(index)")] = values[index] * scale }
        return result
    }

    @Test(arguments: phaseSets, [30_000, 30_250, 30_500, 30_950])
    func uplinkCutIsOneIncidentAndNoPagePerTarget(values: [Int], cut: Int) throws {
        let specs = Make.site(5)
        var world = Simulation(specs, phases: Self.phases(values)) { spec, _, at in
            spec.kind == .vpn && (cut..<cut + 40_000).contains(at) ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: cut + 60_000)
        #expect(!world.transitions.contains { $0.1.verdict.state == .down })
        for index in 1...5 { #expect(world.states(of: TargetID("vpn\(index)")) == [.up, .unknown, .up]) }
        #expect(world.notices.map(\.1.event) == [.firing, .resolved])
        #expect(world.notices.allSatisfy { $0.1.rule == "uplink" && $0.1.target == nil && $0.1.severity == .critical })
        let firing = try #require(world.notices.first)
        #expect(firing.1.layer == .uplink)
        #expect(firing.1.suppressed == 5)
        #expect(firing.1.reason == "none of 5 targets beyond the gateway answers, while gateway gw answers")
        #expect(firing.at <= cut + 5_500)
        #expect(firing.1.since >= world.wall(cut) && firing.1.since <= world.wall(cut + 1_000))
        #expect(world.engine.openIncidents.isEmpty)
    }

    @Test(arguments: phaseSets, [30_000, 30_250, 30_500, 30_950])
    func deadGatewayHidesWhatIsBeyond(values: [Int], cut: Int) {
        var world = Simulation(Make.site(5), phases: Self.phases(values)) { _, _, at in
            (cut..<cut + 40_000).contains(at) ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: cut + 60_000)
        #expect(world.states(of: TargetID("gw")) == [.up, .down, .up])
        for index in 1...5 {
            #expect(world.states(of: TargetID("vpn\(index)")) == [.up, .unknown, .up], "vpn\(index)")
        }
        #expect(world.notices.map(\.1.event) == [.firing, .resolved])
        #expect(world.notices.allSatisfy { $0.1.target == TargetID("gw") })
        let hidden = world.transitions.first { $0.1.target == TargetID("vpn1") && $0.1.verdict.state == .unknown }
        #expect(hidden?.1.verdict.reason == "gateway gw does not answer; cannot see beyond it")
        #expect(hidden?.1.verdict.layer == .gateway)
    }

    @Test(arguments: [0, 2_000, 5_000, 9_000, 14_000, 22_000, 28_000])
    func slowlyProbedGatewayIsWaitedFor(phase: Int) {
        // The target is probed every second, the gateway every thirty: a short outage of the gateway must not page.
        var specs = Make.site(1)
        specs[0].probes = [Make.icmp(interval: 30_000)]
        for length in [4_000, 8_000, 15_000, 40_000] {
            var world = Simulation(specs, phases: [TargetID("gw"): phase]) { _, _, at in
                (60_000..<60_000 + length).contains(at) ? .silent : .answers(milliseconds: 20)
            }
            world.run(to: 240_000)
            #expect(!world.states(of: TargetID("vpn1")).contains(.down), "outage of \(length) ms, phase \(phase)")
        }
    }

    @Test(arguments: phaseSets)
    func shortUplinkOutageNeverPagesATarget(values: [Int]) {
        for length in stride(from: 1_000, through: 9_000, by: 500) {
            var world = Simulation(Make.site(5), phases: Self.phases(values)) { spec, _, at in
                spec.kind == .vpn && (30_000..<30_000 + length).contains(at) ? .silent : .answers(milliseconds: 20)
            }
            world.run(to: 60_000)
            #expect(!world.transitions.contains { $0.1.verdict.state == .down }, "outage of \(length) ms")
            #expect(world.notices.allSatisfy { $0.1.target == nil })
        }
    }

    @Test func oneLossAfterTheGatewayIsBackIsNotTheEndOfALongRow() {
        var specs = Make.site(1)
        specs[1].probes = [Make.icmp(interval: 10_000)]
        var world = Simulation(specs, phases: [TargetID("vpn1"): 500]) { spec, _, at in
            let lost = spec.kind == .vpn && at == 120_500
            return (50_000..<115_000).contains(at) || lost ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 160_000)
        #expect(world.states(of: TargetID("vpn1")) == [.up, .unknown, .up])
        #expect(world.notices.allSatisfy { $0.1.target == TargetID("gw") })
    }

    @Test func oneTargetOfFiveIsJudgedOnItsOwn() {
        var world = Simulation(Make.site(5), phases: Self.phases([300, 50, 350, 650, 950, 150])) { spec, _, at in
            spec.id == TargetID("vpn3") && at >= 30_000 ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 45_000)
        #expect(world.states(of: TargetID("vpn3")) == [.up, .down])
        #expect(world.notices.map(\.1.target) == [TargetID("vpn3")])
    }

    @Test func twoTargetsAreJudgedOnTheirOwn() {
        var world = Simulation(Make.site(2)) { spec, _, at in
            spec.kind == .vpn && at >= 30_000 ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 45_000)
        #expect(world.notices.map(\.1.target) == [TargetID("vpn1"), TargetID("vpn2")])
        #expect(world.judge.uplinkFault == nil)
    }

    @Test func aGatewayThatNeverAnsweredHidesNothing() {
        var world = Simulation(Make.site(2)) { spec, _, at in
            spec.kind == .gateway || (spec.id == TargetID("vpn1") && at >= 30_000)
                ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 45_000)
        #expect(world.states(of: TargetID("vpn1")) == [.up, .down])
        #expect(world.states(of: TargetID("vpn2")) == [.up])
    }

    @Test func ourOwnLinkDownIsOneIncident() {
        var world = Simulation(Make.site(4)) { _, _, at in
            (30_000..<50_000).contains(at) ? .ownLinkDown : .answers(milliseconds: 20)
        }
        world.run(to: 70_000)
        #expect(world.notices.map(\.1.event) == [.firing, .resolved])
        #expect(world.notices.first?.1.layer == .link)
        #expect(world.notices.first?.1.rule == "uplink")
        for index in 1...4 { #expect(world.states(of: TargetID("vpn\(index)")) == [.up, .unknown, .up]) }
    }

    /// A mistyped name among the targets once kept our own link from ever being to blame.
    @Test func aNameThatNeverResolvedDoesNotSpeakForTheLink() {
        var world = Simulation(Make.site(4)) { spec, _, at in
            if spec.id == TargetID("vpn4") { return .unresolved }
            return (30_000..<50_000).contains(at) ? .ownLinkDown : .answers(milliseconds: 20)
        }
        world.run(to: 70_000)
        #expect(world.notices.map { "\($0.1.event) \($0.1.rule)" } == ["firing uplink", "resolved uplink"])
        #expect(world.notices.first?.1.layer == .link)
        #expect(world.states(of: TargetID("vpn4")).allSatisfy { $0 == .unknown })
    }

    /// A target that there never was a route to once made a cut of seconds as long as the daemon had run.
    @Test func aTargetWithoutARouteDoesNotDateTheCut() throws {
        var world = Simulation(Make.site(4)) { spec, _, at in
            let isCut = (30_000..<50_000).contains(at) || spec.id == TargetID("vpn4")
            return isCut ? .ownLinkDown : .answers(milliseconds: 20)
        }
        world.run(to: 70_000)
        #expect(world.notices.map { "\($0.1.event) \($0.1.rule)" } == ["firing uplink", "resolved uplink"])
        let since = try #require(world.notices.first?.1.since)
        #expect(since >= world.wall(30_000) && since <= world.wall(31_000))
    }

    /// Answers of before the cut once ended the incident at each turn, and the next round opened it again.
    @Test func ourOwnLinkDownStaysOneIncidentWhateverTheOrderOfRounds() {
        for seed in 0..<20 {
            let shift = seed * 47
            let phases = [300, 50, 350, 650, 950, 150].map { ($0 + shift * ($0 % 7 + 1)) % 1_000 }
            var world = Simulation(Make.site(4), phases: Self.phases(phases)) { _, _, at in
                (30_000..<50_000).contains(at) ? .ownLinkDown : .answers(milliseconds: 20)
            }
            world.run(to: 70_000)
            #expect(world.notices.map(\.1.event) == [.firing, .resolved], "seed \(seed)")
            #expect(world.notices.last.map { $0.at >= 50_000 } == true, "seed \(seed)")
            #expect(world.engine.openIncidents.isEmpty)
            for index in 1...4 { #expect(world.states(of: TargetID("vpn\(index)")) == [.up, .unknown, .up]) }
        }
    }

    @Test func aTargetThatStaysDeadAfterTheUplinkIsPagedThen() {
        var world = Simulation(Make.site(5), phases: Self.phases([300, 50, 350, 650, 950, 150])) { spec, _, at in
            let dead = spec.id == TargetID("vpn3") && at >= 30_000
            return spec.kind == .vpn && (30_000..<60_000).contains(at) || dead ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 80_000)
        #expect(
            world.notices.map { "\($0.1.event) \($0.1.target?.rawValue ?? "uplink")" }
                == ["firing uplink", "resolved uplink", "firing vpn3"])
        let down = world.transitions.first { $0.1.verdict.state == .down }
        // Three rounds of its own after the uplink is back.
        #expect((down?.at ?? 0) >= 62_000)
    }

    @Test func aTargetThatIsDownKeepsItsIncidentThroughAnUplinkCut() {
        var world = Simulation(Make.site(5), phases: Self.phases([300, 50, 350, 650, 950, 150])) { spec, _, at in
            let dead = spec.id == TargetID("vpn3") && at >= 20_000
            return spec.kind == .vpn && (40_000..<60_000).contains(at) || dead ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 80_000)
        #expect(
            world.notices.map { "\($0.1.event) \($0.1.target?.rawValue ?? "uplink")" }
                == ["firing vpn3", "firing uplink", "resolved uplink"])
        #expect(world.engine.openIncidents.map(\.target) == [TargetID("vpn3")])
    }

    @Test func deadFromTheStartIsOneIncident() {
        var world = Simulation(Make.site(5), phases: Self.phases([300, 50, 350, 650, 950, 150])) { spec, _, at in
            spec.kind == .vpn && at < 30_000 ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 50_000)
        #expect(
            world.notices.map { "\($0.1.event) \($0.1.target?.rawValue ?? "uplink")" }
                == ["firing uplink", "resolved uplink"])
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func lossyLinesRaiseNoUplinkIncident(seed: UInt64) {
        var world = Simulation(Make.site(5), phases: Self.phases([300, 50, 350, 650, 950, 150])) { spec, _, at in
            spec.kind == .vpn && at > 20_000 && Dice.hits(percent: 30, seed: seed, spec.id.rawValue, at)
                ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 600_000)
        #expect(!world.notices.contains { $0.1.rule == "uplink" })
    }

    @Test func aMixOfIntervalsStillPagesOnlyTheUplink() {
        var specs = Make.site(5)
        specs[2].probes = [Make.icmp(interval: 5_000, timeout: 2_000)]
        specs[4].probes = [Make.icmp(interval: 10_000, timeout: 3_000)]
        for phase in stride(from: 0, to: 10_000, by: 900) {
            var world = Simulation(specs, phases: [TargetID("vpn2"): phase / 2, TargetID("vpn4"): phase]) {
                spec, _, at in
                spec.kind == .vpn && (60_000..<180_000).contains(at) ? .silent : .answers(milliseconds: 20)
            }
            world.run(to: 240_000)
            #expect(!world.transitions.contains { $0.1.verdict.state == .down }, "phase \(phase)")
            #expect(world.notices.map(\.1.rule) == ["uplink", "uplink"], "phase \(phase)")
        }
    }
}
