import Alerting
import Model
import Testing
import Wire

@Suite struct JudgeTests {
    @Test func cutTargetIsDownInTimeOnceAndUpOnce() throws {
        var world = Simulation(Make.site(2), phases: ["gw": 300, "vpn2": 600].mapKeys()) { spec, _, at in
            spec.id == TargetID("vpn1") && (10_000..<30_000).contains(at) ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 40_000)
        #expect(world.states(of: TargetID("vpn1")) == [.up, .down, .up])
        let down = try #require(world.transitions.first { $0.1.verdict.state == .down })
        // Three rounds sent at 10, 11 and 12 s, the last known at 13 s, and the witnesses' word within a second.
        #expect((13_000...14_000).contains(down.at))
        #expect(down.1.verdict.since == world.wall(10_000))
        #expect(down.1.verdict.reason.contains("no answer to 3 rounds in a row of icmp (timeout 1.0 s)"))
        #expect(down.1.verdict.layer == .target)
        #expect(down.1.verdict.evidence.count <= 16)
        #expect(down.1.verdict.evidence.first?.contains("icmp lost") == true)
        let up = try #require(world.transitions.last { $0.1.target == TargetID("vpn1") })
        #expect((31_000...31_100).contains(up.at))
        #expect(world.notices.map(\.1.event) == [.firing, .resolved])
        #expect(world.notices.first?.1.since == world.wall(10_000))
        #expect(world.states(of: TargetID("vpn2")) == [.up])
        #expect(world.states(of: TargetID("gw")) == [.up])
    }

    @Test func evidenceIsNewestFirstAndBounded() throws {
        var world = Simulation([Make.target("a")]) { _, _, _ in .answers(milliseconds: 12) }
        world.run(to: 60_000)
        let verdict = try #require(world.judge.verdict(for: TargetID("a")))
        #expect(verdict.evidence.count <= 16)
        #expect(verdict.evidence == verdict.evidence.sorted(by: >))
        #expect(verdict.reason == "icmp 10 of 10 answered, median 12.0 ms (kernel timestamps)")
    }

    @Test(arguments: Array(UInt64(1)...30))
    func thirtyPercentLossIsDegradedAndDoesNotFlap(seed: UInt64) {
        var specs = Make.site(1)
        specs[1].judgement = JudgementSettings(degradedLoss: 0.2)
        var world = Simulation(specs) { spec, _, at in
            spec.kind == .vpn && at >= 20_000 && Dice.hits(percent: 30, seed: seed, "x", at)
                ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 1_020_000)
        let states = world.states(of: TargetID("vpn1"))
        // The first losses may look like a cut; once the loss is known, rows of losses by chance are no news.
        let downs = world.transitions.filter { $0.1.verdict.state == .down }.map(\.at)
        #expect(downs.count <= 2 && downs.allSatisfy { $0 < 60_000 }, "\(downs)")
        #expect(states.contains(.degraded))
        #expect(world.notices.count <= 2 * downs.count)
        #expect(states.count <= 24)
    }

    @Test func servicesThatFailOnAReachableHostAreDegradedWithTheLayer() throws {
        let spec = Make.target("web", .saas, probes: [Make.icmp(), Make.tcp()])
        var world = Simulation([spec]) { _, probe, at in
            probe.kind == .tcp && (10_000..<20_000).contains(at) ? .refuses : .answers(milliseconds: 8)
        }
        world.run(to: 30_000)
        #expect(world.states(of: spec.id) == [.up, .degraded, .up])
        let verdict = try #require(world.transitions.first { $0.1.verdict.state == .degraded }).1.verdict
        #expect(verdict.layer == .service)
        #expect(verdict.reason.hasPrefix("refused 3 rounds in a row of tcp-443"))
        #expect(verdict.reason.contains("while icmp"))
        #expect(verdict.since == world.wall(10_000))
    }

    @Test func aProbeThatNeverAnsweredDoesNotCount() {
        let spec = Make.target("web", .saas, probes: [Make.icmp(), Make.tcp()])
        var world = Simulation([spec]) { _, probe, at in
            probe.kind == .icmp || (10_000..<20_000).contains(at) ? .silent : .answers(milliseconds: 8)
        }
        world.run(to: 30_000)
        #expect(
            world.states(of: spec.id).filter { $0 != .unknown } == [.up, .down, .up]
                || world.states(of: spec.id) == [.down, .up, .down, .up])
        #expect(world.states(of: spec.id).last == .up)
        #expect(world.judge.verdict(for: spec.id)?.reason.contains("icmp never answered") == true)
    }

    @Test func allProbesFailingIsDown() {
        let spec = Make.target("web", .saas, probes: [Make.icmp(), Make.tcp()])
        var world = Simulation([spec]) { _, _, at in at >= 10_000 ? .silent : .answers(milliseconds: 8) }
        world.run(to: 20_000)
        #expect(world.states(of: spec.id) == [.up, .down])
    }

    @Test func refusalNeedsNoWitness() throws {
        // The gateway is probed once a minute, but a refusal comes from the target itself.
        var specs = [Make.target("gw", .gateway, probes: [Make.icmp(interval: 60_000)])]
        specs.append(Make.target("web", .saas, parents: ["gw"], probes: [Make.tcp()]))
        var world = Simulation(specs) { spec, _, at in
            spec.kind == .saas && at >= 10_000 ? .refuses : .answers(milliseconds: 5)
        }
        world.run(to: 14_000)
        let down = try #require(world.transitions.last)
        #expect(down.1.verdict.state == .down)
        #expect(down.1.verdict.layer == .service)
        #expect(down.at == 12_005)
    }

    @Test func slowMedianIsDegradedAndComesBackBelowTheLowerLimit() {
        var spec = Make.target("a")
        spec.judgement.degradedRTT = .milliseconds(100)
        var world = Simulation([spec]) { _, _, at in
            .answers(milliseconds: at < 20_000 ? 40 : at < 60_000 ? 150 : at < 90_000 ? 95 : 80)
        }
        world.run(to: 59_000)
        #expect(world.states(of: spec.id) == [.up, .degraded])
        #expect(
            world.judge.verdict(for: spec.id)?.reason == "median 150.0 ms by icmp (kernel timestamps, limit 100.0 ms)")
        world.run(to: 89_000)
        #expect(world.judge.state(of: spec.id) == .degraded)
        #expect(
            world.judge.verdict(for: spec.id)?.reason
                == "median 95.0 ms by icmp (kernel timestamps, limit 100.0 ms, well below 90.0 ms)")
        world.run(to: 120_000)
        #expect(world.states(of: spec.id) == [.up, .degraded, .up])
    }

    /// "Loses 0.0 %, limit 20.0 %" once was why a target was degraded.
    @Test func theReasonOfALossyTargetIsTheLossThatHoldsIt() {
        var spec = Make.target("a")
        spec.judgement.degradedLoss = 0.2
        var world = Simulation([spec]) { _, _, at in
            (20_000..<30_000).contains(at) && at % 3_000 < 1_000 ? .silent : .answers(milliseconds: 20)
        }
        world.run(to: 30_500)
        #expect(world.judge.state(of: spec.id) == .degraded)
        #expect(world.judge.verdict(for: spec.id)?.reason == "loses 30.0 % (3 of 10 of icmp, limit 20.0 %)")
        world.run(to: 38_500)
        #expect(world.judge.state(of: spec.id) == .degraded)
        #expect(
            world.judge.verdict(for: spec.id)?.reason
                == "loses 15.0 % (3 of 20 of icmp, limit 20.0 %, well below 10.0 %)")
    }

    @Test func unresolvedAndOurOwnFaultsAreUnknownAndNotCounted() {
        let spec = Make.target("a")
        var world = Simulation([spec]) { _, _, at in
            (10_000..<20_000).contains(at) ? .unresolved : .answers(milliseconds: 5)
        }
        world.run(to: 15_000)
        #expect(world.states(of: spec.id) == [.up, .unknown])
        #expect(world.judge.verdict(for: spec.id)?.layer == .resolver)
        world.run(to: 30_000)
        #expect(world.states(of: spec.id) == [.up, .unknown, .up])
        #expect(world.notices.isEmpty)
    }

    @Test func silenceOfTheMonitorIsUnknown() {
        let spec = Make.target("a")
        var world = Simulation([spec]) { _, _, at in
            (10_000..<30_000).contains(at) ? .swallowed : .answers(milliseconds: 5)
        }
        world.run(to: 40_000)
        #expect(world.states(of: spec.id) == [.up, .unknown, .up])
        #expect(world.transitions.first { $0.1.verdict.state == .unknown }?.1.verdict.layer == .monitor)
        #expect(world.notices.isEmpty)
    }

    @Test func sigstopMakesNoAlert() {
        var world = Simulation(Make.site(5), phases: ["vpn1": 100, "vpn2": 350, "gw": 700].mapKeys()) { _, _, _ in
            .answers(milliseconds: 20)
        }
        world.stopped = 20_000..<80_000
        world.run(to: 120_000)
        #expect(world.notices.isEmpty)
        #expect(!world.transitions.contains { $0.1.verdict.state == .down })
        for spec in Make.site(5) { #expect(world.judge.state(of: spec.id) == .up) }
        #expect(!world.transitions.contains { $0.1.from == .up }, "the hole is ours and in the record as such")
    }

    @Test func whoeverStaysSilentAfterAStopIsUnknownAllTheSame() {
        let spec = Make.target("a")
        var world = Simulation([spec]) { _, _, _ in .answers(milliseconds: 20) }
        world.run(to: 20_000)
        var last: TargetState?
        for at in stride(from: 26_000, to: 60_000, by: 6_000) {
            let made = world.judge.tick(now: world.wall(at), monotonic: Simulation.monotonic(at))
            last = made.last?.verdict.state ?? last
        }
        #expect(last == .unknown, "being late again and again is no excuse")
    }

    @Test(arguments: [-3_600_000, 3_600_000, -31_536_000_000, 31_536_000_000])
    func clockStepsChangeNoDecision(by: Int) {
        var world = Simulation(Make.site(2)) { spec, _, at in
            spec.id == TargetID("vpn1") && (10_000..<30_000).contains(at) ? .silent : .answers(milliseconds: 20)
        }
        world.clockStep = (at: 11_500, by: by)
        world.run(to: 40_000)
        #expect(world.states(of: TargetID("vpn1")) == [.up, .down, .up])
        for (at, transition) in world.transitions {
            #expect(world.wall(at) - transition.verdict.since >= .zero)
        }
        for (_, action) in world.actions {
            guard case .save(let incident) = action, let closed = incident.closed else { continue }
            #expect(closed >= incident.opened)
        }
    }

    /// Rounds that say nothing do not break a row of answers, but what follows them does not reach back beyond them.
    @Test func aStateAfterUnknownTimeBeginsAfterIt() {
        let probes = [Make.icmp(), Make.tcp()]
        let specs = [Make.target("near", .gateway, probes: probes), Make.target("far", .gateway, probes: probes)]
        var world = Simulation(specs) { spec, probe, at in
            if (20_000..<40_000).contains(at) { return .ownLinkDown }
            let isDead = spec.id == TargetID("far") && at >= 10_000
            return isDead ? .silent : .answers(milliseconds: 5)
        }
        world.run(to: 60_000)
        #expect(world.states(of: TargetID("near")) == [.up, .unknown, .up])
        #expect(world.states(of: TargetID("far")) == [.up, .down, .unknown, .down])
        for id in ["near", "far"] {
            let since = world.transitions.filter { $0.1.target == TargetID(id) }.map(\.1.verdict.since)
            #expect(since == since.sorted(), "\(id)")
            #expect(since.last.map { $0 >= world.wall(40_000) && $0 <= world.wall(41_000) } == true, "\(id)")
        }
    }

    @Test func restoredVerdictStandsUntilMeasured() {
        let began = WallTime(seconds: 1_779_990_000)
        let restored = Verdict(state: .down, since: began, reason: "no answer", layer: .target)
        let open = Incident(
            id: 7, rule: "down", target: TargetID("vpn1"), severity: .critical, opened: began, reason: "no answer")
        var world = Simulation(
            Make.site(1), restored: [TargetID("vpn1"): restored], incidents: [open]
        ) { spec, _, at in spec.kind == .vpn && at < 20_000 ? .silent : .answers(milliseconds: 5) }
        world.run(to: 15_000)
        #expect(world.judge.verdict(for: TargetID("vpn1"))?.since == began)
        #expect(world.states(of: TargetID("vpn1")).isEmpty)
        #expect(world.notices.isEmpty)
        world.run(to: 30_000)
        #expect(world.states(of: TargetID("vpn1")) == [.up])
        #expect(world.notices.map(\.1.event) == [.resolved])
        #expect(world.notices.first?.1.closed == [7])
    }

    @Test func updateKeepsStateById() {
        var world = Simulation(Make.site(2)) { _, _, _ in .answers(milliseconds: 5) }
        world.run(to: 5_000)
        let before = world.judge.verdict(for: TargetID("vpn1"))
        world.judge.update(targets: [Make.target("new")] + Make.site(1), now: world.wall(5_000))
        #expect(world.judge.verdict(for: TargetID("vpn1")) == before)
        #expect(world.judge.verdict(for: TargetID("vpn2")) == nil)
        #expect(world.judge.state(of: TargetID("new")) == .unknown)
        #expect(
            world.judge.observe(
                Round(
                    series: SeriesKey(target: TargetID("vpn2"), probe: "icmp", address: nil), kind: .icmp,
                    scheduled: world.wall(0), finished: Simulation.monotonic(0), results: []), now: world.wall(0)
            ).isEmpty)
        #expect(world.judge.strayRounds == 1)
    }

    @Test func aReloadWithFewerTargetsGoesOnJudging() {
        let specs = (0..<40).map { Make.target("t\($0)") }
        var world = Simulation(specs) { _, _, _ in .answers(milliseconds: 5) }
        world.run(to: 10_000)
        world.judge.update(targets: Array(specs.prefix(34)), now: world.wall(10_000))
        for number in 0..<3 {
            let at = 10_000 + number * 10
            let lost = ProbeResult(sent: world.wall(at), sequence: UInt32(number), outcome: .lost, source: .user)
            let round = Round(
                series: SeriesKey(target: TargetID("t1"), probe: "icmp", address: nil), kind: .icmp,
                scheduled: world.wall(at), finished: Simulation.monotonic(at + 1_000), results: [lost])
            // Before anything else has answered anew the uplink may be to blame.
            #expect(world.judge.observe(round, now: world.wall(at)).isEmpty)
        }
        #expect(world.judge.state(of: TargetID("t1")) == .up)
    }

    @Test(arguments: [
        Make.target("a", probes: [Make.icmp(interval: 60_000)], judgement: JudgementSettings(window: 20)),
        Make.target("a", probes: [Make.tcp(interval: 60_000)]), Make.target("a", probes: [Make.icmp(interval: 1_000)]),
    ])
    func aReloadThatChangesTheProbesIsNoSilence(changed: TargetSpec) {
        let spec = Make.target("a", probes: [Make.icmp(interval: 60_000)])
        var world = Simulation([spec]) { _, _, _ in .answers(milliseconds: 5) }
        world.run(to: 290_000)
        #expect(world.judge.state(of: spec.id) == .up)
        world.judge.update(targets: [changed], now: world.wall(290_000))
        func ticked(_ at: Int) -> [TargetState] {
            world.judge.tick(now: world.wall(at), monotonic: Simulation.monotonic(at)).map(\.verdict.state)
        }
        #expect(ticked(290_500).isEmpty && ticked(294_000).isEmpty)
        // But real silence after the reload is silence.
        #expect(ticked(600_000) == [.unknown])
    }

    @Test func familiesOfANameAreJudgedApart() throws {
        var spec = Make.target("a", .saas, probes: [Make.tcp()])
        spec.family = .both
        var judge = Judge(targets: [spec], started: WallTime(seconds: 1_780_000_000))
        var found: [(at: Int, verdict: Verdict)] = []
        func round(_ at: Int, _ address: String, _ outcome: Outcome) {
            let wall = WallTime(seconds: 1_780_000_000 + Int64(at))
            let result = ProbeResult(sent: wall, sequence: UInt32(at), outcome: outcome, source: .kernel)
            let round = Round(
                series: SeriesKey(target: spec.id, probe: "tcp-443", address: IPAddress(address)), kind: .tcp,
                scheduled: wall, finished: Simulation.monotonic(at * 1_000 + (outcome == .lost ? 900 : 10)),
                results: [result])
            found += judge.observe(round, now: wall).map { (at, $0.verdict) }
        }
        for at in 0..<60 {
            round(at, "192.0.2.1", at < 40 ? .ok(rtt: .milliseconds(5)) : .lost)
            round(at, "2001:db8::1", at < 20 ? .ok(rtt: .milliseconds(5)) : .lost)
        }
        #expect(found.map(\.verdict.state) == [.up, .degraded, .down])
        #expect(found.map(\.at) == [0, 22, 42])
        let degraded = try #require(found.first { $0.verdict.state == .degraded }).verdict
        #expect(degraded.reason.hasPrefix("no answer to 3 rounds in a row of tcp-443 over IPv6 (timeout 1.0 s), while"))
        #expect(degraded.reason.contains("tcp-443 over IPv4 10 of 10 answered"))
        #expect(degraded.layer == .path)
    }

    @Test func aRowOfDifferentFailuresIsNotToldAsOneKind() throws {
        var world = Simulation([Make.target("a")]) { _, _, at in
            at < 10_000 ? .answers(milliseconds: 5) : at < 12_000 ? .silent : .rejected
        }
        world.run(to: 20_000)
        let down = try #require(world.transitions.last).1.verdict
        #expect(down.state == .down && down.layer == .path)
        #expect(down.reason == "3 rounds in a row of icmp failed, the newest by port-unreachable")
    }

    @Test func oneLossBesideADeadServiceIsNotDown() {
        let spec = Make.target("web", .saas, probes: [Make.icmp(), Make.tcp()])
        var world = Simulation([spec]) { _, probe, at in
            if probe.kind == .tcp { return at >= 10_000 ? .refuses : .answers(milliseconds: 8) }
            return (30_000..<31_000).contains(at) || at >= 60_000 ? .silent : .answers(milliseconds: 8)
        }
        world.run(to: 80_000)
        #expect(world.states(of: spec.id) == [.up, .degraded, .down])
        #expect((62_000...64_000).contains(world.transitions.last?.at ?? 0))
    }

    @Test func aFirewallOnTheWayIsNotTheTargetsWord() {
        var world = Simulation(Make.site(4)) { spec, _, at in
            spec.kind == .vpn && at >= 10_000 ? .rejected : .answers(milliseconds: 5)
        }
        world.run(to: 30_000)
        #expect(world.notices.map(\.1.rule) == [AlertEngine.uplinkRule])
        #expect(world.judge.state(of: TargetID("vpn1")) == .unknown)
    }
}

extension Dictionary where Key == String {
    func mapKeys() -> [TargetID: Value] {
        Dictionary<TargetID, Value>(uniqueKeysWithValues: map { (TargetID($0.key), $0.value) })
    }
}
